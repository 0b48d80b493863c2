/**
 * What must outlive the controller and Nomad's memory of dead jobs: which run of a job came last, and whether it was stopped. One small variable
 * per job, changed by compare-and-set; a run that it calls stopped or superseded never gets a worker again.
 */
import { externalError } from "../../core/errors.ts";
import type { JobId, RunId } from "../../core/ids.ts";
import { type NomadVariable, readVariable } from "./answers.ts";
import type { NomadClient } from "./client.ts";

/** A job's record. */
export interface FenceRecord {
  readonly job: JobId;
  /** Highest fence that was started or stopped. */
  readonly fence: bigint;
  readonly run: RunId;
  readonly stopped: boolean;
  /** Of the run's specification; empty: it was stopped before it was started. */
  readonly hash: string;
  /** Of the run; empty: it was never started. */
  readonly nomadJob: string;
}

/** As read; `index` 0: there is none. */
export interface StoredFence {
  readonly record: FenceRecord | undefined;
  readonly index: number;
}

/** How often a change is tried when others change the record at the same time. */
const ATTEMPTS = 8;
/** Records that are remembered here; the oldest is read again when it is needed. */
const MOST_SEEN = 5_000;

/** See the file's comment. */
export class FenceRecords {
  readonly #client: NomadClient;
  readonly #folder: string;
  /** As last seen here. Records only grow and are changed by compare-and-set, so that what is older than the truth does no harm. */
  readonly #seen = new Map<JobId, StoredFence>();

  constructor(client: NomadClient, clusterId: string) {
    this.#client = client;
    this.#folder = `wadi/${clusterId.replace(/[^a-zA-Z0-9-_~]/g, "-")}/jobs`;
  }

  /** The record of a job, as it is. */
  async read(job: JobId): Promise<StoredFence> {
    const { status, body } = await this.#client.call({ path: this.#path(job), accept: [404] });
    if (status === 404) return { record: undefined, index: 0 };
    return this.#keep(job, readVariable(body));
  }

  /** The record of a job as it was seen here last; it may have grown since. */
  async seen(job: JobId): Promise<StoredFence> {
    return this.#seen.get(job) ?? (await this.read(job));
  }

  /**
   * Replaces the record by what `change` makes of it; nothing is written where it answers undefined. `change` may be called several times and
   * may throw. The record afterwards.
   */
  async change(job: JobId, change: (record: FenceRecord | undefined) => FenceRecord | undefined): Promise<FenceRecord | undefined> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const remembered = attempt === 1 ? this.#seen.get(job) : undefined;
      const { record, index } = remembered ?? (await this.read(job));
      const next = change(record);
      if (next === undefined && remembered === undefined) return record;
      if (next === undefined) continue;
      const path = this.#path(job);
      const Items = { fence: String(next.fence), run: next.run, stopped: String(next.stopped), hash: next.hash, nomad_job: next.nomadJob };
      const body = { Path: path.slice("/v1/var/".length), Items };
      const answer = await this.#client.call({ method: "PUT", path, query: { cas: index }, body, accept: [409] });
      if (answer.status === 409) continue;
      this.#keep(job, readVariable(answer.body));
      return next;
    }
    throw externalError("io", `the record of job ${job} in Nomad changes all the time`);
  }

  /** Records as listed: paths and times. */
  async list(): Promise<readonly { readonly job: JobId; readonly modifiedNs: number }[]> {
    const { rows } = await this.#client.list({ path: "/v1/vars", query: { prefix: `${this.#folder}/` } });
    return rows
      .map(readVariable)
      .map(({ Path, ModifyTime }) => ({ job: Path.slice(this.#folder.length + 1) as JobId, modifiedNs: ModifyTime }));
  }

  /** Forgets a job. */
  async remove(job: JobId): Promise<void> {
    this.#seen.delete(job);
    await this.#client.call({ method: "DELETE", path: this.#path(job), accept: [404] });
  }

  #keep(job: JobId, variable: NomadVariable): StoredFence {
    const stored = { record: parse(job, variable), index: variable.ModifyIndex };
    this.#seen.delete(job);
    this.#seen.set(job, stored);
    const oldest = this.#seen.size > MOST_SEEN ? this.#seen.keys().next().value : undefined;
    if (oldest !== undefined) this.#seen.delete(oldest);
    return stored;
  }

  #path(job: JobId): string {
    return `/v1/var/${this.#folder}/${job}`;
  }
}

function parse(job: JobId, { Items, Path }: NomadVariable): FenceRecord {
  const { fence = "", run = "", stopped = "", hash = "", nomad_job: nomadJob = "" } = Items;
  if (!/^\d{1,18}$/.test(fence)) {
    throw externalError("io", `the Nomad variable "${Path}" is damaged: it has no fence`, { retry: "never" });
  }
  return { job, fence: BigInt(fence), run: run as RunId, stopped: stopped === "true", hash, nomadJob };
}
