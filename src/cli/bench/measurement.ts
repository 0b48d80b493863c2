/**
 * What a benchmark asks of a child process and what it answers. Every figure comes from a process of its own, so that its CPU time is that of
 * the pipeline and of nothing else. Plain data: it crosses an IPC channel.
 */

/** A pipeline to run from Running to Finished. */
export interface PipelineTask {
  readonly kind: "pipeline";
  readonly sql: string;
  readonly parallelism: number;
  /** Folder of checkpoints; undefined: none are kept. */
  readonly stateUrl?: string | undefined;
  readonly checkpointIntervalMs?: number | undefined;
}

/** A new pipeline from its text to its first row in `output`, in a process whose compiler is warm. */
export interface LatencyTask {
  readonly kind: "latency";
  /** Compiled first: what makes the process warm. */
  readonly warmUp: string;
  readonly sql: string;
  readonly output: string;
}

/** Bytes of state while a keyed vertex grows to `groups` groups. */
export interface GroupsTask {
  readonly kind: "groups";
  /** A script whose one source is `impulse`; each event is a new group. */
  readonly sql: string;
  readonly groups: number;
}

/** Statements for DuckDB with one thread; the last is measured. */
export interface DuckDbTask {
  readonly kind: "duckdb";
  readonly setup: readonly string[];
  readonly sql: string;
}

export type Task = PipelineTask | LatencyTask | GroupsTask | DuckDbTask;

/** Costs of one run. */
export interface Cost {
  /** CPU time of the process, all threads, user and system. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

/** Answer to a `PipelineTask`. */
export interface PipelineResult extends Cost {
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly late: number;
  readonly bad: number;
  /** Complete checkpoints. */
  readonly epochs: number;
}

/** Answer to a `LatencyTask`: ms from the text of the pipeline. */
export interface LatencyResult {
  readonly plannedMs: number;
  readonly compiledMs: number;
  readonly firstRowMs: number;
  /** Lines of generated source. */
  readonly lines: number;
}

/** Answer to a `GroupsTask`. */
export interface GroupsResult {
  readonly groups: number;
  /** Bytes per group at the end. */
  readonly final: number;
  /** Largest of all bytes per group from a tenth of the groups on. */
  readonly worst: number;
  /** Nanoseconds per row. */
  readonly nsPerRow: number;
}

/** Results by kind of task. */
export interface Results {
  readonly pipeline: PipelineResult;
  readonly latency: LatencyResult;
  readonly groups: GroupsResult;
  readonly duckdb: Cost;
}
