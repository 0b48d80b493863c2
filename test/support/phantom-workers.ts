/**
 * Workers for a fake Nomad whose tasks are phantoms: for each allocation that runs a scripted worker, with the credential of the run's variable and
 * an identity as the client would have written it. Thousands fit into one process.
 */
import { type JobId, type PipelineId, type RunId, workerIdOf } from "../../src/core/ids.ts";
import type { FakeNomad } from "./nomad/fake-nomad.ts";
import type { Allocation } from "./nomad/records.ts";
import { jobKey } from "./nomad/state.ts";
import { sampleSpec } from "./scheduler-conformance.ts";
import { ScriptedWorker } from "./scripted-worker.ts";

const LOOK_MS = 50;

/** See the file's comment. */
export class PhantomWorkers {
  readonly #nomad: FakeNomad;
  readonly #workers = new Map<string, ScriptedWorker>();
  /** Allocations whose worker is gone. */
  readonly #ended = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(nomad: FakeNomad) {
    this.#nomad = nomad;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** That have not ended. */
  get count(): number {
    return this.#workers.size;
  }

  /** All die at once, without a word. */
  killAll(): void {
    for (const worker of this.#workers.values()) worker.die();
  }

  /** Ends everything. */
  close(): void {
    clearInterval(this.#timer);
    this.killAll();
  }

  #look(): void {
    for (const allocation of this.#nomad.state.allocations.values()) {
      const { ID, ClientStatus } = allocation;
      if (ClientStatus === "running" && !this.#workers.has(ID) && !this.#ended.has(ID)) this.#start(allocation);
      if (ClientStatus !== "running" && ClientStatus !== "pending") this.#workers.get(ID)?.die();
    }
  }

  #start({ ID, JobID }: Allocation): void {
    const job = this.#nomad.job(JobID);
    const items = this.#nomad.state.variables.get(jobKey("default", `nomad/jobs/${JobID}`))?.Items;
    const meta = job?.Meta;
    if (items === undefined || !meta) return;
    const spec = {
      ...sampleSpec(1, BigInt(meta["run_fence"] ?? 1), meta["job_id"] as JobId),
      run: meta["run_id"] as RunId,
      pipeline: meta["pipeline_id"] as PipelineId,
      controllers: (items["controllers"] ?? "").split(","),
      runToken: items["run_token"] ?? "",
    };
    const nowSeconds = Math.floor(Date.now() / 1000);
    const claims = {
      aud: ["wadi"],
      iat: nowSeconds,
      exp: nowSeconds + 86_400,
      nomad_namespace: "default",
      nomad_job_id: JobID,
      nomad_allocation_id: ID,
      nomad_task: "worker",
    };
    const exited = (code: number): void => {
      this.#ended.add(ID);
      this.#workers.delete(ID);
      this.#nomad.endPhantom(ID, code);
    };
    const identity = this.#nomad.signClaims(claims);
    this.#workers.set(ID, new ScriptedWorker(workerIdOf(ID), ID, 1, spec, exited, { identity: () => identity }));
  }
}
