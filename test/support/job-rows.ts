/** Rows that the controller would write of a job, for tests of the API that run without one. */
import { randomUUID } from "node:crypto";
import { makeId } from "../../src/core/ids.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { type CheckpointRow, writeCheckpoints } from "../../src/db/checkpoints.ts";
import type { Database } from "../../src/db/connection.ts";
import { insertJobEvents } from "../../src/db/job-events.ts";
import { insertMetricSamples, insertPreviewRows, writeLogChunk } from "../../src/db/output.ts";
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
      adminAddress: undefined,
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

/** A UUID of nothing. */
export function unknownUuid(): string {
  return randomUUID();
}
