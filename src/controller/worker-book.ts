/**
 * What is known of each worker of current runs, put together from the scheduler's view, its registration and its place in the run, and shown
 * as rows of `workers`. Nothing is decided from it.
 */
import { createHash } from "node:crypto";
import type { WorkerRow, WorkerRowState } from "../db/workers.ts";
import type { Register } from "../gen/controller.ts";
import type { PlacedWorker } from "../job/job.ts";
import type { RunKey, WorkerPhase, WorkerView } from "../scheduler/scheduler.ts";
import type { Projections } from "./projections.ts";

const PHASE_STATES: Readonly<Record<WorkerPhase, WorkerRowState>> = {
  placing: "placing",
  starting: "starting",
  running: "starting",
  stopping: "stopping",
  exited: "exited",
  lost: "lost",
};

/** Changes that a registered worker's row takes over from the scheduler's view of it. */
const OVERRIDING: ReadonlySet<WorkerRowState> = new Set<WorkerRowState>(["stopping", "exited", "lost"]);

/** See the file's comment. */
export class WorkerBook {
  readonly #projections: Projections;
  readonly #nowMs: () => number;
  /** By id. */
  readonly #rows = new Map<string, WorkerRow>();

  constructor(projections: Projections, nowMs: () => number) {
    this.#projections = projections;
    this.#nowMs = nowMs;
  }

  /** The scheduler has seen a worker. */
  seen(view: WorkerView): void {
    const id = view.worker ?? this.#idOfHandle(view);
    const known = this.#rows.get(id);
    const state = PHASE_STATES[view.phase];
    const { exit } = view;
    this.#write({
      ...(known ?? emptyRow(id, view, this.#nowMs())),
      state: known !== undefined && isRegistered(known) && !OVERRIDING.has(state) ? known.state : state,
      handle: view.handle,
      node: view.node ?? known?.node,
      slots: known !== undefined && isRegistered(known) ? known.slots : view.slots,
      reason: exit?.reason ?? view.note,
      exitCode: exit?.code,
      exitSignal: exit?.signal,
      outOfMemory: exit?.outOfMemory ?? false,
      endedAtMs: state === "exited" ? (known?.endedAtMs ?? this.#nowMs()) : undefined,
      link: view.link ?? known?.link,
    });
    if (state === "exited") this.#rows.delete(id);
  }

  /** A worker of `run` has registered. */
  registered(run: RunKey, register: Register, release: string): void {
    const id = register.workerId;
    const placeholder = placeholderId(run, register.handle);
    const before = this.#rows.get(id) ?? this.#rows.get(placeholder);
    if (before !== undefined && before.id !== id) {
      this.#rows.delete(before.id);
      this.#projections.workerGone(before.id);
    }
    this.#write({
      ...(before ?? emptyRow(id, run, this.#nowMs())),
      id,
      state: before?.state === "running" ? "running" : "registered",
      // What the scheduler calls it, where it has said so: a process knows its id only.
      handle: before?.handle ?? register.handle,
      node: register.machine === "" ? before?.node : register.machine,
      slots: register.slots,
      dataAddress: `${register.dataHost}:${register.dataPort}`,
      adminAddress: `${register.adminHost}:${register.adminPort}`,
      release,
      reason: "",
      heartbeatAtMs: this.#nowMs(),
      memoryLimitBytes: register.memoryLimitBytes > 0n ? Number(register.memoryLimitBytes) : undefined,
    });
  }

  /** Subtasks are placed: the workers have numbers. */
  placed(placement: readonly PlacedWorker[]): void {
    for (const [number, { worker }] of placement.entries()) this.#change(worker, { number });
  }

  /** The run runs. */
  running(placement: readonly PlacedWorker[]): void {
    for (const [number, { worker }] of placement.entries()) this.#change(worker, { number, state: "running" });
  }

  /** Id of the worker with the handle of `view`, if it has registered. */
  registeredAs(view: WorkerView): string | undefined {
    if (view.worker !== undefined) return view.worker;
    for (const row of this.#rows.values()) {
      if (row.job === view.job && row.runFence === view.fence && row.handle === view.handle && row.dataAddress !== undefined) return row.id;
    }
    return undefined;
  }

  /** Drops what is known of a run: its workers are told of no more. */
  forget(run: RunKey): void {
    for (const [id, row] of this.#rows) if (row.job === run.job && row.runFence <= run.fence) this.#rows.delete(id);
  }

  /** Drops what is known of this run alone. */
  forgetOne(run: RunKey): void {
    for (const [id, row] of this.#rows) if (row.job === run.job && row.runFence === run.fence) this.#rows.delete(id);
  }

  #change(id: string, change: Partial<WorkerRow>): void {
    const row = this.#rows.get(id);
    if (row !== undefined) this.#write({ ...row, ...change });
  }

  #write(row: WorkerRow): void {
    this.#rows.set(row.id, row);
    this.#projections.worker(row);
  }

  /** A worker whose id the scheduler does not know is the one with its handle, or a placeholder until it registers. */
  #idOfHandle(view: WorkerView): string {
    for (const row of this.#rows.values()) if (row.job === view.job && row.handle === view.handle) return row.id;
    return placeholderId(view, view.handle);
  }
}

function isRegistered(row: WorkerRow): boolean {
  return row.state === "registered" || row.state === "running";
}

function placeholderId(run: RunKey, handle: string): string {
  return `wk_${createHash("sha256").update(`${run.job} ${handle}`).digest("hex").slice(0, 16)}`;
}

function emptyRow(id: string, run: RunKey, nowMs: number): WorkerRow {
  return {
    id,
    job: run.job,
    run: run.run,
    runFence: run.fence,
    state: "placing",
    number: undefined,
    handle: undefined,
    node: undefined,
    slots: 0,
    dataAddress: undefined,
    adminAddress: undefined,
    release: "",
    reason: "",
    exitCode: undefined,
    exitSignal: undefined,
    outOfMemory: false,
    startedAtMs: nowMs,
    heartbeatAtMs: undefined,
    endedAtMs: undefined,
  };
}
