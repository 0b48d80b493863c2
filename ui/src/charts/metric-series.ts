/**
 * Metrics of the API as charts and graphs need them: sums over subtasks, one time axis for several lines, the newest value.
 */
import type { Metric, MetricGroup, OperatorMetricGroup } from "../api/types.ts";
import { formatShort } from "../format.ts";
import type { NodeLoad } from "./dataflow-graph.tsx";
import type { Line } from "./line-chart.tsx";

/** Lines beyond so many are drawn as their sum. */
const LINES_MAX = 6;

/** A chart's data. */
export interface ChartData {
  readonly times: readonly number[];
  readonly lines: readonly Line[];
}

/** The group of a metric of an operator, if it is measured. */
export function metricGroup(groups: readonly OperatorMetricGroup[], nodeId: number, name: MetricGroup["name"]): MetricGroup | undefined {
  return groups.find((group) => group.node_id === nodeId)?.metric_groups.find((group) => group.name === name);
}

/** One line per subtask over their common times; of many subtasks, the sum. */
export function chartData(group: MetricGroup | undefined): ChartData {
  const subtasks = group?.subtasks ?? [];
  const times = [...new Set(subtasks.flatMap(({ metrics }) => metrics.map((metric) => metric.time)))].sort((a, b) => a - b);
  const lines = subtasks.map(({ index, metrics }) => {
    const byTime = new Map(metrics.map((metric) => [metric.time, metric.value]));
    return { label: `subtask ${index}`, values: times.map((time) => byTime.get(time) ?? null) };
  });
  const seconds = times.map((time) => time / 1e6);
  if (lines.length <= LINES_MAX) return { times: seconds, lines };
  const sums = times.map((_, i) => lines.reduce((sum, line) => sum + (line.values[i] ?? 0), 0));
  return { times: seconds, lines: [{ label: "all subtasks", values: sums }] };
}

/** The newest values of all subtasks, added; `undefined` if nothing was measured. */
export function latestSum(group: MetricGroup | undefined): number | undefined {
  const values = latestValues(group);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/** The largest of the newest values of all subtasks; `undefined` if nothing was measured. */
export function latestMax(group: MetricGroup | undefined): number | undefined {
  const values = latestValues(group);
  return values.length === 0 ? undefined : Math.max(...values);
}

function latestValues(group: MetricGroup | undefined): number[] {
  return (group?.subtasks ?? []).flatMap(({ metrics }) => {
    const newest: Metric | undefined = metrics.at(-1);
    return newest === undefined ? [] : [newest.value];
  });
}

/** What the graph shows of each operator. */
export function nodeLoads(groups: readonly OperatorMetricGroup[]): ReadonlyMap<number, NodeLoad> {
  return new Map(
    groups.map(({ node_id }) => {
      const sent = latestSum(metricGroup(groups, node_id, "messages_sent"));
      const received = latestSum(metricGroup(groups, node_id, "messages_recv"));
      const rows = sent === undefined || (sent === 0 && (received ?? 0) > 0) ? received : sent;
      return [
        node_id,
        {
          rate: rows === undefined ? "–" : `${formatShort(rows)} rows/s`,
          backpressure: latestMax(metricGroup(groups, node_id, "backpressure")) ?? 0,
        },
      ];
    }),
  );
}
