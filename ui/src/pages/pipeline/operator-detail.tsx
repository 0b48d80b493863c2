/**
 * One operator: how much it is held up, what goes through it, how far it is and who holds it back, what state it keeps.
 */
import type { GraphNode, OperatorMetricGroup, OperatorStatus } from "../../api/shapes.ts";
import { pressureLevel } from "../../charts/dataflow-graph.tsx";
import { LineChart } from "../../charts/line-chart.tsx";
import { chartData, latestMax, latestSum, metricGroup } from "../../charts/metric-series.ts";
import { Badge } from "../../components/badge.tsx";
import { IconButton } from "../../components/button.tsx";
import type { Tone } from "../../components/note.tsx";
import { formatBytes, formatCount, formatDuration, formatShort, formatTime, plural } from "../../format.ts";

interface OperatorDetailProps {
  readonly node: GraphNode;
  readonly groups: readonly OperatorMetricGroup[];
  readonly status: OperatorStatus | undefined;
  onClose(): void;
}

const PRESSURE_TONES: Readonly<Record<string, Tone>> = { low: "ok", medium: "warn", high: "bad" };

/** The panel. */
export function OperatorDetail({ node, groups, status, onClose }: OperatorDetailProps) {
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
        {status?.ended === true && <Badge tone="info">Ended</Badge>}
        {status?.idle === true && <Badge>Idle</Badge>}
      </div>
      <RateChart title="Rows in" groups={groups} nodeId={node.node_id} name="messages_recv" />
      <RateChart title="Rows out" groups={groups} nodeId={node.node_id} name="messages_sent" />
      <h3 class="panel-title">Event time</h3>
      <dl class="facts">
        <dt>Watermark</dt>
        <dd class="num">{status === undefined ? "–" : formatTime(status.watermark)}</dd>
        <dt>Behind now</dt>
        <dd class="num">{status?.watermark ? formatDuration(Math.max(0, Date.now() * 1000 - status.watermark)) : "–"}</dd>
        <dt>Held back by</dt>
        <dd>{status?.holder ? `${status.holder.description}, partition ${status.holder.partition}` : "nobody"}</dd>
      </dl>
      <h3 class="panel-title">State and rows</h3>
      <dl class="facts num">
        <dt>State</dt>
        <dd>{status === undefined ? "–" : `${formatBytes(status.state_bytes)} in ${plural(status.keys, "key")}`}</dd>
        <dt>Rows in</dt>
        <dd>{formatCount(status?.rows_in)}</dd>
        <dt>Rows out</dt>
        <dd>{formatCount(status?.rows_out)}</dd>
        <dt>Filtered</dt>
        <dd>{formatCount(status?.filtered)}</dd>
        <dt>Late</dt>
        <dd>{formatCount(status?.late)}</dd>
        <dt>Bad</dt>
        <dd>{formatCount(status?.bad)}</dd>
      </dl>
    </section>
  );
}

interface RateChartProps {
  readonly title: string;
  readonly groups: readonly OperatorMetricGroup[];
  readonly nodeId: number;
  readonly name: string;
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
