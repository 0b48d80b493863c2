/** Rows that the controller would write of a job, for tests of the API that run without one. */
import { randomUUID } from "node:crypto";
import { makeId } from "../../src/core/ids.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { type CheckpointRow, writeCheckpoints } from "../../src/db/checkpoints.ts";
import type { Database } from "../../src/db/connection.ts";
import { insertJobEvents } from "../../src/db/job-events.ts";
import { type NodeRow, writeNodes } from "../../src/db/nodes.ts";
import { insertMetricSamples, insertPreviewRows, writeLogChunk } from "../../src/db/output.ts";
import { replaceServices, writeRunSpec, writeSchedulerRuns, writeSchedulerStatus } from "../../src/db/scheduler.ts";
import { insertSchedulerEvents, writeLastWords } from "../../src/db/scheduler-events.ts";
import { writeWorkers } from "../../src/db/workers.ts";

const RUN = "run_test";
/** Fence of the run that all rows belong to. */
export const RUN_FENCE = 1n;

/** Says that the job runs. */
export async function markRunning(db: Database, job: string): Promise<void> {
  await db("jobs")
    .where({ id: job })
    .update({ state: "running", run_id: RUN, run_fence: RUN_FENCE.toString(), parallelism: 1, tasks: 3, started_at: db.fn.now() });
}

/** A line of the timeline and an error. */
export function writeTimeline(db: Database, job: string): Promise<void> {
  const common = { job, run: RUN, runFence: RUN_FENCE };
  return insertJobEvents(db, 0n, [
    {
      ...common,
      occurredAtMs: 1_000,
      kind: "state-changed",
      level: "info",
      message: "the job is running",
      details: { from: "scheduling" },
    },
    {
      ...common,
      occurredAtMs: 2_000,
      kind: "worker-lost",
      level: "error",
      message: "worker wk_1 was not heard for 30 s",
      details: { worker: "wk_1" },
      vertex: 1,
      subtask: 0,
      error: { domain: "external", code: "connection-lost" },
    },
  ]);
}

/** A complete checkpoint of one operator. */
export function writeCheckpoint(db: Database, job: string, epoch: number): Promise<void> {
  const phase = (name: string, startedUs: number) => ({ phase: name, started_us: startedUs, duration_us: 500, bytes: 100 });
  const row: CheckpointRow = {
    id: makeId("checkpoint", systemRandom),
    job,
    epoch,
    run: RUN,
    runFence: RUN_FENCE,
    state: "complete",
    kind: "scheduled",
    parentEpoch: undefined,
    manifest: { path: "manifest", checksum: "00", version: 1 },
    programFingerprint: "f",
    parallelism: 1,
    startedAtMs: 1_000,
    finishedAtMs: 1_500,
    writtenBytes: 100,
    stateBytes: 200,
    phases: [phase("manifest", 1_400_000)],
    operators: [
      {
        vertex: 1,
        name: "aggregate",
        subtasks: [
          { subtask: 0, written_bytes: 100, state_bytes: 200, phases: [phase("alignment", 1_000_000), phase("upload", 1_200_000)] },
        ],
      },
    ],
    failure: undefined,
  };
  return writeCheckpoints(db, 0n, [row]);
}

/** A running worker. */
export async function writeWorker(db: Database, job: string, id: string): Promise<void> {
  await writeWorkers(db, 0n, [
    {
      id,
      job,
      run: RUN,
      runFence: RUN_FENCE,
      state: "running",
      number: 0,
      handle: "4711",
      node: "localhost",
      slots: 1,
      dataAddress: "127.0.0.1:1",
      adminAddress: "127.0.0.1:2",
      release: "0.1.0",
      reason: "",
      exitCode: undefined,
      exitSignal: undefined,
      outOfMemory: false,
      startedAtMs: 1_000,
      heartbeatAtMs: 2_000,
      endedAtMs: undefined,
    },
  ]);
}

/** A measurement of vertices 0 … `vertices` − 1, all alike. */
export function writeSample(db: Database, job: string, vertices: number): Promise<void> {
  const subtask = {
    subtask: 0,
    rows_in: 10,
    rows_out: 10,
    filtered: 0,
    late: 0,
    bad: 0,
    rows_in_per_s: 5,
    rows_out_per_s: 5,
    backpressure: 0.25,
    queue_bytes: 100,
    state_bytes: 0,
    keys: 0,
    watermark_ns: "1000000000000000000",
    holder: { vertex: 0, partition: 0 },
    idle: false,
    ended: false,
  };
  const operators = Array.from({ length: vertices }, (_, vertex) => ({ vertex, subtasks: [subtask] }));
  return insertMetricSamples(db, [{ job, runFence: RUN_FENCE, takenAtMs: Date.now(), samples: { operators, slots: [] } }]);
}

/** Rows of a sink: `{"n":<number>}`. */
export function writeRows(db: Database, job: string, vertex: number, first: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => ({ row: `{"n":${first + i}}`, rowNumber: BigInt(first + i) }));
  return insertPreviewRows(
    db,
    rows.map((row) => ({ ...row, job, run: RUN, runFence: RUN_FENCE, vertex, subtask: 0 })),
  );
}

/** Answers a log request. */
export function answerLog(db: Database, request: string, text: string): Promise<void> {
  return writeLogChunk(db, request, 0n, text, true);
}

/** A worker that has failed, with its last words, what the scheduler holds for the run of `RUN_FENCE` and the one before, and where. */
export async function writeScheduled(db: Database, job: string): Promise<void> {
  const run = { job, run: RUN, runFence: RUN_FENCE };
  await writeSchedulerStatus(db, 0n, {
    scheduler: "nomad",
    link: "live",
    trouble: "",
    version: "2.0.5",
    place: { region: "global" },
    syncedAtMs: Date.now(),
  });
  await db.raw("insert into leases (name, holder, expires_at, endpoint) values ('controller', 'c', now() + interval '1 hour', 'h:1')");
  await writeSchedulerRuns(db, 0n, [
    {
      ...run,
      name: "w-p-1",
      workers: 2,
      missing: 1,
      reason: "memory exhausted on 2 nodes",
      waitingSinceMs: 5_000,
      status: "pending",
      submittedAtMs: 4_000,
      link: "http://nomad/ui/jobs/w-p-1",
    },
  ]);
  const spec = {
    format: "json",
    hash: "00",
    warnings: [],
    workers: 2,
    missing: 0,
    reason: "",
    cpuMillisPerSlot: 1000,
    memoryBytesPerSlot: 1 << 28,
  } as const;
  await writeRunSpec(db, 0n, { ...run, ...spec, text: '{"Count":2}' });
  await writeNodes(db, 0n, "nomad", [nodeOf("localhost", "draining"), nodeOf("other", "ready")]);
  const service = { name: "wadi-api", status: "running", wanted: 2, healthy: 1, version: "3", deployment: "1 of 2 healthy" };
  await replaceServices(db, 0n, [{ ...service, addresses: ["h:1"], failing: ["http on h:2"], link: undefined }]);
  await insertSchedulerEvents(db, 0n, [
    { ...run, handle: undefined, about: "evaluation", level: "warn", message: "1 of 2 not placed", occurredAtMs: 1_500 },
    { ...run, handle: "4711", about: "task", level: "info", message: "Started", occurredAtMs: 2_500 },
  ]);
  await writeLastWords(db, { job, handle: "4711", runFence: RUN_FENCE, stderr: "out of luck" });
}

function nodeOf(id: string, state: "ready" | "draining"): NodeRow {
  return {
    id,
    name: id,
    address: "10.0.0.1",
    pool: "default",
    zone: "eu-1a",
    state,
    drainDeadlineMs: state === "draining" ? Date.now() + 60_000 : undefined,
    cpu: { total: 8_000, used: 3_000 },
    memory: { total: 2 ** 34, used: 2 ** 33 },
    slots: undefined,
    release: "2.0.5",
    attributes: { driver: "docker" },
    link: undefined,
  };
}

/** A UUID of nothing. */
export function unknownUuid(): string {
  return randomUUID();
}
