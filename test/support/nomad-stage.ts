/**
 * The Nomad scheduler on a Nomad, the fake or a real one, with workers that do nothing: for its conformance suite and its own tests. The node's
 * processor is cut into as many slots as the suite needs; jobs and variables of earlier tests are purged.
 */
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { readAllocation, readJob } from "../../src/scheduler/nomad/answers.ts";
import { NomadClient } from "../../src/scheduler/nomad/client.ts";
import { NomadScheduler, type NomadSchedulerOptions } from "../../src/scheduler/nomad/scheduler.ts";
import type { NomadConnection, NomadJobSettings } from "../../src/scheduler/nomad/settings.ts";
import { JOB_PREFIX } from "../../src/scheduler/nomad/spec.ts";
import { phaseOf } from "../../src/scheduler/nomad/worker-view.ts";
import type { WorkerView } from "../../src/scheduler/scheduler.ts";
import { eventually } from "./eventually.ts";
import type { SchedulerStage } from "./scheduler-conformance.ts";

const IDLE_WORKER = fileURLToPath(new URL("./idle-worker.mjs", import.meta.url));
const SETTLE_MS = 30_000;

/** A connection to `address`. */
export function connectionTo(address: string, change: Partial<NomadConnection> = {}): NomadConnection {
  const tls = { ca: undefined, cert: undefined, key: undefined, serverName: undefined, skipVerify: false };
  return {
    addresses: [address],
    unixAddress: undefined,
    token: undefined,
    tokenFile: undefined,
    region: undefined,
    namespace: "default",
    tls,
    ...change,
  };
}

/** A connection to the real Nomad at `address`, with what Nomad's own environment variables say of tokens and TLS. */
export function connectionByEnvironment(address: string): NomadConnection {
  const { NOMAD_TOKEN: token, NOMAD_CACERT: ca, NOMAD_CLIENT_CERT: cert, NOMAD_CLIENT_KEY: key } = process.env;
  const { NOMAD_TLS_SERVER_NAME: serverName, NOMAD_SKIP_VERIFY: skip = "" } = process.env;
  return connectionTo(address, { token, tls: { ca, cert, key, serverName, skipVerify: skip !== "" } });
}

/** Settings of jobs whose workers are idle processes. */
export function idleJobSettings(change: Partial<NomadJobSettings> = {}): NomadJobSettings {
  return {
    clusterId: "test",
    namespace: "default",
    region: undefined,
    datacenters: ["*"],
    nodePool: "default",
    priority: 50,
    driver: "raw_exec",
    image: undefined,
    artifact: undefined,
    artifactChecksum: undefined,
    command: [process.execPath, IDLE_WORKER],
    user: undefined,
    slotsPerWorker: 1_024,
    mhzPerSlot: 100,
    coresPerSlot: 0,
    memoryPerSlot: 64 * 2 ** 20,
    memoryMaxPerSlot: 0,
    disk: 256 * 2 ** 20,
    constraints: [],
    affinities: [],
    spread: [],
    distinctHosts: false,
    networkMode: "host",
    killTimeoutMs: 5_000,
    environment: {},
    consoleAddress: undefined,
    access: { awsRoleArn: undefined, secrets: [], hostVolumes: [] },
    ...change,
  };
}

/** See the file's comment. */
export class NomadStage implements SchedulerStage {
  readonly capacity = 12;
  readonly connection: NomadConnection;
  readonly client: NomadClient;
  readonly #change: Partial<NomadSchedulerOptions>;
  readonly #jobs: Partial<NomadJobSettings>;
  readonly #schedulers: NomadScheduler[] = [];
  #mhzPerSlot = 0;

  /** On the Nomad at `address`. */
  constructor(address: string, change: Partial<NomadSchedulerOptions> = {}, jobs: Partial<NomadJobSettings> = {}) {
    this.connection = change.connection ?? connectionTo(address);
    this.client = new NomadClient(this.connection, systemClock);
    this.#change = change;
    this.#jobs = jobs;
  }

  async open(): Promise<NomadScheduler> {
    if (this.#mhzPerSlot === 0 && this.#jobs.mhzPerSlot === undefined) {
      await this.purge();
      this.#mhzPerSlot = await this.#measure();
    }
    const scheduler = new NomadScheduler(this.options());
    this.#schedulers.push(scheduler);
    return scheduler;
  }

  /** Of the schedulers it opens. */
  options(): NomadSchedulerOptions {
    return {
      connection: this.connection,
      jobs: idleJobSettings({ mhzPerSlot: this.#mhzPerSlot, ...this.#jobs }),
      template: undefined,
      uiAddress: undefined,
      preflight: true,
      resyncMs: 30_000,
      runsToKeep: 3,
      controllers: [],
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      ...this.#change,
    };
  }

  /** MHz of a slot, so that the node has `capacity` of them. */
  async #measure(): Promise<number> {
    const { body } = await this.client.call({ path: "/v1/nodes", query: { resources: true } });
    const nodes = body as readonly { readonly NodeResources: { readonly Cpu: { readonly CpuShares: number } } }[];
    const total = nodes.reduce((sum, { NodeResources }) => sum + NodeResources.Cpu.CpuShares, 0);
    return Math.floor(total / this.capacity);
  }

  async settle(): Promise<void> {
    await eventually("Nomad settles", async () => (await this.#isSettled()) || undefined, SETTLE_MS);
  }

  async #isSettled(): Promise<boolean> {
    const [jobs, allocations, evaluations] = await Promise.all([
      this.client.list({ path: "/v1/jobs", query: { prefix: JOB_PREFIX, meta: true } }),
      this.client.list({ path: "/v1/allocations" }),
      this.client.list({ path: "/v1/evaluations" }),
    ]);
    if (evaluations.rows.some((row) => (row as { readonly Status: string }).Status === "pending")) return false;
    const rows = allocations.rows.map(readAllocation).filter(({ JobID }) => JobID.startsWith(JOB_PREFIX));
    const phases = new Map(rows.map((row) => [row.ID, phaseOf(row)]));
    if ([...phases.values()].some((phase) => phase === "starting" || phase === "stopping")) return false;
    const scheduler = this.#schedulers.at(-1);
    const ids = new Set(jobs.rows.map(readJob).map(({ Meta }) => Meta["job_id"]));
    for (const id of ids) {
      const views = await scheduler?.listWorkers(id as never).catch(() => []);
      if (views?.some(({ handle, phase }) => phase !== (phases.get(handle) ?? "placing")) === true) return false;
    }
    return true;
  }

  async crash(worker: WorkerView): Promise<void> {
    const body = { Task: "worker", Signal: "SIGKILL" };
    await this.client.call({ method: "PUT", path: `/v1/client/allocation/${worker.handle}/signal`, body });
    await eventually("the worker has ended", async () => {
      const { body: row } = await this.client.call({ path: `/v1/allocation/${worker.handle}` });
      return phaseOf(readAllocation(row)) === "exited" || undefined;
    });
  }

  /** Removes all worker jobs and our variables. */
  async purge(): Promise<void> {
    const ids = async () =>
      (await this.client.list({ path: "/v1/jobs", query: { prefix: JOB_PREFIX } })).rows.map((row) => readJob(row).ID);
    const known = await ids();
    for (const id of known) await this.client.call({ method: "DELETE", path: `/v1/job/${id}`, query: { purge: true } });
    const variables = (await this.client.list({ path: "/v1/vars" })).rows.map((row) => (row as { readonly Path: string }).Path);
    for (const path of variables) {
      if (/^(?:wadi\/test|nomad\/jobs\/w-)/.test(path)) await this.client.call({ method: "DELETE", path: `/v1/var/${path}` });
    }
    await eventually(
      "all allocations have ended",
      async () => {
        const rows = (await this.client.list({ path: "/v1/allocations" })).rows.map(readAllocation);
        return rows.every((row) => !row.JobID.startsWith(JOB_PREFIX) || phaseOf(row) === "exited") || undefined;
      },
      SETTLE_MS,
    );
  }

  async close(): Promise<void> {
    for (const scheduler of this.#schedulers) await scheduler.shutdown();
    await this.purge();
    this.client.close();
  }
}
