/**
 * Metrics of the API as charts and graphs need them: sums over subtasks, one time axis for several lines, the newest value.
 */
import type { Metric, MetricGroup, OperatorMetricGroup, PipelineGraph } from "../api/types.ts";
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

/** Rows a second through each operator: those that leave it, of sinks those that reach it. Absent: not measured. */
export function nodeRates(groups: readonly OperatorMetricGroup[], graph: PipelineGraph): ReadonlyMap<number, number> {
  const sent = (id: number) => latestSum(metricGroup(groups, id, "messages_sent"));
  const received = (id: number) => latestSum(metricGroup(groups, id, "messages_recv"));
  const rates = graph.nodes.flatMap(({ node_id, kind }): [number, number][] => {
    const own = kind === "sink" ? received(node_id) || undefined : (sent(node_id) ?? received(node_id));
    // What reaches a sink is bytes; its rows are counted where they were encoded.
    const inputs = graph.edges.filter(({ dest_id }) => dest_id === node_id).flatMap(({ src_id }) => sent(src_id) ?? []);
    const rate = own ?? (inputs.length === 0 ? undefined : inputs.reduce((sum, value) => sum + value, 0));
    return rate === undefined ? [] : [[node_id, rate]];
  });
  return new Map(rates);
}

/** What the graph shows of each operator. */
export function nodeLoads(groups: readonly OperatorMetricGroup[], graph: PipelineGraph): ReadonlyMap<number, NodeLoad> {
  const rates = nodeRates(groups, graph);
  return new Map(
    graph.nodes.map(({ node_id }) => {
      const rate = rates.get(node_id);
      const backpressure = latestMax(metricGroup(groups, node_id, "backpressure")) ?? 0;
      return [node_id, { rate: rate === undefined ? "–" : `${formatShort(rate)} rows/s`, backpressure }];
    }),
  );
}

/** Sinks that rows reach, such as "430 rows/s to preview"; empty: none. */
export function sinkFlow(groups: readonly OperatorMetricGroup[], graph: PipelineGraph): string {
  const rates = nodeRates(groups, graph);
  const flowing = graph.nodes.filter(({ kind, node_id }) => kind === "sink" && (rates.get(node_id) ?? 0) > 0);
  return flowing
    .map(({ node_id, table, description }) => `${formatShort(rates.get(node_id) ?? 0)} rows/s to ${table ?? description}`)
    .join(", ");
}
