/**
 * What happened, the newest first: what Wadi says of its jobs and what the outside system tells of their runs on one clock. What else is known
 * of a line is shown on demand.
 */
import type { TimelineEntry } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import type { Tone } from "../../components/note.tsx";
import { formatTime } from "../../format.ts";
import { paths } from "../../paths.ts";
import { Link } from "../../router.tsx";
import { schedulerLabel, sentence } from "./words.ts";

const LEVEL_TONES: Readonly<Record<string, Tone>> = { error: "bad", warn: "warn" };

interface TimelineProps {
  readonly entries: readonly TimelineEntry[];
  readonly scheduler: string | undefined;
  /** Names the pipeline of each line. */
  readonly named?: boolean;
}

/** The lines. */
export function Timeline({ entries, scheduler, named = false }: TimelineProps) {
  return (
    <ol class="events">
      {entries.map((entry) => (
        <li key={entry.id} class="event event-wide">
          <span class="log-time num muted">{formatTime(entry.at)}</span>
          <Badge plain tone={LEVEL_TONES[entry.level] ?? (entry.source === "wadi" ? "accent" : "plain")}>
            {entry.source === "wadi" ? "Wadi" : schedulerLabel(scheduler)}
          </Badge>
          <details class="event-text">
            <summary>
              {named && (
                <Link to={paths.clusterRun(entry.job_id, entry.run_id)} class="event-pipeline">
                  {entry.pipeline_name}
                </Link>
              )}
              {sentence(entry)}
            </summary>
            <pre class="event-raw">{JSON.stringify(rawOf(entry), undefined, 2)}</pre>
          </details>
        </li>
      ))}
    </ol>
  );
}

function rawOf({ kind, level, handle, run_id, job_id, at, details }: TimelineEntry): Record<string, unknown> {
  return {
    at: new Date(at / 1000).toISOString(),
    kind,
    level,
    job: job_id,
    run: run_id,
    ...(handle === null ? {} : { handle }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}
