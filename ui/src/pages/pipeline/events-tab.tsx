/**
 * What happened to a job, newest first: changes of state, restarts, checkpoints that failed, workers that came and went.
 */

import type { Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { JobEvent } from "../../api/types.ts";
import { StateBand } from "../../charts/state-band.tsx";
import { Badge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import type { Tone } from "../../components/note.tsx";
import { Pager, usePages } from "../../components/pager.tsx";
import { formatTime } from "../../format.ts";
import type { TabProps } from "./page.tsx";

const EVENTS_MS = 3000;
const PAGE_ROWS = 50;
const LEVEL_TONES: Readonly<Record<string, Tone>> = { error: "bad", warn: "warn" };

/** The tab. */
export function EventsTab({ jobPath }: TabProps) {
  const pages = usePages();
  const query = new URLSearchParams({ limit: String(PAGE_ROWS), ...(pages.after === undefined ? {} : { starting_after: pages.after }) });
  const { data, error } = usePolled<Page<JobEvent>>(`${jobPath}/events?${query}`, EVENTS_MS);
  if (data === undefined) return <Empty icon="clock" title={error === undefined ? "Asking for events" : error.message} />;
  if (data.data.length === 0 && pages.isFirst) return <Empty icon="clock" title="Nothing happened yet" />;
  return (
    <div class="log">
      {pages.isFirst && <StateBand events={data.data} now={Date.now() * 1000} />}
      <ol class="events">
        {data.data.map((event) => (
          <li key={event.id} class="event">
            <span class="log-time num muted">{formatTime(event.created_at)}</span>
            <Badge plain tone={LEVEL_TONES[event.level] ?? "plain"}>
              {event.kind}
            </Badge>
            <span class="log-message">{event.message}</span>
            <span class="log-place muted small num">run {event.run_id}</span>
          </li>
        ))}
      </ol>
      <Pager pages={pages} hasMore={data.has_more} last={data.data.at(-1)?.id} />
    </div>
  );
}
