/**
 * A preview: a short-lived pipeline whose rows are shown while it runs. One at a time; leaving the page stops it.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { Collection } from "../../api/lists.ts";
import { NO_ROWS, newTail, type OutputRows, readTail } from "../../api/output-rows.ts";
import type { Job, Pipeline } from "../../api/types.ts";
import { isTerminal } from "../../components/badge.tsx";
import type { Draft } from "./draft.ts";
import { udfsOf } from "./validation.ts";

const JOB_MS = 700;
const TAIL_MS = 3000;

/** How far a preview is. */
export interface Preview {
  readonly phase: "none" | "starting" | "running" | "ended" | "failed";
  /** State of its job, as the API names it. */
  readonly state: string | undefined;
  readonly rows: OutputRows;
  readonly error: string | undefined;
  start(draft: Draft, enableSinks: boolean): void;
  stop(): void;
}

interface State {
  readonly phase: Preview["phase"];
  readonly state: string | undefined;
  readonly rows: OutputRows;
  readonly error: string | undefined;
}

const IDLE: State = { phase: "none", state: undefined, rows: NO_ROWS, error: undefined };

/** The preview of the page. */
export function usePreview(): Preview {
  const [state, setState] = useState<State>(IDLE);
  const running = useRef<AbortController | undefined>(undefined);

  const start = useCallback((draft: Draft, enableSinks: boolean) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setState({ ...IDLE, phase: "starting" });
    const update = (change: Partial<State>) => {
      if (running.current === abort) setState((last) => ({ ...last, ...change }));
    };
    runPreview(draft, enableSinks, abort.signal, update).catch((error: unknown) => {
      if (!abort.signal.aborted) update({ phase: "failed", error: messageOf(error) });
    });
  }, []);

  const stop = useCallback(() => {
    running.current?.abort();
    setState((last) => (last.phase === "starting" || last.phase === "running" ? { ...last, phase: "ended", state: "Stopped" } : last));
  }, []);

  useEffect(() => () => running.current?.abort(), []);
  return { ...state, start, stop };
}

async function runPreview(
  draft: Draft,
  enableSinks: boolean,
  signal: AbortSignal,
  update: (change: Partial<State>) => void,
): Promise<void> {
  const body = { query: draft.query, udfs: udfsOf(draft), enable_sinks: enableSinks };
  const pipeline = await request<Pipeline>("/pipelines/preview", { method: "POST", body });
  const stop = () => void request(`/pipelines/${pipeline.id}`, { method: "PATCH", body: { stop: "immediate" } }).catch(() => undefined);
  if (signal.aborted) return stop();
  signal.addEventListener("abort", stop);
  const path = `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}`;
  const tailEnd = new AbortController();
  signal.addEventListener("abort", () => tailEnd.abort());
  const hasRows = pipeline.graph.nodes.some(({ connector }) => connector === "preview");
  const tail = hasRows ? readTail(`${path}/output`, newTail(), tailEnd.signal, (rows) => update({ rows })) : Promise.resolve();
  const tailed = tail.catch((error: unknown) => {
    if (!tailEnd.signal.aborted) update({ error: messageOf(error) });
  });
  const job = await watchJob(pipeline.id, signal, (current) => update({ state: current.state, phase: "running" }));
  // Rows that are still under way come within a moment of the end.
  setTimeout(() => tailEnd.abort(), TAIL_MS);
  await tailed;
  signal.removeEventListener("abort", stop);
  const failure = job.failure_reason;
  update(failure === null ? { phase: "ended", state: job.state } : { phase: "failed", state: job.state, error: failure.error });
}

/** Asks for the job until it has come to an end. */
async function watchJob(pipelineId: string, signal: AbortSignal, onJob: (job: Job) => void): Promise<Job> {
  for (;;) {
    const { data } = await request<Collection<Job>>(`/pipelines/${pipelineId}/jobs`, { signal });
    const job = data[0];
    if (job !== undefined) {
      onJob(job);
      if (isTerminal(job.state)) return job;
    }
    await new Promise((resolve) => setTimeout(resolve, JOB_MS));
    signal.throwIfAborted();
  }
}
