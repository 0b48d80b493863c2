/**
 * The first schema: what users want (written by the API), what is (written by the controller) and what both show. Never changed once it has
 * been released: later changes are later files.
 *
 * Columns with the same meaning have the same name everywhere: `id` (prefixed text), `format_version` (of the row; another is refused by its
 * reader), `run_id` and `run_fence` (the run that wrote the row: a write with a lower fence matches no row), `…_at` (time), `…_us`
 * (microseconds), `…_bytes`. Lists of values are kebab-case texts with a CHECK, so that adding one needs no type to be altered.
 */
import type { Knex } from "knex";

// Comments on tables are without apostrophes: knex 3 does not escape them there.
type Table = Knex.CreateTableBuilder;

const JOB_STATES = [
  "created",
  "compiling",
  "scheduling",
  "running",
  "rescaling",
  "restarting",
  "checkpoint-stopping",
  "stopping",
  "stopped",
  "finishing",
  "finished",
  "recovering",
  "failing",
  "failed",
];
const LEVELS = ["error", "warn", "info", "debug"];
const ERROR_DOMAINS = ["user", "external", "internal"];

/** Creates all tables. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await createCluster(db);
  await createPipelines(db);
  await createConnections(db);
  await createJobs(db);
  await createCheckpoints(db);
  await createScheduling(db);
  await createOutput(db);
}

function id(t: Table, prefix: string): void {
  t.text("id").primary().comment(`public id, "${prefix}…"`);
  t.check("starts_with(??, ?)", ["id", prefix], `${prefix.replace("_", "")}_id_check`);
}

function formatVersion(t: Table): void {
  t.smallint("format_version").notNullable().defaultTo(1).comment("format of this row; readers refuse one they do not know");
}

function runFence(t: Table, what: string): void {
  t.text("run_id").comment(`id of the run ${what}, "run_…"`);
  t.bigint("run_fence").notNullable().defaultTo(0).comment(`fence of the run ${what}; 0: none yet`);
}

function at(t: Table, name: string, db: Knex, what: string): void {
  t.timestamp(name, { useTz: true }).notNullable().defaultTo(db.fn.now()).comment(what);
}

function optionalAt(t: Table, name: string, what: string): void {
  t.timestamp(name, { useTz: true }).comment(what);
}

function edited(t: Table, db: Knex): void {
  at(t, "created_at", db, "when it was made");
  t.text("created_by").notNullable().defaultTo("").comment("who made it: name of the API key; empty without login");
  at(t, "updated_at", db, "when a user last changed it");
}

function error(t: Table, prefix: string): void {
  t.text(`${prefix}_domain`).checkIn(ERROR_DOMAINS, `${prefix}_domain_check`).comment("who has to act; null: no failure");
  t.text(`${prefix}_code`).comment("code of the error, from the closed list");
  t.text(`${prefix}_message`).comment("one line");
  t.text(`${prefix}_hint`).comment("what to do about it");
}

async function createCluster(db: Knex): Promise<void> {
  await db.schema.createTable("clusters", (t) => {
    t.comment("This cluster: one row.");
    t.smallint("singleton").primary().defaultTo(0).checkIn(["0"], "clusters_singleton_check").comment("always 0");
    t.uuid("id").notNullable().comment("tells clusters that share a Nomad or a bucket apart");
    t.text("name").notNullable().comment("for people");
    at(t, "created_at", db, "when the database was set up");
  });
  await db.schema.createTable("leases", (t) => {
    t.comment("Who leads. Changed by compare-and-set on (name, fencing_epoch, holder) only.");
    t.text("name").primary().comment("what is led: controller");
    t.text("holder").comment("id of the process that holds it; null: released");
    t.bigint("fencing_epoch").notNullable().defaultTo(0).comment("grows by one with every change of holder; part of every command");
    t.timestamp("expires_at", { useTz: true }).notNullable().comment("by the database's clock; anybody may take it afterwards");
    t.text("endpoint").notNullable().defaultTo("").comment("host:port of the holder's RPC service");
    t.text("release").notNullable().defaultTo("").comment("release of the holder");
    t.integer("protocol").notNullable().defaultTo(0).comment("protocol version of the holder");
    formatVersion(t);
  });
  await db.schema.createTable("api_keys", (t) => {
    t.comment("Who may use the API. Keys themselves are never stored.");
    id(t, "ak_");
    t.text("name").notNullable().unique().comment("for people");
    t.text("key_hash").notNullable().unique().comment("SHA-256 of the key, hex");
    t.text("role")
      .notNullable()
      .checkIn(["viewer", "editor", "admin"], "api_keys_role_check")
      .comment("what it may do; admin may create UDFs");
    edited(t, db);
    optionalAt(t, "expires_at", "refused afterwards; null: never");
    optionalAt(t, "last_used_at", "to the hour");
    formatVersion(t);
  });
}

async function createPipelines(db: Knex): Promise<void> {
  await db.schema.createTable("pipelines", (t) => {
    t.comment("The SQL of a user with its settings.");
    id(t, "pl_");
    t.text("name").notNullable().comment("as the user wrote it");
    t.text("slug").notNullable().comment("lower-case letters, digits and dashes: part of Nomad's job names");
    t.text("query").notNullable().comment("the SQL as the user wrote it");
    t.jsonb("udfs").notNullable().defaultTo("[]").comment("functions that belong to this pipeline alone");
    t.text("program").comment("the planned program, text of encodeProgram; null until planned");
    t.integer("program_version").comment("format version of program");
    t.text("program_fingerprint").comment("hash over its operators, hex");
    t.boolean("preview").notNullable().defaultTo(false).comment("made by the editor, gone soon");
    t.text("state_url").comment("object store of its checkpoints; null: the cluster's");
    t.jsonb("tags").notNullable().defaultTo("{}").comment("names and values of the user's own");
    edited(t, db);
    optionalAt(t, "deleted_at", "null while it exists");
    formatVersion(t);
    t.index(["created_at", "id"], "pipelines_page_index");
  });
  await db.schema.createTable("udfs", (t) => {
    t.comment("Functions that every pipeline may use.");
    id(t, "udf_");
    t.text("prefix").notNullable().defaultTo("").comment("folder in the editor's tree, parts with /");
    t.text("name").notNullable().unique().comment("name in SQL");
    t.text("language").notNullable().checkIn(["typescript"], "udfs_language_check").comment("language of the definition");
    t.text("definition").notNullable().comment("source text");
    t.text("description").notNullable().defaultTo("").comment("for people");
    t.jsonb("signature").notNullable().comment("argument and result types, read from the definition");
    edited(t, db);
    formatVersion(t);
  });
}

async function createConnections(db: Knex): Promise<void> {
  await db.schema.createTable("connection_profiles", (t) => {
    t.comment("How an outside system is reached. Secrets are references.");
    id(t, "cp_");
    t.text("name").notNullable().unique().comment("for people");
    t.text("connector").notNullable().comment("name of the connector");
    t.jsonb("config").notNullable().comment("its options, as the connector's schema says");
    edited(t, db);
    formatVersion(t);
  });
  await db.schema.createTable("connection_tables", (t) => {
    t.comment("A table that queries may use without CREATE TABLE.");
    id(t, "ct_");
    t.text("name").notNullable().comment("name in SQL, unique without regard to case");
    t.text("connector").notNullable().comment("name of the connector");
    t.text("connection_profile_id").references("connection_profiles.id").onDelete("RESTRICT").comment("null: the connector needs none");
    t.text("table_type").notNullable().checkIn(["source", "sink", "lookup"], "connection_tables_type_check").comment("what it is used as");
    t.jsonb("config").notNullable().comment("options of the table, as the connector's schema says");
    t.jsonb("schema").comment("fields, format, framing, bad data, primary keys; null: inferred");
    edited(t, db);
    formatVersion(t);
    t.index(["created_at", "id"], "connection_tables_page_index");
  });
  await db.raw("create unique index connection_tables_name_index on connection_tables (lower(name))");
  await db.schema.createTable("connection_table_pipelines", (t) => {
    t.comment("Which pipelines use a connection table: it cannot be deleted while one does.");
    t.text("connection_table_id").notNullable().references("connection_tables.id").onDelete("RESTRICT").comment("the table");
    t.text("pipeline_id").notNullable().references("pipelines.id").onDelete("CASCADE").comment("the pipeline");
    t.primary(["connection_table_id", "pipeline_id"]);
    t.index(["pipeline_id"], "connection_table_pipelines_pipeline_index");
  });
}

async function createJobs(db: Knex): Promise<void> {
  await db.schema.createTable("jobs", (t) => {
    t.comment("One continuing execution of a pipeline. The API writes desired_…, the controller everything else.");
    id(t, "job_");
    t.text("pipeline_id").notNullable().references("pipelines.id").onDelete("CASCADE").comment("the pipeline it executes");
    desiredState(t, db);
    actualState(t, db);
    at(t, "created_at", db, "when it was made");
    formatVersion(t);
    t.index(["pipeline_id"], "jobs_pipeline_index");
    t.index(["state"], "jobs_state_index");
  });
  await db.schema.createTable("job_events", (t) => {
    t.comment("Timelines of jobs and their errors, as users see them.");
    t.bigIncrements("id").comment("grows; pages are read by it");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    runFence(t, "it happened in");
    at(t, "occurred_at", db, "when it happened");
    t.text("kind").notNullable().comment("kebab-case: state-changed, worker-lost, placement-failed, …");
    t.text("level").notNullable().checkIn(LEVELS, "job_events_level_check").comment("who must act, as in logs");
    t.text("message").notNullable().comment("one line");
    t.jsonb("details").notNullable().defaultTo("{}").comment("what else is known, by name");
    t.integer("vertex").comment("vertex of the program; null: the job as a whole");
    t.integer("subtask").comment("subtask of the vertex; null: all");
    t.text("error_domain").checkIn(ERROR_DOMAINS, "job_events_error_domain_check").comment("null: no failure");
    t.text("error_code").comment("code of the error, from the closed list");
    formatVersion(t);
    t.index(["job_id", "id"], "job_events_page_index");
  });
}

function desiredState(t: Table, db: Knex): void {
  t.text("desired_stop")
    .notNullable()
    .defaultTo("none")
    .checkIn(["none", "checkpoint", "graceful", "immediate", "force"], "jobs_desired_stop_check")
    .comment("none: run; otherwise how to stop");
  t.integer("desired_parallelism")
    .notNullable()
    .checkBetween([1, 4096], "jobs_desired_parallelism_check")
    .comment("subtasks of every operator");
  t.bigint("desired_checkpoint_interval_us").notNullable().comment("between two checkpoints, microseconds");
  t.integer("desired_restart_nonce").notNullable().defaultTo(0).comment("raised by the API to ask for a restart");
  t.text("desired_restart_mode")
    .notNullable()
    .defaultTo("safe")
    .checkIn(["safe", "force"], "jobs_desired_restart_mode_check")
    .comment("safe: with a checkpoint first");
  t.bigint("desired_ignore_state_before_epoch").comment("checkpoints of earlier epochs are not restored; null: all count");
  t.jsonb("desired_env_vars").notNullable().defaultTo("{}").comment("environment of the workers; never a secret");
  t.jsonb("desired_scheduler_config").notNullable().defaultTo("{}").comment("what the scheduler is told besides");
  t.bigint("ttl_us").comment("previews end after so long, microseconds; null: never");
  t.bigint("desired_revision").notNullable().defaultTo(1).comment("grows with every change of desired_…");
  at(t, "desired_at", db, "when a user last changed desired_…");
}

function actualState(t: Table, db: Knex): void {
  t.text("state").notNullable().defaultTo("created").checkIn(JOB_STATES, "jobs_state_check").comment("where it is in the state machine");
  t.jsonb("state_context").notNullable().defaultTo("{}").comment("what the state machine remembers within a state");
  at(t, "state_changed_at", db, "when it entered the state");
  optionalAt(t, "state_deadline_at", "when the state must have been left; null: it may last");
  t.bigint("observed_revision").notNullable().defaultTo(0).comment("desired_revision that the state takes account of");
  t.integer("observed_restart_nonce").notNullable().defaultTo(0).comment("desired_restart_nonce that has been acted on");
  t.bigint("revision").notNullable().defaultTo(0).comment("grows with every write of the controller, which names the one before");
  t.bigint("leader_epoch")
    .notNullable()
    .defaultTo(0)
    .comment("fencing epoch of the controller that wrote last: a lower one writes nothing");
  runFence(t, "that is or was the newest");
  t.integer("parallelism").comment("of the newest run");
  t.integer("tasks").comment("subtasks of all operators of the newest run");
  t.integer("restarts").notNullable().defaultTo(0).comment("failures in a row since it was last healthy");
  t.bigint("epoch").notNullable().defaultTo(0).comment("newest complete epoch; 0: none");
  t.text("artifact_hash").comment("content hash of the compiled module");
  optionalAt(t, "started_at", "when it first ran");
  optionalAt(t, "finished_at", "when it stopped, finished or failed");
  error(t, "failure");
}

async function createCheckpoints(db: Knex): Promise<void> {
  await db.schema.createTable("checkpoints", (t) => {
    t.comment("Epochs of a job. A manifest counts if and only if its row is committing or complete.");
    id(t, "chk_");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    t.bigint("epoch").notNullable().checkPositive("checkpoints_epoch_check").comment("from 1, growing within a job");
    runFence(t, "that made it");
    t.text("state")
      .notNullable()
      .checkIn(["in-progress", "committing", "complete", "failed", "retired"], "checkpoints_state_check")
      .comment("committing: it counts, sinks may not have published yet; retired: its files may be gone");
    t.text("kind").notNullable().checkIn(["scheduled", "stopping", "final"], "checkpoints_kind_check").comment("why it was taken");
    t.bigint("parent_epoch").comment("newest complete epoch when it began; null: none");
    t.text("manifest_path").comment("in the object store of the pipeline; null until it is written");
    t.text("manifest_checksum").comment("SHA-256 of its bytes, hex");
    t.smallint("manifest_version").comment("format version of the manifest");
    t.text("program_fingerprint").notNullable().comment("of the program whose state it is, hex");
    t.integer("parallelism").notNullable().comment("subtasks of every operator");
    at(t, "started_at", db, "when the barrier was sent");
    optionalAt(t, "finished_at", "when it was complete or had failed");
    t.bigint("written_bytes").notNullable().defaultTo(0).comment("written for this epoch");
    t.bigint("state_bytes").notNullable().defaultTo(0).comment("all live state, files of earlier epochs included");
    t.jsonb("phases").notNullable().defaultTo("[]").comment("spans of the whole: name, start and duration in microseconds");
    t.jsonb("operators").notNullable().defaultTo("[]").comment("spans and bytes by vertex and subtask; emptied for old ones");
    t.text("failure_message").comment("why it failed; null: it did not");
    formatVersion(t);
    t.unique(["job_id", "epoch", "run_fence"], { indexName: "checkpoints_run_index" });
    t.check(
      "state not in ('committing', 'complete') or (manifest_path is not null and manifest_checksum is not null and manifest_version is not null)",
      {},
      "checkpoints_manifest_check",
    );
  });
  await db.raw("create unique index checkpoints_counting_index on checkpoints (job_id, epoch) where state in ('committing', 'complete')");
}

async function createScheduling(db: Knex): Promise<void> {
  await db.schema.createTable("nodes", (t) => {
    t.comment("Machines: node daemons that offer slots, or clients of Nomad or Kubernetes as the controller last saw them.");
    t.text("id").primary().comment("nd_… of a node daemon, otherwise the scheduler's own id");
    t.text("scheduler").notNullable().checkIn(["process", "node", "nomad", "kubernetes"], "nodes_scheduler_check").comment("who knows it");
    t.text("name").notNullable().comment("of the machine, for people");
    t.text("address").notNullable().defaultTo("").comment("host:port of the node daemon; empty: none");
    t.integer("slots").notNullable().defaultTo(0).comment("offered in all; 0: counted by resources");
    t.integer("free_slots").notNullable().defaultTo(0).comment("that no worker has");
    t.text("state").notNullable().checkIn(["ready", "draining", "lost"], "nodes_state_check").comment("draining: runs are moved away");
    optionalAt(t, "drain_deadline_at", "what is still there is killed then; null: no drain or no limit");
    t.text("release").notNullable().defaultTo("").comment("release of the node daemon");
    t.integer("protocol").notNullable().defaultTo(0).comment("protocol version of the node daemon");
    t.bigint("leader_epoch").notNullable().defaultTo(0).comment("fencing epoch of the controller that wrote last");
    at(t, "registered_at", db, "when it was first seen");
    at(t, "heartbeat_at", db, "when it was last seen");
    formatVersion(t);
  });
  await db.schema.createTable("workers", (t) => {
    t.comment("Workers of current and recent runs, as the scheduler and they themselves say.");
    id(t, "wk_");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    runFence(t, "it was started for");
    t.text("state")
      .notNullable()
      .checkIn(["placing", "starting", "registered", "running", "stopping", "exited", "lost"], "workers_state_check")
      .comment("placing: no machine has it yet");
    t.integer("number").comment("within the run, from 0; null until assigned");
    t.text("handle").comment("what the scheduler calls it: process id, allocation id, pod name");
    t.text("node_id").comment("the machine; null: not placed");
    t.integer("slots").notNullable().comment("that it offers");
    t.text("data_address").comment("host:port of its data plane");
    t.text("admin_address").comment("host:port of health and metrics");
    t.text("release").notNullable().defaultTo("").comment("its release");
    t.text("reason").notNullable().defaultTo("").comment("why it is in this state, in words: placement failures, exits");
    t.integer("exit_code").comment("null: running, or ended by a signal");
    t.text("exit_signal").comment("null: it was not ended by a signal");
    t.boolean("out_of_memory").notNullable().defaultTo(false).comment("killed for want of memory");
    at(t, "started_at", db, "when it was asked for");
    optionalAt(t, "heartbeat_at", "when it was last heard");
    optionalAt(t, "ended_at", "null while it runs");
    formatVersion(t);
    t.index(["job_id", "run_fence"], "workers_run_index");
  });
}

async function createOutput(db: Knex): Promise<void> {
  await db.schema.createTable("output_requests", (t) => {
    t.comment("Which outputs somebody is looking at. The API keeps extending them, the controller asks workers for rows.");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    t.integer("vertex").notNullable().comment("sink vertex of the program");
    t.timestamp("wanted_until_at", { useTz: true }).notNullable().comment("rows are not collected afterwards");
    t.primary(["job_id", "vertex"]);
  });
  await db.schema.createTable("preview_rows", (t) => {
    t.comment("Newest rows of preview sinks and tails. Unlogged: lost with the server, and cheap. The controller bounds it per job.");
    t.bigIncrements("cursor").comment("grows; readers go on behind the last they saw");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    runFence(t, "that made it");
    t.integer("vertex").notNullable().comment("sink vertex of the program");
    t.integer("subtask").notNullable().comment("that made it");
    t.bigint("row_number").notNullable().comment("among those of this run, vertex and subtask, from 0");
    t.text("row").notNullable().comment("JSON object; text, because its numbers and the order of its fields are kept");
    at(t, "received_at", db, "by the controller");
    formatVersion(t);
    t.unique(["job_id", "run_fence", "vertex", "subtask", "row_number"], { indexName: "preview_rows_place_index" });
    t.index(["job_id", "cursor"], "preview_rows_page_index");
  });
  await db.raw("alter table preview_rows set unlogged");
  await db.schema.createTable("log_requests", (t) => {
    t.comment("Pieces of logs of workers that users asked for: written by the API, answered by the controller.");
    t.uuid("id").primary().comment("made by the API");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    t.text("worker_id").notNullable().comment("whose log");
    t.bigint("from_offset").notNullable().comment("first byte; negative: so many before the end");
    t.bigint("limit_bytes").notNullable().comment("at most so many");
    t.text("state")
      .notNullable()
      .defaultTo("asked")
      .checkIn(["asked", "answered", "failed"], "log_requests_state_check")
      .comment("how far it is");
    t.text("failure_message").comment("why there is no answer; null: there is, or not yet");
    at(t, "requested_at", db, "when the user asked");
    t.timestamp("expires_at", { useTz: true }).notNullable().comment("deleted afterwards, with its chunks");
    t.index(["expires_at"], "log_requests_expiry_index");
  });
  await db.schema.createTable("log_chunks", (t) => {
    t.comment("Answers to log requests; they expire with them.");
    t.uuid("request_id").notNullable().references("log_requests.id").onDelete("CASCADE").comment("the request");
    t.bigint("offset_bytes").notNullable().comment("place of the first byte in the log");
    t.text("text").notNullable().comment("whole lines");
    t.boolean("last").notNullable().comment("nothing follows");
    formatVersion(t);
    t.primary(["request_id", "offset_bytes"]);
  });
}
