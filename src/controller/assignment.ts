/** Builds what a worker is told when all workers of a run have registered. Pure: everything is handed in. */
import type { RestorePoint } from "../checkpoint/completion.ts";
import { MANIFEST_VERSION } from "../checkpoint/manifest-codec.ts";
import type { Config } from "../core/config.ts";
import type { Assignment, RestorePlan, RunSettings } from "../gen/assignment.ts";
import type { PlacedWorker } from "../job/job.ts";
import type { DataAddress } from "../job/run-event.ts";
import type { CheckpointedVertex } from "../program/checkpointed-program.ts";
import { PROGRAM_VERSION } from "../program/program.ts";
import { wantsTls } from "../rpc/tls.ts";
import { workerOfSubtasks } from "../scheduler/placement.ts";
import { type ArtifactDescription, artifactRef } from "./artifacts.ts";

/** What is the same for all workers of a run. */
export interface RunPlan {
  /** Text of `encodeProgram`, as the API stored it. */
  readonly programText: string;
  readonly programFingerprint: string;
  readonly vertices: readonly CheckpointedVertex[];
  readonly artifact: ArtifactDescription;
  readonly artifactUrl: string;
  readonly stateUrl: string;
  readonly parallelism: number;
  /** Undefined: a fresh start. */
  readonly restored: RestorePoint | undefined;
  /** The run's first epoch is its successor. */
  readonly baseEpoch: number;
  readonly dataCredential: string;
  readonly preview: boolean;
  readonly settings: Config;
}

/** Credit of a channel between two subtasks. */
const WINDOW_BYTES = 1 << 20;
/** A slot that does not turn its loop for so long is ended. */
const STUCK_MS = 30_000;
/** Rows of one subtask of a preview sink: of a preview in all, of another pipeline without a limit, because only the newest are kept. */
const PREVIEW_ROWS = 10_000;
const UNLIMITED_ROWS = 0xffff_ffff;
/** Rows a second of one subtask: of a preview what a browser can show, of another pipeline what somebody who looks on can read. */
const PREVIEW_ROWS_PER_SECOND = 1_000;
const SHOWN_ROWS_PER_SECOND = 200;

/** The assignment of worker `number`. `peers`: by number. */
export function makeAssignment(
  plan: RunPlan,
  number: number,
  placement: readonly PlacedWorker[],
  peers: readonly (DataAddress & { readonly worker: string })[],
): Assignment {
  return {
    program: {
      formatVersion: PROGRAM_VERSION,
      fingerprint: plan.programFingerprint,
      program: new TextEncoder().encode(plan.programText),
    },
    artifact: artifactRef(plan.artifactUrl, plan.artifact),
    parallelism: plan.parallelism,
    worker: number,
    placement: workerOfSubtasks(placement),
    peers: peers.map(({ worker, host, port }, index) => ({ worker: index, workerId: worker, dataHost: host, dataPort: port })),
    dataCredential: plan.dataCredential,
    settings: runSettings(plan),
    restore: restorePlan(plan),
    secrets: [],
    dataTls: peers.some(({ host }) => wantsTls(plan.settings["tls.mode"], host)),
  };
}

function runSettings({ settings, stateUrl, preview, baseEpoch }: RunPlan): RunSettings {
  return {
    batchRows: settings["pipeline.source-batch-size"],
    windowBytes: WINDOW_BYTES,
    flushIntervalMs: settings["pipeline.update-flush-interval"],
    lingerMs: settings["pipeline.source-batch-linger"],
    checkpointEveryRows: 0n,
    stopAfterEpoch: undefined,
    late: "count",
    stateLimitBytes: BigInt(settings["pipeline.state-limit"]),
    stuckMs: STUCK_MS,
    stateUrl,
    controllerAbsenceLimitMs: settings["worker.controller-absence-limit"],
    orphanTimeoutMs: settings["worker.orphan-timeout"],
    previewRows: preview ? PREVIEW_ROWS : UNLIMITED_ROWS,
    previewRowsPerSecond: preview ? PREVIEW_ROWS_PER_SECOND : SHOWN_ROWS_PER_SECOND,
    previewWaits: preview,
    baseEpoch: BigInt(baseEpoch),
  };
}

/** Vertices continue those of the manifest with the same fingerprint. */
function restorePlan({ restored, vertices }: RunPlan): RestorePlan | undefined {
  if (restored === undefined) return undefined;
  const { entry, manifest } = restored;
  const there = new Map(manifest.vertices.map(({ fingerprint, vertex }) => [fingerprint, vertex]));
  return {
    epoch: BigInt(entry.epoch),
    manifestPath: entry.manifest,
    manifestChecksum: entry.checksum,
    manifestVersion: MANIFEST_VERSION,
    origins: vertices.flatMap(({ vertex, fingerprint }) => {
      const manifestVertex = there.get(fingerprint);
      return manifestVertex === undefined ? [] : [{ vertex, manifestVertex }];
    }),
  };
}
