/**
 * One connection of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html. Comments keep it alive, a slow
 * reader is waited for, and `signal` says that the reader is gone.
 */
import type { ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";

/** Between two comments, in milliseconds: proxies give idle connections up after a minute or less. */
const HEARTBEAT_MS = 15_000;

/** An event. */
export interface ServerEvent {
  /** Place to go on from; without line ends. */
  readonly id?: string;
  /** Absent: "message". */
  readonly event?: string;
  /** Sent as JSON. */
  readonly data: unknown;
}

/** Writes events to one reader. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();

  /** Sends the head of the answer. `stopping`: the server ends. */
  constructor(response: ServerResponse, clock: Clock, stopping: AbortSignal) {
    this.#response = response;
    const stop = (): void => this.#gone.abort();
    response.once("close", stop);
    stopping.addEventListener("abort", stop, { once: true });
    this.signal.addEventListener("abort", () => stopping.removeEventListener("abort", stop), { once: true });
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // nginx collects answers otherwise.
      "x-accel-buffering": "no",
    });
    response.write(": open\n\n");
    this.#beat(clock).catch(() => undefined);
  }

  /** Aborted when the reader is gone, the server stops or the stream has ended. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Sends one event; resolves when the reader can take more. Does nothing once `signal` is aborted. */
  async send({ id, event, data }: ServerEvent): Promise<void> {
    const lines = [
      ...(id === undefined ? [] : [`id: ${id}`]),
      ...(event === undefined ? [] : [`event: ${event}`]),
      `data: ${JSON.stringify(data)}`,
    ];
    await this.#write(`${lines.join("\n")}\n\n`);
  }

  /** Ends the answer. */
  end(): void {
    this.#gone.abort();
    this.#response.end();
  }

  async #write(text: string): Promise<void> {
    if (this.signal.aborted || this.#response.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#response.off("drain", done);
        this.signal.removeEventListener("abort", done);
        resolve();
      };
      this.#response.once("drain", done);
      this.signal.addEventListener("abort", done, { once: true });
    });
  }

  async #beat(clock: Clock): Promise<void> {
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, this.signal);
      if (this.signal.aborted) return;
      await this.#write(": still here\n\n");
    }
  }
}
