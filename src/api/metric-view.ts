/**
 * Samples of measurements as Arroyo's metric groups: one series per operator, metric and subtask. Rates are per second, as in Arroyo, whose
 * counters' rates these are.
 */
import type { z } from "zod";
import type { MetricSample, SubtaskSample } from "../db/metrics.ts";
import type { METRIC_NAMES, operatorMetricsShape } from "./schema/job-shapes.ts";

type MetricName = (typeof METRIC_NAMES)[number];
type Group = z.input<typeof operatorMetricsShape>;
type Series = Group["metric_groups"][number]["subtasks"][number]["metrics"];

const NS_PER_US = 1_000;
const US_PER_SECOND = 1_000_000;

/** Each metric's value in a sample; `undefined`: it has none. */
const METRICS: Readonly<Partial<Record<MetricName, (subtask: SubtaskSample, takenUs: number) => number | undefined>>> = {
  bytes_recv: (s) => s.bytes_in_per_s,
  bytes_sent: (s) => s.bytes_out_per_s,
  messages_recv: (s) => s.rows_in_per_s,
  messages_sent: (s) => s.rows_out_per_s,
  backpressure: (s) => s.backpressure,
  tx_queue_size: (s) => s.queue_bytes,
  state_bytes: (s) => s.state_bytes,
  keys: (s) => s.keys,
  late_rows: (s) => s.late,
  bad_rows: (s) => s.bad,
  watermark_lag_seconds: (s, takenUs) => {
    const watermarkUs = watermarkMicros(s.watermark_ns);
    return watermarkUs === undefined ? undefined : Math.max(0, (takenUs - watermarkUs) / US_PER_SECOND);
  },
};

/** A watermark in microseconds; `undefined` where there is none, or none that is a time (the end of a source is +∞). */
export function watermarkMicros(ns: SubtaskSample["watermark_ns"]): number | undefined {
  if (ns === undefined || ns === null || !/^-?\d{1,19}$/.test(String(ns))) return undefined;
  const us = Number(BigInt(ns) / BigInt(NS_PER_US));
  return Number.isSafeInteger(us) ? us : undefined;
}

/** Metric groups by operator, of the newest run in `samples`. */
export function viewMetrics(samples: readonly MetricSample[]): Group[] {
  const newest = samples.at(-1)?.runFence;
  const operators = new Map<number, Map<MetricName, Map<number, Series>>>();
  for (const sample of samples.filter(({ runFence }) => runFence === newest)) {
    for (const { vertex, subtasks } of sample.operators) {
      const metrics = ensure(operators, vertex, () => new Map<MetricName, Map<number, Series>>());
      for (const subtask of subtasks) addSample(metrics, subtask, sample.takenUs);
    }
  }
  return [...operators]
    .sort(([a], [b]) => a - b)
    .map(([vertex, metrics]) => ({
      node_id: vertex,
      metric_groups: [...metrics].map(([name, subtasks]) => ({
        name,
        subtasks: [...subtasks].sort(([a], [b]) => a - b).map(([index, series]) => ({ index, metrics: series })),
      })),
    }));
}

function addSample(metrics: Map<MetricName, Map<number, Series>>, subtask: SubtaskSample, takenUs: number): void {
  for (const [name, measure] of Object.entries(METRICS)) {
    const value = measure(subtask, takenUs);
    if (value === undefined) continue;
    const bySubtask = ensure(metrics, name as MetricName, () => new Map<number, Series>());
    ensure(bySubtask, subtask.subtask, (): Series => []).push({ time: takenUs, value });
  }
}

function ensure<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
