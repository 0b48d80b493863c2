/**
 * A job's JSON to the job as the servers store it: types checked, unknown keys refused, defaults written, constraints added that follow from
 * what the job uses, as the servers' admission hooks add them. What is wrong with a well-formed job is found by `job-rules.ts`.
 */
import { type Block, type Field, JOB } from "./job-schema.ts";
import type { Constraint, Job, Service, Task, TaskGroup } from "./records.ts";

const SECOND = 1_000_000_000;
const DAY = 86_400 * SECOND;

/** A body that cannot be decoded: status 400, with the text that goes to the client. */
export class DecodeError extends Error {}

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether `value` is an object of JSON. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Go's name for what a JSON value is. */
function kindOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}

function mismatch(value: unknown, path: string, wanted: string): never {
  throw new DecodeError(`json: cannot unmarshal ${kindOf(value)} into Go struct field ${path} of type ${wanted}`);
}

function decodeBlock(value: unknown, of: Block, path: string, strict: boolean): Json {
  if (!isObject(value)) mismatch(value, path, "struct");
  for (const key of strict ? Object.keys(value) : []) {
    if (of[key] === undefined) throw new DecodeError(`json: unknown field "${path}.${key}" (a real server would ignore it)`);
  }
  const decoded: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(of)) {
    const read = decodeField(value[name], field, `${path}.${name}`, strict);
    if (read !== undefined) decoded[name] = read;
  }
  return decoded;
}

function decodeScalar(value: unknown, kind: "string" | "int" | "bool", path: string): unknown {
  const wanted = kind === "int" ? "number" : kind === "bool" ? "boolean" : "string";
  if (typeof value !== wanted) mismatch(value, path, kind);
  if (kind === "int" && !Number.isInteger(value))
    throw new DecodeError(`json: cannot unmarshal number ${value} into Go struct field ${path} of type int`);
  return value;
}

function decodeField(value: unknown, field: Field, path: string, strict: boolean): unknown {
  if (field.kind === "required") return decodeBlock(value ?? {}, field.of, path, strict);
  // An empty string or a zero is Go's "not set" where the field is not a pointer; null always is.
  if (value === undefined || value === null || (value === "" && field.kind === "string")) return field.fill;
  switch (field.kind) {
    case "string":
    case "int":
    case "bool":
      return decodeScalar(value, field.kind, path);
    case "any":
      return value;
    case "strings":
      if (!Array.isArray(value) || value.some((one) => typeof one !== "string")) mismatch(value, path, "[]string");
      return value;
    case "map":
      if (!isObject(value) || Object.values(value).some((one) => typeof one !== "string")) mismatch(value, path, "map[string]string");
      return value;
    case "block":
      return decodeBlock(value, field.of, path, strict);
    case "blocks":
      if (!Array.isArray(value)) mismatch(value, path, "[]struct");
      return value.map((one, index) => decodeBlock(one, field.of, `${path}[${index}]`, strict));
    case "blockMap":
      if (!isObject(value)) mismatch(value, path, "map[string]struct");
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decodeBlock(one, field.of, `${path}.${key}`, strict)]));
  }
}

/** Restarts that a group has if it says nothing. */
function defaultRestart(type: string): TaskGroup["RestartPolicy"] & { RenderTemplates: boolean } {
  const batch = type === "batch" || type === "sysbatch";
  return { Attempts: batch ? 3 : 2, Interval: batch ? DAY : 1800 * SECOND, Delay: 15 * SECOND, Mode: "fail", RenderTemplates: false };
}

function defaultReschedule(type: string): Json | null {
  if (type === "batch") return { Attempts: 1, Interval: DAY, Delay: 5 * SECOND, DelayFunction: "constant", MaxDelay: 0, Unlimited: false };
  if (type !== "service") return null;
  return { Attempts: 0, Interval: 0, Delay: 30 * SECOND, DelayFunction: "exponential", MaxDelay: 3600 * SECOND, Unlimited: true };
}

/** What the user gave of a policy over its defaults: absent fields only, since 0 is a value here. */
function over(given: unknown, defaults: Json | null): Json | null {
  if (!isObject(given)) return defaults;
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== undefined));
  return { ...defaults, ...set };
}

function signalsOf(tasks: readonly Task[]): string[] {
  const signals = new Set<string>();
  for (const task of tasks) {
    if (task.KillSignal !== "") signals.add(task.KillSignal);
    for (const { ChangeMode, ChangeSignal } of task.Templates ?? []) if (ChangeMode === "signal") signals.add(ChangeSignal);
  }
  return [...signals].sort();
}

/** Constraints that the servers add to a group, in their order. */
function impliedConstraints(group: TaskGroup): Constraint[] {
  const implied: Constraint[] = [];
  const signals = signalsOf(group.Tasks);
  if (signals.length > 0) implied.push({ LTarget: "${attr.os.signals}", Operand: "set_contains", RTarget: signals.join(",") });
  const services = [...(group.Services ?? []), ...group.Tasks.flatMap((task) => task.Services ?? [])];
  if (services.some(({ Provider }) => Provider === "nomad")) {
    implied.push({ LTarget: "${attr.nomad.service_discovery}", Operand: "=", RTarget: "true" });
  }
  if (services.some(({ Provider }) => Provider !== "nomad")) {
    implied.push({ LTarget: "${attr.consul.version}", Operand: "semver", RTarget: ">= 1.8.0" });
  }
  if (group.Tasks.some((task) => (task.Identities ?? []).length > 0)) {
    implied.push({ LTarget: "${attr.nomad.version}", Operand: "semver", RTarget: ">= 1.7.0-a" });
  }
  return implied;
}

function completeServices(services: readonly Service[] | null, namespace: string, taskName: string): unknown {
  return (
    services?.map((service) => ({ ...service, Namespace: namespace, TaskName: service.TaskName === "" ? taskName : service.TaskName })) ??
    null
  );
}

function completeTask(raw: Json, decoded: Task, restart: Json, namespace: string): Json {
  const resources = isObject(raw["Resources"]) ? raw["Resources"] : {};
  // With whole cores the share is computed by the scheduler: 100 MHz is the default only without them.
  const cpu = decoded.Resources.Cores > 0 && typeof resources["CPU"] !== "number" ? 0 : decoded.Resources.CPU;
  const own = isObject(raw["RestartPolicy"]) ? over(raw["RestartPolicy"], restart) : restart;
  const identity = {
    Name: "default",
    Audience: ["nomadproject.io"],
    ChangeMode: "",
    ChangeSignal: "",
    Env: false,
    File: false,
    Filepath: "",
    ServiceName: "",
    TTL: 0,
  };
  return {
    ...decoded,
    Resources: { ...decoded.Resources, CPU: cpu },
    RestartPolicy: own,
    Services: completeServices(decoded.Services, namespace, decoded.Name),
    Identity: decoded.Identity === null ? identity : { ...decoded.Identity, Audience: ["nomadproject.io"] },
  };
}

function completeGroup(raw: Json, decoded: TaskGroup, job: Json, type: string, namespace: string): TaskGroup {
  const restart = over(raw["RestartPolicy"], { ...defaultRestart(type) }) ?? {};
  const reschedule = over(raw["ReschedulePolicy"], over(job["Reschedule"], defaultReschedule(type)));
  const rawTasks = Array.isArray(raw["Tasks"]) ? raw["Tasks"] : [];
  const tasks = (decoded.Tasks ?? []).map((task, index) => {
    const rawTask: unknown = rawTasks[index];
    return completeTask(isObject(rawTask) ? rawTask : {}, task, restart, namespace);
  });
  const disconnect = decoded.Disconnect === null ? null : { ...decoded.Disconnect, Replace: decoded.Disconnect.Replace ?? true };
  const completed = {
    ...decoded,
    Tasks: tasks as unknown as readonly Task[],
    RestartPolicy: restart,
    ReschedulePolicy: reschedule,
    Disconnect: disconnect,
    Services: completeServices(decoded.Services, namespace, ""),
    Update: type === "service" ? (decoded.Update ?? job["Update"] ?? null) : null,
  } as unknown as TaskGroup;
  const own = completed.Constraints ?? [];
  // Registering again what was read must not add them twice.
  const known = new Set(own.map((one) => `${one.LTarget} ${one.Operand} ${one.RTarget}`));
  const added = impliedConstraints(completed).filter((one) => !known.has(`${one.LTarget} ${one.Operand} ${one.RTarget}`));
  const constraints = [...own, ...added];
  return { ...completed, Constraints: constraints.length === 0 ? null : constraints };
}

/**
 * The job as the servers would store it: its indexes, status and version are still those of the text. `namespace` is that of the
 * request, for where the job names none; `strict`: refuse keys that no server knows. Throws `DecodeError`.
 */
export function decodeJob(value: unknown, namespace: string, strict: boolean): Job {
  if (!isObject(value)) mismatch(value, "JobRegisterRequest.Job", "struct");
  const given = { ...value, Namespace: value["Namespace"] ?? namespace };
  const decoded = decodeBlock(given, JOB, "Job", strict) as unknown as Job & Json;
  const rawGroups = Array.isArray(value["TaskGroups"]) ? value["TaskGroups"] : [];
  const groups = decoded.TaskGroups?.map((group, index) => {
    const raw: unknown = rawGroups[index];
    return completeGroup(isObject(raw) ? raw : {}, group, decoded, decoded.Type, decoded.Namespace);
  });
  const update = {
    AutoPromote: false,
    AutoRevert: false,
    Canary: 0,
    HealthCheck: "",
    HealthyDeadline: 0,
    MaxParallel: 0,
    MinHealthyTime: 0,
    ProgressDeadline: 0,
    Stagger: 0,
  };
  const { Reschedule: _reschedule, Migrate: _migrate, ...kept } = decoded;
  return {
    ...kept,
    Name: decoded.Name === "" ? decoded.ID : decoded.Name,
    Update: decoded["Update"] ?? update,
    TaskGroups: groups ?? null,
  } as Job;
}

/** What a user wrote of a job, for comparing two versions of it: without what the servers add. */
export function specOf(job: Job): string {
  const { CreateIndex, ModifyIndex, JobModifyIndex, SubmitTime, Status, StatusDescription, Version, Stable, Stop, ...spec } = job;
  return JSON.stringify(spec);
}
