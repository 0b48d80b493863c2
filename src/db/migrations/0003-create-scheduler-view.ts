/**
 * What the scheduler shows of itself, as the controller projects it for the API: status, machines, runs with what was submitted for them,
 * services, a timeline, the last words of failed workers, and logs that somebody follows. Nothing is decided from any of it.
 */
import type { Knex } from "knex";

type Table = Knex.CreateTableBuilder;

/** Creates the tables, and gives machines and workers what views have besides. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await widenNodes(db);
  await widenWorkers(db);
  await createStatus(db);
  await createRuns(db);
  await createEvents(db);
  await createLogTails(db);
}

function jobId(t: Table): void {
  t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
}

function formatVersion(t: Table): void {
  t.smallint("format_version").notNullable().defaultTo(1).comment("format of this row; readers refuse one they do not know");
}

function leaderEpoch(t: Table): void {
  t.bigint("leader_epoch")
    .notNullable()
    .defaultTo(0)
    .comment("fencing epoch of the controller that wrote last: a lower one writes nothing");
}

async function widenNodes(db: Knex): Promise<void> {
  await db.raw("alter table nodes drop constraint nodes_scheduler_check, drop constraint nodes_state_check");
  await db.raw(
    `alter table nodes add constraint nodes_scheduler_check check (scheduler in ('process', 'embedded', 'node', 'nomad', 'kubernetes')),
       add constraint nodes_state_check check (state in ('ready', 'draining', 'ineligible', 'lost'))`,
  );
  await db.schema.alterTable("nodes", (t) => {
    t.text("pool").notNullable().defaultTo("").comment("node pool or node group; empty: there is no such thing");
    t.text("zone").notNullable().defaultTo("").comment("availability zone or data centre; empty: unknown");
    t.bigint("cpu_total").comment("thousandths of a processor, or of MHz with Nomad; null: not known");
    t.bigint("cpu_used").comment("of these, promised to anybody");
    t.bigint("memory_total_bytes").comment("null: not known");
    t.bigint("memory_used_bytes").comment("of these, promised to anybody");
    t.jsonb("attributes").notNullable().defaultTo("{}").comment("what else is worth knowing, such as drivers: name and value");
    t.text("link").comment("page of the outside system; null: none");
  });
}

async function widenWorkers(db: Knex): Promise<void> {
  await db.schema.alterTable("workers", (t) => {
    t.text("link").comment("page of the outside system; null: none");
    t.bigint("memory_bytes").comment("resident memory as it said last; null: it has not");
    t.bigint("memory_limit_bytes").comment("memory it may use; null: no limit is known");
    t.index(["node_id"], "workers_node_index");
  });
}

async function createStatus(db: Knex): Promise<void> {
  await db.schema.createTable("scheduler_status", (t) => {
    t.comment("The outside system as the leading controller sees it: one row.");
    t.smallint("singleton").primary().defaultTo(0).checkIn(["0"], "scheduler_status_singleton_check").comment("always 0");
    t.text("scheduler").notNullable().comment("name of the scheduler");
    t.text("link")
      .notNullable()
      .checkIn(["live", "polling", "down"], "scheduler_status_link_check")
      .comment("polling: without events; down: it does not answer");
    t.text("trouble").notNullable().defaultTo("").comment("why it is not live; empty: it is");
    t.text("version").notNullable().defaultTo("").comment("of the outside system; empty: unknown");
    t.jsonb("place").notNullable().defaultTo("{}").comment("what else tells where it is: name and value");
    t.timestamp("synced_at", { useTz: true }).comment("the last complete look; null: there was none");
    t.timestamp("observed_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("when the controller wrote this");
    leaderEpoch(t);
    formatVersion(t);
  });
  await db.schema.createTable("scheduler_services", (t) => {
    t.comment("Services of Wadi itself that the outside system runs.");
    t.text("name").primary().comment("of the service");
    t.text("status").notNullable().comment("in the words of the outside system");
    t.integer("wanted").notNullable().comment("instances that there should be");
    t.integer("healthy").notNullable().comment("instances that pass their checks");
    t.text("version").notNullable().defaultTo("").comment("image, artifact or job version; empty: unknown");
    t.text("deployment").notNullable().defaultTo("").comment("how its deployment goes; empty: there is none");
    t.jsonb("addresses").notNullable().defaultTo("[]").comment("host:port each");
    t.jsonb("failing").notNullable().defaultTo("[]").comment("health checks that fail, in words");
    t.text("link").comment("page of the outside system; null: none");
    leaderEpoch(t);
    formatVersion(t);
  });
}

async function createRuns(db: Knex): Promise<void> {
  await db.schema.createTable("scheduler_runs", (t) => {
    t.comment("What the scheduler holds or held for each run, and what was submitted. The newest of each job are kept.");
    t.bigIncrements("id").comment("grows; pages are read by it");
    jobId(t);
    t.text("run_id").notNullable().comment("id of the run, run_…");
    t.bigint("run_fence").notNullable().comment("fence of the run");
    t.text("name").notNullable().defaultTo("").comment("the outside system's name for it, such as the Nomad job's id");
    t.integer("workers").notNullable().defaultTo(0).comment("asked for");
    t.integer("missing").notNullable().defaultTo(0).comment("of these, not placed");
    t.text("reason").notNullable().defaultTo("").comment("why, in plain words; empty: all placed");
    t.timestamp("waiting_since_at", { useTz: true }).comment("since when it waits for places; null: all placed");
    t.text("status").notNullable().defaultTo("").comment("in the words of the outside system; empty: not seen yet");
    t.timestamp("submitted_at", { useTz: true }).comment("when the outside system got it; null: unknown");
    t.timestamp("seen_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("when it was first seen or asked for");
    t.timestamp("gone_at", { useTz: true }).comment("when the outside system knew it no more; null: it does");
    t.text("link").comment("page of the outside system; null: none");
    t.text("spec_text").comment("what was submitted, without secrets; null: not known");
    t.text("spec_format").checkIn(["json", "yaml", "text"], "scheduler_runs_spec_format_check").comment("of spec_text");
    t.text("spec_hash").comment("SHA-256 of spec_text, hex");
    t.jsonb("spec_warnings").notNullable().defaultTo("[]").comment("what the outside system remarked");
    t.integer("cpu_millis_per_slot").comment("asked for each slot, thousandths of a processor; null: not known");
    t.bigint("memory_bytes_per_slot").comment("asked for each slot; null: not known");
    leaderEpoch(t);
    formatVersion(t);
    t.unique(["job_id", "run_fence"], { indexName: "scheduler_runs_run_index" });
  });
}

async function createEvents(db: Knex): Promise<void> {
  await db.schema.alterTable("job_events", (t) => {
    t.index(["occurred_at"], "job_events_time_index");
  });
  await db.schema.createTable("scheduler_events", (t) => {
    t.comment("What the outside system tells of runs: evaluations, events of tasks. The controller bounds it per job.");
    t.bigIncrements("id").comment("grows");
    jobId(t);
    t.text("run_id").notNullable().comment("id of the run, run_…");
    t.bigint("run_fence").notNullable().comment("fence of the run");
    t.text("handle").comment("of the worker it is about; null: of the run as a whole");
    t.text("about").notNullable().comment("in the words of the outside system: evaluation, task, pod, process");
    t.text("level").notNullable().checkIn(["error", "warn", "info"], "scheduler_events_level_check").comment("who must act, as in logs");
    t.text("message").notNullable().comment("one line");
    t.timestamp("occurred_at", { useTz: true }).notNullable().comment("by the clock of the outside system");
    t.text("digest").notNullable().comment("hash over all of it: what is told again after a change of leader is left out");
    formatVersion(t);
    t.unique(["job_id", "digest"], { indexName: "scheduler_events_digest_index" });
    t.index(["job_id", "occurred_at"], "scheduler_events_page_index");
    t.index(["occurred_at"], "scheduler_events_time_index");
  });
  await db.schema.createTable("worker_last_words", (t) => {
    t.comment("The last lines that failed workers wrote to stderr; they stay when the outside system has forgotten the worker.");
    jobId(t);
    t.text("handle").notNullable().comment("what the scheduler calls the worker");
    t.bigint("run_fence").notNullable().comment("fence of its run");
    t.text("stderr").notNullable().comment("whole lines, the newest at most");
    t.timestamp("taken_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("when they were read");
    formatVersion(t);
    t.primary(["job_id", "handle"], { constraintName: "worker_last_words_pkey" });
  });
}

async function createLogTails(db: Knex): Promise<void> {
  await db.schema.createTable("log_tails", (t) => {
    t.comment("Logs of workers that somebody follows. The API keeps extending them, the controller reads each once. Unlogged.");
    t.text("worker_id").notNullable().comment("whose log");
    t.text("stream").notNullable().checkIn(["stdout", "stderr"], "log_tails_stream_check").comment("which of its streams");
    jobId(t);
    t.timestamp("wanted_until_at", { useTz: true }).notNullable().comment("nothing is read afterwards, and the row goes with its pieces");
    t.text("state")
      .notNullable()
      .defaultTo("open")
      .checkIn(["open", "ended", "failed"], "log_tails_state_check")
      .comment("ended: nothing will follow");
    t.text("failure_message").comment("why nothing can be read; null: no failure");
    t.primary(["worker_id", "stream"], { constraintName: "log_tails_pkey" });
  });
  await db.schema.createTable("log_tail_chunks", (t) => {
    t.comment("Pieces of logs that are followed, the newest of each. Unlogged.");
    t.bigIncrements("cursor").comment("grows; readers go on behind the last they saw");
    t.text("worker_id").notNullable().comment("whose log");
    t.text("stream").notNullable().comment("which of its streams");
    t.bigint("offset_bytes").notNullable().comment("place of the first byte in the log");
    t.bigint("next_offset_bytes").notNullable().comment("place behind the last byte");
    t.text("text").notNullable().comment("whole lines");
    formatVersion(t);
    t.foreign(["worker_id", "stream"], "log_tail_chunks_tail_fkey")
      .references(["worker_id", "stream"])
      .inTable("log_tails")
      .onDelete("CASCADE");
    t.unique(["worker_id", "stream", "offset_bytes"], { indexName: "log_tail_chunks_place_index" });
    t.index(["worker_id", "stream", "cursor"], "log_tail_chunks_page_index");
  });
  await db.raw("alter table log_tail_chunks set unlogged");
  await db.raw("alter table log_tails set unlogged");
}
