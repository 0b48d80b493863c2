/** A TCP proxy whose connections break after a while, without a word, for tests of those who dial again. */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Prng } from "../../src/core/prng.ts";

const SHORTEST_MS = 300;
const LONGEST_MS = 900;

/** See the file's comment. */
export class CuttingProxy {
  /** Whether connections break. */
  cutting = false;
  /** Connections that were broken. */
  cuts = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cutter: NodeJS.Timeout;
  #cutAtMs = 0;

  /** Passes on to `port` of this machine. */
  constructor(port: number, prng: Prng) {
    this.#server = createServer((socket) => {
      const target = connect(port, "127.0.0.1");
      for (const one of [socket, target]) {
        this.#sockets.add(one);
        one.on("error", () => undefined);
        one.on("close", () => {
          this.#sockets.delete(one);
          (one === socket ? target : socket).destroy();
        });
      }
      socket.pipe(target).pipe(socket);
    });
    this.#cutter = setInterval(() => {
      const nowMs = performance.now();
      if (!this.cutting || nowMs < this.#cutAtMs) return;
      this.#cutAtMs = nowMs + prng.between(SHORTEST_MS, LONGEST_MS);
      if (this.#sockets.size > 0) this.cuts += 1;
      for (const one of this.#sockets) one.resetAndDestroy();
    }, 50);
  }

  /** Listens; the port. */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => resolve((this.#server.address() as { port: number }).port));
    });
  }

  close(): void {
    clearInterval(this.#cutter);
    this.#server.close();
    for (const one of this.#sockets) one.destroy();
  }
}
