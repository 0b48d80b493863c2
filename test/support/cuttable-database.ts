/** A way to a database that can be cut: a unix socket in a folder of its own that forwards to the server's. */
import { createServer, type Server, Socket } from "node:net";
import { join } from "node:path";
import type { DatabaseOptions } from "../../src/db/connection.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** See the file's comment. `open`: forwards. `silent`: takes connections and bytes and answers nothing. `refusing`: nobody listens. */
export class CuttableDatabase {
  readonly options: DatabaseOptions;
  readonly #target: DatabaseOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silent = false;

  private constructor(target: DatabaseOptions) {
    this.#target = target;
    this.options = { ...target, host: temporaryFolder("proxy"), port: 5432 };
    this.#server = createServer((client) => this.#connect(client));
  }

  /** To a server on a unix socket or a port. */
  static async open(target: DatabaseOptions): Promise<CuttableDatabase> {
    const proxy = new CuttableDatabase(target);
    await proxy.restore();
    return proxy;
  }

  /** Nothing comes through any more, and nobody is told. */
  silence(): void {
    this.#silent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Connections break and new ones are refused. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** As before; connections that broke stay broken. */
  async restore(): Promise<void> {
    this.#silent = false;
    for (const socket of this.#sockets) socket.resume();
    if (!this.#server.listening)
      await new Promise<void>((resolve) => this.#server.listen(join(this.options.host, ".s.PGSQL.5432"), resolve));
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await this.restore();
    await this.refuse();
  }

  #connect(client: Socket): void {
    const { host, port } = this.#target;
    const server = new Socket();
    if (host.startsWith("/")) server.connect(join(host, `.s.PGSQL.${port}`));
    else server.connect(port, host);
    const pairs: readonly (readonly [Socket, Socket])[] = [
      [client, server],
      [server, client],
    ];
    for (const [from, to] of pairs) {
      this.#sockets.add(from);
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#silent) from.pause();
    }
  }
}
