/**
 * What a worker counts, for Prometheus: names and labels follow Arroyo's (`arroyo_worker_…`), with the job and the run besides. Values are
 * taken from the slots' progress, which comes four times a second, so that counting costs the rows nothing.
 */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import type { PhaseTiming, SlotProgress, VertexProgress } from "../dataflow/slot-contract.ts";
import { BEFORE_TIME, END_OF_TIME } from "../dataflow/watermark.ts";
import type { RunFence } from "../gen/peer.ts";
import type { Program } from "../program/program.ts";

const LABELS = ["pipeline_id", "job_id", "run_fence", "node_id", "subtask_idx", "operator_name"] as const;
type Label = (typeof LABELS)[number];
type Labels = Record<Label, string>;

/** Seconds. */
const PHASE_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
const NS_PER_SECOND = 1e9;

/** Counters whose value is a total of the slot. */
const TOTALS = {
  wadi_worker_messages_recv: ["rows that came in", ({ stats }: VertexProgress) => stats.rowsIn],
  wadi_worker_messages_sent: ["rows that went out", ({ stats }: VertexProgress) => stats.rowsOut],
  wadi_worker_filtered: ["rows that a filter dropped", ({ stats }: VertexProgress) => stats.filtered],
  wadi_worker_late: ["rows dropped behind the watermark", ({ stats }: VertexProgress) => stats.late],
  wadi_worker_bad_rows: ["rows that could not be read or computed", ({ stats }: VertexProgress) => stats.bad],
  wadi_worker_bytes_recv: ["bytes that a source has read", (vertex: VertexProgress) => vertex.bytesIn],
  wadi_worker_bytes_sent: ["bytes that left over channels or to a sink", (vertex: VertexProgress) => vertex.bytesOut],
  wadi_worker_blocked_seconds: ["time not fed because what is behind had no room", ({ blockedMs }: VertexProgress) => blockedMs / 1000],
} as const;

/** Rows of sources and sinks alone, which have no others: what comes into a pipeline and what leaves it. */
const ENDS = {
  wadi_worker_source_rows: ["rows that a source has read", "source", ({ stats }: VertexProgress) => stats.rowsOut],
  wadi_worker_sink_rows: ["rows that a sink was given", "sink", ({ stats }: VertexProgress) => stats.rowsIn],
} as const;

/** Values as of now. */
const LEVELS = {
  wadi_worker_tx_queue_size: ["bytes that wait on outgoing edges", ({ queueBytes }: VertexProgress) => queueBytes],
  wadi_worker_state_bytes: ["bytes of state", ({ stats }: VertexProgress) => stats.stateBytes],
  wadi_worker_state_keys: ["keys of state", ({ stats }: VertexProgress) => stats.keys],
} as const;

const WORKER_LABELS = ["pipeline_id", "job_id", "run_fence", "worker"] as const;

/** What is known of the process. */
export interface WorkerTraits {
  /** "wk_…". */
  readonly workerId: string;
  /** Memory the process may use, bytes; 0: unlimited. */
  readonly memoryLimitBytes: number;
}

interface Seen {
  readonly progress: VertexProgress;
  readonly atMs: number;
}

/** See the file's comment. */
export class WorkerMetrics {
  readonly #clock: Clock;
  readonly #fence: RunFence;
  readonly #pipelineId: string;
  readonly #totals: ReadonlyMap<keyof typeof TOTALS, Counter<Label>>;
  readonly #ends: ReadonlyMap<keyof typeof ENDS, Counter<Label>>;
  readonly #levels: ReadonlyMap<keyof typeof LEVELS, Gauge<Label>>;
  readonly #sourceEnded: Gauge<Label>;
  readonly #stateLimit: Gauge;
  readonly #ofWorker: Readonly<Record<(typeof WORKER_LABELS)[number], string>>;
  readonly #backpressure: Gauge<Label>;
  readonly #watermarkLag: Gauge<Label>;
  readonly #sourceLag: Gauge<Label>;
  readonly #phases: Histogram<Label | "phase">;
  readonly #seen = new Map<string, Seen>();
  #program: Program | undefined;

  /** Registers all metrics with `registry`; `pipelineId` is "" if nobody told it. */
  constructor(registry: Registry, fence: RunFence, pipelineId: string, clock: Clock, traits: WorkerTraits) {
    this.#clock = clock;
    this.#fence = fence;
    this.#pipelineId = pipelineId;
    const registers = [registry];
    this.#totals = new Map(
      entriesOf(TOTALS).map(([name, [help]]) => [name, new Counter({ name, help, labelNames: LABELS, registers })] as const),
    );
    this.#ends = new Map(
      entriesOf(ENDS).map(([name, [help]]) => [name, new Counter({ name, help, labelNames: LABELS, registers })] as const),
    );
    this.#levels = new Map(
      entriesOf(LEVELS).map(([name, [help]]) => [name, new Gauge({ name, help, labelNames: LABELS, registers })] as const),
    );
    const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: LABELS, registers });
    this.#backpressure = gauge(
      "wadi_worker_backpressure",
      "share of the time that a vertex was not fed because what is behind it had no room",
    );
    this.#watermarkLag = gauge("wadi_worker_watermark_lag_seconds", "wall time less the event time that the vertex has reached");
    this.#sourceLag = gauge("wadi_worker_source_lag_bytes", "bytes that a source knows to be unread");
    this.#sourceEnded = gauge("wadi_worker_source_ended", "1 if a source has read everything there is and ever will be");
    this.#ofWorker = { pipeline_id: pipelineId, job_id: fence.jobId, run_fence: String(fence.fence), worker: traits.workerId };
    this.#stateLimit = new Gauge({
      name: "wadi_worker_state_limit_bytes",
      help: "state that one slot of the run may have",
      labelNames: WORKER_LABELS,
      registers,
    });
    registerMemory(registry, this.#ofWorker, traits.memoryLimitBytes);
    this.#phases = new Histogram({
      name: "wadi_worker_checkpoint_phase_seconds",
      help: "time of a checkpoint's phases: alignment, snapshot, upload, stage, commit",
      labelNames: [...LABELS, "phase"],
      buckets: PHASE_BUCKETS,
      registers,
    });
  }

  /** The run's program is known: vertices have names. `stateLimitBytes`: of one slot. */
  describe(program: Program, stateLimitBytes: number): void {
    this.#program = program;
    this.#stateLimit.set(this.#ofWorker, stateLimitBytes);
  }

  /** A slot as of now. */
  progress(subtask: number, { vertices }: SlotProgress): void {
    for (const vertex of vertices) this.#vertex(subtask, vertex);
  }

  /** Phases of a vertex' checkpoint. */
  phases(vertex: number, subtask: number, phases: readonly PhaseTiming[]): void {
    const labels = this.#labels(vertex, subtask);
    for (const { phase, durationMs } of phases) this.#phases.observe({ ...labels, phase }, durationMs / 1000);
  }

  #vertex(subtask: number, progress: VertexProgress): void {
    const labels = this.#labels(progress.vertex, subtask);
    const key = `${subtask}/${progress.vertex}`;
    const before = this.#seen.get(key);
    const atMs = this.#clock.elapsedMs();
    this.#seen.set(key, { progress, atMs });
    for (const [name, counter] of this.#totals) {
      const [, of] = TOTALS[name];
      counter.inc(labels, Math.max(0, of(progress) - (before === undefined ? 0 : of(before.progress))));
    }
    const kind = this.#program?.vertices[progress.vertex]?.operator.kind;
    for (const [name, counter] of this.#ends) {
      const [, end, of] = ENDS[name];
      if (kind === end) counter.inc(labels, Math.max(0, of(progress) - (before === undefined ? 0 : of(before.progress))));
    }
    if (kind === "source") this.#sourceEnded.set(labels, progress.ended ? 1 : 0);
    for (const [name, gauge] of this.#levels) gauge.set(labels, LEVELS[name][1](progress));
    const share = before === undefined ? 0 : (progress.blockedMs - before.progress.blockedMs) / Math.max(1, atMs - before.atMs);
    this.#backpressure.set(labels, Math.min(1, Math.max(0, share)));
    const { watermarkNs, lagBytes } = progress;
    if (lagBytes !== undefined) this.#sourceLag.set(labels, lagBytes);
    if (watermarkNs === BEFORE_TIME || watermarkNs === END_OF_TIME) this.#watermarkLag.remove(labels);
    else this.#watermarkLag.set(labels, Number(this.#clock.nowNs() - watermarkNs) / NS_PER_SECOND);
  }

  #labels(vertex: number, subtask: number): Labels {
    return {
      pipeline_id: this.#pipelineId,
      job_id: this.#fence.jobId,
      run_fence: String(this.#fence.fence),
      node_id: String(vertex),
      subtask_idx: String(subtask),
      operator_name: this.#program?.vertices[vertex]?.name ?? "",
    };
  }
}

/** Resident memory is asked for when somebody wants to know. */
function registerMemory(registry: Registry, labels: Readonly<Record<string, string>>, limitBytes: number): void {
  const registers = [registry];
  new Gauge({
    name: "wadi_worker_memory_bytes",
    help: "resident memory of the worker",
    labelNames: WORKER_LABELS,
    registers,
    collect(): void {
      this.set(labels, process.memoryUsage.rss());
    },
  });
  const name = "wadi_worker_memory_limit_bytes";
  const limit = new Gauge({ name, help: "memory the worker may use; none if it has no limit", labelNames: WORKER_LABELS, registers });
  if (limitBytes > 0) limit.set(labels, limitBytes);
}

function entriesOf<T extends object>(table: T): [keyof T, T[keyof T]][] {
  return Object.entries(table) as [keyof T, T[keyof T]][];
}
