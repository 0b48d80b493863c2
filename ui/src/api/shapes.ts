/**
 * What the API answers with, as far as the pages use it. Times are microseconds since 1970 UTC.
 */

/** A list that is whole. */
export interface Collection<T> {
  readonly data: readonly T[];
}

/** A part of a list; `has_more`: ask again with `starting_after` the last id. */
export interface Page<T> extends Collection<T> {
  readonly has_more: boolean;
}

/** A vertex of a pipeline's graph. */
export interface GraphNode {
  readonly node_id: number;
  readonly operator: string;
  readonly description: string;
  readonly parallelism: number;
  /** What the operator does: `source`, `compute`, `window-aggregate`, …, `sink`. */
  readonly kind: string;
  readonly table: string | null;
  readonly connector: string | null;
  /** Its rows may be taken back. */
  readonly updating: boolean;
}

/** An edge of a pipeline's graph. */
export interface GraphEdge {
  readonly src_id: number;
  readonly dest_id: number;
  readonly key_type: string;
  readonly value_type: string;
  readonly edge_type: string;
}

/** A pipeline's dataflow. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** How a job is to stop. */
export type StopMode = "none" | "checkpoint" | "graceful" | "immediate" | "force";

/** A user's function, in a pipeline. */
export interface PipelineUdf {
  readonly definition: string;
  readonly language?: string;
}

/** A pipeline with what its button does next. */
export interface Pipeline {
  readonly id: string;
  readonly name: string;
  readonly query: string;
  readonly udfs: readonly PipelineUdf[];
  readonly checkpoint_interval_micros: number;
  readonly stop: StopMode;
  readonly created_at: number;
  readonly action: StopMode | null;
  readonly action_text: string;
  readonly action_in_progress: boolean;
  readonly graph: Graph;
  readonly preview: boolean;
  readonly state_url: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly parallelism: number;
  /** Of its job. */
  readonly state: string;
  readonly job_id: string;
}

/** Why a job failed. */
export interface FailureReason {
  readonly error: string;
  readonly domain: string;
  readonly hint?: string | null;
}

/** A continuing execution of a pipeline. */
export interface Job {
  readonly id: string;
  readonly pipeline_id: string;
  readonly running_desired: boolean;
  readonly state: string;
  readonly run_id: number;
  readonly start_time: number | null;
  readonly finish_time: number | null;
  readonly tasks: number | null;
  readonly failure_reason: FailureReason | null;
  readonly created_at: number;
  readonly env_vars: Readonly<Record<string, unknown>>;
  readonly scheduler_config: Readonly<Record<string, unknown>>;
  readonly parallelism: number;
  /** Of the newest run. */
  readonly running_parallelism: number | null;
  /** Failures in a row. */
  readonly restarts: number;
  /** Newest complete checkpoint; 0: none. */
  readonly epoch: number;
  readonly state_changed_at: number;
}

/** Something that went wrong in a job. */
export interface JobLogMessage {
  readonly id: string;
  readonly created_at: number;
  readonly operator_id: string | null;
  readonly task_index: number | null;
  readonly level: string;
  readonly message: string;
  readonly details: string;
  readonly error_domain: string | null;
  readonly error_code: string | null;
}

/** A stretch of time with a name. */
export interface EventSpan {
  readonly start_time: number;
  readonly finish_time: number;
  readonly event: string;
  readonly description: string;
  readonly bytes: number;
}

/** An epoch. */
export interface Checkpoint {
  readonly epoch: number;
  readonly backend: string;
  readonly checkpoint_type: string;
  readonly start_time: number;
  readonly finish_time: number | null;
  /** The whole first, then its phases. */
  readonly events: readonly EventSpan[];
  readonly state: "in-progress" | "committing" | "complete" | "failed" | "retired";
  readonly run_id: number;
  readonly parallelism: number;
  /** For this epoch. */
  readonly written_bytes: number;
  /** All live state. */
  readonly state_bytes: number;
  readonly failure_message: string | null;
}

/** What one subtask did for an epoch. */
export interface SubtaskCheckpoint {
  readonly index: number;
  readonly bytes: number;
  readonly state_bytes: number;
  readonly event_spans: readonly EventSpan[];
}

/** What one operator did for an epoch. */
export interface OperatorCheckpointGroup {
  readonly operator_id: string;
  readonly name: string;
  readonly bytes: number;
  readonly state_bytes: number;
  readonly started_metadata_write: number | null;
  readonly finish_time: number | null;
  readonly subtasks: readonly SubtaskCheckpoint[];
}

/** A measurement. */
export interface Metric {
  readonly time: number;
  readonly value: number;
}

/** The series of one metric, one per subtask. */
export interface MetricGroup {
  readonly name: string;
  readonly subtasks: readonly { readonly index: number; readonly metrics: readonly Metric[] }[];
}

/** All metrics of one operator. */
export interface OperatorMetricGroup {
  readonly node_id: number;
  readonly metric_groups: readonly MetricGroup[];
}

/** How far an operator is. */
export interface OperatorStatus {
  readonly node_id: number;
  readonly watermark: number | null;
  readonly holder: { readonly node_id: number; readonly description: string; readonly partition: number } | null;
  readonly idle: boolean;
  readonly ended: boolean;
  readonly rows_in: number;
  readonly rows_out: number;
  readonly filtered: number;
  readonly late: number;
  readonly bad: number;
  readonly keys: number;
  readonly state_bytes: number;
}

/** A reason for which rows do or do not come. */
export interface OutputFinding {
  readonly severity: "ok" | "info" | "warning" | "error";
  readonly message: string;
  readonly detail?: string | null;
  readonly node_id?: number | null;
}

/** Something that happened to a job. */
export interface JobEvent {
  readonly id: string;
  readonly created_at: number;
  readonly kind: string;
  readonly level: "error" | "warn" | "info" | "debug";
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly run_id: number;
  readonly node_id: number | null;
  readonly subtask: number | null;
}

/** A worker of a job. */
export interface Worker {
  readonly id: string;
  readonly run_id: number;
  readonly state: string;
  readonly number: number | null;
  readonly handle: string | null;
  readonly node_id: string | null;
  readonly slots: number;
  readonly admin_address: string | null;
  readonly release: string;
  readonly reason: string;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly out_of_memory: boolean;
  readonly started_at: number;
  readonly heartbeat_at: number | null;
  readonly ended_at: number | null;
}

/** A piece of a worker's log that was asked for. */
export interface LogRequest {
  readonly id: string;
  readonly worker_id: string;
  readonly state: "asked" | "answered" | "failed";
  readonly failure_message: string | null;
  readonly chunks: readonly { readonly offset: number; readonly text: string; readonly last: boolean }[];
}

/** The cluster. */
export interface Cluster {
  readonly name: string | null;
  readonly release: string;
  readonly scheduler: string;
  readonly role: string;
  readonly controller: { readonly alive: boolean; readonly endpoint: string; readonly release: string } | null;
  readonly nodes: number;
  readonly workers: number;
}

/** Rows that reached an output. */
export interface OutputData {
  readonly operator_id: string;
  readonly subtask_idx: number;
  readonly timestamps: readonly number[];
  readonly start_id: number;
  /** JSON text of an array of rows. */
  readonly batch: string;
}

/** A place in a script; lines and columns from 1, offsets from 0, in UTF-16 units. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** A finding about a script. */
export interface QueryFinding {
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly span?: { readonly start: SourcePosition; readonly end: SourcePosition };
}

/** What validation says of a script. */
export interface QueryValidation {
  readonly graph: Graph | null;
  readonly errors: readonly QueryFinding[];
  readonly warnings: readonly QueryFinding[];
}

/** What validation says of a function. */
export interface UdfValidation {
  readonly udf_name?: string | null;
  readonly errors: readonly string[];
}

/** A JSON schema, as far as forms understand it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly uses?: readonly string[];
}

/** A column, or a field of a struct. */
export interface SourceField {
  readonly name: string;
  readonly type: string;
  readonly unit?: string | null;
  readonly precision?: number | null;
  readonly scale?: number | null;
  /** True: never NULL. */
  readonly required?: boolean | null;
  readonly sql_name?: string | null;
  /** Of a struct. */
  readonly fields?: readonly SourceField[] | null;
}

/** A kind of source or sink. */
export interface Connector {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** JSON text of the table options' schema. */
  readonly table_config: string;
  /** JSON text of the profile's schema; null: it has no profiles. */
  readonly connection_config: string | null;
  readonly enabled: boolean;
  readonly source: boolean;
  readonly sink: boolean;
  readonly lookup: boolean;
  readonly testing: boolean;
  readonly hidden: boolean;
  /** Its tables declare fields. */
  readonly custom_schemas: boolean;
  /** Its tables have a format. */
  readonly formatted: boolean;
  /** Fields that every table of it has. */
  readonly fixed_fields: readonly SourceField[];
}

/** Settings that several tables of one connector share. */
export interface ConnectionProfile {
  readonly id: string;
  readonly name: string;
  readonly connector: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly description: string;
}

/** A table's columns and format. */
export interface ConnectionSchema {
  readonly format?: { readonly type: string; readonly timestamp_format?: string | null } | null;
  readonly bad_data?: { readonly behavior: "fail" | "drop" } | null;
  readonly fields?: readonly SourceField[] | null;
  readonly definition?: { readonly type: string; readonly schema: string } | null;
  readonly inferred?: boolean | null;
}

/** How a table is used. */
export type TableType = "source" | "sink" | "lookup";

/** A source or sink that every pipeline can name. */
export interface ConnectionTable {
  readonly id: string;
  readonly created_at: number;
  readonly name: string;
  readonly connector: string;
  readonly connection_profile: ConnectionProfile | null;
  readonly table_type: TableType;
  readonly config: Readonly<Record<string, unknown>>;
  readonly schema: ConnectionSchema;
  /** Pipelines that use it. */
  readonly consumers: number;
  /** The `CREATE TABLE` that it stands for. */
  readonly create_sql: string;
}

/** A step of a connection's test. */
export interface TestSourceMessage {
  readonly error: boolean;
  readonly done: boolean;
  readonly message: string;
}
