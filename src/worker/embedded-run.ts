/**
 * Runs one pipeline from start to end under this process: `wadi run`, previews, tests. It is the impure driver of `job/coordinator.ts`: keeps
 * workers (in this process, or in child processes), feeds their events in and performs the effects. Checkpoints go to a local or remote
 * object store; without one, sinks are still committed epoch by epoch, but nothing can be resumed.
 */
import { totalmem } from "node:os";
import { JobCheckpoints } from "../checkpoint/job-checkpoints.ts";
import type { Imbalance } from "../checkpoint/ledger.ts";
import type { SubtaskReport } from "../checkpoint/manifest.ts";
import { planRestore } from "../checkpoint/restore.ts";
import type { SinkCommit } from "../connectors/connector.ts";
import type { SecretValues } from "../connectors/secrets.ts";
import { assert, must } from "../core/assert.ts";
import { systemClock } from "../core/clock.ts";
import { fromErrorRecord, toErrorRecord, userError } from "../core/errors.ts";
import { makeId } from "../core/ids.ts";
import { systemRandom } from "../core/prng.ts";
import { KEY_GROUPS } from "../data/key-group.ts";
import type { LatePolicy } from "../dataflow/row-errors.ts";
import type { SlotProgress } from "../dataflow/slot-contract.ts";
import {
  type CoordinatorEffect,
  type CoordinatorEvent,
  type CoordinatorState,
  type RunOutcome,
  startCoordinator,
  stepCoordinator,
} from "../job/coordinator.ts";
import { checkpointedProgram } from "../program/checkpointed-program.ts";
import type { Program } from "../program/program.ts";
import { openObjectStore, parseStoreUrl } from "../storage/open.ts";
import { lockStateFolder, type StateLock } from "../storage/state-lock.ts";
import type { ModuleSource, PeerAddress, RunStart, StagedCommit, WorkerEvent } from "./protocol.ts";
import { type RunProgress, summarise } from "./run-progress.ts";
import { StopDeadline } from "./stop-deadline.ts";
import { embeddedWorker, forkedWorker, type WorkerHandle } from "./worker-handle.ts";

/** The job's name in the object store: `wadi run` has one job per state directory. */
const JOB = "run";
const DEFAULT_CHECKPOINT_INTERVAL_MS = 10_000;
const DEFAULT_STOP_LIMIT_MS = 60_000;
/** 3.5 GiB: what a slot's 4 GiB memory leaves for state. */
const MAX_STATE_BYTES = 3.5 * 2 ** 30;
/** Share of the machine's memory for all slots' state. */
const STATE_SHARE = 0.75;

/** What to run, and how. */
export interface RunOptions {
  readonly program: Program;
  readonly module: ModuleSource;
  /** Hash of the state's layout by vertex, from the artifact. */
  readonly stateSchemas?: Readonly<Record<number, string>> | undefined;
  /** Slots, 1 … 4096. */
  readonly parallelism: number;
  /** Worker processes; 1 (the default): the slots are threads of this process. */
  readonly workers?: number | undefined;
  /** Object store or folder for state; undefined: nothing can be resumed. */
  readonly stateUrl?: string | undefined;
  /** Start fresh although there is state. */
  readonly ignoreState?: boolean | undefined;
  readonly checkpointIntervalMs?: number | undefined;
  /** Barriers by row count instead of time; 0: off. */
  readonly checkpointEveryRows?: number | undefined;
  readonly stopAfterCheckpoint?: number | undefined;
  readonly late?: LatePolicy | undefined;
  readonly batchRows?: number | undefined;
  readonly flushIntervalMs?: number | undefined;
  /** Credit of an exchange channel in bytes; 1 MiB by default. */
  readonly windowBytes?: number | undefined;
  /** Bytes of state per slot. */
  readonly stateLimit?: number | undefined;
  readonly stuckMs?: number | undefined;
  /** A user's function that does not return for so long fails the run; 10 s by default. */
  readonly udfTimeoutMs?: number | undefined;
  /** What the tables' secrets are; absent: there are none. */
  readonly secrets?: SecretValues | undefined;
  /** A stop in which nothing moves for so long fails the run; 60 s by default. */
  readonly stopLimitMs?: number | undefined;
  /** Module that exports `createSource` and `createSink`; the registry by default. */
  readonly connectors?: string | undefined;
  /** Aborted: checkpoint, then stop. */
  readonly signal?: AbortSignal | undefined;
  /** All slots are ready and have been told to run. */
  readonly onRunning?: (() => void) | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
  /** An epoch counts. */
  readonly onEpoch?: ((epoch: number) => void) | undefined;
  /** Rows do not balance at `epoch`: a defect of Wadi that the user should know of. */
  readonly onImbalance?: ((epoch: number, imbalances: readonly Imbalance[]) => void) | undefined;
}

/** How a run went. */
export interface RunSummary extends RunProgress {
  readonly outcome: Exclude<RunOutcome, "failed">;
  /** Epochs that this run completed. */
  readonly epochs: readonly number[];
  /** The epoch it was restored from; 0: a first start. */
  readonly restoredEpoch: number;
  /** Complete epochs that could not be read, so that older ones were used. */
  readonly skippedEpochs: readonly number[];
  /** The state said that the run had finished before: nothing was done. */
  readonly alreadyFinished: boolean;
  readonly imbalances: readonly Imbalance[];
}

/** Runs the pipeline until its sources end, it is stopped, or it fails: then its error is thrown. */
export async function runPipeline(options: RunOptions): Promise<RunSummary> {
  const { parallelism } = options;
  if (!Number.isInteger(parallelism) || parallelism < 1 || parallelism > KEY_GROUPS) {
    throw userError("invalid-usage", `parallelism must be an integer from 1 to ${KEY_GROUPS}, not ${parallelism}`);
  }
  const lock = lockState(options.stateUrl);
  const store = options.stateUrl === undefined ? undefined : await openObjectStore(options.stateUrl);
  try {
    const { program, ignoreState = false, stateSchemas = {} } = options;
    const run = makeId("run", systemRandom);
    const described = checkpointedProgram(program, stateSchemas);
    const init = { job: JOB, run, program: described, parallelism, clock: systemClock, ignoreState };
    const checkpoints = store === undefined ? undefined : await JobCheckpoints.open({ store, ...init });
    return await new EmbeddedRun(options, checkpoints, run).run();
  } finally {
    await store?.close();
    lock?.release();
  }
}

function lockState(url: string | undefined): StateLock | undefined {
  const location = url === undefined ? undefined : parseStoreUrl(url);
  if (location?.kind === "memory")
    throw userError("invalid-config", "state cannot be kept in memory: the slots' threads would not share it");
  return location?.kind === "local" ? lockStateFolder(location.folder) : undefined;
}

class EmbeddedRun {
  readonly #options: RunOptions;
  readonly #checkpoints: JobCheckpoints | undefined;
  readonly #run: string;
  readonly #restoredEpoch: number;
  readonly #workers: WorkerHandle[] = [];
  readonly #peers: PeerAddress[] = [];
  readonly #placement: readonly number[];
  readonly #reports = new Map<number, SubtaskReport[]>();
  readonly #staged = new Map<number, StagedCommit[]>();
  readonly #progress = new Map<number, SlotProgress>();
  readonly #epochs: number[] = [];
  readonly #imbalances: Imbalance[] = [];
  readonly #stopDeadline: StopDeadline;
  #state: CoordinatorState;
  /** Writes of manifests and records, one after the other. */
  #durable: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #resolve: (outcome: RunOutcome) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  readonly #startedMs = systemClock.elapsedMs();

  constructor(options: RunOptions, checkpoints: JobCheckpoints | undefined, run: string) {
    this.#options = options;
    this.#checkpoints = checkpoints;
    this.#run = run;
    this.#restoredEpoch = checkpoints?.restored?.entry.epoch ?? 0;
    const workers = Math.min(options.workers ?? 1, options.parallelism);
    this.#placement = Array.from({ length: options.parallelism }, (_, subtask) => Math.floor((subtask * workers) / options.parallelism));
    this.#stopDeadline = new StopDeadline(options.program, options.stopLimitMs ?? DEFAULT_STOP_LIMIT_MS, (error) =>
      this.#event({ kind: "failed", error: toErrorRecord(error) }),
    );
    this.#state = startCoordinator({
      vertices: options.program.vertices.length,
      parallelism: options.parallelism,
      restoredEpoch: this.#restoredEpoch,
      byRows: (options.checkpointEveryRows ?? 0) > 0,
      stopAfterCheckpoint: options.stopAfterCheckpoint,
    });
  }

  async run(): Promise<RunSummary> {
    const { signal } = this.#options;
    const stop = (): void => {
      this.#stopDeadline.start(() => this.#state);
      this.#event({ kind: "stop-requested" });
    };
    const outcome = new Promise<RunOutcome>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    try {
      if (this.#checkpoints?.restored?.manifest.final === true) {
        await this.#replayCommits();
        return this.#summary("finished", true);
      }
      await this.#checkpoints?.takeOver();
      this.#startWorkers();
      signal?.addEventListener("abort", stop);
      if (signal?.aborted === true) stop();
      const result = await outcome;
      await this.#durable;
      assert(result !== "failed", "a failed run throws its error");
      return this.#summary(result, false);
    } catch (error) {
      for (const worker of this.#workers) worker.kill();
      throw error;
    } finally {
      clearInterval(this.#timer);
      this.#stopDeadline.end();
      signal?.removeEventListener("abort", stop);
    }
  }

  /** A finished run may have died between its record and its last commit. */
  async #replayCommits(): Promise<void> {
    const { program, parallelism } = this.#options;
    const registry = (await import(this.#connectors())) as Pick<typeof import("../connectors/registry.ts"), "createSink">;
    for (const { vertex, sinks } of planRestore(must(this.#checkpoints?.restored, "the restore point").manifest, parallelism)) {
      const operator = program.vertices[vertex]?.operator;
      if (operator?.kind !== "sink") continue;
      const { table, options } = operator;
      const sink = registry.createSink(operator, { job: JOB, run: 0, vertex, subtask: 0, parallelism, table, options });
      for (const { commit } of sinks) if (commit !== undefined) await sink.commit(this.#restoredEpoch, commit as SinkCommit);
    }
  }

  #connectors(): string {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    return this.#options.connectors ?? new URL(`../connectors/registry.${extension}`, import.meta.url).href;
  }

  #runStart(): RunStart {
    const { program, module, parallelism, stateUrl } = this.#options;
    const restored = this.#checkpoints?.restored;
    const by = this.#checkpoints?.by ?? { fence: 1n, run: this.#run };
    return {
      job: JOB,
      by,
      program,
      module,
      parallelism,
      settings: {
        batchRows: this.#options.batchRows ?? 8192,
        fence: by.fence,
        windowBytes: this.#options.windowBytes ?? 1 << 20,
        flushIntervalMs: this.#options.flushIntervalMs ?? 1000,
        lingerMs: 10,
        checkpointEveryRows: this.#options.checkpointEveryRows ?? 0,
        stopAfterCheckpoint: this.#options.stopAfterCheckpoint,
        restoredEpoch: this.#restoredEpoch,
        late: this.#options.late ?? "count",
      },
      connectors: this.#connectors(),
      store: stateUrl,
      restore: restored === undefined ? undefined : planRestore(restored.manifest, parallelism),
      stateLimit: this.#options.stateLimit ?? Math.floor(Math.min(MAX_STATE_BYTES, (totalmem() * STATE_SHARE) / parallelism)),
      stuckMs: this.#options.stuckMs ?? 30_000,
      udfTimeoutMs: this.#options.udfTimeoutMs,
      secrets: this.#options.secrets,
      credential: makeId("run", systemRandom),
    };
  }

  #startWorkers(): void {
    const run = this.#runStart();
    const count = Math.max(...this.#placement) + 1;
    const onEvent = (event: WorkerEvent): void => this.#workerEvent(event);
    for (let worker = 0; worker < count; worker++)
      this.#workers.push(count === 1 ? embeddedWorker(onEvent) : forkedWorker(worker, onEvent));
    for (const [worker, handle] of this.#workers.entries()) {
      handle.send({ kind: "start", start: { run, worker, placement: this.#placement } });
    }
  }

  #broadcast(command: Parameters<WorkerHandle["send"]>[0]): void {
    for (const worker of this.#workers) worker.send(command);
  }

  #workerEvent(event: WorkerEvent): void {
    this.#stopDeadline.note(event);
    switch (event.kind) {
      case "listening":
        this.#peers.push({ worker: event.worker, host: event.host, port: event.port });
        if (this.#peers.length === this.#workers.length) this.#broadcast({ kind: "connect", peers: this.#peers });
        return;
      case "ready":
        return this.#event({ kind: "slot-ready", subtask: event.subtask });
      case "epoch-started":
        return this.#event({ kind: "epoch-started", epoch: event.epoch });
      case "reported":
        this.#reports.set(event.epoch, [...(this.#reports.get(event.epoch) ?? []), event.report]);
        return this.#event({ kind: "vertex-reported", epoch: event.epoch, vertex: event.report.vertex, subtask: event.subtask });
      case "committed":
        return this.#event({ kind: "slot-committed", epoch: event.epoch, subtask: event.subtask });
      case "ended":
        return this.#event({ kind: "slot-ended", subtask: event.subtask });
      case "closed":
        return this.#event({ kind: "slot-closed", subtask: event.subtask });
      case "failed":
        return this.#event({ kind: "failed", error: event.error });
      case "progress":
        this.#progress.set(event.subtask, event.progress);
        return this.#options.onProgress?.(this.#summarised());
      case "skipped":
        return;
    }
  }

  #event(event: CoordinatorEvent): void {
    const { state, effects } = stepCoordinator(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: CoordinatorEffect): void {
    switch (effect.kind) {
      case "run":
        this.#options.onRunning?.();
        this.#broadcast({ kind: "run" });
        return this.#startTimer();
      case "trigger":
        return this.#broadcast(effect);
      case "complete":
        return this.#later(() => this.#complete(effect.epoch, effect.final));
      case "commit": {
        const staged = this.#staged.get(effect.epoch) ?? [];
        this.#staged.delete(effect.epoch);
        return this.#broadcast({ kind: "commit", epoch: effect.epoch, staged });
      }
      case "retain":
        return this.#later(async () => void (await this.#checkpoints?.retain(effect.epoch + 1)));
      case "close":
        return this.#broadcast(effect);
      case "done":
        if (effect.error !== undefined) this.#reject(fromErrorRecord(effect.error));
        return this.#resolve(effect.outcome);
    }
  }

  #startTimer(): void {
    const intervalMs = this.#options.checkpointIntervalMs ?? DEFAULT_CHECKPOINT_INTERVAL_MS;
    this.#timer = setInterval(() => this.#event({ kind: "checkpoint-due" }), intervalMs);
  }

  #later(work: () => Promise<void>): void {
    this.#durable = this.#durable.then(work).catch((error: unknown) => this.#event({ kind: "failed", error: toErrorRecord(error) }));
  }

  async #complete(epoch: number, final: boolean): Promise<void> {
    const reports = this.#reports.get(epoch) ?? [];
    this.#reports.delete(epoch);
    this.#staged.set(epoch, reports.flatMap(stagedCommits));
    const completed = await this.#checkpoints?.complete(epoch, final, reports);
    if (completed !== undefined && completed.imbalances.length > 0) {
      this.#imbalances.push(...completed.imbalances);
      this.#options.onImbalance?.(epoch, completed.imbalances);
    }
    this.#epochs.push(epoch);
    this.#options.onEpoch?.(epoch);
    this.#stopDeadline.recorded(epoch);
    this.#event({ kind: "epoch-recorded", epoch });
  }

  #summarised(): RunProgress {
    const elapsedMs = systemClock.elapsedMs() - this.#startedMs;
    return summarise(this.#options.program, [...this.#progress.values()], this.#state.complete, elapsedMs);
  }

  #summary(outcome: RunSummary["outcome"], alreadyFinished: boolean): RunSummary {
    const skipped = this.#checkpoints?.restored?.skipped ?? [];
    return {
      ...this.#summarised(),
      outcome,
      epochs: this.#epochs,
      restoredEpoch: this.#restoredEpoch,
      skippedEpochs: skipped.map(({ epoch }) => epoch),
      alreadyFinished,
      imbalances: this.#imbalances,
    };
  }
}

function stagedCommits({ vertex, subtask, sink }: SubtaskReport): readonly StagedCommit[] {
  return sink?.commit === undefined ? [] : [{ vertex, subtask, commit: sink.commit as SinkCommit }];
}
