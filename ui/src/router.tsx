/**
 * The address bar as a store, and links that change it without loading the page again.
 */
import type { ComponentChildren } from "preact";
import { createStore } from "./store.ts";

const here = () => `${location.pathname}${location.search}`;

/** The current path with its query. */
export const pathStore = createStore(here());

addEventListener("popstate", () => pathStore.set(here()));

/** Goes to `path`; with `replace`, the current page is not one to come back to. */
export function navigate(path: string, replace = false): void {
  if (replace) history.replaceState(undefined, "", path);
  else history.pushState(undefined, "", path);
  pathStore.set(here());
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly title?: string | undefined;
  readonly "data-tone"?: string;
  readonly "aria-label"?: string;
  readonly "aria-current"?: "page" | undefined;
  readonly children?: ComponentChildren;
}

/** A link within the UI. Opened with a modifier key or another button it is a plain link. */
export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a {...rest} href={to} onClick={follow}>
      {children}
    </a>
  );
}
