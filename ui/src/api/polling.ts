/**
 * Data that is asked for again and again while the page is looked at. A hidden tab asks nothing; a failed request keeps the last answer.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { tokenStore } from "../session.ts";
import { useStore } from "../store.ts";
import { ApiError, request } from "./client.ts";

/** What is known of a path's answer. */
export interface Polled<T> {
  /** The newest answer, kept when later requests fail. */
  readonly data: T | undefined;
  /** Of the newest request; `undefined` if it succeeded. */
  readonly error: ApiError | undefined;
  /** Asks at once. */
  refresh(): void;
}

/** Keeps asking for `path` (none: nothing is asked) every `intervalMs`; 0: once. */
export function usePolled<T>(path: string | undefined, intervalMs: number): Polled<T> {
  const [state, setState] = useState<{ path: string | undefined; data: T | undefined; error: ApiError | undefined }>({
    path,
    data: undefined,
    error: undefined,
  });
  const token = useStore(tokenStore);
  const refreshNow = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (path === undefined) return undefined;
    const poller = startPolling<T>(path, intervalMs, (data, error) =>
      setState((last) => ({ path, data: data ?? (last.path === path ? last.data : undefined), error })),
    );
    refreshNow.current = poller.refresh;
    return poller.stop;
  }, [path, intervalMs, token]);

  const refresh = useCallback(() => refreshNow.current(), []);
  const isCurrent = state.path === path;
  return { data: isCurrent ? state.data : undefined, error: isCurrent ? state.error : undefined, refresh };
}

interface Poller {
  refresh(): void;
  stop(): void;
}

function startPolling<T>(path: string, intervalMs: number, report: (data: T | undefined, error: ApiError | undefined) => void): Poller {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort = new AbortController();
  let running = false;
  let stopped = false;

  const ask = async (): Promise<void> => {
    clearTimeout(timer);
    if (stopped || document.hidden) return;
    abort.abort();
    const mine = new AbortController();
    abort = mine;
    running = true;
    try {
      const data = await request<T>(path, { signal: mine.signal });
      if (!mine.signal.aborted) report(data, undefined);
    } catch (error) {
      if (!mine.signal.aborted) report(undefined, error instanceof ApiError ? error : new ApiError(0, String(error)));
    }
    if (mine.signal.aborted) return;
    running = false;
    if (intervalMs > 0) timer = setTimeout(() => void ask(), intervalMs);
  };
  const onVisible = () => {
    if (!document.hidden && !running) void ask();
  };
  document.addEventListener("visibilitychange", onVisible);
  void ask();
  return {
    refresh: () => void ask(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      abort.abort();
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}
