/** How a job is doing: what Nomad says of its deployment, its allocations and their tasks, as one state and a few words. */
import { z } from "zod";
import { type NomadAllocation, type NomadTaskEvent, readAllocation, readEvaluation, readJob } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { placementCauses } from "../../scheduler/nomad/reasons.ts";

/** A job as it is now. */
export interface JobHealth {
  readonly id: string;
  /** `absent`: Nomad has no such job; `stopped`: it was told to end. */
  readonly state: "healthy" | "progressing" | "failed" | "stopped" | "absent";
  /** What is to be said besides the state; may be empty. */
  readonly note: string;
  readonly healthy: number;
  readonly wanted: number;
  /** Nomad's number of the job's text, from 0. */
  readonly version: number;
  readonly type: string;
  /** How often the tasks of the newest allocation have ended and been started again. */
  readonly restarts: number;
  /** Allocations of this version that are meant to run, newest first. */
  readonly allocations: readonly NomadAllocation[];
}

const deploymentSchema = z.object({
  JobVersion: z.number(),
  Status: z.string(),
  StatusDescription: z.string().nullish(),
  TaskGroups: z.record(z.string(), z.object({ DesiredTotal: z.number().nullish(), HealthyAllocs: z.number().nullish() })).nullish(),
});
type Deployment = z.infer<typeof deploymentSchema>;

const ENDED = new Set(["complete", "failed", "lost"]);

/** Where a job is. */
export interface JobPlace {
  readonly id: string;
  readonly namespace: string;
}

/** Looks at a job. */
export async function jobHealth(client: NomadClient, { id, namespace }: JobPlace): Promise<JobHealth> {
  const path = `/v1/job/${encodeURIComponent(id)}`;
  const query = { namespace };
  const answer = await client.call({ path, query, accept: [404] });
  const nothing = { id, note: "", healthy: 0, wanted: 0, version: 0, type: "", restarts: 0, allocations: [] };
  if (answer.status === 404) return { ...nothing, state: "absent" };
  const job = readJob(answer.body);
  const known = { ...nothing, version: job.Version, type: job.Type };
  if (job.Stop) return { ...known, state: "stopped" };
  const [deployments, rows] = await Promise.all([
    client.call({ path: `${path}/deployments`, query, accept: [404] }),
    client.call({ path: `${path}/allocations`, query, accept: [404] }),
  ]);
  const deployment = listOf(deployments.body, deploymentSchema).find(({ JobVersion }) => JobVersion === job.Version);
  const list: readonly unknown[] = Array.isArray(rows.body) ? rows.body : [];
  const allocations = currentOf(list, job.Version);
  if (job.Type === "batch" || job.Type === "sysbatch") return { ...known, ...batchState(allocations), allocations };
  const counted = countOf(deployment, allocations);
  const state = stateOf(deployment, counted);
  const restarts = restartsOf(list, allocations[0]?.ID);
  const note = state === "healthy" ? "" : await trouble(client, { id, namespace }, deployment, allocations, restarts);
  return { ...known, state, note, restarts, ...counted, allocations };
}

function listOf<T>(body: unknown, schema: z.ZodType<T>): readonly T[] {
  return (Array.isArray(body) ? body : []).flatMap((row: unknown) => {
    const parsed = schema.safeParse(row);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Allocations that are meant to run, of the newest text of the job; lists have the version beside what is read otherwise. */
function currentOf(rows: readonly unknown[], version: number): readonly NomadAllocation[] {
  return rows
    .filter((row) => ((row as { JobVersion?: number }).JobVersion ?? version) === version)
    .map(readAllocation)
    .filter(({ DesiredStatus }) => DesiredStatus === "run")
    .sort((a, b) => b.CreateTime - a.CreateTime);
}

const restartsSchema = z.object({
  ID: z.string(),
  TaskStates: z.record(z.string(), z.object({ Restarts: z.number().nullish() })).nullish(),
});

function restartsOf(rows: readonly unknown[], allocation: string | undefined): number {
  const found = listOf(rows, restartsSchema).find(({ ID }) => ID === allocation);
  return Math.max(0, ...Object.values(found?.TaskStates ?? {}).map(({ Restarts }) => Restarts ?? 0));
}

function batchState(allocations: readonly NomadAllocation[]) {
  const wanted = allocations.length;
  const healthy = allocations.filter(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "complete").length;
  const failed = allocations.find(({ ClientStatus }) => ClientStatus === "failed");
  return { state: failed === undefined ? ("healthy" as const) : ("failed" as const), note: lastWord(failed), wanted, healthy };
}

function countOf(deployment: Deployment | undefined, allocations: readonly NomadAllocation[]) {
  const groups = Object.values(deployment?.TaskGroups ?? {});
  const live = allocations.filter(({ ClientStatus }) => !ENDED.has(ClientStatus));
  const running = live.filter(({ ClientStatus }) => ClientStatus === "running").length;
  const wanted = groups.reduce((sum, group) => sum + (group.DesiredTotal ?? 0), 0);
  const healthy = groups.reduce((sum, group) => sum + (group.HealthyAllocs ?? 0), 0);
  if (wanted === 0) return { wanted: live.length, healthy: running };
  return { wanted, healthy: deployment?.Status === "successful" ? Math.min(running, wanted) : healthy };
}

function stateOf(deployment: Deployment | undefined, { healthy, wanted }: { readonly healthy: number; readonly wanted: number }) {
  if (deployment?.Status === "failed" || deployment?.Status === "cancelled") return "failed";
  if (deployment !== undefined && deployment.Status !== "successful") return "progressing";
  return wanted > 0 && healthy >= wanted ? "healthy" : "progressing";
}

async function trouble(
  client: NomadClient,
  { id, namespace }: JobPlace,
  deployment: Deployment | undefined,
  allocations: readonly NomadAllocation[],
  restarts: number,
): Promise<string> {
  const words: string[] = [];
  if (deployment?.Status === "failed") words.push((deployment.StatusDescription ?? "").replace(/^Failed due to /, ""));
  const sick = allocations.find((allocation) => troubleOf(allocation) !== "") ?? allocations[0];
  if (sick !== undefined) words.push(`${troubleOf(sick) || lastWord(sick)}${restarts === 0 ? "" : `, restarted ${restarts} times`}`);
  else words.push(await placementNote(client, { id, namespace }));
  return words.filter((word) => word !== "").join("; ");
}

/** Why nothing is placed, of the newest evaluation that says so. */
async function placementNote(client: NomadClient, { id, namespace }: JobPlace): Promise<string> {
  const { body } = await client.call({
    path: `/v1/job/${encodeURIComponent(id)}/evaluations`,
    query: { namespace },
    accept: [404],
  });
  const rows = (Array.isArray(body) ? body : []).map(readEvaluation).sort((a, b) => b.ModifyIndex - a.ModifyIndex);
  const failed = rows.find(({ FailedTGAllocs }) => Object.keys(FailedTGAllocs).length > 0);
  const metric = Object.values(failed?.FailedTGAllocs ?? {})[0];
  return metric === undefined ? "not placed yet" : `not placed: ${placementCauses(metric).join("; ") || "no room"}`;
}

const BAD = new Set([
  "Driver Failure",
  "Failed Artifact Download",
  "Setup Failure",
  "Failed Validation",
  "Template",
  "Terminated",
  "Not Restarting",
]);

/** What is wrong with an allocation's tasks: the last bad event of each; empty: nothing. */
function troubleOf({ TaskStates }: NomadAllocation): string {
  const words = byName(TaskStates).flatMap(([task, { State, Failed, Events }]) => {
    if (State === "dead" && !Failed) return [];
    const bad = Events.findLast((event) => isBad(event));
    if (bad === undefined || (State === "running" && Events.at(-1)?.Type === "Started" && bad.Type === "Template")) return [];
    return [`task ${task}: ${bad.DisplayMessage}`];
  });
  return words.join("; ");
}

/** Nomad's maps come in any order. */
function byName<T>(tasks: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(tasks).sort(([a], [b]) => (a < b ? -1 : 1));
}

function isBad({ Type, Details }: NomadTaskEvent): boolean {
  return BAD.has(Type) && !(Type === "Terminated" && Details["exit_code"] === "0");
}

/** The last event of an allocation's tasks. */
function lastWord(allocation: NomadAllocation | undefined): string {
  const tasks = byName(allocation?.TaskStates ?? {}).filter(([, { State, Failed }]) => State !== "dead" || Failed);
  return tasks.map(([task, { Events }]) => `task ${task}: ${Events.at(-1)?.DisplayMessage ?? "pending"}`).join("; ");
}
