/**
 * One operator: how much it is held up, what goes through it, how far it is and who holds it back, what state it keeps.
 */
import type { Metric, MetricGroup, OperatorMetricGroup, OutputExplanation, PipelineNode } from "../../api/types.ts";
import { pressureLevel } from "../../charts/dataflow-graph.tsx";
import { LineChart } from "../../charts/line-chart.tsx";
import { chartData, latestMax, latestSum, metricGroup } from "../../charts/metric-series.ts";
import { Badge } from "../../components/badge.tsx";
import { IconButton } from "../../components/button.tsx";
import type { Tone } from "../../components/note.tsx";
import { formatBytes, formatCount, formatDuration, formatShort, formatTime, plural } from "../../format.ts";

interface OperatorDetailProps {
  readonly node: PipelineNode;
  readonly groups: readonly OperatorMetricGroup[];
  /** Of the measurements: why they are not from Prometheus; empty: nothing. */
  readonly note: string;
  readonly explanation: OutputExplanation | undefined;
  onClose(): void;
}

const PRESSURE_TONES: Readonly<Record<string, Tone>> = { low: "ok", medium: "warn", high: "bad" };

/** The panel. */
export function OperatorDetail({ node, groups, note, explanation, onClose }: OperatorDetailProps) {
  const latest = (name: MetricGroup["name"]) => latestSum(metricGroup(groups, node.node_id, name));
  const source = explanation?.sources.find(({ node_id }) => node_id === node.node_id);
  const window = explanation?.windows.find(({ node_id }) => node_id === node.node_id);
  const sink = explanation?.sinks.find(({ node_id }) => node_id === node.node_id);
  const lag = worstLag(groups, node.node_id);
  const level = pressureLevel(latestMax(metricGroup(groups, node.node_id, "backpressure")) ?? 0);
  return (
    <section class="panel" aria-label={node.description}>
      <header class="panel-head">
        <div>
          <h2>{node.description}</h2>
          <span class="muted small mono">{node.operator}</span>
        </div>
        <IconButton icon="close" label="Close details" onClick={onClose} />
      </header>
      <div class="row">
        <Badge tone={PRESSURE_TONES[level] ?? "plain"}>Backpressure {level}</Badge>
        <Badge plain>{plural(node.parallelism, "subtask")}</Badge>
        {source !== undefined && source.ended_subtasks === source.subtasks && <Badge tone="info">Ended</Badge>}
        {source !== undefined && source.idle_subtasks > 0 && <Badge>Idle in {source.idle_subtasks}</Badge>}
      </div>
      <RateChart title="Rows in" groups={groups} nodeId={node.node_id} name="messages_recv" />
      <RateChart title="Rows out" groups={groups} nodeId={node.node_id} name="messages_sent" />
      {note !== "" && <p class="muted small">{note}</p>}
      <h3 class="panel-title">Event time</h3>
      <dl class="facts">
        <dt>Watermark</dt>
        <dd class="num">{formatTime(watermarkOf(lag))}</dd>
        <dt>Behind now</dt>
        <dd class="num">{lag === undefined ? "–" : formatDuration(lag.value * 1e6)}</dd>
        <dt>Held back by</dt>
        <dd>{window?.held_by ? `partition ${window.held_by.partition} of ${window.held_by.table}` : "nobody"}</dd>
        {window !== undefined && (
          <>
            <dt>Next rows</dt>
            <dd class="num">{window.next_firing === null ? "–" : `at event time ${formatTime(window.next_firing)}`}</dd>
          </>
        )}
      </dl>
      <h3 class="panel-title">State and rows</h3>
      <dl class="facts num">
        <dt>State</dt>
        <dd>
          {formatBytes(latest("state_bytes"))} in {plural(latest("keys") ?? 0, "key")}
        </dd>
        <dt>Rows read</dt>
        <dd>{formatCount(source?.rows_read ?? window?.rows_in)}</dd>
        <dt>Rows given</dt>
        <dd>{formatCount(sink?.rows_written ?? window?.rows_out)}</dd>
        <dt>Late</dt>
        <dd>{formatCount(latest("late_rows"))}</dd>
        <dt>Bad</dt>
        <dd>{formatCount(latest("bad_rows"))}</dd>
      </dl>
    </section>
  );
}

/** The event time that a lag stands for, in microseconds. */
function watermarkOf(lag: Metric | undefined): number | undefined {
  return lag === undefined ? undefined : lag.time - lag.value * 1e6;
}

/** The newest measurement of the subtask that is furthest behind. */
function worstLag(groups: readonly OperatorMetricGroup[], nodeId: number): Metric | undefined {
  const newest = (metricGroup(groups, nodeId, "watermark_lag_seconds")?.subtasks ?? []).flatMap(({ metrics }) => metrics.at(-1) ?? []);
  return newest.sort((a, b) => b.value - a.value)[0];
}

interface RateChartProps {
  readonly title: string;
  readonly groups: readonly OperatorMetricGroup[];
  readonly nodeId: number;
  readonly name: MetricGroup["name"];
}

function RateChart({ title, groups, nodeId, name }: RateChartProps) {
  const group = metricGroup(groups, nodeId, name);
  const { times, lines } = chartData(group);
  const now = latestSum(group);
  return (
    <div class="rate">
      <h3 class="panel-title">
        {title}
        <span class="num">{now === undefined ? "–" : `${formatShort(now)}/s`}</span>
      </h3>
      {lines.length === 0 ? (
        <div class="chart chart-none">not measured yet</div>
      ) : (
        <LineChart label={`${title} per second`} times={times} lines={lines} format={formatShort} height={112} />
      )}
    </div>
  );
}
