/**
 * Hears of changed jobs by PostgreSQL's LISTEN on a connection of its own. Only a shortcut: where notifications do not arrive (the embedded
 * database, a connection that broke) the loop looks by itself.
 */
import { toAppError } from "../core/errors.ts";
import { JOBS_CHANNEL } from "../db/jobs.ts";
import type { LeaderContext } from "./context.ts";

/** What the driver's connection offers. */
interface ListeningConnection {
  query(text: string): Promise<unknown>;
  on(event: "notification" | "error" | "end", listener: (argument: unknown) => void): void;
}

/** The part of knex' client that makes connections outside of its pool. */
interface ConnectionMaker {
  acquireRawConnection(): Promise<ListeningConnection>;
  destroyRawConnection(connection: ListeningConnection): Promise<void>;
}

/** Notifications that come close together are one. */
const GATHER_MS = 50;
const RECONNECT_MS = 2_000;

/** See the file's comment. */
export class JobListener {
  readonly #context: LeaderContext;
  #news = false;
  #wake: AbortController | undefined;

  constructor(context: LeaderContext) {
    this.#context = context;
  }

  /** Resolves `ms` milliseconds from now, or earlier when something was heard. */
  async heard(ms: number, over: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    // One listener for the whole term: signals made of others for every turn would pile up on it.
    if (this.#wake === undefined) over.addEventListener("abort", () => this.#wake?.abort(), { once: true });
    this.#wake = new AbortController();
    await clock.sleep(GATHER_MS, over);
    if (!this.#news && !over.aborted) await clock.sleep(ms - GATHER_MS, this.#wake.signal);
    this.#news = false;
  }

  /** Listens until `over` is aborted. Never throws. */
  async run(over: AbortSignal): Promise<void> {
    const { settings, clock, logger } = this.#context;
    if (settings["database.type"] === "embedded") return;
    while (!over.aborted) {
      try {
        await this.#listen(over);
      } catch (error) {
        logger.debug("listening for changed jobs failed", { error: toAppError(error) });
      }
      await clock.sleep(RECONNECT_MS, over);
    }
  }

  async #listen(over: AbortSignal): Promise<void> {
    const maker = this.#context.db.client as ConnectionMaker;
    const connection = await maker.acquireRawConnection();
    const ended = new Promise<void>((resolve) => {
      connection.on("end", () => resolve());
      connection.on("error", () => resolve());
      over.addEventListener("abort", () => resolve(), { once: true });
    });
    try {
      connection.on("notification", () => this.#notify());
      await connection.query(`listen ${JOBS_CHANNEL}`);
      await ended;
    } finally {
      await maker.destroyRawConnection(connection).catch(() => undefined);
    }
  }

  #notify(): void {
    this.#news = true;
    this.#wake?.abort();
  }
}
