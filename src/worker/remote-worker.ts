/**
 * A worker process under a controller: registers, gets ready what it is assigned, obeys, reports, and ends itself when nobody leads it any
 * more. It decides nothing about epochs or restarts. The slots are hosted by `worker.ts`; the tie to the controller is `controller-link.ts`;
 * what has been said and may have to be said again is in `run-journal.ts`.
 */
import { checkFileRoots } from "../connectors/files/roots.ts";
import { resolveSecrets, secretsOf } from "../connectors/secrets.ts";
import { type AppError, externalError, toErrorRecord } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import type { SlotProgress } from "../dataflow/slot-contract.ts";
import type { Assignment } from "../gen/assignment.ts";
import { type LogRequest, type Register, Register as RegisterMessage, type Stop, type Welcome } from "../gen/controller.ts";
import type { ErrorRecord } from "../gen/peer.ts";
import { type ActionOutcome, AdminServer, type ProcessStatus } from "../rpc/admin-server.ts";
import { fromErrorMessage, toErrorMessage } from "../rpc/error-message.ts";
import type { ControllerBody } from "../rpc/refusal.ts";
import type { WorkerMessage } from "../rpc/worker-client.ts";
import { type AcceptedAssignment, acceptAssignment, epochNumber } from "./assignment.ts";
import { wishCheckpoint } from "./checkpoint-wish.ts";
import { ControllerLink } from "./controller-link.ts";
import { DataListener } from "./data-listener.ts";
import { Drain } from "./drain.ts";
import { EndpointList } from "./endpoint-list.ts";
import { Lease } from "./lease.ts";
import { MetricsPush } from "./metrics-push.ts";
import { fetchModule, fetchRestore } from "./preparation.ts";
import type { WorkerEvent } from "./protocol.ts";
import { RunJournal } from "./run-journal.ts";
import { Worker } from "./worker.ts";
import { WorkerCredentials } from "./worker-credentials.ts";
import { commitCommand, committedMessage, previewMessage, progressMessage, readyMessage, reportMessage } from "./worker-messages.ts";
import { WorkerMetrics } from "./worker-metrics.ts";
import { type RemoteWorkerOptions, WORKER_EXIT } from "./worker-options.ts";
import { workerStart } from "./worker-start.ts";

/** Leases and heartbeats are looked at this often. */
const TICK_MS = 100;
/** Until a controller says how often. */
const HEARTBEAT_MS = 2_000;
/** How long a worker that has ended tries to tell the controller. */
const FAREWELL_MS = 5_000;
/** Bytes of the log in one answer at most. */
const LOG_ANSWER_BYTES = 4 << 20;
/** Who wants a checkpoint waits so long for it. */
const CHECKPOINT_WISH_MS = 60_000;
/** The cause of a failure is worth more patience. */
const FAILURE_FAREWELL_MS = 30_000;

/** See the file's comment. Runs once. */
export class RemoteWorker implements Service {
  readonly name = "worker";
  readonly #options: RemoteWorkerOptions;
  readonly #listener = new DataListener();
  readonly #hosted: Worker;
  readonly #link: ControllerLink;
  readonly #lease: Lease;
  readonly #metrics: WorkerMetrics;
  readonly #push: MetricsPush;
  readonly #admin: AdminServer;
  readonly #credentials: WorkerCredentials;
  #dataPort = 0;
  #adminPort = 0;
  readonly #stopLink = new AbortController();
  readonly #preparing = new AbortController();
  readonly #over = new AbortController();
  readonly #progress = new Map<number, SlotProgress>();
  #assigned: AcceptedAssignment | undefined;
  #journal: RunJournal | undefined;
  /** The threads have been started. */
  #started = false;
  /** What the run comes to, once that is known: nothing is obeyed any more. */
  #ending: (() => Promise<number>) | undefined;
  #threadsGone = false;
  #stopMode: string | undefined;
  /** The slots are to be closed when they are empty. */
  #drain: Drain | undefined;
  /** The machine wants the worker gone: by then. */
  #leaveByMs: number | undefined;
  /** Whether the leader takes requests for checkpoints. */
  #takesCheckpointRequests = false;
  #heartbeatMs = HEARTBEAT_MS;
  #heartbeatDueMs = 0;
  #skipped = { late: 0, bad: 0 };
  #resolve: (exitCode: number) => void = () => undefined;
  #exitCode: number = WORKER_EXIT.failed;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: RemoteWorkerOptions) {
    this.#options = options;
    const { config, clock, endpoints, fence, release, random, logger, metrics } = options;
    this.#metrics = new WorkerMetrics(metrics, fence, options.pipelineId, clock, options);
    const group = { job: fence.jobId, run: String(fence.fence), worker: options.workerId };
    this.#push = new MetricsPush({ group, registry: metrics, clock, random, logger });
    const actions = { "/checkpoint": () => this.#wishCheckpoint() };
    this.#admin = new AdminServer({ name: "worker", release, config, metrics, status: () => this.#status(), actions });
    const limits = { pauseMs: config["worker.controller-absence-limit"], orphanMs: config["worker.orphan-timeout"] };
    this.#lease = new Lease(limits, clock.elapsedMs());
    this.#hosted = new Worker((event) => this.#event(event), this.#listener);
    this.#hosted.onEnd(() => this.#onThreadsGone());
    this.#credentials = new WorkerCredentials(options);
    this.#link = new ControllerLink(
      {
        register: () => this.#register(),
        welcome: (welcome) => this.#welcome(welcome),
        message: (body) => this.#obey(body),
        lost: (error) => logger.warn("the controller is gone", { error }),
        refused: (error) => this.#refused(error),
      },
      {
        endpoints: new EndpointList(endpoints, logger),
        authority: () => this.#credentials.controllerAuthority(),
        fence,
        release,
        clock,
        random,
        logger,
      },
    );
  }

  /** Of the process, once `run` has resolved: one of `WORKER_EXIT`. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Works until the run is over. `signal`: the machine wants the worker gone; it leaves in order, within `leaveLimitMs`. */
  async run(signal: AbortSignal): Promise<void> {
    const { addresses, logger } = this.#options;
    this.#dataPort = (await this.#listener.listen({ host: addresses.bindHost, port: addresses.dataPort })).port;
    const admin = { host: addresses.bindHost, port: addresses.adminPort, setting: "worker.bind-address" };
    this.#adminPort = await this.#admin.listen(admin).catch((error: unknown) => {
      // A process that listens does not end.
      this.#listener.close();
      throw error;
    });
    const over = new Promise<number>((resolve) => {
      this.#resolve = resolve;
    });
    const leave = (): void => this.#leave();
    const ticking = setInterval(() => this.#tick(), TICK_MS);
    try {
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) leave();
      this.#link.run(this.#stopLink.signal).catch((error: unknown) => this.#fail(toErrorMessage(toErrorRecord(error)), undefined));
      this.#exitCode = await over;
      logger.info("the worker ends", { exitCode: this.#exitCode });
    } finally {
      signal.removeEventListener("abort", leave);
      clearInterval(ticking);
      for (const timer of this.#timers) clearTimeout(timer);
      this.#preparing.abort();
      this.#stopLink.abort();
      this.#hosted.command({ kind: "abort" });
      this.#listener.close();
      await this.#admin.close();
    }
  }

  /** A worker that nobody leads is well: it goes on for a while. */
  #status(): ProcessStatus {
    const phase = this.#journal === undefined ? "waits for its assignment" : this.#journal.running ? "runs" : "gets ready";
    const controller = this.#link.connected ? "connected" : "not connected";
    const { jobId: job, runId: run } = this.#options.fence;
    return { ok: this.#ending === undefined, details: { worker: this.#options.workerId, job, run, phase, controller } };
  }

  #wishCheckpoint(): Promise<ActionOutcome> {
    const view = () => {
      const { newestStarted: started = 0, newestComplete: complete = 0 } = this.#journal ?? {};
      return { obstacle: this.#wishObstacle(), started, complete };
    };
    const ask = (): void => this.#link.send({ $case: "checkpointRequest", value: {} });
    return wishCheckpoint({ clock: this.#options.clock, view, ask, over: this.#over.signal, limitMs: CHECKPOINT_WISH_MS });
  }

  #wishObstacle(): string | undefined {
    if (this.#journal?.running !== true) return "the worker does not run yet";
    if (this.#stopMode !== undefined) return "the worker has been told to stop";
    if (!this.#link.connected) return "no controller is connected";
    return this.#takesCheckpointRequests ? undefined : "the controller is of an older build, which takes no such requests";
  }

  #register(): Register {
    const { workerId, slots, handle, machine, memoryLimitBytes, addresses } = this.#options;
    return RegisterMessage.create({
      workerId,
      ...this.#credentials.proof(),
      slots,
      dataHost: addresses.dataHost,
      dataPort: this.#dataPort,
      adminHost: addresses.adminHost,
      adminPort: this.#adminPort,
      handle,
      machine,
      memoryLimitBytes: BigInt(memoryLimitBytes),
      ...(this.#journal === undefined ? {} : { resumption: this.#journal.resumption() }),
    });
  }

  #welcome(welcome: Welcome): void {
    const { lease, heartbeatIntervalMs, takesCheckpointRequests } = welcome;
    this.#takesCheckpointRequests = takesCheckpointRequests;
    this.#credentials.welcomed(welcome);
    this.#push.follow(welcome.metricsPush?.url ?? "", welcome.metricsPush?.intervalMs ?? 0);
    if (heartbeatIntervalMs > 0) this.#heartbeatMs = heartbeatIntervalMs;
    if (lease !== undefined) this.#renew(lease);
    for (const message of this.#journal?.repeats() ?? []) this.#link.send(message);
    if (this.#leaveByMs !== undefined) this.#sayLeave(this.#leaveByMs);
    this.#heartbeatDueMs = 0;
  }

  #renew({ durationMs, epochComplete }: { readonly durationMs: number; readonly epochComplete: bigint }): void {
    this.#lease.renew(durationMs, this.#options.clock.elapsedMs());
    this.#journal?.complete(epochNumber(epochComplete));
    if (this.#journal?.paused === true && this.#drain === undefined) this.#pause(false);
  }

  #refused(error: AppError): void {
    this.#options.logger.error("no controller wants this worker", { error });
    this.#push.stop();
    this.#end(async () => WORKER_EXIT.refused);
  }

  #obey(body: ControllerBody): void {
    if (this.#ending !== undefined) return;
    switch (body.$case) {
      case "assignment":
        return this.#assign(body.value);
      case "runSlots":
        return this.#runSlots();
      case "triggerBarrier": {
        const epoch = epochNumber(body.value.epoch);
        this.#journal?.triggered(epoch);
        return this.#hosted.command({ kind: "trigger", epoch, stop: body.value.thenStop });
      }
      case "commit":
        return this.#commit(body.value);
      case "stop":
        return this.#stop(body.value);
      case "leaseRenewal":
        return this.#renew(body.value);
      case "fenced": {
        const error = body.value.error === undefined ? undefined : fromErrorMessage(body.value.error);
        this.#push.stop();
        this.#options.logger.warn("the run has been superseded", { currentFence: body.value.currentFence, reason: error?.message });
        return this.#end(async () => WORKER_EXIT.refused);
      }
      case "logRequest":
        return this.#answerLog(body.value);
      case "previewRequest":
        return this.#hosted.command({ kind: "tail", ...body.value });
      default:
        return undefined;
    }
  }

  #assign(assignment: Assignment): void {
    if (this.#assigned !== undefined) return;
    try {
      const accepted = acceptAssignment(assignment);
      checkFileRoots(accepted.program, this.#options.config["connectors.file.roots"]);
      const own = accepted.placement.flatMap((worker, subtask) => (worker === accepted.worker ? [subtask] : []));
      this.#assigned = accepted;
      this.#metrics.describe(accepted.program, accepted.stateLimit);
      this.#journal = new RunJournal(accepted.worker, own, accepted.baseEpoch);
      this.#lease.limit(accepted.absence);
      this.#prepare(accepted).catch((error: unknown) => this.#fail(toErrorMessage(toErrorRecord(error)), undefined));
    } catch (error) {
      this.#fail(toErrorMessage(toErrorRecord(error)), undefined);
    }
  }

  async #prepare(assigned: AcceptedAssignment): Promise<void> {
    const { clock, random, cacheFolder, logger, module, config, memoryLimitBytes } = this.#options;
    const context = { clock, random, cacheFolder, signal: this.#preparing.signal };
    const { restore, stateUrl, parallelism, artifact, worker, placement, peers } = assigned;
    const beganMs = clock.elapsedMs();
    const [code, state] = await Promise.all([
      module ?? fetchModule(artifact, context).then((bytes) => ({ kind: "wasm", bytes }) as const),
      restore === undefined || stateUrl === undefined ? undefined : fetchRestore(restore, stateUrl, parallelism, context),
    ]);
    if (this.#ending !== undefined) return;
    logger.info("assigned", { worker, subtasks: placement.filter((one) => one === worker).length, ms: clock.elapsedMs() - beganMs });
    this.#started = true;
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const connectors = this.#options.connectors ?? new URL(`../connectors/registry.${extension}`, import.meta.url).href;
    const limits = { memoryBytes: memoryLimitBytes, udfTimeoutMs: config["udf.timeout"] };
    const sources = { variable: this.#options.variable, roots: config["connectors.secret.roots"] };
    const secrets = resolveSecrets(secretsOf(assigned.program), sources);
    const tls = assigned.dataTls ? this.#credentials.dataTls() : undefined;
    const start = workerStart(this.#options.fence, assigned, { module: code, restore: state, connectors, secrets, tls }, limits);
    this.#hosted.command({ kind: "start", start });
    this.#hosted.command({ kind: "connect", peers });
  }

  #answerLog({ requestId, offset, limitBytes }: LogRequest): void {
    const { log } = this.#options;
    const limit = limitBytes === 0n ? LOG_ANSWER_BYTES : Math.min(LOG_ANSWER_BYTES, Number(limitBytes));
    let end = log?.end ?? 0;
    for (const piece of log?.read(Number(offset), limit) ?? []) {
      end = piece.offset + piece.text.length;
      this.#link.send({ $case: "logChunk", value: { requestId, offset: BigInt(piece.offset), text: piece.text, last: false } });
    }
    this.#link.send({ $case: "logChunk", value: { requestId, offset: BigInt(end), text: new Uint8Array(), last: true } });
  }

  #runSlots(): void {
    const journal = this.#journal;
    if (journal === undefined || journal.running || !journal.allReady) return;
    journal.running = true;
    this.#hosted.command({ kind: "run" });
  }

  #commit(commit: Parameters<typeof commitCommand>[0]): void {
    const command = commitCommand(commit);
    // What is committed counts.
    this.#journal?.complete(command.epoch);
    const said = this.#journal?.commitsOf(command.epoch);
    if (said === undefined) return this.#hosted.command(command);
    for (const message of said) this.#link.send(message);
  }

  /** See `Stop` in proto/controller.proto. Slots that do not run yet have nothing to close in order. */
  #stop({ mode, deadlineMs }: Stop): void {
    const { logger } = this.#options;
    logger.info("told to stop", { mode, deadlineMs });
    const first = this.#stopMode === undefined;
    this.#stopMode = mode;
    if (deadlineMs > 0) this.#after(deadlineMs, () => this.#stopTooLate(mode, deadlineMs));
    if (mode === "force" || this.#journal?.running !== true) return this.#abortThreads();
    if (!first) return;
    switch (mode) {
      case "finished":
        return this.#hosted.command({ kind: "close", finished: true });
      case "checkpoint":
      case "immediate":
        return this.#hosted.command({ kind: "close", finished: false });
      case "graceful":
        return this.#drainSlots();
      default:
        return this.#fail(toErrorMessage(toErrorRecord(externalError("io", `there is no stop mode "${mode}"`))), undefined);
    }
  }

  #stopTooLate(mode: string, deadlineMs: number): void {
    this.#options.logger.error("the slots did not stop in time, their threads are ended", { mode, deadlineMs });
    this.#abortThreads();
  }

  /** Sources read no more; once all rows have left, the slots close. */
  #drainSlots(): void {
    this.#drain = new Drain(this.#options.clock.elapsedMs());
    this.#hosted.command({ kind: "pause", paused: true });
  }

  #abortThreads(): void {
    this.#preparing.abort();
    this.#hosted.command({ kind: "abort" });
    if (!this.#started) this.#onThreadsGone();
  }

  #event(event: WorkerEvent): void {
    const journal = this.#journal;
    if (journal === undefined || this.#ending !== undefined) return;
    switch (event.kind) {
      case "ready":
        return this.#say(readyMessage(event), (message) => journal.ready(event.subtask, message));
      case "epoch-started":
        return this.#say({ $case: "epochStarted", value: { subtask: event.subtask, epoch: BigInt(event.epoch) } }, (message) =>
          journal.epochStarted(event.epoch, message),
        );
      case "reported":
        this.#metrics.phases(event.report.vertex, event.subtask, event.timing.phases);
        return this.#say(reportMessage(event.epoch, event.report, event.timing), (message) => journal.reported(event.epoch, message));
      case "committed":
        return this.#say(committedMessage(event.subtask, event.epoch, event.phases), (message) =>
          journal.committed(event.epoch, event.subtask, message),
        );
      case "ended":
        return this.#say({ $case: "slotEnded", value: { subtask: event.subtask } }, (message) => journal.ended(event.subtask, message));
      case "closed":
        return this.#say({ $case: "slotClosed", value: { subtask: event.subtask } }, (message) => journal.closed(event.subtask, message));
      case "failed":
        return this.#fail(toErrorMessage(event.error), event.subtask);
      case "preview":
        return this.#say(previewMessage(event), (message) => journal.previewed(message));
      case "progress":
        this.#progress.set(event.subtask, event.progress);
        this.#metrics.progress(event.subtask, event.progress);
        return;
      case "skipped":
        this.#skipped = { late: this.#skipped.late + event.rows.late, bad: this.#skipped.bad + event.rows.bad };
        return;
      case "listening":
        return;
    }
  }

  #say(message: WorkerMessage, note: (message: WorkerMessage) => void): void {
    note(message);
    this.#link.send(message);
  }

  #onThreadsGone(): void {
    if (this.#threadsGone) return;
    this.#threadsGone = true;
    const sourcesEnded = this.#stopMode === "finished";
    this.#end(async () => {
      await this.#link.sayLast({ $case: "finished", value: { sourcesEnded } }, FAREWELL_MS);
      return WORKER_EXIT.done;
    });
  }

  #fail(error: ErrorRecord, subtask: number | undefined): void {
    const { logger } = this.#options;
    logger.error("the run failed here", { subtask, error: fromErrorMessage(error) });
    this.#end(async () => {
      this.#hosted.command({ kind: "abort" });
      await this.#link.sayLast({ $case: "failed", value: { error, ...(subtask === undefined ? {} : { subtask }) } }, FAILURE_FAREWELL_MS);
      return WORKER_EXIT.failed;
    });
  }

  /** The first end counts. */
  #end(ending: () => Promise<number>): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#over.abort();
    const pushed = this.#push.finish();
    ending().then(
      (exitCode) => void pushed.then(() => this.#resolve(exitCode)),
      () => this.#resolve(WORKER_EXIT.failed),
    );
  }

  #leave(): void {
    const { leaveLimitMs, logger, clock } = this.#options;
    logger.info("told to leave", { leaveLimitMs });
    if (this.#assigned === undefined) return this.#end(async () => WORKER_EXIT.done);
    this.#leaveByMs = clock.elapsedMs() + leaveLimitMs;
    this.#sayLeave(this.#leaveByMs);
    this.#after(leaveLimitMs, () => {
      const error = externalError("timeout", `the worker had to leave and no controller stopped it within ${leaveLimitMs} ms`);
      this.#fail(toErrorMessage(toErrorRecord(error)), undefined);
    });
  }

  #sayLeave(byMs: number): void {
    const deadlineMs = Math.max(1, Math.round(byMs - this.#options.clock.elapsedMs()));
    this.#link.send({ $case: "leave", value: { reason: "SIGTERM", deadlineMs } });
  }

  #tick(): void {
    const nowMs = this.#options.clock.elapsedMs();
    const verdict = this.#lease.verdict(nowMs);
    if (verdict === "orphaned") return this.#orphaned();
    if (verdict === "pause" && this.#journal?.running === true && !this.#journal.paused) this.#pause(true);
    if (this.#drain?.isEmpty(this.#progress.values(), nowMs) === true) {
      this.#drain = undefined;
      this.#hosted.command({ kind: "close", finished: false });
    }
    if (nowMs >= this.#heartbeatDueMs && this.#link.connected && !this.#link.congested) {
      this.#heartbeatDueMs = nowMs + this.#heartbeatMs;
      this.#heartbeat();
    }
  }

  #heartbeat(): void {
    const slots = [...this.#progress].map(([subtask, progress]) => progressMessage(subtask, progress));
    const residentBytes = BigInt(process.memoryUsage.rss());
    const { late, bad } = this.#skipped;
    const { user, system } = process.cpuUsage();
    const counts = { lateRows: BigInt(late), badRows: BigInt(bad), cpuUs: BigInt(user + system) };
    this.#link.send({ $case: "heartbeat", value: { slots, residentBytes, leaderEpoch: this.#link.leaderEpoch, ...counts } });
  }

  #pause(paused: boolean): void {
    if (this.#journal === undefined) return;
    this.#journal.paused = paused;
    this.#options.logger.warn(paused ? "no controller answers: sources are paused" : "a controller is back: sources go on");
    this.#hosted.command({ kind: "pause", paused });
  }

  #orphaned(): void {
    if (this.#ending !== undefined) return;
    this.#options.logger.error("no controller has renewed the lease: the worker ends itself");
    this.#end(async () => WORKER_EXIT.orphaned);
  }

  #after(ms: number, act: () => void): void {
    this.#timers.add(setTimeout(act, ms));
  }
}
