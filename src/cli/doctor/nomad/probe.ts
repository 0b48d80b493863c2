/**
 * The probe allocation: a batch job that runs `wadi doctor --reach …` on a node as a worker would be run there (driver, archive or image, network),
 * and what it says of the store, the database and the controllers. The job is removed in any case. It also shows two rights that only
 * an allocation can: reading logs and acting on it.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../../core/clock.ts";
import { type NomadAllocation, readAllocation } from "../../../scheduler/nomad/answers.ts";
import type { NomadJob, NomadTask } from "../../../scheduler/nomad/job.ts";
import { CONTROLLER_SERVICE } from "../../../scheduler/nomad/spec.ts";
import type { Target } from "../reach.ts";
import type { Report } from "../report.ts";
import { type Answer, parseAnswer } from "./ask.ts";
import type { NomadCluster } from "./cluster.ts";
import { PROBE_ID } from "./probe-job.ts";

/** What the probe came to. */
export type ProbeOutcome =
  | { readonly kind: "refused"; readonly says: string }
  | { readonly kind: "not-placed" }
  /** It was placed and did not end well or in time; `says`: its last events. */
  | { readonly kind: "failed"; readonly node: string; readonly says: string; readonly rights: Rights }
  | { readonly kind: "ran"; readonly node: string; readonly report: Report | undefined; readonly rights: Rights };

/** What was allowed on the allocation; undefined: not tried. */
export interface Rights {
  readonly logs: boolean | undefined;
  readonly lifecycle: boolean | undefined;
}

/** What a probe needs. */
export interface ProbeOptions {
  readonly cluster: NomadCluster;
  /** A worker's job: see `oneWorkerJob`. */
  readonly worker: NomadJob;
  readonly targets: readonly Target[];
  readonly checkpointUrl: string;
  readonly clock: Clock;
  /** Milliseconds it may take in all, removal apart. */
  readonly limitMs: number;
}

const POLL_MS = 200;
const REMOVE_LIMIT_MS = 1_400;
/** The allocation's own limit, seconds: the rest is for placing, fetching and starting it. */
const WITHIN_S = 4;
const TASK = "worker";
const NO_RIGHTS: Rights = { logs: undefined, lifecycle: undefined };

/** Runs the probe and removes it. Never leaves a job behind unless Nomad refuses to remove it. */
export async function runProbe(options: ProbeOptions, signal: AbortSignal): Promise<ProbeOutcome> {
  const { cluster } = options;
  const Job = jobOf(options);
  const over = new AbortController();
  const within = AbortSignal.any([signal, over.signal]);
  const limit = options.clock.sleep(options.limitMs, signal).then(() => over.abort());
  const registered = await cluster.askInNamespace({
    method: "POST",
    path: "/v1/jobs",
    body: { Job, EnforceIndex: true, JobModifyIndex: 0 },
    signal,
  });
  if (registered.status !== 200) return { kind: "refused", says: registered.text.trim() };
  try {
    return await follow(options, Job.ID, within);
  } finally {
    const path = `/v1/job/${Job.ID}?purge=true`;
    await cluster.askInNamespace({ method: "DELETE", path, signal: AbortSignal.timeout(REMOVE_LIMIT_MS) }).catch(() => undefined);
    void limit;
  }
}

/** The worker's job with other words, without what belongs to a run, and small enough to fit anywhere. */
function jobOf({ worker, targets, checkpointUrl }: ProbeOptions): NomadJob {
  const id = `${PROBE_ID}-${randomUUID().slice(0, 8)}`;
  const [group] = worker.TaskGroups;
  const [task] = group?.Tasks ?? [];
  if (group === undefined || task === undefined) return { ...worker, ID: id };
  const words = ["doctor", "--json", "--as-worker", "--within", String(WITHIN_S), ...targets.flatMap(reachWords)];
  const probe: NomadTask = {
    ...task,
    Config: withWords(task.Config, words),
    Env: { ...settingsOf(task.Env), WADI__CHECKPOINT_URL: checkpointUrl },
    Templates: [],
    Actions: [],
    Resources: { CPU: 100, MemoryMB: 256 },
    LogConfig: { MaxFiles: 1, MaxFileSizeMB: 5 },
  };
  const Networks = group.Networks.map(({ Mode }) => ({ Mode, DynamicPorts: [] }));
  return {
    ...worker,
    ID: id,
    Name: id,
    Meta: { managed_by: "wadi-doctor" },
    UI: { Description: "A probe of `wadi doctor`, which removes it.", Links: [] },
    TaskGroups: [{ ...group, Count: 1, Spreads: [], Services: [], Networks, Tasks: [probe] }],
  };
}

/** A worker's settings and the operator's own variables, without what belongs to a run. */
function settingsOf(env: NomadTask["Env"]): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^WADI_(?!_)/.test(name)));
}

function reachWords({ name, host, port }: Target): string[] {
  return ["--reach", `${name}=${host.includes(":") ? `[${host}]` : host}:${port}`];
}

/** The word "worker" of a command line, with which a worker starts, replaced. */
function withWords(config: NomadTask["Config"], words: readonly string[]): NomadTask["Config"] {
  const args = (config["args"] as readonly string[] | undefined) ?? [];
  const at = args.lastIndexOf("worker");
  return { ...config, args: at < 0 ? [...args, ...words] : [...args.slice(0, at), ...words, ...args.slice(at + 1)] };
}

async function follow(options: ProbeOptions, job: string, signal: AbortSignal): Promise<ProbeOutcome> {
  const { cluster, clock } = options;
  let seen: NomadAllocation | undefined;
  while (!signal.aborted) {
    seen = (await allocationOf(cluster, job, signal)) ?? seen;
    if (seen !== undefined && ["complete", "failed", "lost"].includes(seen.ClientStatus)) break;
    await clock.sleep(POLL_MS, signal);
  }
  if (seen === undefined) return { kind: "not-placed" };
  const node = seen.NodeName;
  const events = seen.TaskStates[TASK]?.Events ?? [];
  const says = events.at(-1)?.DisplayMessage ?? seen.ClientDescription;
  if (signal.aborted) return { kind: "failed", node, says: says === "" ? "it waits" : says, rights: NO_RIGHTS };
  const path = `/v1/client/fs/logs/${seen.ID}?task=${TASK}&type=stdout&plain=true&origin=start&offset=0`;
  const limited = AbortSignal.timeout(REMOVE_LIMIT_MS);
  const [logs, lifecycle] = await Promise.all([
    cluster.askInNamespace({ path, signal: limited }).catch(() => undefined),
    // A task that is over takes no signal: what is asked is whether we might.
    cluster
      .askInNamespace({
        method: "PUT",
        path: `/v1/client/allocation/${seen.ID}/signal`,
        body: { Signal: "SIGCONT", Task: TASK },
        signal: limited,
      })
      .catch(() => undefined),
  ]);
  const rights = { logs: allowed(logs), lifecycle: allowed(lifecycle) };
  const report = logs?.status === 200 ? parseReport(logs.text) : undefined;
  const failure = events.findLast(({ Type }) => /failure|failed/i.test(Type))?.DisplayMessage;
  if (report === undefined && rights.logs !== false) return { kind: "failed", node, says: failure ?? says, rights };
  return { kind: "ran", node, report, rights };
}

function allowed(answer: Answer | undefined): boolean | undefined {
  return answer === undefined ? undefined : !(answer.status === 403 || /permission denied/i.test(answer.text));
}

async function allocationOf(cluster: NomadCluster, job: string, signal: AbortSignal): Promise<NomadAllocation | undefined> {
  try {
    const answer = await cluster.askInNamespace({ path: `/v1/job/${job}/allocations`, signal });
    const [first] = parseAnswer<unknown[]>(answer, "the probe's allocations");
    return first === undefined ? undefined : readAllocation(first);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function parseReport(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return undefined;
  }
}

/** Where controllers are, as far as they listen: those of the service, else those of the setting. */
export async function controllerTargets(cluster: NomadCluster, endpoint: string, signal: AbortSignal): Promise<readonly Target[]> {
  const answer = await cluster.askInNamespace({ path: `/v1/service/${CONTROLLER_SERVICE}`, signal });
  const rows = answer.status === 200 ? (parseAnswer<{ Address: string; Port: number }[] | null>(answer, "the service") ?? []) : [];
  const registered = rows.map(({ Address, Port }) => ({ host: Address, port: Port }));
  const configured = endpoint.split(",").flatMap((text) => {
    const [, host, port] = /^(?:\w+:\/\/)?(.+):(\d+)\/?$/.exec(text.trim()) ?? [];
    return host === undefined ? [] : [{ host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) }];
  });
  const all = registered.length > 0 ? registered : configured;
  return all.map(({ host, port }, i) => ({ name: all.length === 1 ? "controller" : `controller-${i + 1}`, host, port }));
}
