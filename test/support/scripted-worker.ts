/**
 * A worker that only talks: it dials controllers over real gRPC, keeps the protocol and reports empty state. For tests of the controller
 * against many workers, without processes, modules or rows.
 */
import { encodeReport, MANIFEST_VERSION } from "../../src/checkpoint/manifest-codec.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { AppError } from "../../src/core/errors.ts";
import type { Assignment } from "../../src/gen/assignment.ts";
import type { Welcome } from "../../src/gen/controller.ts";
import type { ControllerBody } from "../../src/rpc/refusal.ts";
import { controllerCredentials } from "../../src/rpc/tls.ts";
import { LeaderEpoch, type WorkerMessage, WorkerStream } from "../../src/rpc/worker-client.ts";
import type { RunSpec } from "../../src/scheduler/scheduler.ts";

/** Vertices of the program that scripted workers run; the last is a sink. */
const VERTICES = 4;
const SINK = VERTICES - 1;
/** Until a welcome says how often. */
const HEARTBEAT_MS = 500;
const REDIAL_MS = 100;

/** By what a worker proves itself besides the run token; what is absent it does not show, as workers of earlier releases. */
export interface ScriptedProof {
  /** As of now. */
  readonly identity?: () => string;
  /** SubjectPublicKeyInfo, DER. */
  readonly dataPublicKey?: Uint8Array;
  readonly dataHost?: string;
}

/** See the file's comment. */
export class ScriptedWorker {
  readonly id: string;
  readonly handle: string;
  readonly spec: RunSpec;
  /** What the controller said, by kind. */
  readonly heard: string[] = [];
  /** Epochs that it published, with what the sink had staged. */
  readonly published: { readonly epoch: number; readonly staged: readonly string[] }[] = [];
  welcome: Welcome | undefined;
  assignment: Assignment | undefined;
  running = false;
  gone = false;
  /** How often it has dialled with success. */
  registrations = 0;
  /** How often its stream ended before it was welcome. */
  refusals = 0;
  /** Rows per second that are wanted, by vertex. */
  readonly tails = new Map<number, number>();
  /** It hears and says nothing any more, and does not exit. */
  mute = false;
  /** Why it was last refused, in words. */
  refusal: AppError | undefined;
  readonly #proof: ScriptedProof;
  readonly #slots: number;
  readonly #onExit: (code: number) => void;
  readonly #leaderEpoch = new LeaderEpoch();
  readonly #ready = new Set<number>();
  readonly #ended = new Set<number>();
  #endpoints: readonly string[];
  #dials = 0;
  #started = 0;
  #complete = 0;
  #committed = 0;
  #rows = 0n;
  #stream: WorkerStream | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(id: string, handle: string, slots: number, spec: RunSpec, onExit: (code: number) => void, proof: ScriptedProof = {}) {
    this.#proof = proof;
    this.id = id;
    this.handle = handle;
    this.spec = spec;
    this.#slots = slots;
    this.#onExit = onExit;
    this.#endpoints = spec.controllers;
    this.#dial();
    this.#timer = setInterval(() => this.#heartbeat(), HEARTBEAT_MS);
  }

  /** Own subtasks. */
  get subtasks(): readonly number[] {
    const { placement = [], worker } = this.assignment ?? {};
    return placement.flatMap((owner, subtask) => (owner === worker ? [subtask] : []));
  }

  /** Sources have ended. */
  finish(): void {
    for (const subtask of this.subtasks) {
      this.#ended.add(subtask);
      this.#say({ $case: "slotEnded", value: { subtask } });
    }
  }

  /** Endpoints of controllers, as if a welcome had named them. */
  knows(endpoints: readonly string[]): void {
    this.#endpoints = endpoints;
  }

  /** Sends rows of the sink. */
  preview(rows: readonly string[]): void {
    const value = { vertex: SINK, subtask: this.subtasks[0] ?? 0, firstRow: this.#rows, rows, dropped: 0n };
    this.#rows += BigInt(rows.length);
    this.#say({ $case: "previewRows", value });
  }

  /** A slot fails with an error of `domain`. */
  fail(domain: string, message: string): void {
    const error = { domain, code: "slot-failed", message, detail: "", hint: "", retry: "backoff", stack: "" };
    this.#say({ $case: "failed", value: { error } });
  }

  /** It is gone without a word. */
  die(code = 137): void {
    if (this.gone) return;
    this.gone = true;
    clearInterval(this.#timer);
    this.#stream?.cancel();
    this.#onExit(code);
  }

  #dial(): void {
    if (this.gone) return;
    const endpoint = this.#endpoints[this.#dials++ % this.#endpoints.length] ?? "";
    const { job, run, fence } = this.spec;
    const stream: WorkerStream = new WorkerStream(
      endpoint,
      {
        message: (body) => this.#hear(body),
        closed: (error) => {
          if (error?.code === "permission-denied") this.refusals += 1;
          this.refusal = error;
          if (this.#stream === stream && !this.gone) setTimeout(() => this.#dial(), REDIAL_MS);
        },
      },
      {
        clock: systemClock,
        fence: { jobId: job, runId: run, fence },
        release: "test",
        credentials: controllerCredentials(this.spec.controllerCa ?? "", endpoint),
        leaderEpoch: this.#leaderEpoch,
        answerLimitMs: 1_000,
      },
    );
    this.#stream = stream;
    stream.send(this.#register());
  }

  #register(): WorkerMessage {
    const { assignment } = this;
    const resumption = {
      worker: assignment?.worker ?? 0,
      startedEpoch: BigInt(this.#started),
      completeEpoch: BigInt(this.#complete),
      committedEpoch: BigInt(this.#committed),
      readySubtasks: [...this.#ready],
      endedSubtasks: [...this.#ended],
      running: this.running,
      paused: false,
      closedSubtasks: [],
    };
    return {
      $case: "register",
      value: {
        workerId: this.id,
        credential: this.spec.runToken,
        credentialKind: "run-token",
        slots: this.#slots,
        dataHost: this.#proof.dataHost ?? "127.0.0.1",
        dataPort: 1,
        adminHost: "127.0.0.1",
        adminPort: 2,
        handle: this.handle,
        machine: "machine-1",
        memoryLimitBytes: 0n,
        identity: this.#proof.identity?.() ?? "",
        dataPublicKey: this.#proof.dataPublicKey ?? new Uint8Array(),
        resumption: assignment === undefined ? undefined : resumption,
      },
    };
  }

  #say(message: WorkerMessage): void {
    if (!this.mute && !this.gone) this.#stream?.send(message);
  }

  #hear(body: ControllerBody): void {
    if (this.mute || this.gone) return;
    this.heard.push(body.$case);
    switch (body.$case) {
      case "welcome":
        this.welcome = body.value;
        clearInterval(this.#timer);
        this.#timer = setInterval(() => this.#heartbeat(), body.value.heartbeatIntervalMs || HEARTBEAT_MS);
        this.registrations += 1;
        this.#endpoints = body.value.endpoints;
        return;
      case "leaderMoved":
        if (body.value.endpoints.length > 0) this.#endpoints = body.value.endpoints;
        return;
      case "assignment":
        return this.#assigned(body.value);
      case "runSlots":
        this.running = true;
        return;
      case "triggerBarrier":
        return this.#barrier(body.value.epoch);
      case "commit":
        return this.#commit(
          Number(body.value.epoch),
          body.value.staged.map(({ commit }) => commit),
        );
      case "leaseRenewal":
        this.#complete = Number(body.value.epochComplete);
        return;
      case "previewRequest":
        this.tails.set(body.value.vertex, body.value.rowsPerSecond);
        return;
      case "logRequest": {
        const { requestId } = body.value;
        return this.#say({ $case: "logChunk", value: { requestId, offset: 0n, text: new TextEncoder().encode("a line\n"), last: true } });
      }
      case "stop":
        return this.#stop();
      case "fenced":
        return this.die(0);
      default:
        return;
    }
  }

  #assigned(assignment: Assignment): void {
    if (this.assignment !== undefined) return;
    this.assignment = assignment;
    this.#started = Number(assignment.settings?.baseEpoch ?? 0n);
    for (const subtask of this.subtasks) {
      this.#ready.add(subtask);
      this.#say({ $case: "slotReady", value: { subtask, restoreUs: 1n, restoredBytes: 0n } });
    }
  }

  #barrier(epoch: bigint): void {
    this.#started = Math.max(this.#started, Number(epoch));
    for (const subtask of this.subtasks) {
      this.#say({ $case: "epochStarted", value: { subtask, epoch } });
      for (let vertex = 0; vertex < VERTICES; vertex++) this.#say(report(Number(epoch), vertex, subtask));
    }
  }

  #commit(epoch: number, staged: readonly string[]): void {
    if (epoch > this.#committed) this.published.push({ epoch, staged });
    this.#committed = Math.max(this.#committed, epoch);
    for (const subtask of this.subtasks) this.#say({ $case: "committed", value: { subtask, epoch: BigInt(epoch), phases: [] } });
  }

  #stop(): void {
    for (const subtask of this.subtasks) this.#say({ $case: "slotClosed", value: { subtask } });
    this.#say({ $case: "finished", value: { sourcesEnded: this.#ended.size > 0 } });
    // Behind what was said, as a process ends its stream before it exits.
    setTimeout(() => this.die(0), 50);
  }

  #heartbeat(): void {
    if (this.assignment === undefined) return;
    const slots = this.subtasks.map((subtask) => ({
      subtask,
      vertices: [],
      rowsRead: 1n,
      rowsWritten: 1n,
      blockedMs: 0n,
      stateBytes: 0n,
      epoch: BigInt(this.#started),
    }));
    const value = { slots, residentBytes: 1n, leaderEpoch: this.#leaderEpoch.newest, lateRows: 0n, badRows: 0n, cpuUs: 0n };
    this.#say({ $case: "heartbeat", value });
  }
}

function report(epoch: number, vertex: number, subtask: number): WorkerMessage {
  const counts = { rowsIn: 0, rowsOut: 0, filtered: 0, late: 0, bad: 0 };
  const sink = vertex === SINK ? { state: {}, commit: { epoch, subtask } } : undefined;
  const bytes = encodeReport({
    vertex,
    subtask,
    segments: [],
    positions: [],
    watermark: undefined,
    sink,
    files: [],
    counts,
    sent: [],
    received: [],
  });
  const phases = [{ phase: "snapshot", startedAtNs: systemClock.nowNs(), durationUs: 10n, bytes: 0n }];
  const value = {
    epoch: BigInt(epoch),
    vertex,
    subtask,
    report: bytes,
    reportVersion: MANIFEST_VERSION,
    phases,
    writtenBytes: 0n,
    stateBytes: 0n,
  };
  return { $case: "vertexReport", value };
}
