/**
 * A job in HCL2 to the JSON of the API, as `/v1/jobs/parse` does it: the subset that job templates use. Blocks and attributes by table, durations as
 * texts, `variable` blocks with the values of the request, `${var.x}`. No functions, no `dynamic` blocks, no `locals`: such text is refused.
 */
import { parse } from "@cdktf/hcl2json";
import { parseDuration } from "./exchange.ts";
import { isObject } from "./job-decoder.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a name in HCL becomes: another name, a duration, a block. */
type Rule =
  | { readonly name: string; readonly kind: "plain" | "duration" }
  | { readonly name: string; readonly kind: "block" | "blocks" | "labelled" | "map"; readonly of?: Table; readonly label?: string };

type Table = Readonly<Record<string, Rule>>;

/** Names as they are in Go: `datacenters` is "Datacenters", `node_pool` is "NodePool". */
function names(text: string, special: Readonly<Record<string, string>> = {}): Record<string, Rule> {
  const entries = text.split(" ").filter((one) => one !== "");
  return Object.fromEntries(
    entries.map((one) => {
      const plain = one.replace(/:d$/, "");
      const pascal = plain
        .split("_")
        .map((word) => (word[0] ?? "").toUpperCase() + word.slice(1))
        .join("");
      return [plain, { name: special[plain] ?? pascal, kind: one.endsWith(":d") ? "duration" : "plain" }];
    }),
  );
}

const block = (name: string, of: Table): Rule => ({ name, kind: "block", of });
const blocks = (name: string, of: Table, label?: string): Rule => ({ name, kind: "blocks", of, ...(label === undefined ? {} : { label }) });
const map = (name: string): Rule => ({ name, kind: "map" });

const CONSTRAINT = names("attribute operator value", { attribute: "LTarget", operator: "Operand", value: "RTarget" });
const AFFINITY = { ...CONSTRAINT, ...names("weight") };
const SPREAD = { ...names("attribute weight"), target: blocks("SpreadTarget", names("percent"), "Value") };
const RESTART = names("attempts interval:d delay:d mode render_templates");
const RESCHEDULE = names("attempts interval:d delay:d delay_function max_delay:d unlimited");
const UPDATE = names(
  "stagger:d max_parallel health_check min_healthy_time:d healthy_deadline:d progress_deadline:d auto_revert auto_promote canary",
);
const MIGRATE = names("max_parallel health_check min_healthy_time:d healthy_deadline:d");
const CHECK = {
  ...names("name type path port interval:d timeout:d method body protocol address_mode", { port: "PortLabel" }),
  check_restart: block("CheckRestart", names("limit grace:d ignore_warnings")),
  header: map("Header"),
};
const SERVICE = {
  ...names("name port provider tags address address_mode task on_update", { port: "PortLabel", task: "TaskName" }),
  check: blocks("Checks", CHECK),
};
const IDENTITY = names("name aud env file filepath ttl:d change_mode change_signal", { aud: "Audience", ttl: "TTL" });
const TASK: Table = {
  ...names("driver user kill_timeout:d kill_signal leader shutdown_delay:d kind"),
  config: map("Config"),
  env: map("Env"),
  meta: map("Meta"),
  constraint: blocks("Constraints", CONSTRAINT),
  affinity: blocks("Affinities", AFFINITY),
  resources: block(
    "Resources",
    names("cpu cores memory memory_max disk", { cpu: "CPU", memory: "MemoryMB", memory_max: "MemoryMaxMB", disk: "DiskMB" }),
  ),
  logs: block("LogConfig", names("max_files max_file_size disabled", { max_file_size: "MaxFileSizeMB" })),
  artifact: blocks("Artifacts", {
    ...names("source destination mode chown", { source: "GetterSource", destination: "RelativeDest", mode: "GetterMode" }),
    options: map("GetterOptions"),
    headers: map("GetterHeaders"),
  }),
  template: blocks(
    "Templates",
    names("data destination env change_mode change_signal perms source splay:d left_delimiter right_delimiter error_on_missing_key once", {
      data: "EmbeddedTmpl",
      destination: "DestPath",
      env: "Envvars",
      source: "SourcePath",
      left_delimiter: "LeftDelim",
      right_delimiter: "RightDelim",
      error_on_missing_key: "ErrMissingKey",
    }),
  ),
  identity: blocks("Identities", IDENTITY),
  service: blocks("Services", SERVICE),
  restart: block("RestartPolicy", RESTART),
  action: blocks("Actions", names("command args"), "Name"),
};
const GROUP: Table = {
  ...names("count shutdown_delay:d max_run_duration:d"),
  meta: map("Meta"),
  constraint: blocks("Constraints", CONSTRAINT),
  affinity: blocks("Affinities", AFFINITY),
  spread: blocks("Spreads", SPREAD),
  restart: block("RestartPolicy", RESTART),
  reschedule: block("ReschedulePolicy", RESCHEDULE),
  disconnect: block("Disconnect", names("lost_after:d stop_on_client_after:d replace reconcile")),
  ephemeral_disk: block("EphemeralDisk", names("size sticky migrate", { size: "SizeMB" })),
  update: block("Update", UPDATE),
  migrate: block("Migrate", MIGRATE),
  network: blocks("Networks", { ...names("mode hostname"), port: { name: "port", kind: "labelled", of: names("static to host_network") } }),
  service: blocks("Services", SERVICE),
  task: blocks("Tasks", TASK, "Name"),
};
const JOB: Table = {
  ...names("id name type priority region namespace datacenters node_pool all_at_once", { id: "ID" }),
  meta: map("Meta"),
  constraint: blocks("Constraints", CONSTRAINT),
  affinity: blocks("Affinities", AFFINITY),
  spread: blocks("Spreads", SPREAD),
  update: block("Update", UPDATE),
  migrate: block("Migrate", MIGRATE),
  reschedule: block("Reschedule", RESCHEDULE),
  ui: block("UI", { ...names("description"), link: blocks("Links", names("label url", { url: "URL" })) }),
  group: blocks("TaskGroups", GROUP, "Name"),
};

/** A text that cannot be read; without the words that the route puts before it. */
export class JobspecError extends Error {}

type Variables = Readonly<Record<string, unknown>>;

/** `${var.x}` filled in; a text that is nothing else becomes the variable's value, whatever its type. */
function fill(value: unknown, variables: Variables): unknown {
  if (Array.isArray(value)) return value.map((one) => fill(one, variables));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one, variables)]));
  if (typeof value !== "string") return value;
  const whole = /^\$\{var\.([A-Za-z_][\w-]*)\}$/.exec(value)?.[1];
  if (whole !== undefined) return variableOf(whole, variables);
  return value.replace(/\$\{var\.([A-Za-z_][\w-]*)\}/g, (_all, name: string) => String(variableOf(name, variables)));
}

function variableOf(name: string, variables: Variables): unknown {
  if (!(name in variables))
    throw new JobspecError(`input.hcl: Unsupported attribute; This object does not have an attribute named "${name}".`);
  return variables[name];
}

function convertValue(value: unknown, rule: Rule): unknown {
  if (rule.kind !== "duration" || typeof value !== "string") return value;
  const ms = parseDuration(value);
  if (ms === undefined) throw new JobspecError(`input.hcl: Unsuitable duration value; time: invalid duration "${value}"`);
  return ms * 1e6;
}

function one(value: unknown): Json {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return isObject(first) ? first : {};
}

/** A block's JSON; `where` is its name, for errors. */
function convert(body: Json, table: Table, where: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    const rule = table[key];
    if (rule === undefined) {
      const what = Array.isArray(value) && isObject(value[0]) ? "block type" : "argument";
      throw new JobspecError(`input.hcl: Unsupported ${what}; An ${what} named "${key}" is not expected here (in ${where}).`);
    }
    if (rule.kind === "plain" || rule.kind === "duration") out[rule.name] = convertValue(value, rule);
    else if (rule.kind === "map") out[rule.name] = one(value);
    else if (rule.kind === "block") out[rule.name] = convert(one(value), rule.of ?? {}, key);
    else if (rule.kind === "labelled") Object.assign(out, convertPorts(value, rule.of ?? {}));
    else out[rule.name] = convertBlocks(value, rule, key);
  }
  return out;
}

function convertBlocks(value: unknown, rule: Rule, key: string): unknown[] {
  const table = "of" in rule ? (rule.of ?? {}) : {};
  const label = "label" in rule ? rule.label : undefined;
  if (label === undefined) return (Array.isArray(value) ? value : [value]).map((body) => convert(one(body), table, key));
  return Object.entries(one(value)).flatMap(([name, bodies]) =>
    (Array.isArray(bodies) ? bodies : [bodies]).map((body) => ({ [label]: name, ...convert(one(body), table, key) })),
  );
}

function convertPorts(value: unknown, table: Table): Record<string, unknown> {
  const [dynamic, reserved]: [unknown[], unknown[]] = [[], []];
  for (const [label, bodies] of Object.entries(one(value))) {
    const { Static, ...port } = convert(one(bodies), table, "port");
    if (Static === undefined) dynamic.push({ Label: label, ...port });
    else reserved.push({ Label: label, Value: Static, ...port });
  }
  return { ...(dynamic.length === 0 ? {} : { DynamicPorts: dynamic }), ...(reserved.length === 0 ? {} : { ReservedPorts: reserved }) };
}

/** The default identity is a block of its own in JSON. */
function splitIdentities(job: Record<string, unknown>): void {
  for (const group of (job["TaskGroups"] as Record<string, unknown>[] | undefined) ?? []) {
    for (const task of (group["Tasks"] as Record<string, unknown>[] | undefined) ?? []) {
      const all = (task["Identities"] as Json[] | undefined) ?? [];
      const own = all.find(({ Name }) => Name === undefined || Name === "default");
      const named = all.filter((identity) => identity !== own);
      if (own !== undefined) task["Identity"] = { Name: "default", ...own };
      if (named.length > 0) task["Identities"] = named;
      else delete task["Identities"];
    }
  }
}

async function readVariables(blocks: Json, text: string): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, body] of Object.entries(blocks)) values[name] = one(body)["default"];
  const given = text.trim() === "" ? {} : ((await parse("vars.hcl", text)) as Json);
  for (const [name, value] of Object.entries(given)) {
    if (!(name in values))
      throw new JobspecError(`input.hcl: Undefined variable; A "${name}" variable was set but was not found in known variables.`);
    values[name] = value;
  }
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) throw new JobspecError(`input.hcl: Missing required variable; The input variable "${name}" is required.`);
  }
  return values;
}

/** The JSON of the job in `text`; `variables` is in the manner of a variables file. Throws with what is wrong. */
export async function parseJobspec(text: string, variables: string): Promise<Json> {
  let root: Json;
  try {
    root = (await parse("input.hcl", text)) as Json;
  } catch (error) {
    throw new JobspecError(error instanceof Error ? error.message : String(error));
  }
  const jobs = one(root["job"]);
  const [entry] = Object.entries(jobs);
  if (entry === undefined) throw new JobspecError("input.hcl: Missing job block; A job block is required");
  const values = await readVariables(one(root["variable"]), variables);
  const [label, bodies] = entry;
  const id = String(fill(label, values));
  const converted = convert(fill(one(bodies), values) as Json, JOB, "job");
  const job: Record<string, unknown> = { ID: id, Name: id, ...converted };
  splitIdentities(job);
  return job;
}
