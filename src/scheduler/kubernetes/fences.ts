/**
 * What must survive of a job's runs: its newest run and whether that was stopped, in one config map per job, changed by compare-and-set on its
 * resource version. A run is written down before its Job is made, and a stop before its Job is deleted.
 */
import type { Clock } from "../../core/clock.ts";
import { externalError, internalError } from "../../core/errors.ts";
import type { JobId, RunId } from "../../core/ids.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type { RunKey } from "../scheduler.ts";
import { type KubernetesClient, refusal } from "./client.ts";
import { ANNOTATION, LABEL, recordName } from "./labels.ts";
import { type ConfigMapSeen, parseConfigMap } from "./objects.ts";

/** The newest run of a job. */
export interface FenceRecord {
  readonly job: JobId;
  readonly run: RunId;
  readonly fence: bigint;
  readonly stopped: boolean;
  readonly specHash: string;
  /** Workers that were promised. */
  readonly workers: number;
  /** The Job's uid once it was made; empty before. */
  readonly made: string;
  /** Of the config map; empty: there is none yet. */
  readonly version: string;
}

/** Names what belongs to whom. */
export interface FenceOptions {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly prefix: string;
  readonly clock: Clock;
}

/** How often a lost race is run again: each means that somebody else has changed the record. */
const TRIES = 8;
/** A job that was not touched for this long is not asked for again. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** See the file's comment. */
export class Fences {
  readonly #options: FenceOptions;

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  /** What is recorded of a job. */
  async read(job: JobId): Promise<FenceRecord | undefined> {
    const { client } = this.#options;
    const name = this.#name(job);
    const answer = await client.send({ method: "GET", path: `${await this.#folder()}/${name}` });
    if (answer.ok) return recordOf(job, parseConfigMap(answer.body));
    if (answer.status.code === 404) return undefined;
    throw refusal(answer.status, `reading config map "${name}"`);
  }

  /**
   * Makes `run` the newest of its job, or finds that it is. Throws `fenced` if it was stopped or a newer one was started or stopped, and
   * `already-exists` if it was started with another specification.
   */
  async take(run: RunKey, specHash: string, workers: number): Promise<FenceRecord> {
    return await this.#change(run.job, (known) => {
      if (known !== undefined && (run.fence < known.fence || (run.fence === known.fence && known.stopped))) throw superseded(run);
      if (known?.fence === run.fence) {
        if (known.specHash === specHash) return known;
        throw internalError("already-exists", `run ${run.run} of job ${run.job} was started with another specification`);
      }
      return { ...run, stopped: false, specHash, workers, made: "", version: known?.version ?? "" };
    });
  }

  /** Writes down that the Job was made. Throws `fenced` if the run was stopped or superseded meanwhile. */
  async made(run: RunKey, uid: string): Promise<void> {
    await this.#change(run.job, (known) => {
      if (known === undefined || known.fence !== run.fence || known.stopped) throw superseded(run);
      return known.made === uid ? known : { ...known, made: uid };
    });
  }

  /** Writes down that `run` can have no worker any more; a run older than the newest one cannot anyway. */
  async stop(run: RunKey): Promise<void> {
    await this.#change(run.job, (known) => {
      if (known !== undefined && (run.fence < known.fence || (run.fence === known.fence && known.stopped))) return known;
      const fresh = { ...run, specHash: "", workers: 0, made: "", version: known?.version ?? "" };
      return { ...(known?.fence === run.fence ? known : fresh), stopped: true };
    });
  }

  /** Removes records of jobs that nobody has touched for a month and that have no Job; `alive` are names of jobs that have one. */
  async prune(records: readonly unknown[], alive: ReadonlySet<string>): Promise<void> {
    const nowMs = Number(this.#options.clock.nowNs() / NS_PER_MS);
    for (const { metadata } of records.map(parseConfigMap)) {
      const changedMs = Date.parse(metadata.annotations[ANNOTATION.changedAt] ?? "");
      const job = metadata.labels[LABEL.job] ?? "";
      if (!(nowMs - changedMs > KEPT_MS) || alive.has(job)) continue;
      const preconditions = { resourceVersion: metadata.resourceVersion };
      await this.#options.client.send({ method: "DELETE", path: `${await this.#folder()}/${metadata.name}`, body: { preconditions } });
    }
  }

  async #change(job: JobId, next: (known: FenceRecord | undefined) => FenceRecord): Promise<FenceRecord> {
    const { client } = this.#options;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const known = await this.read(job);
      const wanted = next(known);
      if (wanted === known) return wanted;
      const folder = await this.#folder();
      const body = await this.#render(wanted);
      const answer = await client.send(
        wanted.version === "" ? { method: "POST", path: folder, body } : { method: "PUT", path: `${folder}/${this.#name(job)}`, body },
      );
      if (answer.ok) return { ...wanted, version: parseConfigMap(answer.body).metadata.resourceVersion };
      // Somebody else was faster, or it was removed meanwhile.
      if (answer.status.code !== 409 && answer.status.code !== 404) throw refusal(answer.status, `writing config map "${this.#name(job)}"`);
    }
    throw externalError("io", `the record of job ${job} is being changed by others all the time`);
  }

  async #folder(): Promise<string> {
    return `/api/v1/namespaces/${await this.#options.client.namespace()}/configmaps`;
  }

  #name(job: JobId): string {
    return recordName(this.#options.prefix, this.#options.cluster, job);
  }

  async #render({ version, job, run, fence, stopped, specHash, workers, made }: FenceRecord): Promise<object> {
    const { cluster, clock, client } = this.#options;
    return {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: this.#name(job),
        namespace: await client.namespace(),
        labels: { [LABEL.managedBy]: "wadi", [LABEL.cluster]: cluster, [LABEL.job]: job, [LABEL.record]: "true" },
        annotations: { [ANNOTATION.changedAt]: new Date(Number(clock.nowNs() / NS_PER_MS)).toISOString() },
        ...(version === "" ? {} : { resourceVersion: version }),
      },
      data: { run, fence: String(fence), stopped: String(stopped), specHash, workers: String(workers), made },
    };
  }
}

function recordOf(job: JobId, { metadata, data }: ConfigMapSeen): FenceRecord {
  const { run = "", fence = "0", stopped = "false", specHash = "", workers = "0", made = "" } = data;
  return {
    job,
    run: run as RunId,
    fence: BigInt(fence),
    stopped: stopped === "true",
    specHash,
    workers: Number(workers),
    made,
    version: metadata.resourceVersion,
  };
}

function superseded(run: RunKey): Error {
  return internalError("fenced", `run ${run.run} of job ${run.job} has been superseded or stopped`);
}
