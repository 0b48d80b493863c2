/**
 * What a job is, beside its checkpoints: `checkpoints/<job>/description`, written when a run begins, so that pipelines can be brought back when the
 * database is lost (`wadi recover`). It is the text of the pipeline with its settings and what of the database the text refers to. No secrets:
 * connections have references to them, as in the database. What counts as complete is not here but in the completion record.
 */
import { z } from "zod";
import type { ObjectStore } from "../storage/object-store.ts";
import { jobFolder } from "./paths.ts";
import { type SealedFormat, seal, unseal } from "./sealed.ts";

const json = z.record(z.string(), z.unknown());
const texts = z.record(z.string(), z.string());

const pipeline = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  query: z.string(),
  udfs: z.array(json),
  program: z.string().nullable(),
  program_version: z.number().nullable(),
  program_fingerprint: z.string().nullable(),
  state_url: z.string().nullable(),
  tags: json,
  created_by: z.string(),
  created_at: z.string(),
});
const job = z.object({
  id: z.string(),
  desired_parallelism: z.number(),
  desired_checkpoint_interval_us: z.number(),
  desired_env_vars: texts,
  desired_scheduler_config: json,
  desired_build: z.string(),
  desired_ignore_state_before_epoch: z.number().nullable(),
  created_at: z.string(),
});
const profile = z.object({ id: z.string(), name: z.string(), connector: z.string(), config: json, created_by: z.string() });
const table = z.object({
  id: z.string(),
  name: z.string(),
  connector: z.string(),
  connection_profile_id: z.string().nullable(),
  table_type: z.string(),
  config: json,
  schema: z.unknown(),
  created_by: z.string(),
});
const udf = z.object({
  id: z.string(),
  prefix: z.string(),
  name: z.string(),
  language: z.string(),
  definition: z.string(),
  description: z.string(),
  signature: z.unknown(),
  created_by: z.string(),
});
const body = z.object({
  pipeline,
  job,
  profiles: z.array(profile),
  tables: z.array(table),
  udfs: z.array(udf),
});

/** See the file's comment. Names are those of the database's columns; times are RFC 3339. */
export type JobDescription = z.infer<typeof body>;

const DESCRIPTION: SealedFormat<JobDescription> = { format: "wadi-description", version: 1, schema: body };

/** Where a job's description is. */
export function descriptionPath(job: string): string {
  return `${jobFolder(job)}description`;
}

/** Stores the description in place of an older one. */
export async function writeDescription(store: ObjectStore, description: JobDescription): Promise<void> {
  await store.put(descriptionPath(description.job.id), seal(DESCRIPTION, description));
}

/** The job's description; undefined: there is none. Throws `checksum-mismatch` or `version-mismatch` for one that cannot be read. */
export async function readDescription(store: ObjectStore, job: string): Promise<JobDescription | undefined> {
  const path = descriptionPath(job);
  if ((await store.head(path)) === undefined) return undefined;
  return unseal(DESCRIPTION, await store.get(path), path);
}
