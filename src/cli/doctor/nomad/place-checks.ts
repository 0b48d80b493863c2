/** Checks of where workers would run: namespace, node pool, nodes with the driver, what their agents allow, and whether one worker fits now. */
import type { Config } from "../../../core/config.ts";
import type { NomadJobSettings } from "../../../scheduler/nomad/settings.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "../check.ts";
import { ask, parseAnswer, saidBy } from "./ask.ts";
import type { NodeStub, NomadCluster } from "./cluster.ts";
import { planOneWorker } from "./worker-plan.ts";

const LIMIT_MS = 4_000;
const SILENT = "Look at the servers' load: they did not answer in time.";
/** Nodes whose agents are asked for their settings; the others are taken to be like them. */
const NODES_ASKED = 5;
/** Nomad's own: https://developer.hashicorp.com/nomad/docs/configuration/client#max_kill_timeout */
const DEFAULT_KILL_CAP = "30s";
/** Go's units in ms. */
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Checks of the place. */
export function placeChecks(cluster: NomadCluster, settings: NomadJobSettings, config: Config): readonly Check[] {
  const after = { limitMs: LIMIT_MS, ifSilent: SILENT };
  return [
    {
      ...after,
      id: "nomad-namespace",
      title: "namespace",
      needs: ["nomad-token"],
      run: (signal) => checkNamespace(cluster, signal),
    },
    { ...after, id: "nomad-node-pool", title: "node pool", needs: ["nomad-token"], run: (signal) => checkPool(cluster, settings, signal) },
    { ...after, id: "nomad-nodes", title: "nodes", needs: ["nomad-acl-node-read"], run: (signal) => checkNodes(cluster, settings, signal) },
    {
      ...after,
      id: "nomad-kill-timeout",
      title: "kill timeout",
      needs: ["nomad-nodes"],
      run: (signal) => checkKillTimeout(cluster, settings, signal),
    },
    {
      ...after,
      id: "nomad-oversubscription",
      title: "memory oversubscription",
      needs: ["nomad-token"],
      run: (signal) => checkOversubscription(cluster, settings, signal),
    },
    {
      ...after,
      id: "nomad-capacity",
      title: "room for a worker",
      needs: ["nomad-registration", "nomad-acl-plan-job", "nomad-node-pool", "nomad-nodes"],
      run: (signal) => planOneWorker(cluster, config, signal),
    },
  ];
}

async function checkNamespace(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const { namespace } = cluster;
  const answer = await cluster.ask({ path: `/v1/namespace/${encodeURIComponent(namespace)}`, signal });
  if (answer.status === 200) return ok(`"${namespace}" exists`);
  if (answer.status === 404) {
    const fix = `Create it (nomad namespace apply ${namespace}), or correct nomad.namespace (NOMAD_NAMESPACE).`;
    return fail(`namespace "${namespace}" does not exist`, fix);
  }
  if (answer.status === 403) {
    const fix = `Give the token a policy for it, or correct nomad.namespace (NOMAD_NAMESPACE).`;
    return fail(`the token has no rights in namespace "${namespace}", or it does not exist`, fix);
  }
  return fail(`namespace "${namespace}": ${saidBy(answer)}`, SILENT);
}

async function checkPool(cluster: NomadCluster, { nodePool }: NomadJobSettings, signal: AbortSignal): Promise<Finding> {
  const answer = await cluster.ask({ path: `/v1/node/pool/${encodeURIComponent(nodePool)}`, signal });
  if (answer.status === 200) return ok(`"${nodePool}" exists`);
  // Placing workers there needs no right to read it: the plan will tell.
  if (answer.status === 403) return ok(`"${nodePool}", which the token may not read`);
  if (answer.status !== 404) return fail(`node pool "${nodePool}": ${saidBy(answer)}`, SILENT);
  return fail(
    `node pool "${nodePool}" does not exist`,
    `Create it (nomad node pool apply), start clients in it, or correct nomad.node-pool.`,
  );
}

/** Nodes of the pool and the data centres that workers may use. */
function suitable(nodes: readonly NodeStub[], { nodePool, datacenters }: NomadJobSettings): readonly NodeStub[] {
  return nodes.filter((node) => {
    const inPool = nodePool === "all" || (node.NodePool ?? "default") === nodePool;
    return inPool && datacenters.some((pattern) => globMatches(pattern, node.Datacenter));
  });
}

function globMatches(pattern: string, text: string): boolean {
  const source = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${source.join(".*")}$`).test(text);
}

async function checkNodes(cluster: NomadCluster, settings: NomadJobSettings, signal: AbortSignal): Promise<Finding> {
  const { driver, nodePool, datacenters } = settings;
  const all = await cluster.nodes(signal);
  if (all.length === 0) return fail("the cluster has no nodes", "Start Nomad clients.");
  const here = suitable(all, settings);
  const place = `in node pool "${nodePool}" and data centres ${datacenters.map((name) => `"${name}"`).join(", ")}`;
  if (here.length === 0)
    return fail(`none of ${all.length} nodes is ${place}`, "Correct nomad.node-pool or nomad.datacenters, or start clients there.");
  const up = here.filter(({ Status }) => Status === "ready");
  if (up.length === 0) return fail(`all ${here.length} nodes ${place} are down`, "Start their agents; look at nomad node status.");
  const open = up.filter((node) => node.SchedulingEligibility !== "ineligible" && node.Drain !== true);
  if (open.length === 0)
    return fail(
      `all ${up.length} nodes ${place} are draining or ineligible`,
      "Make some eligible again: nomad node eligibility -enable NODE.",
    );
  const able = open.filter((node) => node.Drivers?.[driver]?.Healthy === true);
  if (able.length === 0) return driverFault(open, driver);
  const rest = here.length - able.length;
  return ok(`${able.length} eligible with driver ${driver}${rest === 0 ? "" : `, ${rest} others`}`);
}

function driverFault(nodes: readonly NodeStub[], driver: string): Finding {
  const broken = nodes.find((node) => node.Drivers?.[driver]?.Detected === true)?.Drivers?.[driver];
  const others = [
    ...new Set(nodes.flatMap((node) => Object.entries(node.Drivers ?? {}).flatMap(([name, d]) => (d.Healthy === true ? [name] : [])))),
  ];
  const usable = others.filter((name) => ["docker", "exec", "raw_exec"].includes(name));
  const choice = usable.length === 0 ? "" : `, or set nomad.driver to ${usable.map((name) => `"${name}"`).join(" or ")}`;
  if (broken !== undefined)
    return fail(
      `driver ${driver} is not healthy on any of ${nodes.length} nodes: ${broken.HealthDescription ?? ""}`,
      `Mend it on the clients${choice}.`,
    );
  const enable =
    driver === "raw_exec"
      ? 'Enable it on the clients (plugin "raw_exec" { config { enabled = true } })'
      : `Install ${driver} on the clients`;
  return fail(`none of ${nodes.length} eligible nodes has the driver ${driver}`, `${enable}${choice}.`);
}

interface AgentSelf {
  readonly config?: { readonly Client?: { readonly MaxKillTimeout?: string } };
}

/** Nodes say their cap only themselves, each on its own address. */
async function checkKillTimeout(cluster: NomadCluster, settings: NomadJobSettings, signal: AbortSignal): Promise<Finding> {
  const nodes = suitable(await cluster.nodes(signal), settings).slice(0, NODES_ASKED);
  const caps = await Promise.all(nodes.map((node) => killCapMs(cluster, node, signal).catch(() => undefined)));
  const wanted = settings.killTimeoutMs;
  const known = caps.filter((cap): cap is number => cap !== undefined);
  if (known.length === 0)
    return skip('the nodes\' max_kill_timeout cannot be read: that needs agent { policy = "read" } and a way to the nodes');
  const least = Math.min(...known);
  if (least >= wanted) return ok(`nodes allow ${least / 1000} s, ${wanted / 1000} s are wanted`);
  return warn(
    `nodes kill a worker after ${least / 1000} s, nomad.kill-timeout is ${wanted / 1000} s: a last checkpoint may be cut off`,
    `Set max_kill_timeout = "${wanted / 1000}s" in the client block of the agents, or lower nomad.kill-timeout.`,
  );
}

async function killCapMs(cluster: NomadCluster, node: NodeStub, signal: AbortSignal): Promise<number | undefined> {
  const detail = await cluster.ask({ path: `/v1/node/${node.ID}`, signal });
  const { HTTPAddr, TLSEnabled } = parseAnswer<{ HTTPAddr?: string; TLSEnabled?: boolean }>(detail, "a node");
  if (HTTPAddr === undefined || HTTPAddr === "") return undefined;
  const agent = { ...cluster.agent, address: `${TLSEnabled === true ? "https" : "http"}://${HTTPAddr}` };
  const self = parseAnswer<AgentSelf>(await ask(agent, { path: "/v1/agent/self", signal }), "its settings");
  const cap = self.config?.Client?.MaxKillTimeout;
  return goDurationMs(cap === undefined || cap === "" ? DEFAULT_KILL_CAP : cap);
}

/** Go's `1h30m`, `30s` in ms. */
function goDurationMs(text: string): number | undefined {
  const parts = [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)];
  return parts.length === 0 ? undefined : parts.reduce((sum, [, number = "0", unit = "s"]) => sum + Number(number) * (UNITS[unit] ?? 0), 0);
}

async function checkOversubscription(cluster: NomadCluster, settings: NomadJobSettings, signal: AbortSignal): Promise<Finding> {
  if (settings.memoryMaxPerSlot === 0) return skip("nomad.memory-max-per-slot is not set");
  const answer = await cluster.ask({ path: "/v1/operator/scheduler/configuration", signal });
  if (answer.status === 403) return skip('the token may not read it: that needs operator { policy = "read" }');
  const { SchedulerConfig } = parseAnswer<{ SchedulerConfig?: { MemoryOversubscriptionEnabled?: boolean } }>(
    answer,
    "the scheduler's settings",
  );
  if (SchedulerConfig?.MemoryOversubscriptionEnabled === true) return ok("enabled");
  return fail(
    "nomad.memory-max-per-slot is set, and Nomad does not allow more memory than is reserved",
    "Enable it (nomad operator scheduler set-config -memory-oversubscription=true), or unset nomad.memory-max-per-slot.",
  );
}
