/**
 * `npm run demo -- --nomad`: the demo's cluster with workers as allocations of Nomad. It prints Nomad's plan, shows the Nomad job live, drains the
 * node of a worker while rows flow, and ends by proving that the sinks hold the batch answer. Whatever it made is gone afterwards.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../process.ts";
import { DemoCluster, pause } from "./cluster.ts";
import { type DemoNomad, openNomad } from "./nomad-cluster.ts";
import { compareAnswers, demoSql, runBatch } from "./nomad-proof.ts";
import { NomadView } from "./nomad-view.ts";
import { type ApiAccess, callApi, type JobAnswer, type PipelineAnswer } from "./rest.ts";

const SLOTS = 2;
const CHECKPOINT_MICROS = 2_000_000;
/** Rows flow for so long before the node is drained. */
const FLOW_MS = 6_000;
/** A drain has its effect within this, or the demo has failed. */
const MOVE_LIMIT_MS = 60_000;
const FINISH_LIMIT_MS = 90_000;
/** With one node there is nowhere to go: it is given back after so long. */
const ALONE_MS = 8_000;
const POLL_MS = 250;

/** How the demo is run. */
export interface NomadDemo {
  /** What it prints. */
  readonly out: (text: string) => void;
  readonly signal: AbortSignal;
  /** Given the cluster as soon as there is one, for a second Ctrl-C. */
  readonly onCluster: (cluster: DemoCluster) => void;
  /** Node of a Nomad that is not ours to drain although others have work there; undefined: such nodes are spared. */
  readonly drainNode: string | undefined;
  /** Seconds of rows, stops and moves apart; at least 15, or the drain has none. */
  readonly seconds: number;
}

/** Runs it in a folder of its own below `stateDir`; true if the proof succeeded. Throws what goes wrong otherwise. */
export async function nomadDemo(stateDir: string, demo: NomadDemo): Promise<boolean> {
  const folder = join(stateDir, `nomad-${process.pid}`);
  mkdirSync(join(folder, "sink"), { recursive: true });
  const cluster = new DemoCluster();
  demo.onCluster(cluster);
  let nomad: DemoNomad | undefined;
  let view: NomadView | undefined;
  try {
    demo.out("Wadi on Nomad: workers are allocations. First, a Nomad.\n\n");
    nomad = await openNomad(join(folder, "agents"), demo.signal);
    demo.out(`Nomad       ${nomad.label}\n`);
    const env = environment(nomad, folder);
    view = new NomadView(env, demo.out);
    await view.check(nomad.own);
    const api = await cluster.start(join(folder, "state"), demo.signal, env);
    return await play(api, view, folder, demo, nomad);
  } finally {
    await tidy(cluster, view, nomad);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** What every process of the demo's cluster is told: small workers of this checkout, without an archive or image. */
function environment({ address }: DemoNomad, folder: string): NodeJS.ProcessEnv {
  const files = join(folder, "sink");
  return {
    SCHEDULER: "nomad",
    NOMAD_ADDR: address,
    WADI__NOMAD__CLUSTER_ID: `demo-${process.pid}`,
    WADI__NOMAD__DRIVER: "raw_exec",
    WADI__NOMAD__COMMAND: [process.execPath, join(ROOT, "dist", "cli", "main.js"), "worker"].join(","),
    WADI__NOMAD__SLOTS_PER_WORKER: "1",
    WADI__NOMAD__MHZ_PER_SLOT: "100",
    WADI__NOMAD__MEMORY_PER_SLOT: "512MiB",
    WADI__NOMAD__DISK: "256MiB",
    WADI__NOMAD__RUNS_TO_KEEP: "0",
    WADI__NOMAD__ENVIRONMENT: `WADI__CONNECTORS__FILE__ROOTS=${files}`,
    WADI__PIPELINE__STATE_LIMIT: "256MiB",
    WADI__CONNECTORS__FILE__ROOTS: files,
  };
}

async function play(api: ApiAccess, view: NomadView, folder: string, demo: NomadDemo, nomad: DemoNomad): Promise<boolean> {
  const { out, signal } = demo;
  const sink = join(folder, "sink");
  const query = demoSql(sink, demo.seconds, true);
  writeFileSync(join(folder, "query.sql"), query);
  await view.plan(SLOTS);
  out(`\nThe pipeline, made through the REST API:\n${query.replaceAll(/^/gm, "  ")}\n`);
  const pipeline = await callApi<PipelineAnswer>(api, "POST", "/pipelines", {
    name: "demo on Nomad",
    query,
    parallelism: SLOTS,
    checkpoint_interval_micros: CHECKPOINT_MICROS,
  });
  out(
    `Web interface: ${api.url}/pipelines/${pipeline.id}#token=${api.token}${nomad.ui ? `\nNomad's own:   ${nomad.address}/ui/jobs` : ""}\n\nThe Nomad job, live:\n`,
  );
  const watching = view.follow(signal);
  try {
    const job = new DemoJob(api, pipeline, signal);
    await job.until("Running", (state) => state.state === "Running", MOVE_LIMIT_MS);
    // The batch answer is made while rows flow: the last moment would do as well.
    const batch = runBatch(join(folder, "batch"), demo.seconds, signal);
    batch.catch(() => undefined);
    await pause(FLOW_MS);
    await drainOne(view, job, demo);
    out("\nRows flow on. The demo waits for the last of them.\n");
    await job.until("Finished", (state) => state.state === "Finished", FINISH_LIMIT_MS);
    return prove(sink, await batch, out);
  } finally {
    view.unfollow();
    await watching;
  }
}

/** Drains the node of a worker and waits until the pipeline runs elsewhere. */
async function drainOne(view: NomadView, job: DemoJob, { out, drainNode }: NomadDemo): Promise<void> {
  const node = await view.nodeToDrain(drainNode);
  if (node === undefined) {
    out("\nNo node is drained: others have work on each of them. Name one with --drain NODE to do it nevertheless.\n");
    return;
  }
  const before = await job.look();
  const { alone } = node;
  out(`\n>>> nomad node drain -enable ${node.name}   (${node.workers} of the pipeline's workers are there)\n`);
  if (alone) out("    It is the only node: the pipeline takes a checkpoint and waits until the node is given back.\n");
  const beganMs = performance.now();
  await view.drain(node.id);
  if (alone) {
    await pause(ALONE_MS);
    out(`>>> nomad node drain -disable ${node.name}\n`);
    await view.restore();
  }
  await job.until("running elsewhere", (state) => state.state === "Running" && state.run_id !== before.run_id, MOVE_LIMIT_MS);
  if (!alone) await view.untilFree(node.id, MOVE_LIMIT_MS);
  out(
    `>>> moved in ${((performance.now() - beganMs) / 1000).toFixed(1)} s: run ${before.run_id} handed over to run ${(await job.look()).run_id}\n`,
  );
  await view.restore();
}

function prove(sink: string, batch: string, out: (text: string) => void): boolean {
  const proof = compareAnswers(sink, batch);
  const { picked, totals, changes } = proof;
  out(`\n  picked.jsonl   ${picked[0]} rows    batch answer ${picked[1]} rows\n`);
  out(`  totals.jsonl   ${totals[0]} totals of ${changes} changes    batch answer ${totals[1]} totals\n`);
  out(
    proof.equal ? "\nThe sinks equal the batch answer: no row is missing and none is there twice.\n" : `\nNOT EQUAL: ${proof.difference}\n`,
  );
  return proof.equal;
}

/** Stops everything in order; what one part does not manage keeps no other from it. */
async function tidy(cluster: DemoCluster, view: NomadView | undefined, nomad: DemoNomad | undefined): Promise<void> {
  await view?.restore().catch(() => undefined);
  await cluster.stop().catch(() => undefined);
  await view?.removeLeftovers().catch(() => undefined);
  view?.close();
  await nomad?.stop().catch(() => undefined);
}

/** The pipeline's job as the API tells of it. */
class DemoJob {
  readonly #api: ApiAccess;
  readonly #pipeline: PipelineAnswer;
  readonly #signal: AbortSignal;

  constructor(api: ApiAccess, pipeline: PipelineAnswer, signal: AbortSignal) {
    this.#api = api;
    this.#pipeline = pipeline;
    this.#signal = signal;
  }

  async look(): Promise<JobAnswer & { readonly run_id: number }> {
    const { data } = await callApi<{ data: (JobAnswer & { run_id: number })[] }>(this.#api, "GET", `/pipelines/${this.#pipeline.id}/jobs`);
    const [job] = data;
    if (job === undefined) throw new Error("the pipeline has no job");
    if (job.state === "Failed") throw new Error(`the pipeline failed: ${JSON.stringify(job.failure_reason)}`);
    return job;
  }

  /** Waits for a state. Throws after `limitMs`. */
  async until(what: string, isSo: (job: JobAnswer & { readonly run_id: number }) => boolean, limitMs: number): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    while (!this.#signal.aborted) {
      const job = await this.look();
      if (isSo(job)) return;
      if (performance.now() > deadlineMs) throw new Error(`the pipeline is ${job.state}, not ${what}, after ${limitMs / 1000} s`);
      await pause(POLL_MS);
    }
    throw new Error("stopped");
  }
}
