/**
 * The epochs of one run outside the run machine: keeps the reports until they are a manifest, makes epochs count, hands out what sinks staged,
 * and shows users how far each is. What is decided about epochs is in `job/run.ts`.
 */
import { loadManifest } from "../checkpoint/completion.ts";
import type { JobCheckpoints } from "../checkpoint/job-checkpoints.ts";
import { type Imbalance, ledgerError } from "../checkpoint/ledger.ts";
import type { SubtaskReport } from "../checkpoint/manifest.ts";
import { MANIFEST_VERSION, parseReport } from "../checkpoint/manifest-codec.ts";
import { must } from "../core/assert.ts";
import { type AppError, externalError } from "../core/errors.ts";
import { makeId } from "../core/ids.ts";
import type { CheckpointPhase, CheckpointRow, CheckpointState } from "../db/checkpoints.ts";
import type { StagedCommit } from "../gen/controller.ts";
import type { PhaseSpan, VertexReport } from "../gen/report.ts";
import type { EpochPurpose } from "../job/coordinator.ts";
import type { CheckpointedVertex } from "../program/checkpointed-program.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { LeaderContext } from "./context.ts";
import type { JobLabels } from "./job-gauges.ts";

/** What the epochs belong to. */
export interface RunEpochsInit {
  readonly context: LeaderContext;
  readonly job: string;
  readonly labels: JobLabels;
  readonly run: string;
  readonly runFence: bigint;
  readonly store: ObjectStore;
  readonly checkpoints: JobCheckpoints;
  readonly vertices: readonly CheckpointedVertex[];
  readonly programFingerprint: string;
  readonly parallelism: number;
  /** Rows are missing at a checkpoint: a defect that people have to hear of. */
  readonly onImbalance: (error: AppError) => void;
}

/** Files of old epochs are collected every so many epochs: each time costs a listing. */
const COLLECT_EVERY = 5;

/** Subtasks of one worker: `count` in a row from `first`. */
export interface SubtaskRange {
  readonly first: number;
  readonly count: number;
}

interface HeardReport {
  readonly report: SubtaskReport;
  readonly phases: readonly PhaseSpan[];
  readonly writtenBytes: number;
  readonly stateBytes: number;
}

interface OpenEpoch {
  readonly id: string;
  readonly startedAtMs: number;
  readonly purpose: EpochPurpose;
  readonly parent: number | undefined;
  /** By vertex and subtask. */
  readonly reports: Map<string, HeardReport>;
  /** Phases `commit`, by vertex-independent subtask. */
  readonly commits: Map<number, readonly PhaseSpan[]>;
  row: CheckpointRow | undefined;
}

/** See the file's comment. */
export class RunEpochs {
  readonly #init: RunEpochsInit;
  readonly #open = new Map<number, OpenEpoch>();
  /** By epoch: what sinks staged, until all have published. */
  readonly #staged = new Map<number, readonly StagedCommit[]>();
  #collected = 0;
  /** When the newest complete epoch began, milliseconds since 1970. */
  #newestBeganMs: number | undefined;
  #newestTookMs: number | undefined;

  constructor(init: RunEpochsInit) {
    this.#init = init;
  }

  /** Since when the newest complete epoch stands; undefined: none of this run is complete. */
  get newestBeganMs(): number | undefined {
    return this.#newestBeganMs;
  }

  /** How long the newest complete epoch took, milliseconds; undefined: none of this run is complete. */
  get newestTookMs(): number | undefined {
    return this.#newestTookMs;
  }

  /** Since when the oldest complete epoch waits for sinks to publish, milliseconds since 1970; undefined: none does. */
  get committingSinceMs(): number | undefined {
    const since = [...this.#open.values()].flatMap(({ row }) => (row?.state === "committing" ? [row.finishedAtMs ?? row.startedAtMs] : []));
    return since.length === 0 ? undefined : Math.min(...since);
  }

  /** An epoch has begun. */
  begun(epoch: number, purpose: EpochPurpose): void {
    const open = this.#epoch(epoch, purpose);
    this.#show(epoch, open, "in-progress");
  }

  /** A vertex of a subtask has stored its part. Throws `version-mismatch` or `checksum-mismatch` for what is no report. */
  reported(message: VertexReport, worker: string): void {
    const epoch = Number(message.epoch);
    if (message.reportVersion !== MANIFEST_VERSION) {
      throw externalError("version-mismatch", `worker ${worker} sends reports of version ${message.reportVersion}`, { retry: "never" });
    }
    const open = this.#epoch(epoch, "scheduled");
    const key = `${message.vertex}/${message.subtask}`;
    if (open.reports.has(key)) return;
    const report = parseReport(message.report, `report of vertex ${message.vertex} from worker ${worker}`);
    const { phases } = message;
    open.reports.set(key, { report, phases, writtenBytes: Number(message.writtenBytes), stateBytes: Number(message.stateBytes) });
    for (const { phase, durationUs } of phases)
      this.#init.context.metrics.checkpointPhaseSeconds.observe({ phase }, Number(durationUs) / 1e6);
  }

  /** Makes the epoch count. Throws what the object store throws, `fenced` if the run or this controller does not own the job any more. */
  async complete(epoch: number, final: boolean, purpose: EpochPurpose): Promise<void> {
    const { checkpoints, context, job, runFence } = this.#init;
    context.term.check();
    const known = this.#open.get(epoch);
    const newest = checkpoints.newest;
    if (newest !== undefined && newest >= epoch) {
      const entry = (await checkpoints.recorded()).find((one) => one.epoch === epoch && one.fence === runFence);
      if (entry !== undefined) return;
    }
    const open = must(known, `epoch ${epoch} of job ${job}`);
    const reports = [...open.reports.values()].map(({ report }) => report);
    const { entry, imbalances } = await checkpoints.complete(epoch, final, reports);
    this.#staged.set(epoch, reports.flatMap(stagedCommits));
    this.#newestBeganMs = open.startedAtMs;
    this.#newestTookMs = context.nowMs() - open.startedAtMs;
    if (imbalances.length > 0) this.#alarm(epoch, imbalances);
    this.#measure(open);
    this.#show(epoch, { ...open, purpose }, "committing", { path: entry.manifest, checksum: entry.checksum, version: MANIFEST_VERSION });
  }

  #alarm(epoch: number, imbalances: readonly Imbalance[]): void {
    this.#init.onImbalance(ledgerError(epoch, imbalances));
  }

  #measure(open: OpenEpoch): void {
    const { metrics, nowMs } = this.#init.context;
    const { labels } = this.#init;
    const parts = [...open.reports.values()];
    metrics.checkpointSeconds.observe((nowMs() - open.startedAtMs) / 1000);
    metrics.checkpointBytes.inc(
      { ...labels },
      sum(parts, ({ writtenBytes }) => writtenBytes),
    );
    metrics.checkpoints.inc({ ...labels, outcome: "complete" });
    metrics.stateBytes(
      labels,
      sum(parts, ({ stateBytes }) => stateBytes),
    );
  }

  /** What `subtasks` staged for `epoch`; undefined if another controller completed it. */
  stagedInMemory(epoch: number, subtasks: SubtaskRange): readonly StagedCommit[] | undefined {
    return this.#staged.get(epoch)?.filter(isOf(subtasks));
  }

  /** The same out of the epoch's manifest if it is not in memory. */
  async staged(epoch: number, subtasks: SubtaskRange): Promise<readonly StagedCommit[]> {
    return (this.#staged.get(epoch) ?? (await this.#readStaged(epoch))).filter(isOf(subtasks));
  }

  async #readStaged(epoch: number): Promise<readonly StagedCommit[]> {
    const { store, job, checkpoints } = this.#init;
    const entry = must(
      (await checkpoints.recorded()).find((one) => one.epoch === epoch),
      `the record of epoch ${epoch} of job ${job}`,
    );
    const manifest = await loadManifest(store, job, entry);
    const staged = manifest.vertices.flatMap(({ vertex, subtasks }) =>
      subtasks.flatMap(({ subtask, sink }) =>
        sink?.commit === undefined ? [] : [{ vertex, subtask, commit: JSON.stringify(sink.commit) }],
      ),
    );
    this.#staged.set(epoch, staged);
    return staged;
  }

  /** Sinks of a subtask have published. */
  committed(epoch: number, subtask: number, phases: readonly PhaseSpan[]): void {
    this.#open.get(epoch)?.commits.set(subtask, phases);
    for (const { phase, durationUs } of phases)
      this.#init.context.metrics.checkpointPhaseSeconds.observe({ phase }, Number(durationUs) / 1e6);
  }

  /** All sinks have published `epoch`; files that nothing needs go now and then. Must not overlap with `complete`. */
  async retain(epoch: number): Promise<void> {
    const { context, job, checkpoints } = this.#init;
    const open = this.#open.get(epoch);
    if (open?.row !== undefined) this.#show(epoch, open, "complete", open.row.manifest);
    this.#open.delete(epoch);
    for (const old of this.#staged.keys()) if (old < epoch) this.#staged.delete(old);
    if (epoch - this.#collected < COLLECT_EVERY && this.#collected !== 0) return;
    context.term.check();
    this.#collected = epoch;
    const forgotten = await checkpoints.retain(epoch + 1);
    context.projections.retired(forgotten.map((gone) => ({ job, epoch: gone })));
  }

  /** The run is over: what is not complete never will be. */
  abandon(reason: string): void {
    const { context, labels } = this.#init;
    for (const [epoch, open] of this.#open) {
      if (open.row?.manifest !== undefined) continue;
      context.metrics.checkpoints.inc({ ...labels, outcome: "failed" });
      this.#show(epoch, open, "failed", undefined, reason);
    }
    this.#open.clear();
  }

  #epoch(epoch: number, purpose: EpochPurpose): OpenEpoch {
    let open = this.#open.get(epoch);
    if (open === undefined) {
      const { context, checkpoints } = this.#init;
      open = {
        id: makeId("checkpoint", context.random),
        startedAtMs: context.nowMs(),
        purpose,
        parent: checkpoints.newest,
        reports: new Map(),
        commits: new Map(),
        row: undefined,
      };
      this.#open.set(epoch, open);
    }
    return open;
  }

  #show(epoch: number, open: OpenEpoch, state: CheckpointState, manifest?: CheckpointRow["manifest"], failure?: string): void {
    const { context, job, run, runFence, programFingerprint, parallelism, vertices } = this.#init;
    const parts = [...open.reports.values()];
    const detailed = state === "complete" || state === "committing" || state === "failed";
    const row: CheckpointRow = {
      id: open.id,
      job,
      epoch,
      run,
      runFence,
      state,
      kind: open.purpose,
      parentEpoch: open.parent,
      manifest,
      programFingerprint,
      parallelism,
      startedAtMs: open.startedAtMs,
      finishedAtMs: state === "in-progress" ? undefined : context.nowMs(),
      writtenBytes: sum(parts, ({ writtenBytes }) => writtenBytes),
      stateBytes: sum(parts, ({ stateBytes }) => stateBytes),
      phases: detailed ? wholePhases([...parts.flatMap(({ phases }) => phases), ...[...open.commits.values()].flat()]) : [],
      operators: detailed ? operatorsOf(vertices, parts) : [],
      failure,
    };
    const kept = this.#open.get(epoch);
    if (kept !== undefined) kept.row = row;
    context.projections.checkpoint(row);
  }
}

function isOf({ first, count }: SubtaskRange): (staged: StagedCommit) => boolean {
  return ({ subtask }) => subtask >= first && subtask < first + count;
}

function stagedCommits({ vertex, subtask, sink }: SubtaskReport): readonly StagedCommit[] {
  return sink?.commit === undefined ? [] : [{ vertex, subtask, commit: JSON.stringify(sink.commit) }];
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function phaseOf({ phase, startedAtNs, durationUs, bytes }: PhaseSpan): CheckpointPhase {
  return { phase, started_us: Number(startedAtNs / 1000n), duration_us: Number(durationUs), bytes: Number(bytes) };
}

/** Each phase from its first begin to its last end over all subtasks. */
function wholePhases(spans: readonly PhaseSpan[]): readonly CheckpointPhase[] {
  const whole = new Map<string, { from: number; to: number; bytes: number }>();
  for (const span of spans.map(phaseOf)) {
    const { from, to, bytes } = whole.get(span.phase) ?? { from: Number.POSITIVE_INFINITY, to: 0, bytes: 0 };
    const end = span.started_us + span.duration_us;
    whole.set(span.phase, { from: Math.min(from, span.started_us), to: Math.max(to, end), bytes: bytes + span.bytes });
  }
  return [...whole].map(([phase, { from, to, bytes }]) => ({ phase, started_us: from, duration_us: to - from, bytes }));
}

function operatorsOf(vertices: readonly CheckpointedVertex[], parts: readonly HeardReport[]): CheckpointRow["operators"] {
  return vertices.map(({ vertex, name }) => ({
    vertex,
    name,
    subtasks: parts
      .filter(({ report }) => report.vertex === vertex)
      .sort((a, b) => a.report.subtask - b.report.subtask)
      .map(({ report, writtenBytes, stateBytes, phases }) => ({
        subtask: report.subtask,
        written_bytes: writtenBytes,
        state_bytes: stateBytes,
        phases: phases.map(phaseOf),
      })),
  }));
}
