/** Measurements of the API itself: how many requests, how they ended, how long they took. */
import type { Middleware } from "koa";
import { Counter, Histogram, type Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";

const BUCKETS_SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10];
const MS_PER_SECOND = 1_000;

/** The API's series in a registry. A second API in the same registry shares them. */
export class ApiMetrics {
  readonly #requests: Counter;
  readonly #seconds: Histogram;

  constructor(registry: Registry) {
    const requests = registry.getSingleMetric("wadi_api_requests_total");
    const seconds = registry.getSingleMetric("wadi_api_request_seconds");
    this.#requests =
      requests instanceof Counter
        ? requests
        : new Counter({
            name: "wadi_api_requests_total",
            help: "requests by method and class of status",
            labelNames: ["method", "status"],
            registers: [registry],
          });
    this.#seconds =
      seconds instanceof Histogram
        ? seconds
        : new Histogram({
            name: "wadi_api_request_seconds",
            help: "time until the answer was ready, streams left out",
            labelNames: ["method"],
            buckets: BUCKETS_SECONDS,
            registers: [registry],
          });
  }

  /** Counts every request that passes. */
  observe(clock: Clock): Middleware {
    return async (context, next) => {
      const startedMs = clock.elapsedMs();
      await next();
      this.#requests.inc({ method: context.method, status: `${Math.floor(context.status / 100)}xx` });
      if (context.respond !== false) this.#seconds.observe({ method: context.method }, (clock.elapsedMs() - startedMs) / MS_PER_SECOND);
    };
  }
}
