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

/** Values as of now. */
const LEVELS = {
  wadi_worker_tx_queue_size: ["bytes that wait on outgoing edges", ({ queueBytes }: VertexProgress) => queueBytes],
  wadi_worker_state_bytes: ["bytes of state", ({ stats }: VertexProgress) => stats.stateBytes],
  wadi_worker_state_keys: ["keys of state", ({ stats }: VertexProgress) => stats.keys],
} as const;

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
  readonly #levels: ReadonlyMap<keyof typeof LEVELS, Gauge<Label>>;
  readonly #backpressure: Gauge<Label>;
  readonly #watermarkLag: Gauge<Label>;
  readonly #sourceLag: Gauge<Label>;
  readonly #phases: Histogram<Label | "phase">;
  readonly #seen = new Map<string, Seen>();
  #program: Program | undefined;

  /** Registers all metrics with `registry`; `pipelineId` is "" if nobody told it. */
  constructor(registry: Registry, fence: RunFence, pipelineId: string, clock: Clock) {
    this.#clock = clock;
    this.#fence = fence;
    this.#pipelineId = pipelineId;
    const registers = [registry];
    this.#totals = new Map(
      entriesOf(TOTALS).map(([name, [help]]) => [name, new Counter({ name, help, labelNames: LABELS, registers })] as const),
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
    this.#phases = new Histogram({
      name: "wadi_worker_checkpoint_phase_seconds",
      help: "time of a checkpoint's phases: alignment, snapshot, upload, stage, commit",
      labelNames: [...LABELS, "phase"],
      buckets: PHASE_BUCKETS,
      registers,
    });
  }

  /** The run's program is known: vertices have names. */
  describe(program: Program): void {
    this.#program = program;
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

function entriesOf<T extends object>(table: T): [keyof T, T[keyof T]][] {
  return Object.entries(table) as [keyof T, T[keyof T]][];
}
