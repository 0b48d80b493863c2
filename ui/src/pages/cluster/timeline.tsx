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

const LEVEL_TONES: Readonly<Record<string, Tone>> = { error: "bad", warn: "warn" };

/** What the scheduler is called in front of people. */
export function schedulerLabel(scheduler: string | undefined): string {
  const labels: Readonly<Record<string, string>> = {
    process: "this machine",
    embedded: "this process",
    node: "nodes",
    nomad: "Nomad",
    kubernetes: "Kubernetes",
  };
  return scheduler === undefined ? "scheduler" : (labels[scheduler] ?? scheduler);
}

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

/** The line as a sentence: it begins with a capital, and says what it is about where that is not clear by itself. */
export function sentence({ source, kind, message }: TimelineEntry): string {
  const about = source === "scheduler" && !message.toLowerCase().includes(kind.toLowerCase()) ? `${kind}: ` : "";
  const text = `${about}${message}`;
  // Names such as "wk_1" stay as they are.
  return /^[a-z]+[\s:]/.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text;
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
