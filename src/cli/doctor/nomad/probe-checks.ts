/** Checks made of the probe allocation: what a node reaches, and the two rights that only an allocation can show. */
import type { Clock } from "../../../core/clock.ts";
import type { Config } from "../../../core/config.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "../check.ts";
import { reachChecks, type Target } from "../reach.ts";
import type { NomadCluster } from "./cluster.ts";
import { controllerTargets, type ProbeOutcome, runProbe } from "./probe.ts";
import { oneWorkerJob } from "./worker-plan.ts";

/** The examination keeps what is left of ten seconds for the removal. */
const LIMIT_MS = 8_000;
const PROBE_MS = 7_000;
const SILENT = "Look at the node's agent: it did not place and run a small job in time.";

/** Checks from a node; with `enabled` false they are skipped. */
export function probeChecks(cluster: NomadCluster, config: Config, clock: Clock, enabled: boolean): readonly Check[] {
  let outcome: Promise<ProbeOutcome> | undefined;
  const probe = (signal: AbortSignal): Promise<ProbeOutcome> => {
    outcome ??= startProbe(cluster, config, clock, signal);
    return outcome;
  };
  const after = { limitMs: LIMIT_MS, ifSilent: SILENT, needs: ["nomad-registration", "nomad-nodes", "nomad-node-pool"] };
  const check = (id: string, title: string, judge: (outcome: ProbeOutcome) => Finding): Check => ({
    ...after,
    id,
    title,
    run: async (signal) => (enabled ? judge(await probe(signal)) : skip("no probe was wanted")),
  });
  return [
    check("nomad-probe", "from a node", probeFinding),
    check("nomad-acl-read-logs", "may read-logs", (found) => logsFinding(found, cluster.namespace)),
    check("nomad-acl-alloc-lifecycle", "may alloc-lifecycle", (found) => lifecycleFinding(found, cluster.namespace)),
  ];
}

async function startProbe(cluster: NomadCluster, config: Config, clock: Clock, signal: AbortSignal): Promise<ProbeOutcome> {
  const controllers = await controllerTargets(cluster, config["controller-endpoint"], signal);
  const listening = await Promise.all(
    reachChecks(controllers).map(async (check, i) => ((await check.run(signal)).verdict === "ok" ? controllers[i] : undefined)),
  );
  const targets = [...databaseTargets(config), ...listening.filter((target): target is Target => target !== undefined)];
  const worker = oneWorkerJob(config);
  return runProbe({ cluster, worker, targets, checkpointUrl: config["checkpoint-url"], clock, limitMs: PROBE_MS }, signal);
}

function databaseTargets(config: Config): readonly Target[] {
  const [host, port] = [config["database.postgres.host"], config["database.postgres.port"]];
  return config["database.type"] === "embedded" || host.startsWith("/") ? [] : [{ name: "database", host, port }];
}

function probeFinding(outcome: ProbeOutcome): Finding {
  if (outcome.kind === "refused")
    return fail(`Nomad refuses the probe job: ${outcome.says}`, "See the findings on job registration and room.");
  if (outcome.kind === "not-placed")
    return fail("the probe job was not placed in time", 'See the finding on "room for a worker"; look at nomad job status.');
  const { node } = outcome;
  if (outcome.kind === "failed")
    return fail(
      `a worker's program does not run on node "${node}": ${outcome.says}`,
      "Correct nomad.artifact, nomad.image or nomad.command, or install what is missing on the node.",
    );
  if (outcome.report === undefined) return skip(`the probe ran on node "${node}", and its words may not be read`);
  const bad = outcome.report.checks.filter(({ verdict }) => verdict === "fail");
  const [first] = bad.filter(({ id }) => id !== "reach-database");
  if (first !== undefined) return fail(`from node "${node}": ${first.title}: ${first.says}`, first.fix ?? SILENT);
  if (bad[0] !== undefined)
    return warn(
      `from node "${node}": the database: ${bad[0].says}`,
      "Workers do not need it; open the way if API and controllers shall run in Nomad too.",
    );
  const good = outcome.report.checks.filter(({ verdict }) => verdict !== "skip").map(({ title }) => title);
  return ok(`node "${node}" runs a worker's program and reaches: ${good.join(", ")}`);
}

function rightsOf(outcome: ProbeOutcome) {
  return "rights" in outcome ? outcome.rights : { logs: undefined, lifecycle: undefined };
}

function logsFinding(outcome: ProbeOutcome, namespace: string): Finding {
  const { logs } = rightsOf(outcome);
  if (logs === undefined) return skip("there was no allocation to try it on");
  if (logs) return ok("yes");
  const fix = `Add it to the token's policy: namespace "${namespace}" { capabilities = ["read-logs"] }.`;
  return fail(`the token lacks "read-logs" in namespace "${namespace}", which Wadi needs for the last words of failed workers`, fix);
}

function lifecycleFinding(outcome: ProbeOutcome, namespace: string): Finding {
  const { lifecycle } = rightsOf(outcome);
  if (lifecycle === undefined) return skip("there was no allocation to try it on");
  if (lifecycle) return ok("yes");
  const fix = `Add it to the token's policy: namespace "${namespace}" { capabilities = ["alloc-lifecycle"] }.`;
  return warn(`the token lacks "alloc-lifecycle" in namespace "${namespace}": single allocations cannot be signalled or restarted`, fix);
}
