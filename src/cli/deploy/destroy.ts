/**
 * Takes an installation down: its jobs in the reverse order of their submission. Runs of pipelines keep it from being taken down unless one says
 * so. Data and secrets stay unless they are to go, too.
 */
import { userError } from "../../core/errors.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { type JobHealth, jobHealth } from "./job-health.ts";
import { removePolicy } from "./policies.ts";
import { removeSecrets, removeVariable } from "./secrets.ts";
import { jobIdOf, SERVICES } from "./services.ts";

/** What is there to be taken down. */
export interface Standing {
  /** Jobs of the installation, in the reverse order of their submission. */
  readonly services: readonly { readonly name: string; readonly health: JobHealth }[];
  /** Jobs of runs that are not over. */
  readonly runs: readonly string[];
}

/** How to do it. */
export interface DestroyOptions {
  readonly namespace: string;
  /** Whether jobs are forgotten, and variables and policies removed. */
  readonly purge: boolean;
  /** Whether runs of pipelines are ended. */
  readonly pipelines: boolean;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

const POLL_MS = 300;
/** Tasks have up to a minute to end, and Nomad some time to tell. */
const LIMIT_MS = 120_000;

interface JobRow {
  readonly ID?: string;
  readonly Status?: string;
  readonly Stop?: boolean;
  readonly Meta?: Readonly<Record<string, string>> | null;
}

/** Looks at what is there. `purge`: also jobs that were stopped before. */
export async function standing(client: NomadClient, namespace: string, purge: boolean): Promise<Standing> {
  const looks = await Promise.all(
    SERVICES.map(async ({ name }) => ({ name, health: await jobHealth(client, { id: jobIdOf(name), namespace }) })),
  );
  const there = looks.filter(({ health }) => health.state !== "absent" && (purge || health.state !== "stopped"));
  const { rows } = await client.list({ path: "/v1/jobs", query: { namespace, prefix: "w-", meta: true } });
  const runs = (rows as readonly JobRow[]).filter(
    ({ Stop, Status, Meta }) => Stop !== true && Status !== "dead" && Meta?.["managed_by"] === "wadi",
  );
  return { services: there.reverse(), runs: runs.map(({ ID = "" }) => ID) };
}

/** Throws `invalid-usage` if pipelines run and nobody said that they may be ended. */
export function refuseRunning({ runs }: Standing, pipelines: boolean): void {
  if (runs.length === 0 || pipelines) return;
  const shown = runs.slice(0, 5).join(", ");
  throw userError(
    "invalid-usage",
    `${runs.length === 1 ? "a pipeline runs" : `${runs.length} pipelines run`} (${shown}${runs.length > 5 ? ", …" : ""})`,
    {
      hint: "Stop them with a checkpoint (wadi pipelines stop NAME), or end them where they are with --with-pipelines: they go on from their last checkpoint when the installation is back.",
    },
  );
}

/** Takes down what is there; what was ended. The controller goes before the runs, so that it does not start them again. */
export async function takeDown(client: NomadClient, { services, runs }: Standing, options: DestroyOptions): Promise<readonly string[]> {
  const { namespace, purge, pipelines, tell, signal } = options;
  const stages = [...new Set(services.map(({ name }) => stageOf(name)))].sort((a, b) => b - a);
  const ended: string[] = [];
  const end = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) await deregister(client, id, namespace, false);
    await untilEnded(client, ids, options);
    // A purge takes allocations off Nomad's lists at once, while their tasks still end.
    if (purge) for (const id of ids) await deregister(client, id, namespace, true);
    for (const id of ids) tell(`${id}: ${purge ? "removed" : "stopped"}`);
    ended.push(...ids);
  };
  const controllerStage = stageOf("controller");
  const endRuns = async (ids: readonly string[]): Promise<void> => {
    await end(ids);
    // A run's variable holds its credential, which nobody needs once the run is over; the controller that would remove it is gone.
    for (const id of ids) await removeVariable(client, `nomad/jobs/${id}`, namespace);
  };
  let left = pipelines ? runs : [];
  for (const stage of stages) {
    if (signal.aborted) return ended;
    if (stage < controllerStage && left.length > 0) {
      await endRuns(left);
      left = [];
    }
    await end(services.filter(({ name }) => stageOf(name) === stage).map(({ name }) => jobIdOf(name)));
  }
  if (left.length > 0 && !signal.aborted) await endRuns(left);
  return ended;
}

function stageOf(name: string): number {
  return SERVICES.find((service) => service.name === name)?.stage ?? 0;
}

async function deregister(client: NomadClient, id: string, namespace: string, purge: boolean): Promise<void> {
  await client.call({ method: "DELETE", path: `/v1/job/${encodeURIComponent(id)}`, query: { namespace, purge }, accept: [404] });
}

interface AllocationRow {
  readonly JobID?: string;
  readonly ClientStatus?: string;
}

async function untilEnded(client: NomadClient, ids: readonly string[], { namespace, signal }: DestroyOptions): Promise<void> {
  const { clock } = client;
  const untilMs = clock.elapsedMs() + LIMIT_MS;
  while (!signal.aborted && clock.elapsedMs() < untilMs) {
    const { rows } = await client.list({ path: "/v1/allocations", query: { namespace, task_states: false } });
    const alive = (rows as readonly AllocationRow[]).filter(
      ({ JobID = "", ClientStatus }) => ids.includes(JobID) && (ClientStatus === "running" || ClientStatus === "pending"),
    );
    if (alive.length === 0) return;
    await clock.sleep(POLL_MS, signal);
  }
}

/** Removes variables and policies of all jobs; what may not be removed is told. */
export async function forget(client: NomadClient, { namespace, tell }: DestroyOptions): Promise<void> {
  for (const { name } of SERVICES) {
    await removeSecrets(client, name, namespace).catch((error: Error) => tell(`variable of ${jobIdOf(name)}: ${error.message}`));
    const policy = namespace === "default" ? jobIdOf(name) : `${jobIdOf(name)}-${namespace}`;
    // Without ACLs there are none, and with a lesser token they are an operator's.
    await removePolicy(client, policy).catch(() => undefined);
  }
}
