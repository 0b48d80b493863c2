/**
 * Pushes a worker's metrics to the Pushgateway that the controller names: now and then, and once at the end, so that runs too short for a scrape
 * leave their numbers. It never disturbs the work: one push at a time, each bounded, and a Pushgateway that fails is told of once a minute.
 */
import type { Clock } from "../core/clock.ts";
import { toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import { type PushGroup, Pushgateway } from "../rpc/pushgateway.ts";

/** A push that takes longer is given up, milliseconds; the last one has less time, because the worker's end waits for it: least where pushes fail. */
const PUSH_TIMEOUT_MS = 5_000;
const LAST_PUSH_MS = 3_000;
const LAST_PUSH_FAILING_MS = 500;
const TELL_MS = 60_000;

/** What it works with. */
export interface MetricsPushInit {
  readonly group: PushGroup;
  /** A prom-client `Registry`, or what answers like one. */
  readonly registry: { readonly contentType: string; metrics(): Promise<string> };
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** See the file's comment. */
export class MetricsPush {
  readonly #init: MetricsPushInit;
  #gateway: { readonly url: string; readonly intervalMs: number; readonly client: Pushgateway } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pushing: Promise<void> | undefined;
  readonly #over = new AbortController();
  #ended = false;
  #toldMs = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(init: MetricsPushInit) {
    this.#init = init;
  }

  /** From now on to `url`, every `intervalMs` milliseconds, first after a random part of it; `url` empty: nowhere. */
  follow(url: string, intervalMs: number): void {
    if (this.#ended || (this.#gateway?.url === url && this.#gateway.intervalMs === intervalMs)) return;
    this.#gateway = undefined;
    clearTimeout(this.#timer);
    if (url === "" || intervalMs < 1) return;
    try {
      this.#gateway = { url, intervalMs, client: new Pushgateway(url, PUSH_TIMEOUT_MS) };
    } catch (error) {
      return this.#tell(error);
    }
    // Workers of a run start together and shall not push together.
    this.#again(this.#init.random.below(Math.ceil(intervalMs)));
  }

  /** The last push; resolves within three seconds whatever happens. Nothing is pushed afterwards. */
  async finish(): Promise<void> {
    const gateway = this.#gateway;
    this.stop();
    if (gateway === undefined) return;
    const limitMs = this.#failures === 0 ? LAST_PUSH_MS : LAST_PUSH_FAILING_MS;
    const limit = setTimeout(() => this.#over.abort(), limitMs);
    await this.#pushing;
    if (!this.#over.signal.aborted) await this.#push(gateway.client);
    clearTimeout(limit);
    this.#over.abort();
  }

  /** No more pushes, not even a last one: the group is not this worker's any more. */
  stop(): void {
    this.#ended = true;
    this.#gateway = undefined;
    clearTimeout(this.#timer);
  }

  #again(afterMs: number): void {
    this.#timer = setTimeout(() => this.#turn(), afterMs);
    this.#timer.unref();
  }

  #turn(): void {
    const gateway = this.#gateway;
    if (gateway === undefined) return;
    this.#pushing = this.#push(gateway.client).then(() => {
      this.#pushing = undefined;
      if (this.#gateway === gateway) this.#again(gateway.intervalMs);
    });
  }

  async #push(client: Pushgateway): Promise<void> {
    const { registry, group } = this.#init;
    try {
      await client.push(group, await registry.metrics(), registry.contentType, this.#over.signal);
      if (this.#failures > 0) this.#init.logger.info("metrics are pushed again", { failures: this.#failures });
      this.#failures = 0;
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const { clock, logger } = this.#init;
    this.#failures += 1;
    const nowMs = clock.elapsedMs();
    if (nowMs - this.#toldMs < TELL_MS) return;
    this.#toldMs = nowMs;
    logger.warn("metrics could not be pushed; the work goes on", { error: toAppError(error), failures: this.#failures });
  }
}
