/**
 * The states a job went through as one band over time, from the changes of state in its timeline.
 */
import type { JobEvent } from "../api/types.ts";
import { stateTone } from "../components/badge.tsx";
import { formatDuration, formatTime } from "../format.ts";

/** A stretch of time in one state. */
export interface StateSpan {
  readonly state: string;
  readonly start: number;
  readonly end: number;
}

/** The spans of `events` (the newest first) up to `now`, the oldest first. Times in microseconds since 1970. */
export function stateSpans(events: readonly JobEvent[], now: number): readonly StateSpan[] {
  const changes = events.flatMap((event) => {
    const to = event.kind === "state-changed" ? / → (\S+)/.exec(event.message)?.[1] : undefined;
    return to === undefined ? [] : [{ state: to, start: event.created_at }];
  });
  const oldestFirst = changes.reverse();
  return oldestFirst.map((change, i) => ({ ...change, end: Math.max(change.start, oldestFirst[i + 1]?.start ?? now) }));
}

/** The band; nothing where no state is known. */
export function StateBand({ events, now }: { readonly events: readonly JobEvent[]; readonly now: number }) {
  const spans = stateSpans(events, now);
  const [first] = spans;
  if (first === undefined) return null;
  return (
    <figure class="state-band" aria-label="States over time">
      <div class="state-band-bars">
        {spans.map((span) => (
          <span
            key={`${span.start} ${span.state}`}
            data-tone={stateTone(span.state)}
            style={{ flexGrow: String(Math.max(1, span.end - span.start)) }}
            title={`${span.state}, ${formatTime(span.start)}, for ${formatDuration(span.end - span.start)}`}
          />
        ))}
      </div>
      <div class="state-band-scale num">
        <span>{formatTime(first.start)}</span>
        <span>now</span>
      </div>
    </figure>
  );
}
