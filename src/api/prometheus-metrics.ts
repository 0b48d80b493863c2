/**
 * Measurements of operators out of Prometheus, in the shape that the built-in ones have: one range query for all metrics of a run. A subtask
 * that is scraped and pushed is counted once, because both tell the same of the same subtask. Prometheus may be away: then the answer is a
 * note in words instead of measurements, and it is not asked again for a while, so that pages stay quick.
 */
import { readFileSync } from "node:fs";
import fetch from "node-fetch";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { externalError, toAppError, userError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { JobRecord } from "../db/pipelines.ts";
import { basicAuthorization, type HttpAddress, httpAddress, withoutPassword } from "../rpc/http-credentials.ts";
import type { METRIC_NAMES, operatorMetricsShape } from "./schema/job-shapes.ts";

type MetricName = (typeof METRIC_NAMES)[number];
type Group = z.input<typeof operatorMetricsShape>;

/** Each metric as an expression over series of a run; `[w]` is where the window of a rate goes. */
const EXPRESSIONS: Readonly<Partial<Record<MetricName, readonly [series: string, kind: "rate" | "value"]>>> = {
  bytes_recv: ["wadi_worker_bytes_recv", "rate"],
  bytes_sent: ["wadi_worker_bytes_sent", "rate"],
  messages_recv: ["wadi_worker_messages_recv", "rate"],
  messages_sent: ["wadi_worker_messages_sent", "rate"],
  backpressure: ["wadi_worker_backpressure", "value"],
  tx_queue_size: ["wadi_worker_tx_queue_size", "value"],
  state_bytes: ["wadi_worker_state_bytes", "value"],
  keys: ["wadi_worker_state_keys", "value"],
  late_rows: ["wadi_worker_late", "value"],
  bad_rows: ["wadi_worker_bad_rows", "value"],
  watermark_lag_seconds: ["wadi_worker_watermark_lag_seconds", "value"],
};

/** Points of a series at most, and the least time between two, seconds. */
const POINTS = 240;
const STEP_S = 5;
/** A rate needs two scrapes: those of the usual interval and of twice that. */
const RATE_WINDOW_S = 60;
/** After a failure Prometheus is left alone for so long, milliseconds. */
const PAUSE_MS = 10_000;
const TELL_MS = 60_000;
const MAX_BYTES = 64 << 20;
const MICROS = 1_000_000;
const FALL_BACK = "shown are the last five minutes, as the controller keeps them";

const labelNumber = z.string().regex(/^\d{1,9}$/);
const answerShape = z.object({
  status: z.literal("success"),
  data: z.object({
    resultType: z.literal("matrix"),
    result: z.array(
      z.object({
        metric: z.object({ metric: z.string(), node_id: labelNumber, subtask_idx: labelNumber }),
        values: z.array(z.tuple([z.number(), z.string()])),
      }),
    ),
  }),
});
type Series = z.output<typeof answerShape>["data"]["result"];

/** What came of asking: groups, or why there are none. */
export type PrometheusAnswer =
  | { readonly groups: Group[]; readonly note?: undefined }
  | { readonly groups?: undefined; readonly note: string };

/** The expression that gives all metrics of a run, told apart by the label `metric`. `job`: without quotes and backslashes. */
export function runExpression(job: string, fence: number, windowS: number): string {
  const selector = `{job_id=${JSON.stringify(job)},run_fence="${fence}"}`;
  return Object.entries(EXPRESSIONS)
    .map(([name, [series, kind]]) => {
      const values = kind === "rate" ? `rate(${series}${selector}[${windowS}s])` : series + selector;
      return `label_replace(max by (node_id, subtask_idx) (${values}), "metric", "${name}", "", "")`;
    })
    .join(" or ");
}

/** Prometheus' series as metric groups: by operator and metric, subtasks ascending; what is no number is left out. */
export function viewSeries(result: Series): Group[] {
  const operators = new Map<number, Map<string, { index: number; metrics: { time: number; value: number }[] }[]>>();
  for (const { metric, values } of result) {
    const node = Number(metric.node_id);
    const metrics = operators.get(node) ?? new Map<string, { index: number; metrics: { time: number; value: number }[] }[]>();
    operators.set(node, metrics);
    const points = values.map(([seconds, text]) => ({ time: Math.round(seconds * MICROS), value: Number(text) }));
    const subtask = { index: Number(metric.subtask_idx), metrics: points.filter(({ value }) => Number.isFinite(value)) };
    metrics.set(metric.metric, [...(metrics.get(metric.metric) ?? []), subtask]);
  }
  const names = Object.keys(EXPRESSIONS) as MetricName[];
  return [...operators]
    .sort(([a], [b]) => a - b)
    .map(([node, metrics]) => ({
      node_id: node,
      metric_groups: names.flatMap((name) => {
        const subtasks = metrics.get(name);
        return subtasks === undefined ? [] : [{ name, subtasks: subtasks.sort((a, b) => a.index - b.index) }];
      }),
    }));
}

/** As the settings say; undefined: no Prometheus is set up. Throws `invalid-config` if `prometheus.endpoint` is no URL. */
export function prometheusMetrics(settings: Config, clock: Clock, logger: Logger): PrometheusMetrics | undefined {
  const endpoint = settings["prometheus.endpoint"];
  if (endpoint === undefined) return undefined;
  const address = httpAddress(endpoint);
  if (address === undefined) {
    throw userError("invalid-config", `prometheus.endpoint is not the URL of a Prometheus: "${withoutPassword(endpoint)}"`);
  }
  return new PrometheusMetrics(address, settings, clock, logger);
}

/** See the file's comment. */
export class PrometheusMetrics {
  readonly #address: HttpAddress;
  readonly #settings: Config;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #failure: { readonly note: string; readonly untilMs: number } | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(address: HttpAddress, settings: Config, clock: Clock, logger: Logger) {
    this.#address = address;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Measurements of the job's newest run in the last `minutes`. Never throws. */
  async metricGroups({ id, runFence }: Pick<JobRecord, "id" | "runFence">, minutes: number): Promise<PrometheusAnswer> {
    if (this.#failure !== undefined && this.#clock.elapsedMs() < this.#failure.untilMs) return { note: this.#failure.note };
    if (runFence < 1) return { groups: [] };
    try {
      const groups = viewSeries(await this.#range(id, runFence, minutes));
      this.#failure = undefined;
      if (groups.length > 0) return { groups };
      return { note: `Prometheus at ${this.#address.url} has no samples of this run (yet); ${FALL_BACK}` };
    } catch (error) {
      return { note: this.#failed(error) };
    }
  }

  async #range(job: string, fence: number, minutes: number): Promise<Series> {
    const spanS = minutes * 60;
    const stepS = Math.max(STEP_S, Math.ceil(spanS / POINTS));
    // Ends on a multiple of the step, so that points stay where they are from one answer to the next.
    const endS = Math.floor(Number(this.#clock.nowNs() / 1_000_000_000n) / stepS) * stepS;
    const query = runExpression(job, fence, Math.max(RATE_WINDOW_S, 4 * stepS));
    const body = new URLSearchParams({ query, start: String(endS - spanS), end: String(endS), step: String(stepS) });
    const signal = AbortSignal.timeout(this.#settings["prometheus.timeout"]);
    const authorization = this.#authorization();
    const answer = await fetch(`${this.#address.url}/api/v1/query_range`, {
      method: "POST",
      body,
      headers: authorization === undefined ? {} : { authorization },
      redirect: "error",
      size: MAX_BYTES,
      signal,
    });
    if (answer.status === 401 || answer.status === 403) {
      throw externalError("permission-denied", "it refuses the credentials: correct prometheus.basic-auth or prometheus.token");
    }
    const text = await answer.text();
    if (!answer.ok) throw externalError("io", `it answers with status ${answer.status}`);
    const parsed = answerShape.safeParse(parseJson(text));
    if (!parsed.success) throw externalError("io", "it does not answer as Prometheus does");
    return parsed.data.data.result;
  }

  /** Read for every query: a token in a file is replaced now and then. */
  #authorization(): string | undefined {
    const { "prometheus.token-file": file, "prometheus.token": token, "prometheus.basic-auth": basic } = this.#settings;
    if (file !== undefined) return `Bearer ${readToken(file)}`;
    if (token !== undefined) return `Bearer ${token}`;
    return basic === undefined ? this.#address.authorization : basicAuthorization(basic);
  }

  #failed(thrown: unknown): string {
    const late = thrown instanceof Error && thrown.name === "AbortError";
    const why = late ? `it did not answer within ${this.#settings["prometheus.timeout"]} ms` : toAppError(thrown).message;
    const note = `Prometheus at ${this.#address.url} gives no measurements: ${why}; ${FALL_BACK}`;
    const nowMs = this.#clock.elapsedMs();
    this.#failure = { note, untilMs: nowMs + PAUSE_MS };
    if (nowMs - this.#toldMs >= TELL_MS) {
      this.#toldMs = nowMs;
      this.#logger.warn("Prometheus gives no measurements", { endpoint: this.#address.url, why });
    }
    return note;
  }
}

function readToken(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw userError("invalid-config", `prometheus.token-file "${file}" cannot be read`, { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
