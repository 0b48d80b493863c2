/**
 * Branded identifiers. An id is `<prefix><16 characters>` of a lower-case base-32 alphabet without look-alikes, as in Arroyo's API, so that
 * it can be told apart, pasted into a URL and used as part of a Nomad job's name. Ids are made from random bits that the caller supplies.
 */
import { createHash } from "node:crypto";
import { userError } from "./errors.ts";
import type { RandomSource } from "./prng.ts";

declare const brand: unique symbol;
/** A string that only the parser and the maker of its kind can produce. */
type Id<Kind extends string> = string & { readonly [brand]: Kind };

/** A user's SQL with its settings. */
export type PipelineId = Id<"pipeline">;
/** One continuing execution of a pipeline. */
export type JobId = Id<"job">;
/** One generation of workers of a job; the fence of every command and file. */
export type RunId = Id<"run">;
/** A worker process. */
export type WorkerId = Id<"worker">;
/** A machine that runs the node daemon. */
export type NodeId = Id<"node">;
/** A saved connection profile. */
export type ConnectionProfileId = Id<"connection-profile">;
/** A saved connection table. */
export type ConnectionTableId = Id<"connection-table">;
/** A checkpoint as the API names it. */
export type CheckpointId = Id<"checkpoint">;
/** A user-defined function. */
export type UdfId = Id<"udf">;

/** The TypeScript type of each kind of id. */
export interface IdKinds {
  readonly pipeline: PipelineId;
  readonly job: JobId;
  readonly run: RunId;
  readonly worker: WorkerId;
  readonly node: NodeId;
  readonly "connection-profile": ConnectionProfileId;
  readonly "connection-table": ConnectionTableId;
  readonly checkpoint: CheckpointId;
  readonly udf: UdfId;
}

/** The prefix of each kind. Never reused, never changed: ids are in databases and in users' scripts. */
export const ID_PREFIXES: Readonly<Record<keyof IdKinds, string>> = {
  pipeline: "pl_",
  job: "job_",
  run: "run_",
  worker: "wk_",
  node: "nd_",
  "connection-profile": "cp_",
  "connection-table": "ct_",
  checkpoint: "chk_",
  udf: "udf_",
};

/** Crockford's base 32 in lower case: https://www.crockford.com/base32.html */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
/** 16 characters of 5 bits: 80 random bits, a collision in 10^9 ids has a chance below one in a million. */
const SUFFIX_LENGTH = 16;
const SUFFIX = /^[0-9a-z]{1,64}$/;

/** A new id of `kind` from `random`, which is `systemRandom` except in tests. */
export function makeId<K extends keyof IdKinds>(kind: K, random: RandomSource): IdKinds[K] {
  let suffix = "";
  for (let i = 0; i < SUFFIX_LENGTH; i++) suffix += ALPHABET[random.below(ALPHABET.length)];
  return (ID_PREFIXES[kind] + suffix) as IdKinds[K];
}

/**
 * The id of the worker that a scheduler calls `handle`: the same in the worker, which knows nothing but its handle, in the scheduler and in every
 * controller, also one that has never heard of it.
 */
export function workerIdOf(handle: string): WorkerId {
  const bytes = createHash("sha256").update(handle).digest();
  const suffix = Array.from({ length: SUFFIX_LENGTH }, (_, i) => ALPHABET[(bytes[i] ?? 0) % ALPHABET.length]).join("");
  return (ID_PREFIXES.worker + suffix) as WorkerId;
}

/** Whether `text` is an id of `kind`: its prefix followed by 1 to 64 lower-case letters and digits. */
export function isId<K extends keyof IdKinds>(kind: K, text: string): text is IdKinds[K] {
  const prefix = ID_PREFIXES[kind];
  return text.startsWith(prefix) && SUFFIX.test(text.slice(prefix.length));
}

/** `text` as an id of `kind`; throws `invalid-usage` if it is none. */
export function parseId<K extends keyof IdKinds>(kind: K, text: string): IdKinds[K] {
  if (isId(kind, text)) return text;
  throw userError("invalid-usage", `"${text}" is not a ${kind} id`, { hint: `A ${kind} id starts with "${ID_PREFIXES[kind]}".` });
}
