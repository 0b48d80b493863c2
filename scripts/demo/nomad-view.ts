/** What the demo does with Nomad itself: its plan, the job's story as it happens, draining a node and giving it back, removing what is left. */

import { oneWorkerJob } from "../../src/cli/doctor/nomad/worker-plan.ts";
import { listRuns } from "../../src/cli/nomad/find-run.ts";
import { storyOf } from "../../src/cli/nomad/run-story.ts";
import { renderLine } from "../../src/cli/nomad/watch.ts";
import { systemClock } from "../../src/core/clock.ts";
import { type Config, loadConfig } from "../../src/core/config.ts";
import {
  type NomadAllocation,
  type NomadNode,
  readAllocation,
  readEvaluation,
  readNode,
  readPlan,
} from "../../src/scheduler/nomad/answers.ts";
import { NomadClient } from "../../src/scheduler/nomad/client.ts";
import { placementCauses } from "../../src/scheduler/nomad/reasons.ts";
import { nomadConnection } from "../../src/scheduler/nomad/settings.ts";
import { pause } from "./cluster.ts";

const POLL_MS = 400;
const DRAIN_DEADLINE_NS = 60_000_000_000;

/** A node to drain. */
export interface DrainableNode {
  readonly id: string;
  readonly name: string;
  /** Of the demo's pipeline there. */
  readonly workers: number;
  /** There is no other that could take them. */
  readonly alone: boolean;
}

/** See the file's comment. */
export class NomadView {
  readonly #client: NomadClient;
  readonly #config: Config;
  readonly #out: (text: string) => void;
  readonly #told = new Set<string>();
  readonly #following = new AbortController();
  #drained: string | undefined;

  constructor(env: NodeJS.ProcessEnv, out: (text: string) => void) {
    this.#config = loadConfig({ files: [], env: { ...process.env, ...env } }).config;
    this.#client = new NomadClient(nomadConnection(this.#config), systemClock);
    this.#out = out;
  }

  /** Throws in words if the demo cannot run there: its workers are processes of this checkout. */
  async check(own: boolean): Promise<void> {
    const nodes = await this.#nodes();
    const able = nodes.filter(({ Drivers, Status }) => Status === "ready" && Drivers["raw_exec"]?.Healthy === true);
    this.#out(
      `            version ${[...new Set(nodes.map(({ Version }) => Version))].join(", ")}; nodes ${nodes.map(({ Name }) => Name).join(", ")}\n\n`,
    );
    if (able.length === 0)
      throw new Error("no node of this Nomad has the driver raw_exec, with which the demo starts its workers (try nomad agent -dev)");
    const local = /\/\/(localhost|127\.|\[::1\])/.test(this.#config["nomad.address"]);
    if (!own && !local)
      throw new Error(
        "this Nomad is on another machine: the demo's workers are processes of this checkout. For a real cluster see wadi doctor and the README's section Nomad.",
      );
  }

  /** Prints Nomad's answer to the job that would be submitted. */
  async plan(workers: number): Promise<void> {
    const job = oneWorkerJob(this.#config);
    const [group] = job.TaskGroups;
    const Job = { ...job, TaskGroups: [{ ...group, Count: workers }] };
    const { body } = await this.#client.call({ method: "POST", path: `/v1/job/${job.ID}/plan`, body: { Job, Diff: false } });
    const { FailedTGAllocs } = readPlan(body);
    const { DesiredTGUpdates = {} } =
      (body as { Annotations?: { DesiredTGUpdates?: Record<string, { Place?: number }> } | null }).Annotations ?? {};
    const resources = group?.Tasks[0]?.Resources;
    this.#out(
      `\nNomad's plan for ${workers} workers (batch job, driver ${this.#config["nomad.driver"]}, ${resources?.CPU} MHz and ${resources?.MemoryMB} MB each):\n`,
    );
    for (const [name, update] of Object.entries(DesiredTGUpdates)) this.#out(`  + task group "${name}" (${update.Place ?? 0} create)\n`);
    const failed = Object.values(FailedTGAllocs).flatMap(placementCauses);
    this.#out(failed.length === 0 ? "  all tasks would be placed\n" : `  NOT all would be placed: ${failed.join("; ")}\n`);
  }

  /** Prints what Nomad does with the demo's runs until `unfollow`. */
  async follow(signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.#following.signal]);
    while (!over.aborted) {
      await this.#tellNews(over).catch(() => undefined);
      await systemClock.sleep(POLL_MS, over);
    }
  }

  unfollow(): void {
    this.#following.abort();
  }

  async #tellNews(signal: AbortSignal): Promise<void> {
    for (const run of await listRuns(this.#client, this.#config["nomad.cluster-id"], signal)) {
      const path = `/v1/job/${encodeURIComponent(run.id)}`;
      const [evaluations, allocations] = await Promise.all([
        this.#client.list({ path: `${path}/evaluations`, signal }),
        this.#client.list({ path: `${path}/allocations`, signal }),
      ]);
      const facts = { run, evaluations: evaluations.rows.map(readEvaluation), allocations: allocations.rows.map(readAllocation) };
      for (const line of storyOf(facts)) {
        const key = `${run.id}/${line.key}`;
        if (this.#told.has(key)) continue;
        this.#told.add(key);
        this.#out(`  ${renderLine(line)}`);
      }
    }
  }

  async #nodes(): Promise<readonly NomadNode[]> {
    return (await this.#client.list({ path: "/v1/nodes" })).rows.map(readNode);
  }

  /** Allocations that run or are about to. */
  async #allocations(): Promise<readonly NomadAllocation[]> {
    const { rows } = await this.#client.list({ path: "/v1/allocations", query: { namespace: "*" } });
    return rows.map(readAllocation).filter(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "pending");
  }

  async #ours(): Promise<ReadonlySet<string>> {
    const runs = await listRuns(this.#client, this.#config["nomad.cluster-id"], AbortSignal.timeout(10_000));
    return new Set(runs.map(({ id }) => id));
  }

  /** The node with most of our workers on which nobody else has work, unless it is `insisted` on. */
  async nodeToDrain(insisted: string | undefined): Promise<DrainableNode | undefined> {
    const [nodes, allocations, ours] = await Promise.all([this.#nodes(), this.#allocations(), this.#ours()]);
    const open = nodes.filter(({ Status, SchedulingEligibility }) => Status === "ready" && SchedulingEligibility === "eligible");
    const candidates = open.map(({ ID, Name }) => {
      const here = allocations.filter(({ NodeID }) => NodeID === ID);
      const workers = here.filter(({ JobID }) => ours.has(JobID)).length;
      return { id: ID, name: Name, workers, strangers: here.length - workers, alone: open.length === 1 };
    });
    const named = candidates.filter(({ id, name }) => id === insisted || name === insisted);
    const free = insisted === undefined ? candidates.filter(({ strangers, workers }) => strangers === 0 && workers > 0) : named;
    return free.toSorted((a, b) => b.workers - a.workers)[0];
  }

  /** As `nomad node drain -enable`. */
  async drain(id: string): Promise<void> {
    this.#drained = id;
    const DrainSpec = { Deadline: DRAIN_DEADLINE_NS, IgnoreSystemJobs: true };
    await this.#client.call({ method: "PUT", path: `/v1/node/${id}/drain`, body: { NodeID: id, DrainSpec, MarkEligible: false } });
  }

  /** Gives the drained node back; does nothing if there is none. */
  async restore(): Promise<void> {
    const id = this.#drained;
    if (id === undefined) return;
    this.#drained = undefined;
    await this.#client.call({ method: "PUT", path: `/v1/node/${id}/drain`, body: { NodeID: id, DrainSpec: null, MarkEligible: true } });
  }

  /** Waits until none of our workers is on the node. */
  async untilFree(id: string, limitMs: number): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const [allocations, ours] = await Promise.all([this.#allocations(), this.#ours()]);
      if (!allocations.some(({ NodeID, JobID }) => NodeID === id && ours.has(JobID))) return;
      if (performance.now() > deadlineMs) throw new Error("workers are still on the drained node");
      await pause(POLL_MS);
    }
  }

  /** Removes jobs and variables of the demo's cluster that are left. */
  async removeLeftovers(): Promise<void> {
    const id = this.#config["nomad.cluster-id"];
    for (const run of await listRuns(this.#client, id, AbortSignal.timeout(5_000))) {
      await this.#client.call({ method: "DELETE", path: `/v1/job/${encodeURIComponent(run.id)}`, query: { purge: true }, accept: [404] });
    }
    const { rows } = await this.#client.list({ path: "/v1/vars", query: { prefix: "" } });
    const paths = rows.map((row) => (row as { Path: string }).Path).filter((path) => path.includes(id));
    for (const path of paths) await this.#client.call({ method: "DELETE", path: `/v1/var/${encodeURIComponent(path)}`, accept: [404] });
  }

  close(): void {
    this.#client.close();
  }
}
