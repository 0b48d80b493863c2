/** A unix socket in front of a database's, which can go away: connections are cut and new ones refused, as with a server that is stopped. */
import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** See the file's comment. */
export class DatabaseProxy {
  readonly #path: string;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** Listens in `folder` for the database whose socket is in the folder `target`; both have the port's number. */
  constructor(folder: string, target: string, port: number) {
    this.#path = join(folder, `.s.PGSQL.${port}`);
    this.#target = join(target, `.s.PGSQL.${port}`);
  }

  /** The database is there. */
  open(): Promise<void> {
    const server = createServer((client) => {
      const database = connect(this.#target);
      for (const [from, to] of [[client, database] as const, [database, client] as const]) {
        this.#sockets.add(from);
        from.on("data", (bytes) => to.write(bytes));
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#path, resolve);
    });
  }

  /** The database is away. */
  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#path, { force: true });
  }
}
