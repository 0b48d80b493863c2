/**
 * Going through a long list a page at a time. The API knows only "after this id", so the way back is remembered here.
 */
import { useState } from "preact/hooks";
import { Button } from "./button.tsx";

/** Where in a list one is. */
export interface Pages {
  /** The id after which the page begins; `undefined` for the first. */
  readonly after: string | undefined;
  readonly isFirst: boolean;
  readonly number: number;
  next(after: string): void;
  previous(): void;
  /** Back to the first page: another list is shown. */
  reset(): void;
}

/** Starts at the first page. */
export function usePages(): Pages {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  return {
    after: cursors.at(-1),
    isFirst: cursors.length === 0,
    number: cursors.length + 1,
    next: (after) => setCursors([...cursors, after]),
    previous: () => setCursors(cursors.slice(0, -1)),
    reset: () => setCursors([]),
  };
}

interface PagerProps {
  readonly pages: Pages;
  readonly hasMore: boolean;
  /** Id of the last row shown. */
  readonly last: string | undefined;
}

/** The buttons; nothing where there is only one page. */
export function Pager({ pages, hasMore, last }: PagerProps) {
  if (pages.isFirst && !hasMore) return null;
  return (
    <div class="pager">
      <span class="num">Page {pages.number}</span>
      <div>
        <Button disabled={pages.isFirst} onClick={pages.previous}>
          Newer
        </Button>
        <Button disabled={!hasMore || last === undefined} onClick={() => last !== undefined && pages.next(last)}>
          Older
        </Button>
      </div>
    </div>
  );
}
