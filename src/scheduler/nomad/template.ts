/**
 * An operator's own job for workers, in HCL: Nomad parses it, and what Wadi needs is put over it, so that no template can make two workers of
 * one, lose the credential or hide a run from its controller. What was put over is said. Its variables get the run's numbers.
 */
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { RunSpec } from "../scheduler.ts";
import type { NomadClient } from "./client.ts";
import type { NomadJob, NomadTask, NomadTaskGroup } from "./job.ts";
import type { NomadJobSettings } from "./settings.ts";
import { renderJob, WORKER_NAME } from "./spec.ts";

/** An operator's job. */
export interface JobSource {
  /** Its file, for errors. */
  readonly path: string;
  readonly hcl: string;
  readonly variables: Readonly<Record<string, string>>;
}

type Loose = Readonly<Record<string, unknown>>;

/** Job fields that are the operator's if the template sets them; all others are Wadi's. */
const OPERATORS = [
  "Affinities",
  "Constraints",
  "Datacenters",
  "NodePool",
  "Priority",
  "Spreads",
  "ConsulNamespace",
  "VaultNamespace",
] as const;

/** The job of a run: Wadi's own, or the template with Wadi's parts over it. Throws `invalid-config` naming what does not fit. */
export async function renderedJob(
  spec: RunSpec,
  settings: NomadJobSettings,
  source: JobSource | undefined,
  client: NomadClient,
): Promise<NomadJob> {
  if (source === undefined) return renderJob(spec, settings);
  const own = renderJob(spec, { ...settings, ...commandless(settings) });
  const job = mergeTemplate(await parseTemplate(source, own, client), own, source.path);
  const { body } = await client.call({ method: "POST", path: "/v1/validate/job", body: { Job: job } });
  const { ValidationErrors: problems } = (body ?? {}) as { readonly ValidationErrors?: readonly string[] | null };
  if (problems !== undefined && problems !== null && problems.length > 0) throw broken(source.path, problems.join("; "));
  return job;
}

/** A template brings its own command: the settings' absence must not fail the rendering of the rest. */
function commandless(settings: NomadJobSettings): Partial<NomadJobSettings> {
  return settings.command.length > 0 ? {} : { command: ["wadi", "worker"], image: settings.image ?? "template" };
}

async function parseTemplate(source: JobSource, own: NomadJob, client: NomadClient): Promise<Loose> {
  const group = own.TaskGroups[0];
  const resources = group?.Tasks[0]?.Resources;
  const values = {
    job_id: own.ID,
    pipeline: own.Meta["pipeline"] ?? "",
    workers: group?.Count ?? 1,
    slots: Number(own.Meta["worker_slots"]),
    memory: resources?.MemoryMB ?? 0,
    cpu: resources?.CPU ?? 0,
    cores: resources?.Cores ?? 0,
    ...source.variables,
  };
  const declared = new Set([...source.hcl.matchAll(/^\s*variable\s+"([^"]+)"/gm)].map(([, name]) => name));
  const lines = Object.entries(values)
    .filter(([name]) => declared.has(name))
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`);
  const unknown = Object.keys(source.variables).find((name) => !declared.has(name));
  if (unknown !== undefined) throw broken(source.path, `nomad.template-variables sets "${unknown}", which it does not declare`);
  try {
    const body = { JobHCL: source.hcl, Canonicalize: false, Variables: lines.join("") };
    return (await client.call({ method: "POST", path: "/v1/jobs/parse", body })).body as Loose;
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.retry === "backoff" || error.code === "permission-denied") throw error;
    throw broken(source.path, error.message.replace(/^Nomad refuses POST \/v1\/jobs\/parse: /, ""));
  }
}

/** `template` with Wadi's parts. Throws `invalid-config` for one that has no place for them. Pure. */
export function mergeTemplate(template: Loose, own: NomadJob, path: string): NomadJob {
  const groups = list(template["TaskGroups"]);
  const group = groups.find(({ Name }) => Name === WORKER_NAME);
  if (group === undefined) throw broken(path, `it has no group "${WORKER_NAME}"`);
  if (groups.length > 1) throw broken(path, `it has ${groups.length} groups: one job is one run's workers`);
  const task = list(group["Tasks"]).find(({ Name }) => Name === WORKER_NAME);
  if (task === undefined) throw broken(path, `its group has no task "${WORKER_NAME}"`);
  for (const name of ["Periodic", "ParameterizedJob", "Multiregion"]) {
    if (present(template[name])) throw broken(path, `it is ${name === "ParameterizedJob" ? "parameterized" : name.toLowerCase()}`);
  }
  const type = template["Type"];
  if (type !== undefined && type !== null && type !== "" && type !== "batch")
    throw broken(path, `its type is "${String(type)}": workers are a batch`);
  const ownGroup = own.TaskGroups[0] as NomadTaskGroup;
  const kept = Object.fromEntries(OPERATORS.filter((name) => present(template[name])).map((name) => [name, template[name]]));
  return {
    ...template,
    ...own,
    ...kept,
    Meta: { ...(template["Meta"] as Record<string, string> | null), ...own.Meta },
    TaskGroups: [mergeGroup(group, ownGroup, mergeTask(task, ownGroup.Tasks[0] as NomadTask, path))],
  } as NomadJob;
}

/** Wadi's: number, no replacement, the service; the operator's: the rest, with ports for data and admin among its own. */
function mergeGroup(group: Loose, own: NomadTaskGroup, task: NomadTask): NomadTaskGroup {
  const [network] = list(group["Networks"]);
  const ports = list(network?.["DynamicPorts"]);
  const labels = new Set([...ports, ...list(network?.["ReservedPorts"])].map(({ Label }) => Label));
  const missing = (own.Networks[0]?.DynamicPorts ?? []).filter(({ Label }) => !labels.has(Label));
  const networks = network === undefined ? own.Networks : [{ ...network, DynamicPorts: [...ports, ...missing] }];
  const services = list(group["Services"]).filter(({ Name }) => Name !== own.Services[0]?.Name);
  return {
    ...own,
    ...group,
    Count: own.Count,
    RestartPolicy: own.RestartPolicy,
    ReschedulePolicy: own.ReschedulePolicy,
    Disconnect: own.Disconnect,
    StopAfterClientDisconnect: null,
    MaxClientDisconnect: null,
    Networks: networks,
    Services: [...own.Services, ...services],
    EphemeralDisk: present(group["EphemeralDisk"]) ? group["EphemeralDisk"] : own.EphemeralDisk,
    Spreads: present(group["Spreads"]) ? group["Spreads"] : own.Spreads,
    Volumes: { ...own.Volumes, ...(group["Volumes"] as Loose | null | undefined) },
    Tasks: [task, ...list(group["Tasks"]).filter(({ Name }) => Name !== WORKER_NAME)],
  } as unknown as NomadTaskGroup;
}

/** Wadi's: who the worker is, its files and its identity; the operator's: how it is run and what it gets. */
function mergeTask(task: Loose, own: NomadTask, path: string): NomadTask {
  const ownNames = new Set(Object.keys(own.Env).filter((name) => name.startsWith("WADI_") && !name.startsWith("WADI__")));
  const environment = (task["Env"] ?? {}) as Readonly<Record<string, string>>;
  const taken = Object.keys(environment).find((name) => ownNames.has(name));
  if (taken !== undefined) throw broken(path, `its environment sets "${taken}", which Wadi sets`);
  const files = new Set(own.Templates.map(({ DestPath }) => DestPath));
  const templates = list(task["Templates"]);
  const clash = templates.find(({ DestPath }) => files.has(String(DestPath)));
  if (clash !== undefined) throw broken(path, `its template writes "${String(clash["DestPath"])}", which Wadi writes`);
  const resources = task["Resources"];
  return {
    ...own,
    ...task,
    Config: present(task["Config"]) ? task["Config"] : own.Config,
    Driver: task["Driver"] || own.Driver,
    Env: { ...own.Env, ...environment },
    Templates: [...own.Templates, ...templates],
    Identities: [...own.Identities, ...list(task["Identities"]).filter(({ Name }) => Name !== "wadi")],
    Actions: present(task["Actions"]) ? task["Actions"] : own.Actions,
    Artifacts: present(task["Artifacts"]) ? task["Artifacts"] : own.Artifacts,
    VolumeMounts: [...(own.VolumeMounts ?? []), ...list(task["VolumeMounts"])],
    KillSignal: task["KillSignal"] || own.KillSignal,
    KillTimeout: task["KillTimeout"] || own.KillTimeout,
    LogConfig: present(task["LogConfig"]) ? task["LogConfig"] : own.LogConfig,
    Resources: present(resources) ? { ...own.Resources, ...withoutAbsent(resources as Loose) } : own.Resources,
    RestartPolicy: null,
  } as unknown as NomadTask;
}

function list(value: unknown): readonly Loose[] {
  return Array.isArray(value) ? (value as Loose[]) : [];
}

function present(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function withoutAbsent(value: Loose): Loose {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null && one !== undefined));
}

function broken(path: string, what: string): AppError {
  return externalError("invalid-config", `the job template "${path}" does not fit: ${what}`, { retry: "never" });
}
