/**
 * The port on which a worker takes other workers' data. It listens before the worker knows what it will run, so that its address can be part
 * of the registration; connections that come too early wait unread until the run's exchange takes them.
 */
import { createServer, type Server, type Socket } from "node:net";
import { listen } from "../rpc/listen.ts";

/** Connections that may wait for the exchange: more than a run has workers. */
const MAX_WAITING = 4096;
/** How long one may wait: as long as a worker waits for its welcome. */
const WAIT_LIMIT_MS = 120_000;

/** Where it listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
}

/** See the file's comment. */
export class DataListener {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #take: ((socket: Socket) => void) | undefined;

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Opens the port. The address with the port that was chosen. Throws `already-exists` if it is taken. */
  async listen({ host, port }: ListenAddress): Promise<ListenAddress> {
    const chosen = await listen(this.#server, { host, port, setting: "worker.data-port" });
    // A connection that cannot be accepted is the dialler's failure.
    this.#server.on("error", () => undefined);
    return { host, port: chosen };
  }

  /** From now on connections go to `take`, those that wait first. */
  attach(take: (socket: Socket) => void): void {
    this.#take = take;
    for (const socket of this.#waiting.splice(0)) if (!socket.destroyed) take(socket);
  }

  /** Stops listening; connections that were taken are their taker's. Idempotent. */
  close(): void {
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#take !== undefined) return this.#take(socket);
    if (this.#waiting.length >= MAX_WAITING) {
      socket.destroy();
      return;
    }
    socket.on("error", () => undefined);
    socket.setTimeout(WAIT_LIMIT_MS, () => socket.destroy());
    this.#waiting.push(socket);
  }
}
