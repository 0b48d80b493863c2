// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Nomad's clients interpolate these.
/**
 * What Nomad is told of a run: one batch job with as many allocations as workers, all of one size, which Nomad never restarts, reschedules or
 * replaces: that is the controller's decision. Pure: the same specification and settings give the same job. There is no address and no secret
 * in it: a worker finds both in files that Nomad's client writes from the run's variable, which this job alone may read.
 */
import { createHash } from "node:crypto";
import { type AppError, externalError } from "../../core/errors.ts";
import type { JobId, RunId } from "../../core/ids.ts";
import { NS_PER_MS } from "../../core/time.ts";
import type { RunKey, RunSpec } from "../scheduler.ts";
import { accessEnvironment, identitiesOf, mountsOf, volumesOf } from "./access.ts";
import type { NomadAction, NomadArtifact, NomadJob, NomadResources, NomadTask, NomadTaskGroup, NomadTemplate } from "./job.ts";
import { applyOverrides } from "./overrides.ts";
import type { NomadJobSettings } from "./settings.ts";

/** Of the group and its task. */
export const WORKER_NAME = "worker";
/** Service of all workers. */
export const WORKER_SERVICE = "wadi-worker";
/** Service under which controllers that run in Nomad are found. */
export const CONTROLLER_SERVICE = "wadi-controller";
/** All jobs of runs begin with it. */
export const JOB_PREFIX = "w-";
/** Variables `nomad/jobs/<id>` have paths of at most 128 characters. */
const ID_LIMIT = 100;

const HOUR_NS = 3_600_000_000_000;
const DAY_NS = 24 * HOUR_NS;
const MIB = 2 ** 20;
const SECRETS = "${NOMAD_SECRETS_DIR}";
const SECRET_NAME = /token|secret|passw|credential|private_?key|api_?key/i;
/** Interpolated by Nomad's client: in a user's text it would be replaced. */
const INTERPOLATION = /\$\{\s*(?:NOMAD_|env[.[]|node\.|attr\.|meta\.|device\.)/;

/** How a run is cut into workers of equal size. */
export interface WorkerSizes {
  readonly workers: number;
  /** Slots of each; together at least what is needed. */
  readonly slots: number;
}

/** Workers for `slots` slots with at most `perWorker` each: as few as possible, all equal, so slots are rounded up. */
export function equalWorkers(slots: number, perWorker: number): WorkerSizes {
  const workers = Math.ceil(slots / Math.max(1, perWorker));
  return { workers, slots: Math.ceil(slots / workers) };
}

/** Name of the Nomad job of a run: what people find says the pipeline first. At most 100 characters of [a-z0-9_-]. */
export function nomadJobId({ slug, job, run }: { readonly slug: string; readonly job: JobId; readonly run: RunId }): string {
  const rest = `-${job}-${run}`;
  const room = ID_LIMIT - JOB_PREFIX.length - rest.length;
  const shown = slug.slice(0, Math.max(0, room)).replace(/-+$/, "");
  return `${JOB_PREFIX}${shown}${rest}`;
}

/** Where the variable of a run's Nomad job is: that job alone may read it. */
export function variablePath(nomadJob: string): string {
  return `nomad/jobs/${nomadJob}`;
}

/** What must be the same when a run is started again: everything but what is handed over in the variable. */
export function specHash({ runToken: _token, controllers: _controllers, controllerCa: _ca, ...rest }: RunSpec): string {
  const text = JSON.stringify(rest, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : sorted(value)));
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The workers that `spec` comes to. */
export function workersOf(spec: RunSpec, settings: NomadJobSettings): WorkerSizes {
  return equalWorkers(spec.slots, Math.min(spec.slotsPerWorker, applyOverrides(settings, spec.overrides).slotsPerWorker));
}

/**
 * The job. Throws `invalid-config` with `retry: "never"` for what Nomad's workers cannot be given: secrets in the environment, unknown overrides,
 * settings that contradict each other.
 */
export function renderJob(spec: RunSpec, given: NomadJobSettings): NomadJob {
  checkSpec(spec);
  const settings = withBuild(applyOverrides(given, spec.overrides), spec.build);
  checkSettings(settings);
  const sizes = equalWorkers(spec.slots, Math.min(spec.slotsPerWorker, settings.slotsPerWorker));
  const id = nomadJobId(spec);
  return {
    ID: id,
    Name: `${spec.slug} · run ${spec.fence}`,
    Type: "batch",
    Namespace: settings.namespace,
    ...(settings.region === undefined ? {} : { Region: settings.region }),
    Priority: settings.priority,
    Datacenters: settings.datacenters,
    NodePool: settings.nodePool,
    Meta: metaOf(spec, settings, sizes),
    UI: {
      Description: `Workers of Wadi's pipeline **${spec.slug}**, run ${spec.fence}: ${sizes.workers} × ${sizes.slots} slots. Wadi starts and stops this job.`,
      Links: settings.consoleAddress === undefined ? [] : [pipelineLink(settings.consoleAddress, spec)],
    },
    Constraints: [{ LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "linux" }, ...settings.constraints],
    Affinities: settings.affinities,
    TaskGroups: [groupOf(spec, settings, sizes, id)],
  };
}

function pipelineLink(address: string, spec: RunSpec) {
  return { Label: "Pipeline in Wadi", URL: `${address.replace(/\/+$/, "")}/pipelines/${spec.pipeline}` };
}

function metaOf(spec: RunSpec, settings: NomadJobSettings, sizes: WorkerSizes): Record<string, string> {
  return {
    managed_by: "wadi",
    cluster_id: settings.clusterId,
    pipeline_id: spec.pipeline,
    pipeline: spec.slug,
    job_id: spec.job,
    run_id: spec.run,
    run_fence: String(spec.fence),
    slots: String(spec.slots),
    workers: String(sizes.workers),
    worker_slots: String(sizes.slots),
    spec_hash: specHash(spec),
  };
}

/** What a run's job is known by: see `renderJob`. Undefined for a job that is none of ours. */
export function runOfMeta(meta: Readonly<Record<string, string>> | null | undefined, clusterId: string) {
  if (meta?.["managed_by"] !== "wadi" || meta["cluster_id"] !== clusterId) return undefined;
  const { job_id: job, run_id: run, run_fence: fence, workers, worker_slots: slots } = meta;
  if (job === undefined || run === undefined || fence === undefined || !/^\d{1,18}$/.test(fence)) return undefined;
  const key: RunKey = { job: job as JobId, run: run as RunId, fence: BigInt(fence) };
  return { key, workers: Number(workers ?? 0), slots: Number(slots ?? 0), hash: meta["spec_hash"] ?? "" };
}

/** Restarts, rescheduling and replacement are off: a worker that ends is the controller's business. */
export const NO_REPLACEMENT: Pick<NomadTaskGroup, "RestartPolicy" | "ReschedulePolicy" | "Disconnect"> = {
  RestartPolicy: { Attempts: 0, Mode: "fail", Interval: DAY_NS, Delay: 15_000_000_000, RenderTemplates: false },
  ReschedulePolicy: {
    Attempts: 0,
    Unlimited: false,
    Interval: DAY_NS,
    Delay: 5_000_000_000,
    DelayFunction: "constant",
    MaxDelay: 0,
  },
  // Replace is ignored while LostAfter is empty: https://github.com/hashicorp/nomad/pull/27053
  Disconnect: { LostAfter: DAY_NS, Replace: false, Reconcile: "keep_original" },
};

function groupOf(spec: RunSpec, settings: NomadJobSettings, sizes: WorkerSizes, id: string): NomadTaskGroup {
  return {
    Name: WORKER_NAME,
    Count: sizes.workers,
    ...NO_REPLACEMENT,
    ...(settings.distinctHosts ? { Constraints: [{ Operand: "distinct_hosts", RTarget: "true" }] } : {}),
    Spreads: settings.spread.map((attribute) => ({ Attribute: attribute, Weight: 50 })),
    ...(settings.access.hostVolumes.length === 0 ? {} : { Volumes: volumesOf(settings.access) }),
    EphemeralDisk: { SizeMB: Math.ceil(settings.disk / MIB), Sticky: false, Migrate: false },
    Networks: [{ Mode: settings.networkMode, DynamicPorts: [{ Label: "data" }, { Label: "admin" }] }],
    Services: [
      {
        Name: WORKER_SERVICE,
        Provider: "nomad",
        PortLabel: "admin",
        Tags: ["metrics", `job_id=${spec.job}`, `run_id=${spec.run}`, `pipeline=${spec.slug}`, "worker"],
        Checks: [{ Name: "worker", Type: "http", Path: "/status", Interval: 10_000_000_000, Timeout: 2_000_000_000 }],
      },
    ],
    Tasks: [taskOf(spec, settings, sizes, id)],
  };
}

function taskOf(spec: RunSpec, settings: NomadJobSettings, sizes: WorkerSizes, id: string): NomadTask {
  const resources = resourcesOf(spec, settings, sizes.slots);
  return {
    Name: WORKER_NAME,
    Driver: settings.driver,
    ...(settings.user === undefined ? {} : { User: settings.user }),
    Config: driverConfig(settings),
    Env: environmentOf(spec, settings, sizes, resources),
    Identities: [{ Name: "wadi", Audience: ["wadi"], File: true, TTL: DAY_NS, ChangeMode: "noop" }, ...identitiesOf(settings.access)],
    Templates: templatesOf(spec, settings, id),
    Artifacts: artifactsOf(settings),
    Actions: actionsOf(settings),
    ...(settings.access.hostVolumes.length === 0 ? {} : { VolumeMounts: mountsOf(settings.access) }),
    KillSignal: "SIGTERM",
    KillTimeout: settings.killTimeoutMs * Number(NS_PER_MS),
    LogConfig: { MaxFiles: 5, MaxFileSizeMB: 20 },
    Resources: resources,
  };
}

/** What a worker of `slots` slots is promised. */
function resourcesOf(spec: RunSpec, settings: NomadJobSettings, slots: number): NomadResources {
  const share = spec.resources.cpuMillis / 1_000;
  const reserved = settings.memoryPerSlot === 0 ? spec.resources.memoryBytes : settings.memoryPerSlot;
  const memory = Math.ceil((reserved * slots) / MIB);
  const most = Math.ceil((settings.memoryMaxPerSlot * slots) / MIB);
  return {
    ...(settings.coresPerSlot > 0
      ? { Cores: Math.max(1, Math.ceil(settings.coresPerSlot * slots * share)) }
      : { CPU: Math.max(1, Math.ceil(settings.mhzPerSlot * slots * share)) }),
    MemoryMB: memory,
    ...(most > memory ? { MemoryMaxMB: most } : {}),
  };
}

/** Megabytes of JavaScript's heap: state is WebAssembly memory outside of it, so an eighth is plenty, and never more than 2 GiB. */
export function heapMegabytes(memoryMb: number): number {
  return Math.min(2_048, Math.max(256, Math.floor(memoryMb / 8)));
}

function environmentOf(
  spec: RunSpec,
  settings: NomadJobSettings,
  sizes: WorkerSizes,
  resources: NomadResources,
): Readonly<Record<string, string>> {
  return {
    WADI__LOGGING__FORMAT: "json",
    WADI__COMPILER__CACHE_DIR: "${NOMAD_ALLOC_DIR}/data/artifacts",
    NODE_OPTIONS: `--max-old-space-size=${heapMegabytes(resources.MemoryMB)}`,
    ...accessEnvironment(settings.access),
    ...settings.environment,
    ...spec.environment,
    WADI_JOB_ID: spec.job,
    WADI_RUN_ID: spec.run,
    WADI_RUN_FENCE: String(spec.fence),
    WADI_PIPELINE_ID: spec.pipeline,
    WADI_TASK_SLOTS: String(sizes.slots),
    WADI_WORKER_HANDLE: "${NOMAD_ALLOC_ID}",
    WADI_MACHINE: "${node.unique.id}",
    WADI_RUN_TOKEN_FILE: `${SECRETS}/run-token`,
    WADI_CONTROLLERS_FILE: `${SECRETS}/controllers`,
    WADI_CONTROLLER_CA_FILE: `${SECRETS}/controller-ca.pem`,
    WADI_IDENTITY_FILE: `${SECRETS}/nomad_wadi.jwt`,
    WADI_DATA_HOST: "${NOMAD_IP_data}",
    WADI_DATA_PORT: "${NOMAD_PORT_data}",
    WADI_ADMIN_HOST: "${NOMAD_IP_admin}",
    WADI_ADMIN_PORT: "${NOMAD_PORT_admin}",
  };
}

/** The task's files. What is read again at each reconnect is written anew when it changes, without disturbing the task. */
export function templatesOf(spec: RunSpec, settings: NomadJobSettings, nomadJob: string): readonly NomadTemplate[] {
  const path = variablePath(nomadJob);
  const perms = settings.driver === "raw_exec" && settings.user === undefined ? "0600" : "0644";
  const item = (name: string, text: string): NomadTemplate => ({
    DestPath: `${SECRETS}/${name}`,
    EmbeddedTmpl: text,
    ChangeMode: "noop",
    Perms: perms,
  });
  const controllers =
    `{{ range nomadService "${CONTROLLER_SERVICE}" }}{{ .Address }}:{{ .Port }}\n{{ end }}` +
    `{{ with nomadVar "${path}" }}{{ range (split "," .controllers.Value) }}{{ . }}\n{{ end }}{{ end }}`;
  const secrets = [...settings.access.secrets, ...spec.secrets].map(({ variable, reference }) => {
    const [where = "", key = ""] = reference.split("#");
    return `${variable}={{ with nomadVar "${where}" }}{{ .${key} }}{{ end }}\n`;
  });
  return [
    item("run-token", `{{ with nomadVar "${path}" }}{{ .run_token }}{{ end }}`),
    item("controllers", controllers),
    item("controller-ca.pem", `{{ with nomadVar "${path}" }}{{ .controller_ca }}{{ end }}`),
    ...(secrets.length === 0 ? [] : [{ ...item("secrets.env", secrets.join("")), Envvars: true }]),
  ];
}

function driverConfig(settings: NomadJobSettings): Readonly<Record<string, unknown>> {
  if (settings.driver !== "docker") {
    const [command, ...args] = commandOf(settings);
    return { command, args };
  }
  const [command, ...args] = settings.command;
  return {
    image: settings.image,
    ...(command === undefined ? { args: ["worker"] } : { command, args }),
    ...(settings.networkMode === "host" ? { network_mode: "host" } : { ports: ["data", "admin"] }),
    init: true,
    cap_drop: ["all"],
    readonly_rootfs: true,
  };
}

function commandOf({ command }: NomadJobSettings): readonly string[] {
  return command.length === 0 ? ["local/wadi/bin/wadi", "worker"] : command;
}

function artifactsOf({ driver, artifact, artifactChecksum }: NomadJobSettings): readonly NomadArtifact[] {
  if (driver === "docker" || artifact === undefined) return [];
  const options = artifactChecksum === undefined ? {} : { GetterOptions: { checksum: artifactChecksum } };
  return [{ GetterSource: artifact, ...options, GetterMode: "any", RelativeDest: "local/wadi" }];
}

/** What an operator may run in the task: the worker's own admin port answers, and says in words why it does not. */
function actionsOf(settings: NomadJobSettings): readonly NomadAction[] {
  const node = nodeProgram(settings);
  const ask = (path: string, options = ""): readonly string[] => {
    const url = `"http://"+process.env.NOMAD_ADDR_admin+"${path}"`;
    return ["-e", `fetch(${url}${options}).then(async r=>{console.log(await r.text());process.exitCode=r.ok?0:1})`];
  };
  return [
    { Name: "checkpoint", Command: node, Args: ask("/checkpoint", ',{method:"POST"}') },
    { Name: "stack", Command: node, Args: ask("/stack") },
    { Name: "diagnose", Command: node, Args: ask("/status") },
  ];
}

/** Node.js where the task runs: that of the command, beside it in a package, the archive's own, or the image's. */
function nodeProgram({ driver, command: [program] }: NomadJobSettings): string {
  if (program !== undefined && /(?:^|\/)node$/.test(program)) return program;
  if (program !== undefined) return /\/bin\/wadi$/.test(program) ? program.replace(/wadi$/, "node") : "node";
  if (driver === "docker") return "node";
  return driver === "exec" ? "/local/wadi/bin/node" : "local/wadi/bin/node";
}

/** Refuses what would be readable by whoever may read the job. */
function checkSpec(spec: RunSpec): void {
  for (const [name, value] of Object.entries(spec.environment)) {
    if (SECRET_NAME.test(name)) throw refused(`"${name}" looks like a secret and would be readable in the Nomad job`);
    if (INTERPOLATION.test(value)) throw refused(`the value of "${name}" has "\${…}", which Nomad would replace`);
  }
  for (const { variable, store, reference } of spec.secrets) {
    if (store !== "nomad-variable") throw refused(`the Nomad scheduler hands over no secrets from "${store}", such as "${variable}"`);
    if (!/^[\w~/-]+#\w+$/.test(reference)) throw refused(`the reference of secret "${variable}" is not of the form path#key`);
  }
}

/** With another build than the settings': an image or the tag of one, the URL of an archive. */
function withBuild(settings: NomadJobSettings, build: string | undefined): NomadJobSettings {
  if (build === undefined) return settings;
  if (settings.driver !== "docker") {
    if (/^[a-z0-9+.-]+:(?:\/\/|:)/i.test(build)) return { ...settings, artifact: build, artifactChecksum: undefined };
    throw refused(`build "${build}" is not the URL of an archive, which the driver ${settings.driver} needs`);
  }
  if (/[/:@]/.test(build)) return { ...settings, image: build };
  const name = settings.image?.replace(/(?:@.*|:[^/]*)$/, "");
  if (name === undefined) throw refused(`build "${build}" is a tag, and nomad.image is not set`);
  return { ...settings, image: `${name}:${build}` };
}

function checkSettings(settings: NomadJobSettings): void {
  const secret = Object.keys(settings.environment).find((name) => SECRET_NAME.test(name));
  if (secret !== undefined) throw refused(`nomad.environment has "${secret}", which looks like a secret`);
  if (settings.driver === "docker" && settings.image === undefined) throw refused("nomad.image is not set, which the driver docker needs");
  if (settings.driver !== "docker" && settings.artifact === undefined && settings.command.length === 0) {
    throw refused(`neither nomad.artifact nor nomad.command is set, one of which the driver ${settings.driver} needs`);
  }
}

function refused(message: string): AppError {
  return externalError("invalid-config", message, { retry: "never" });
}
