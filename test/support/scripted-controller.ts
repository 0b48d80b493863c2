/**
 * A controller for tests of workers: a real `WorkerServer` whose handler does what the test says, message by message, and writes down what it
 * hears. Durable state is that of `JobCheckpoints`, as in the real controller.
 */
import { createHash } from "node:crypto";
import { JobCheckpoints } from "../../src/checkpoint/job-checkpoints.ts";
import type { SubtaskReport } from "../../src/checkpoint/manifest.ts";
import { parseReport } from "../../src/checkpoint/manifest-codec.ts";
import { systemClock } from "../../src/core/clock.ts";
import { type AppError, externalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { Assignment, RunSettings } from "../../src/gen/assignment.ts";
import type { Register, Welcome } from "../../src/gen/controller.ts";
import type { RunFence } from "../../src/gen/peer.ts";
import { ABI_VERSION } from "../../src/program/abi.ts";
import { checkpointedProgram } from "../../src/program/checkpointed-program.ts";
import { encodeProgram } from "../../src/program/codec.ts";
import { PROGRAM_VERSION, type Program } from "../../src/program/program.ts";
import type { ControllerBody } from "../../src/rpc/refusal.ts";
import { hashRunToken, isRunToken, makeRunToken } from "../../src/rpc/run-token.ts";
import { type WorkerBody, WorkerServer, type WorkerSession } from "../../src/rpc/worker-server.ts";
import { openObjectStore } from "../../src/storage/open.ts";

/** A compiled program in an object store. */
export interface TestArtifact {
  readonly program: Program;
  readonly wasm: Uint8Array;
}

/** Something a worker said. */
export interface Heard {
  readonly worker: string;
  readonly body: WorkerBody;
}

type Said<C extends WorkerBody["$case"]> = Extract<WorkerBody, { readonly $case: C }>["value"];

const LEASE_MS = 2_000;

/** See the file's comment. One run of one job. */
export class ScriptedController {
  readonly token: string;
  readonly fence: RunFence;
  readonly heard: Heard[] = [];
  readonly registered: Register[] = [];
  readonly sessions = new Map<string, WorkerSession>();
  readonly closed: { readonly worker: string; readonly error: AppError | undefined }[] = [];
  /** Replaces the answer to a registration. */
  admit: ((register: Register) => Welcome) | undefined;
  /** What a worker is told whenever it has registered. */
  retell: () => readonly ControllerBody[] = () => [];
  leaseMs = LEASE_MS;
  epochComplete = 0n;
  takesCheckpointRequests = true;
  /** Where workers push their metrics, twice a second; empty: nowhere. */
  pushgateway = "";
  leaderEpoch = 1n;
  endpoint = "";
  #server: WorkerServer | undefined;
  #renewing: NodeJS.Timeout | undefined;
  #changed: (() => void)[] = [];

  /** `token`: what workers log in with. */
  constructor(fence: RunFence = { jobId: "job_test", runId: "run_1", fence: 1n }, token = makeRunToken()) {
    this.fence = fence;
    this.token = token;
  }

  async listen(port = 0): Promise<void> {
    this.#server = new WorkerServer(
      {
        admit: async (register, fence) => this.#admit(register, fence),
        opened: (session) => {
          this.sessions.set(session.register.workerId, session);
          for (const body of this.retell()) session.send(body);
          this.#wake();
        },
        message: (session, body) => {
          this.heard.push({ worker: session.register.workerId, body });
          this.#wake();
        },
        closed: (session, error) => {
          const { workerId: worker } = session.register;
          if (this.sessions.get(worker) === session) this.sessions.delete(worker);
          this.closed.push({ worker, error });
          this.#wake();
        },
      },
      { clock: systemClock, logger: silentLogger, release: "test", leaderEpoch: () => this.leaderEpoch },
    );
    this.endpoint = `127.0.0.1:${await this.#server.listen("127.0.0.1", port)}`;
    this.renew(true);
  }

  /** Leases are renewed, or not. */
  renew(on: boolean): void {
    clearInterval(this.#renewing);
    if (!on) return;
    const lease = () => ({ durationMs: this.leaseMs, epochComplete: this.epochComplete, acknowledgedSequence: 0n });
    this.#renewing = setInterval(() => {
      for (const session of this.sessions.values()) session.send({ $case: "leaseRenewal", value: lease() });
    }, 100);
  }

  async close(): Promise<void> {
    clearInterval(this.#renewing);
    await this.#server?.close();
  }

  #admit(register: Register, fence: RunFence): Welcome {
    this.registered.push(register);
    if (!isRunToken(register.credential, hashRunToken(this.token))) {
      throw externalError("permission-denied", `worker ${register.workerId} has a wrong run token`, { retry: "never" });
    }
    if (this.admit !== undefined) return this.admit(register);
    if (fence.fence !== this.fence.fence) throw externalError("fenced", "another run counts", { retry: "never" });
    const lease = { durationMs: this.leaseMs, epochComplete: this.epochComplete, acknowledgedSequence: 0n };
    const { endpoint, takesCheckpointRequests } = this;
    const metricsPush = this.pushgateway === "" ? undefined : { url: this.pushgateway, intervalMs: 500 };
    const plain = { dataCertificate: "", dataAuthority: "" };
    return { lease, heartbeatIntervalMs: 100, endpoints: [endpoint], ...plain, takesCheckpointRequests, metricsPush };
  }

  /** Says `body` to all workers. */
  tell(body: ControllerBody): void {
    for (const session of this.sessions.values()) session.send(body);
  }

  /** Waits until `condition` gives something. */
  async until<T>(what: string, condition: () => T | undefined | false, limitMs = 60_000): Promise<T> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = condition();
      if (found !== undefined && found !== false) return found;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw externalError("timeout", `${what}: heard ${this.#summary()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 100));
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** What has been heard, by kind, and failures in words. */
  #summary(): string {
    const counts = new Map<string, number>();
    for (const { body } of this.heard) counts.set(body.$case, (counts.get(body.$case) ?? 0) + 1);
    const failures = this.said("failed").map(({ error }) => error?.message);
    return [...[...counts].map(([kind, count]) => `${count} ${kind}`), ...failures].join(", ");
  }

  #wake(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }

  /** All messages of one kind, in the order of their coming. */
  said<C extends WorkerBody["$case"]>(kind: C): Said<C>[] {
    return this.heard.flatMap(({ body }) => (body.$case === kind ? [body.value as Said<C>] : []));
  }

  workers(count: number): Promise<true> {
    return this.until(`${count} workers`, () => this.sessions.size === count && (true as const));
  }
}

/** What a test chooses of an assignment. */
export interface TestAssignment {
  readonly artifact: TestArtifact;
  readonly store: string;
  readonly parallelism: number;
  readonly everyRows?: number;
  readonly settings?: Partial<RunSettings>;
  /** Instead of the artifact's. */
  readonly checksum?: string;
  readonly abiVersion?: number;
}

/** Drives the checkpoints of the run of `controller`. */
export class ScriptedRun {
  readonly #controller: ScriptedController;
  readonly #test: TestAssignment;
  readonly #checkpoints: JobCheckpoints;

  private constructor(controller: ScriptedController, test: TestAssignment, checkpoints: JobCheckpoints) {
    this.#controller = controller;
    this.#test = test;
    this.#checkpoints = checkpoints;
  }

  static async open(controller: ScriptedController, test: TestAssignment): Promise<ScriptedRun> {
    const { program } = test.artifact;
    const store = await openObjectStore(test.store);
    const { jobId: job, runId: run, fence } = controller.fence;
    const described = checkpointedProgram(program, {});
    const init = { store, job, run, fence, program: described, parallelism: test.parallelism, clock: systemClock, ignoreState: false };
    await store.put(artifactPath(test.artifact), test.artifact.wasm);
    return new ScriptedRun(controller, test, await JobCheckpoints.claim({ ...init, oldestEpoch: 0 }));
  }

  get restoredEpoch(): number {
    return this.#checkpoints.restored?.entry.epoch ?? 0;
  }

  /** Assigns the subtasks evenly to all workers, in the order of their ids. */
  assign(): void {
    const sessions = [...this.#controller.sessions.values()].sort((a, b) => (a.register.workerId < b.register.workerId ? -1 : 1));
    const { parallelism } = this.#test;
    const placement = Array.from({ length: parallelism }, (_, subtask) => Math.floor((subtask * sessions.length) / parallelism));
    const peers = sessions.map(({ register }, worker) => ({ worker, ...register }));
    for (const [worker, session] of sessions.entries()) {
      session.send({ $case: "assignment", value: this.#assignment(worker, placement, peers) });
    }
  }

  #assignment(worker: number, placement: readonly number[], peers: Assignment["peers"]): Assignment {
    const { artifact, store, parallelism, everyRows = 0, settings } = this.#test;
    const { program, wasm } = artifact;
    const restored = this.#checkpoints.restored;
    return Assignment.create({
      program: { formatVersion: PROGRAM_VERSION, fingerprint: program.fingerprint, program: Buffer.from(encodeProgram(program)) },
      artifact: {
        hash: sha256(wasm),
        storeUrl: store,
        path: artifactPath(artifact),
        abiVersion: this.#test.abiVersion ?? ABI_VERSION,
        sizeBytes: BigInt(wasm.length),
        checksum: this.#test.checksum ?? sha256(wasm),
      },
      parallelism,
      worker,
      placement,
      peers,
      dataCredential: "of this run",
      settings: RunSettings.create({
        batchRows: 8192,
        windowBytes: 1 << 20,
        flushIntervalMs: 1000,
        lingerMs: 10,
        checkpointEveryRows: BigInt(everyRows),
        late: "fail",
        stateLimitBytes: 2n ** 30n,
        stuckMs: 30_000,
        stateUrl: store,
        controllerAbsenceLimitMs: 60_000,
        orphanTimeoutMs: 60_000,
        previewRows: 100,
        previewRowsPerSecond: 1000,
        previewWaits: true,
        baseEpoch: 0n,
        ...settings,
      }),
      ...(restored === undefined
        ? {}
        : {
            restore: {
              epoch: BigInt(restored.entry.epoch),
              manifestPath: restored.entry.manifest,
              manifestChecksum: restored.entry.checksum,
              manifestVersion: 1,
              origins: program.vertices.map(({ id }) => ({ vertex: id, manifestVertex: id })),
            },
          }),
    });
  }

  /** All slots are ready, then run. */
  async start(): Promise<void> {
    const { parallelism } = this.#test;
    await this.#controller.until(
      "all slots ready",
      () => new Set(this.#controller.said("slotReady").map((m) => m.subtask)).size === parallelism,
    );
    this.#controller.tell({ $case: "runSlots", value: {} });
  }

  /** Announces `epoch`, unless barriers come by rows. */
  trigger(epoch: number, thenStop = false): void {
    this.#controller.tell({ $case: "triggerBarrier", value: { epoch: BigInt(epoch), thenStop } });
  }

  /** Reports of `epoch`, without doubles. */
  reports(epoch: number): SubtaskReport[] {
    const found = new Map<string, SubtaskReport>();
    for (const report of this.#controller.said("vertexReport")) {
      if (report.epoch !== BigInt(epoch)) continue;
      found.set(`${report.vertex}/${report.subtask}`, parseReport(report.report, "report"));
    }
    return [...found.values()];
  }

  /** Waits for all reports of `epoch`, makes it count, and lets the sinks commit. */
  async complete(epoch: number, final = false): Promise<void> {
    const { artifact, parallelism } = this.#test;
    const wanted = artifact.program.vertices.length * parallelism;
    const reports = await this.#controller.until(`${wanted} reports of epoch ${epoch}`, () => {
      const found = this.reports(epoch);
      return found.length === wanted && found;
    });
    const { imbalances } = await this.#checkpoints.complete(epoch, final, reports);
    if (imbalances.length > 0) throw externalError("ledger-imbalance", JSON.stringify(imbalances));
    this.#controller.epochComplete = BigInt(epoch);
    await this.commit(epoch, reports);
  }

  async commit(epoch: number, reports = this.reports(epoch)): Promise<void> {
    const staged = reports.flatMap(({ vertex, subtask, sink }) =>
      sink?.commit === undefined ? [] : [{ vertex, subtask, commit: JSON.stringify(sink.commit) }],
    );
    this.#controller.tell({ $case: "commit", value: { epoch: BigInt(epoch), staged } });
    await this.#controller.until(`commits of epoch ${epoch}`, () => {
      const done = this.#controller.said("committed").filter((m) => m.epoch === BigInt(epoch));
      return new Set(done.map(({ subtask }) => subtask)).size === this.#test.parallelism;
    });
  }

  /** All slots have ended: the final checkpoint, then the end. */
  async finish(epoch: number): Promise<void> {
    const { parallelism } = this.#test;
    await this.#controller.until(
      "the end of all slots",
      () => new Set(this.#controller.said("slotEnded").map((m) => m.subtask)).size === parallelism,
    );
    this.trigger(epoch, true);
    await this.complete(epoch, true);
    this.#controller.tell({ $case: "stop", value: { mode: "finished", deadlineMs: 10_000 } });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function artifactPath({ wasm }: TestArtifact): string {
  return `artifacts/${sha256(wasm)}.wasm`;
}
