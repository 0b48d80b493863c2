/**
 * Where the time of a checkpoint went: one bar per phase on a common scale, a row for the whole and for each operator and subtask.
 */
import type { CheckpointEventSpan } from "../api/types.ts";
import { formatBytes, formatDuration } from "../format.ts";

/** A row of bars. */
export interface TimelineRow {
  readonly label: string;
  readonly detail: string;
  readonly bytes: number | undefined;
  readonly spans: readonly CheckpointEventSpan[];
  /** Belongs to the operator above. */
  readonly nested: boolean;
}

/** Arroyo's names of events as phases of a checkpoint, with their colours. */
const PHASES: readonly (readonly [event: RegExp, phase: string, color: string])[] = [
  [/^checkpointing$/i, "whole", "--line-strong"],
  [/align/i, "alignment", "--series-2"],
  [/^sync|snapshot/i, "snapshot", "--series-1"],
  [/^async|upload/i, "upload", "--series-3"],
  [/stag/i, "staging", "--series-4"],
  [/metadata|manifest/i, "manifest", "--series-6"],
  [/commit/i, "commit", "--series-5"],
];

/** The timeline from `start` to `end`, microseconds since 1970. */
export function PhaseTimeline({
  rows,
  start,
  end,
}: {
  readonly rows: readonly TimelineRow[];
  readonly start: number;
  readonly end: number;
}) {
  const length = Math.max(1, end - start);
  const phases = [...new Set(rows.flatMap((row) => row.spans.map((span) => phaseOf(span))))];
  return (
    <div class="timeline">
      <ul class="timeline-legend">
        {phases.map((phase) => (
          <li key={phase}>
            <span class="swatch" style={{ background: `var(${colorOf(phase)})` }} />
            {phase}
          </li>
        ))}
      </ul>
      <div class="timeline-scale num" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span key={share}>{share === 0 ? "0" : formatDuration(length * share)}</span>
        ))}
      </div>
      {rows.map((row, i) => (
        <div key={`${row.label}-${i}`} class="timeline-row" data-nested={row.nested}>
          <div class="timeline-label">
            <span class="truncate">{row.label}</span>
            <span class="faint num">{row.bytes === undefined ? row.detail : formatBytes(row.bytes)}</span>
          </div>
          <div class="timeline-bars">
            {row.spans.map((span, at) => (
              <span
                key={`${span.event}-${at}`}
                class="timeline-bar"
                style={{
                  left: `${percent(span.start_time - start, length)}%`,
                  width: `${Math.max(0.4, percent(span.finish_time - span.start_time, length))}%`,
                  background: `var(${colorOf(phaseOf(span))})`,
                }}
                title={`${phaseOf(span)}: ${formatDuration(span.finish_time - span.start_time)}${span.description === "" ? "" : `, ${span.description}`}`}
              />
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}

function phaseOf(span: CheckpointEventSpan): string {
  return PHASES.find(([event]) => event.test(span.event))?.[1] ?? span.event.toLowerCase();
}

function colorOf(phase: string): string {
  return PHASES.find(([, name]) => name === phase)?.[2] ?? "--text-3";
}

function percent(part: number, whole: number): number {
  return Math.min(100, Math.max(0, (part / whole) * 100));
}
