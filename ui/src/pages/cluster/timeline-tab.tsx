/**
 * What happened to all pipelines, a page at a time.
 */
import type { Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { TimelineEntry } from "../../api/types.ts";
import { pageQuery } from "../../components/data-table.tsx";
import { Empty } from "../../components/empty.tsx";
import { Pager, usePages } from "../../components/pager.tsx";
import { Timeline } from "./timeline.tsx";

const TIMELINE_MS = 3000;
const PAGE_ROWS = 50;

/** The tab. */
export function TimelineTab({ scheduler }: { readonly scheduler: string | undefined }) {
  const pages = usePages();
  const { data, error } = usePolled<Page<TimelineEntry>>(`/scheduler/timeline?${pageQuery(pages, PAGE_ROWS)}`, TIMELINE_MS);
  if (data === undefined) return <Empty icon="clock" title={error === undefined ? "Asking what happened" : error.message} />;
  if (data.data.length === 0 && pages.isFirst) return <Empty icon="clock" title="Nothing happened yet" />;
  return (
    <>
      <Timeline entries={data.data} scheduler={scheduler} named />
      <Pager pages={pages} hasMore={data.has_more} last={data.data.at(-1)?.id} />
    </>
  );
}
