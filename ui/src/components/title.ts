/**
 * The tab's title.
 */
import { useEffect } from "preact/hooks";

/** Shows `title` in the browser's tab while the component lives. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Wadi`;
  }, [title]);
}
