/**
 * The impure side of one run: opens its checkpoints, carries messages between its workers' sessions and the run machine (`job/run.ts`), and
 * performs what the machine wants. One per run and term; another controller builds its own from the row, the completion record and the
 * workers that dial in.
 */
import { JobCheckpoints } from "../checkpoint/job-checkpoints.ts";
import { MANIFEST_VERSION } from "../checkpoint/manifest-codec.ts";
import { must } from "../core/assert.ts";
import { type AppError, internalError, toAppError, toErrorRecord } from "../core/errors.ts";
import type { JobId, WorkerId } from "../core/ids.ts";
import { makeId } from "../core/ids.ts";
import { alignCheckpoints, readCountingEpochs } from "../db/checkpoints.ts";
import { type JobPipeline, readProgramText } from "../db/jobs.ts";
import type { LogRequest, StagedCommit } from "../gen/controller.ts";
import type { VertexReport } from "../gen/report.ts";
import type { RunCommand, TimelineEntry } from "../job/effect.ts";
import type { RunReport } from "../job/event.ts";
import type { PlacedWorker, RunReference, StopMode } from "../job/job.ts";
import { adoptRun, type Run, type RunStep, runWakeAtMs, startRun, stepRun } from "../job/run.ts";
import { exitError } from "../job/run-end.ts";
import type { RunEffect, RunEvent } from "../job/run-event.ts";
import { mayPublish } from "../job/run-state.ts";
import { checkpointedProgram } from "../program/checkpointed-program.ts";
import { decodeProgram } from "../program/codec.ts";
import { fencedOut } from "../rpc/refusal.ts";
import { makeRunToken } from "../rpc/run-token.ts";
import type { WorkerBody, WorkerSession } from "../rpc/worker-server.ts";
import { placeSubtasks } from "../scheduler/placement.ts";
import type { RunKey, WorkerView } from "../scheduler/scheduler.ts";
import { makeArtifact, readArtifact } from "./artifacts.ts";
import { makeAssignment, type RunPlan } from "./assignment.ts";
import type { LeaderContext } from "./context.ts";
import { leaveDescription } from "./description.ts";
import type { JobLabels } from "./job-gauges.ts";
import { runLimits } from "./limits.ts";
import { RunEpochs } from "./run-epochs.ts";
import { registration, renewalMessage, runMessage, stopMessage, triggerMessage, workerOf } from "./run-messages.ts";
import { RunMeter } from "./run-meter.ts";

/** What a run is driven with. */
export interface RunDriverInit {
  readonly context: LeaderContext;
  readonly job: JobId;
  readonly run: RunReference;
  readonly pipeline: JobPipeline;
  readonly preview: boolean;
  readonly parallelism: number;
  readonly checkpointIntervalMs: number;
  readonly ignoreStateBeforeEpoch: number | undefined;
  /** Newest epoch that ever counted; 0: none. */
  readonly newestEpoch: number;
  readonly artifactHash: string | undefined;
  readonly labels: JobLabels;
  /** Present: the run was started by another controller and its workers may be running. */
  readonly adoption: { readonly placement: readonly PlacedWorker[]; readonly stop: Exclude<StopMode, "none"> | undefined } | undefined;
  /** Told to the job. Must not throw. */
  readonly report: (report: RunReport) => void;
  /** To the timeline. */
  readonly record: (entry: TimelineEntry) => void;
}

interface Connection {
  readonly session: WorkerSession;
  /** Messages that were acted on, `Register` included. */
  received: bigint;
}

/** See the file's comment. */
export class RunDriver {
  readonly key: RunKey;
  readonly meter = new RunMeter();
  /** Since when this controller drives it, milliseconds since 1970. */
  readonly drivenSinceMs: number;
  readonly #init: RunDriverInit;
  readonly #connections = new Map<WorkerId, Connection>();
  #opening = false;
  /** Heard before the machine was there. */
  #early: (() => void)[] = [];
  #run: Run | undefined;
  #plan: RunPlan | undefined;
  #epochs: RunEpochs | undefined;
  #placement: readonly PlacedWorker[];
  #over = false;
  /** A worker is gone, and with it the run, before it was opened here. */
  #lost = false;
  #tailed: ReadonlyMap<number, number> = new Map();
  /** Writes of manifests and records, one after the other. */
  #durable: Promise<void> = Promise.resolve();

  constructor(init: RunDriverInit) {
    this.#init = init;
    this.#placement = init.adoption?.placement ?? [];
    const { job, run } = init;
    this.drivenSinceMs = init.context.nowMs();
    this.key = { job, run: run.id, fence: BigInt(run.fence) };
  }

  /** Workers that are connected. */
  get workers(): number {
    return this.#connections.size;
  }

  /** Whether it is over for this controller. */
  get over(): boolean {
    return this.#over;
  }

  /** When the newest complete epoch of this run began; undefined: none. */
  get newestEpochBeganMs(): number | undefined {
    return this.#epochs?.newestBeganMs;
  }

  /** How its epochs are, see `RunEpochs`; undefined: it is not open. */
  get epochs(): Pick<RunEpochs, "newestTookMs" | "committingSinceMs"> | undefined {
    return this.#epochs;
  }

  /**
   * Makes the run the job's owner, finds where it starts and starts its machine. Throws what the object store, the database and the compiler
   * throw, `state-mismatch` and `fenced`; then it may be called again. Does nothing if the run is open or being opened.
   */
  async open(): Promise<void> {
    if (this.#opening || this.#lost || this.#run !== undefined) return;
    this.#opening = true;
    try {
      await this.#init.context.openings.run(() => this.#start());
    } finally {
      this.#opening = false;
    }
  }

  async #start(): Promise<void> {
    const { context, job, run, adoption } = this.#init;
    context.term.check();
    if (this.#over || this.#lost) return;
    const { plan, checkpoints, epochs } = await this.#prepare();
    context.term.check();
    if (this.#over) return;
    this.#plan = plan;
    this.#epochs = epochs;
    const config = {
      run,
      vertices: plan.vertices.length,
      parallelism: plan.parallelism,
      restoredEpoch: plan.baseEpoch,
      checkpointIntervalMs: this.#init.checkpointIntervalMs,
      byRows: false,
      limits: runLimits(context.settings),
      place: (parallelism: number, offered: readonly { readonly worker: WorkerId; readonly slots: number }[]) =>
        placeSubtasks(parallelism, offered) as readonly PlacedWorker[] | undefined,
    };
    const recorded = (await checkpoints.recorded()).filter(({ fence }) => fence === this.key.fence).map(({ epoch }) => epoch);
    const nowMs = context.nowMs();
    const first = adoption === undefined ? startRun(config, nowMs) : adoptRun(config, { ...adoption, recorded }, nowMs);
    context.logger.info(adoption === undefined ? "run started" : "run adopted", { job, run: run.id, epoch: plan.baseEpoch });
    this.#apply(first);
    for (const heard of this.#early.splice(0)) heard();
  }

  async #prepare(): Promise<{ plan: RunPlan; checkpoints: JobCheckpoints; epochs: RunEpochs }> {
    const { context, job, run, pipeline, artifactHash, parallelism, adoption, ignoreStateBeforeEpoch = 0 } = this.#init;
    const { db, stores, settings, clock, term } = context;
    const programText = must(await context.writes.run(() => readProgramText(db, pipeline.id)), `the program of pipeline ${pipeline.id}`);
    const program = decodeProgram(programText);
    const artifactStore = await stores.open(stores.artifactUrl);
    const known = artifactHash === undefined ? undefined : await readArtifact(artifactStore, artifactHash);
    const artifact = known ?? (await makeArtifact(context.compiler, artifactStore, program));
    const described = checkpointedProgram(program, artifact.stateSchemas);
    const stateUrl = stores.stateUrl(pipeline.stateUrl);
    const store = await stores.open(stateUrl);
    const checkpoints = await JobCheckpoints.claim({
      store,
      job,
      run: run.id,
      fence: this.key.fence,
      program: described,
      parallelism,
      clock,
      ignoreState: false,
      oldestEpoch: ignoreStateBeforeEpoch,
      witnessed: await context.writes.run(() => readCountingEpochs(db, job)),
      keep: settings["checkpoint.retention"],
      place: `the state of job ${job}`,
      mismatchHint: "Start the pipeline without its state (ignore_state), or run the program that made it.",
      mayWrite: () => term.check(),
    });
    const baseEpoch = checkpoints.newest ?? Math.max(0, ignoreStateBeforeEpoch - 1, this.#init.newestEpoch);
    await this.#align(checkpoints, described.fingerprint, baseEpoch);
    const { vertices, fingerprint: programFingerprint } = described;
    const plan: RunPlan = {
      programText,
      programFingerprint,
      vertices,
      artifact,
      artifactUrl: stores.artifactUrl,
      stateUrl,
      parallelism,
      restored: checkpoints.restored,
      baseEpoch,
      dataCredential: makeRunToken(),
      preview: this.#init.preview,
      settings,
    };
    const { fence: runFence } = this.key;
    const onImbalance = (error: AppError) => this.#tell("rows-unbalanced", "error", error.message, error);
    const shared = {
      context,
      job,
      labels: this.#init.labels,
      run: run.id,
      runFence,
      store,
      checkpoints,
      vertices,
      programFingerprint,
      parallelism,
      onImbalance,
    };
    this.#tellSkipped(checkpoints);
    if (adoption === undefined) await leaveDescription(context, job, store);
    return { plan, checkpoints, epochs: new RunEpochs(shared) };
  }

  /** Rows of `checkpoints` say what the record says. */
  async #align(checkpoints: JobCheckpoints, programFingerprint: string, inFlightAbove: number): Promise<void> {
    const { context, job, run, parallelism, adoption } = this.#init;
    if (run.fence === 1 && adoption === undefined) return;
    const recorded = (await checkpoints.recorded()).map(({ epoch, run: by, fence, manifest, checksum }) => ({
      id: makeId("checkpoint", context.random),
      epoch,
      run: by,
      runFence: fence,
      manifestPath: manifest,
      manifestChecksum: checksum,
    }));
    const owner = { runFence: this.key.fence, inFlightAbove, programFingerprint, parallelism, manifestVersion: MANIFEST_VERSION };
    await context.writes.run(() => alignCheckpoints(context.db, context.term.epoch, job, recorded, owner));
  }

  #tellSkipped(checkpoints: JobCheckpoints): void {
    for (const { epoch, error } of checkpoints.restored?.skipped ?? []) {
      this.#tell("checkpoint-skipped", "warn", `epoch ${epoch} cannot be restored, an older one is used: ${error.message}`, error);
    }
  }

  #tell(kind: string, level: TimelineEntry["level"], message: string, error?: AppError): void {
    const record = error === undefined ? undefined : toErrorRecord(error);
    this.#init.record({ kind, level, message, fence: this.#init.run.fence, error: record, details: {} });
  }

  /** A worker of the run is connected. */
  attach(session: WorkerSession): void {
    const worker = workerOf(session.register);
    this.#connections.set(worker, { session, received: 1n });
    for (const [vertex, rowsPerSecond] of this.#tailed) session.send({ $case: "previewRequest", value: { vertex, rowsPerSecond } });
    this.#event({ kind: "worker", worker, message: registration(session.register) });
  }

  /** It says something. Bodies that are for users (rows, logs) are the caller's business. */
  message(session: WorkerSession, body: WorkerBody): void {
    const worker = workerOf(session.register);
    const connection = this.#connections.get(worker);
    if (connection?.session !== session || this.#over) return;
    if (this.#run === undefined) {
      this.#early.push(() => this.message(session, body));
      return;
    }
    if (body.$case === "heartbeat") this.meter.heard(worker, body.value, this.#init.context.clock.elapsedMs());
    if (body.$case === "vertexReport" && !this.#reported(body.value, worker)) return;
    if (body.$case === "committed") this.#epochs?.committed(Number(body.value.epoch), body.value.subtask, body.value.phases);
    connection.received += 1n;
    if (body.$case === "checkpointRequest") return this.command({ kind: "checkpoint" });
    const message = runMessage(body);
    if (message !== undefined) this.#event({ kind: "worker", worker, message });
  }

  /** Keeps the report; false if it is none: then the run fails, because the worker would send the same again. */
  #reported(report: VertexReport, worker: WorkerId): boolean {
    try {
      this.#epochs?.reported(report, worker);
      return true;
    } catch (error) {
      this.#event({ kind: "worker", worker, message: { kind: "failed", error: toErrorRecord(error) } });
      return false;
    }
  }

  /** Its stream is over. */
  detach(session: WorkerSession): void {
    const worker = workerOf(session.register);
    if (this.#connections.get(worker)?.session !== session) return;
    this.#connections.delete(worker);
    this.#event({ kind: "disconnected", worker });
  }

  /** The scheduler says that a worker of the run is gone. */
  exited(view: WorkerView): void {
    const { worker, exit } = view;
    if (this.#isLostWith(worker)) {
      this.#lost = true;
      this.#early = [];
      const error = exitError(worker as WorkerId, exit?.reason ?? view.note, exit?.outOfMemory ?? false);
      return this.#init.report({ kind: "lost", error });
    }
    this.#event({ kind: "worker-exited", worker, reason: exit?.reason ?? view.note, outOfMemory: exit?.outOfMemory ?? false });
  }

  /** Whether the end of a worker is the end of a run that is not open yet. To open it would be work for nothing, a thousand times after an outage. */
  #isLostWith(worker: WorkerId | undefined): boolean {
    if (this.#opening || this.#run !== undefined || this.#over || this.#lost) return false;
    const { adoption } = this.#init;
    return adoption?.stop === undefined && (adoption?.placement ?? []).some((placed) => placed.worker === worker);
  }

  /** Whether the scheduler hears of the worker's machine. */
  reached(worker: WorkerId, reached: boolean): void {
    this.#event({ kind: "worker-unreachable", worker, unreachable: !reached });
  }

  /** Whether a worker could publish something although nobody hears of it: see `mayPublish` of job/run-state.ts. */
  mayPublish(worker: WorkerId | undefined): boolean {
    return worker === undefined || this.#run === undefined || mayPublish(this.#run, worker, this.#init.context.nowMs());
  }

  /** The job's word. */
  command(command: RunCommand): void {
    this.#event({ kind: "command", command });
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    if (this.#run === undefined || this.#over) return;
    const wake = runWakeAtMs(this.#run);
    if (wake !== undefined && wake <= nowMs) this.#event({ kind: "tick" });
  }

  /** Vertices whose rows somebody wants, with rows per second and subtask. */
  tail(wanted: ReadonlyMap<number, number>): void {
    const gone = [...this.#tailed.keys()].filter((vertex) => !wanted.has(vertex));
    const added = [...wanted].filter(([vertex, rows]) => this.#tailed.get(vertex) !== rows);
    this.#tailed = wanted;
    for (const { session } of this.#connections.values()) {
      for (const vertex of gone) session.send({ $case: "previewRequest", value: { vertex, rowsPerSecond: 0 } });
      for (const [vertex, rowsPerSecond] of added) session.send({ $case: "previewRequest", value: { vertex, rowsPerSecond } });
    }
  }

  /** Asks a worker for a piece of its log; false if it is not connected. */
  askLog(worker: string, request: LogRequest): boolean {
    const connection = this.#connections.get(worker as WorkerId);
    connection?.session.send({ $case: "logRequest", value: request });
    return connection !== undefined;
  }

  /** The run is over: its workers are told so and heard no more. */
  drop(reason: string): void {
    if (this.#over) return;
    this.#epochs?.abandon(reason);
    const { answer } = fencedOut(this.key.fence, reason);
    for (const { session } of this.#connections.values()) session.send(answer);
    this.release();
  }

  /** This controller leads no more: its sessions end, the workers go on and dial the next one. */
  release(): void {
    this.#over = true;
    for (const { session } of this.#connections.values()) session.close();
    this.#connections.clear();
    this.#early = [];
  }

  /** Resolves when what was being written is written. */
  async settled(): Promise<void> {
    await this.#durable;
  }

  #event(event: RunEvent): void {
    if (this.#over || this.#lost) return;
    if (this.#run === undefined) {
      this.#early.push(() => this.#event(event));
      return;
    }
    try {
      this.#apply(stepRun(this.#run, event, this.#init.context.nowMs()));
    } catch (thrown) {
      // A step that fails is a defect; the run cannot go on with a machine in an unknown state.
      const error = internalError("invariant", `the run's machine failed: ${toAppError(thrown).message}`, { cause: thrown });
      this.#init.context.logger.error("a run's machine failed", { job: this.#init.job, event: event.kind, error });
      this.#init.report({ kind: "failed", error: toErrorRecord(error) });
    }
  }

  #apply({ run, effects }: RunStep): void {
    this.#run = run;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: RunEffect): void {
    const { report, record } = this.#init;
    switch (effect.kind) {
      case "assign": {
        const assignment = makeAssignment(must(this.#plan, "the run's plan"), effect.number, effect.placement, effect.peers);
        return this.#send(effect.worker, { $case: "assignment", value: assignment });
      }
      case "run":
        return this.#send(effect.worker, { $case: "runSlots", value: {} });
      case "trigger":
        return this.#send(effect.worker, triggerMessage(effect.epoch, effect.stop));
      case "commit":
        return this.#commit(effect.worker, effect.epoch);
      case "close":
        return this.#send(effect.worker, stopMessage(effect.mode, effect.deadlineMs));
      case "renew":
        return this.#send(effect.worker, renewalMessage(effect.epoch, this.#connections.get(effect.worker)?.received ?? 0n));
      case "epoch-begun":
        return this.#epochs?.begun(effect.epoch, effect.purpose);
      case "complete":
        return this.#complete(effect);
      case "retain":
        return this.#retain(effect.epoch);
      case "report":
        if (effect.report.kind === "placed") this.#placement = effect.report.placement;
        return report(effect.report);
      case "record":
        return record(effect.entry);
    }
  }

  /** Sinks of `worker` publish; what they staged may have to be read first. */
  #commit(worker: WorkerId, epoch: number): void {
    const subtasks = this.#placement.find((placed) => placed.worker === worker);
    const epochs = this.#epochs;
    if (subtasks === undefined || epochs === undefined) return;
    const known = epochs.stagedInMemory(epoch, subtasks);
    const send = (staged: readonly StagedCommit[]) => this.#send(worker, { $case: "commit", value: { epoch: BigInt(epoch), staged } });
    if (known !== undefined) return send(known);
    this.#later(
      () => epochs.staged(epoch, subtasks).then(send),
      (error) => this.#init.report({ kind: "failed", error: toErrorRecord(error) }),
    );
  }

  #complete({ epoch, final, purpose }: RunEffect & { readonly kind: "complete" }): void {
    this.#later(
      async () => {
        await must(this.#epochs, "the run's epochs").complete(epoch, final, purpose);
        this.#event({ kind: "recorded", epoch });
      },
      (error) => {
        this.#init.context.logger.warn("an epoch could not be recorded", { job: this.#init.job, epoch, error });
        this.#event({ kind: "record-failed", epoch, error: { ...toErrorRecord(error), retry: completionRetry(error) } });
      },
    );
  }

  #retain(epoch: number): void {
    this.#later(
      () => must(this.#epochs, "the run's epochs").retain(epoch),
      (error) => this.#init.context.logger.warn("old checkpoints were not deleted", { job: this.#init.job, epoch, error }),
    );
  }

  /** Work on the object store, one piece after the other; nothing is begun once the run or the term is over. */
  #later(work: () => Promise<void>, failed: (error: AppError) => void): void {
    this.#durable = this.#durable.then(async () => {
      if (this.#over || !this.#init.context.term.valid) return;
      try {
        await work();
      } catch (thrown) {
        failed(toAppError(thrown));
      }
    });
  }

  #send(worker: WorkerId, body: Parameters<WorkerSession["send"]>[0]): void {
    if (this.#init.context.term.valid) this.#connections.get(worker)?.session.send(body);
  }
}

/**
 * Whether an epoch is completed again: also after what a store calls final, such as a lost permission, because waiting within the checkpoint's
 * time costs less than another run. Not if the record cannot be understood.
 */
function completionRetry({ domain, code, retry }: AppError): "never" | "backoff" {
  const hopeless = domain !== "external" || code === "checksum-mismatch" || code === "version-mismatch";
  return hopeless ? retry : "backoff";
}
