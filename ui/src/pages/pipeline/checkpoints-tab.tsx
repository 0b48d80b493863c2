/**
 * The epochs of a job, and for the chosen one where its time and bytes went.
 */
import { useState } from "preact/hooks";
import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { Checkpoint, OperatorCheckpointGroup, PipelineGraph } from "../../api/types.ts";
import { PhaseTimeline, type TimelineRow } from "../../charts/phase-timeline.tsx";
import { Badge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import { Note, type Tone } from "../../components/note.tsx";
import { formatBytes, formatDuration, formatTime } from "../../format.ts";
import type { TabProps } from "./page.tsx";

const CHECKPOINTS_MS = 5000;
const SHOWN_MAX = 200;
const STATE_TONES: Readonly<Record<string, Tone>> = { "in-progress": "accent", committing: "accent", complete: "ok", failed: "bad" };

/** The tab. */
export function CheckpointsTab({ pipeline, jobPath }: TabProps) {
  const { data } = usePolled<Collection<Checkpoint>>(`${jobPath}/checkpoints`, CHECKPOINTS_MS);
  const [chosen, setChosen] = useState<number>();
  if (data === undefined) return <Empty icon="clock" title="Asking for checkpoints" />;
  const newestFirst = [...data.data].sort((a, b) => b.epoch - a.epoch).slice(0, SHOWN_MAX);
  if (newestFirst.length === 0) {
    return (
      <Empty icon="clock" title="No checkpoint yet">
        The first is taken {formatDuration(pipeline.checkpoint_interval_micros)} after the pipeline has started.
      </Empty>
    );
  }
  const selected =
    newestFirst.find(({ epoch }) => epoch === chosen) ?? newestFirst.find(({ finish_time }) => finish_time !== null) ?? newestFirst[0];
  return (
    <div class="checkpoints">
      <ul class="epochs" aria-label="Epochs">
        {newestFirst.map((checkpoint) => (
          <li key={checkpoint.epoch}>
            <button
              type="button"
              class="epoch"
              aria-pressed={checkpoint.epoch === selected?.epoch}
              onClick={() => setChosen(checkpoint.epoch)}
            >
              <span class="epoch-number num">{checkpoint.epoch}</span>
              <span class="epoch-facts num">
                <span>{formatTime(checkpoint.start_time)}</span>
                <span class="faint">
                  {checkpoint.finish_time === null ? checkpoint.state : formatBytes(checkpoint.written_bytes)}
                  {checkpoint.checkpoint_type === "scheduled" ? "" : ` · ${checkpoint.checkpoint_type}`}
                  {checkpoint.state === "failed" ? " · failed" : ""}
                </span>
              </span>
              <span class="num">
                {checkpoint.finish_time === null ? "…" : formatDuration(checkpoint.finish_time - checkpoint.start_time)}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {selected !== undefined && <CheckpointDetail key={selected.epoch} checkpoint={selected} graph={pipeline.graph} jobPath={jobPath} />}
    </div>
  );
}

interface CheckpointDetailProps {
  readonly checkpoint: Checkpoint;
  readonly graph: PipelineGraph;
  readonly jobPath: string;
}

function CheckpointDetail({ checkpoint, graph, jobPath }: CheckpointDetailProps) {
  const path = `${jobPath}/checkpoints/${checkpoint.epoch}/operator_checkpoint_groups`;
  // A finished epoch does not change any more.
  const { data } = usePolled<Collection<OperatorCheckpointGroup>>(path, checkpoint.finish_time === null ? 1000 : 0);
  const groups = data?.data ?? [];
  const rows = timelineRows(checkpoint, groups, graph);
  const ends = rows.flatMap((row) => row.spans.map((span) => span.finish_time));
  const starts = rows.flatMap((row) => row.spans.map((span) => span.start_time));
  return (
    <section class="checkpoint" aria-label={`Checkpoint ${checkpoint.epoch}`}>
      <header class="checkpoint-head">
        <h2>Checkpoint {checkpoint.epoch}</h2>
        <Badge tone={STATE_TONES[checkpoint.state] ?? "plain"} busy={checkpoint.finish_time === null}>
          {checkpoint.state}
        </Badge>
        <Badge plain>{checkpoint.checkpoint_type}</Badge>
      </header>
      {checkpoint.failure_message !== null && (
        <div class="checkpoint-note">
          <Note tone="bad">{checkpoint.failure_message}</Note>
        </div>
      )}
      <dl class="checkpoint-facts num">
        <Fact label="Started" value={formatTime(checkpoint.start_time)} />
        <Fact label="Finished" value={formatTime(checkpoint.finish_time)} />
        <Fact
          label="Duration"
          value={checkpoint.finish_time === null ? "–" : formatDuration(checkpoint.finish_time - checkpoint.start_time)}
        />
        <Fact label="Written" value={formatBytes(checkpoint.written_bytes)} />
        <Fact label="State" value={formatBytes(checkpoint.state_bytes)} />
        <Fact label="Store" value={checkpoint.backend} />
      </dl>
      <PhaseTimeline
        rows={rows}
        start={Math.min(checkpoint.start_time, ...starts)}
        end={Math.max(checkpoint.finish_time ?? checkpoint.start_time + 1, ...ends)}
      />
    </section>
  );
}

function Fact({ label, value }: { readonly label: string; readonly value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd class="truncate">{value}</dd>
    </div>
  );
}

function timelineRows(checkpoint: Checkpoint, groups: readonly OperatorCheckpointGroup[], graph: PipelineGraph): TimelineRow[] {
  const names = new Map(graph.nodes.map((node) => [String(node.node_id), node.description]));
  const whole: TimelineRow = { label: "Whole checkpoint", detail: "", bytes: undefined, spans: checkpoint.events, nested: false };
  const operators = groups.flatMap((group): TimelineRow[] => {
    const label = group.name === "" ? (names.get(group.operator_id) ?? group.operator_id) : group.name;
    const spans = group.subtasks.flatMap((subtask) => subtask.event_spans);
    if (group.subtasks.length === 1) return [{ label, detail: "", bytes: group.bytes, spans, nested: false }];
    return [
      { label, detail: "", bytes: group.bytes, spans: [], nested: false },
      ...group.subtasks.map((subtask) => ({
        label: `subtask ${subtask.index}`,
        detail: "",
        bytes: subtask.bytes,
        spans: subtask.event_spans,
        nested: true,
      })),
    ];
  });
  return [whole, ...operators];
}
