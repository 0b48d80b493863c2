/**
 * Jobs as descriptions that are kept outside of the database, and back: what `wadi recover` needs to make the rows again. What a query refers to
 * (connection tables with their profiles, functions of the cluster) is part of the description.
 */
import type { JobDescription } from "../checkpoint/description.ts";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";

/** Tables that have no row where nobody has made anything yet. */
const USERS_TABLES = ["pipelines", "connection_profiles", "connection_tables", "udfs"] as const;

/** Where a job stood: the newest epoch that can be restored and the highest fence that was given. */
export interface RecoveredPosition {
  /** 0: no epoch was complete. */
  readonly epoch: number;
  readonly run: string | undefined;
  readonly fence: bigint;
  readonly parallelism: number | undefined;
  /** All sources had ended: there is nothing to resume. */
  readonly finished: boolean;
}

/** How a recovered pipeline comes back. */
export interface RecoveredJob {
  readonly description: JobDescription;
  readonly position: RecoveredPosition;
  /** Store of its checkpoints; undefined: the cluster's. */
  readonly stateUrl: string | undefined;
  /** Whether it is to run at once. */
  readonly start: boolean;
}

/** The description of a job; undefined: there is no such job, or it is a preview, which nobody brings back. */
export async function describeJob(db: Database, job: string): Promise<JobDescription | undefined> {
  const time = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  try {
    const { rows } = await db.raw<{ rows: { description: JobDescription }[] }>(
      `select jsonb_build_object(
         'pipeline', jsonb_build_object('id', p.id, 'name', p.name, 'slug', p.slug, 'query', p.query, 'udfs', p.udfs, 'program', p.program,
           'program_version', p.program_version, 'program_fingerprint', p.program_fingerprint, 'state_url', p.state_url, 'tags', p.tags,
           'created_by', p.created_by, 'created_at', ${time("p.created_at")}),
         'job', jsonb_build_object('id', j.id, 'desired_parallelism', j.desired_parallelism,
           'desired_checkpoint_interval_us', j.desired_checkpoint_interval_us, 'desired_env_vars', j.desired_env_vars,
           'desired_scheduler_config', j.desired_scheduler_config, 'desired_build', j.desired_build,
           'desired_ignore_state_before_epoch', j.desired_ignore_state_before_epoch, 'created_at', ${time("j.created_at")}),
         'tables', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'connector', t.connector,
             'connection_profile_id', t.connection_profile_id, 'table_type', t.table_type, 'config', t.config, 'schema', t.schema,
             'created_by', t.created_by) order by t.id)
           from connection_tables t join connection_table_pipelines u on u.connection_table_id = t.id where u.pipeline_id = p.id), '[]'),
         'profiles', coalesce((select jsonb_agg(distinct jsonb_build_object('id', c.id, 'name', c.name, 'connector', c.connector,
             'config', c.config, 'created_by', c.created_by))
           from connection_profiles c join connection_tables t on t.connection_profile_id = c.id
           join connection_table_pipelines u on u.connection_table_id = t.id where u.pipeline_id = p.id), '[]'),
         'udfs', coalesce((select jsonb_agg(jsonb_build_object('id', f.id, 'prefix', f.prefix, 'name', f.name, 'language', f.language,
             'definition', f.definition, 'description', f.description, 'signature', f.signature, 'created_by', f.created_by) order by f.id)
           from udfs f where position(lower(f.name) in lower(p.query)) > 0), '[]')) as description
       from jobs j join pipelines p on p.id = j.pipeline_id where j.id = ? and not p.preview`,
      [job],
    );
    return rows[0]?.description;
  } catch (error) {
    throw databaseError(`describing job ${job}`, error);
  }
}

/** Tables in which somebody has made something; empty: nothing would be mixed with what is recovered. */
export async function tablesInUse(db: Database): Promise<readonly string[]> {
  try {
    const used: string[] = [];
    for (const name of USERS_TABLES) if ((await db(name).first(db.raw("1 as one"))) !== undefined) used.push(name);
    return used;
  } catch (error) {
    throw databaseError("looking for rows", error);
  }
}

/** Makes the rows of all `jobs` in one transaction. */
export async function insertRecovered(db: Database, jobs: readonly RecoveredJob[]): Promise<void> {
  try {
    await db.transaction(async (t) => {
      await insertShared(t, jobs);
      for (const job of jobs) await insertJob(t, job);
    });
  } catch (error) {
    throw databaseError("recovering pipelines", error);
  }
}

/** The newest of what several descriptions have alike wins: they were written at different times. */
async function insertShared(t: Database, jobs: readonly RecoveredJob[]): Promise<void> {
  const all = jobs.map(({ description }) => description);
  const byId = <Row extends { readonly id: string }>(rows: readonly Row[]) => [...new Map(rows.map((row) => [row.id, row])).values()];
  for (const { config, ...row } of byId(all.flatMap(({ profiles }) => profiles))) {
    await t("connection_profiles").insert({ ...row, config: jsonParameter(config) });
  }
  for (const { config, schema, ...row } of byId(all.flatMap(({ tables }) => tables))) {
    const fields = schema === null || schema === undefined ? null : jsonParameter(schema);
    await t("connection_tables").insert({ ...row, config: jsonParameter(config), schema: fields });
  }
  for (const { signature, ...row } of byId(all.flatMap(({ udfs }) => udfs))) {
    await t("udfs").insert({ ...row, signature: jsonParameter(signature) });
  }
}

async function insertJob(t: Database, { description, position, stateUrl, start }: RecoveredJob): Promise<void> {
  const { pipeline, job, tables } = description;
  await t("pipelines").insert({
    ...pipeline,
    udfs: jsonParameter(pipeline.udfs),
    tags: jsonParameter(pipeline.tags),
    state_url: stateUrl ?? null,
  });
  const uses = tables.map(({ id }) => ({ connection_table_id: id, pipeline_id: pipeline.id }));
  if (uses.length > 0) await t("connection_table_pipelines").insert(uses);
  await t("jobs").insert({
    ...job,
    pipeline_id: pipeline.id,
    desired_env_vars: jsonParameter(job.desired_env_vars),
    desired_scheduler_config: jsonParameter(job.desired_scheduler_config),
    // A wish that the controller has not seen yet is what starts it; else it has seen that it is to stay stopped.
    desired_stop: start && !position.finished ? "none" : "checkpoint",
    desired_revision: 1,
    observed_revision: start && !position.finished ? 0 : 1,
    state: position.finished ? "finished" : "stopped",
    state_context: jsonParameter({ lastFence: Number(position.fence) }),
    run_id: position.run ?? null,
    run_fence: position.fence.toString(),
    parallelism: position.parallelism ?? null,
    epoch: position.epoch,
    finished_at: t.fn.now(),
  });
}
