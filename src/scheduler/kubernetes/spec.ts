/**
 * What a run is in Kubernetes: one Indexed Job with a pod per worker, and a Secret that its pods mount. Pure: a specification and settings go in,
 * manifests come out. Workers of a run are equal, so slots are rounded up to a multiple of them.
 *
 * A failed pod is never replaced, and the others go on until the controller stops the run: `backoffLimitPerIndex: 0` says both, while
 * `backoffLimit: 0` would make Kubernetes kill the other workers at the first failure. It needs Kubernetes 1.29.
 */
import { createHash } from "node:crypto";
import type {
  V1Container,
  V1EnvVar,
  V1Job,
  V1PodFailurePolicy,
  V1PodSpec,
  V1Secret,
  V1TopologySpreadConstraint,
} from "@kubernetes/client-node";
import type { Config } from "../../core/config.ts";
import { type AppError, externalError } from "../../core/errors.ts";
import type { Tree, TreeTable } from "../../core/setting.ts";
import { sizeWorkers } from "../placement.ts";
import type { RunSpec } from "../scheduler.ts";
import { ANNOTATION, jobName, LABEL, runLabels } from "./labels.ts";
import { checkOverlay, mergeTree } from "./overlay.ts";
import { cpuQuantity, memoryQuantity, settingQuantity } from "./quantity.ts";

/** A run as it is submitted. */
export interface RenderedRun {
  readonly name: string;
  readonly job: V1Job;
  /** Of `RunSpec` without what may differ between two calls for one run. */
  readonly specHash: string;
  /** Pods. */
  readonly workers: number;
  readonly slotsPerWorker: number;
  /** What one pod asks for: thousandths of a processor and bytes. */
  readonly podCpuMillis: number;
  readonly podMemoryBytes: number;
}

/** Where a worker finds what it must not have in its environment. */
const SECRETS_FOLDER = "/var/run/wadi";
/** What a worker may write to: its root file system is read-only. */
const SCRATCH_FOLDER = "/var/lib/wadi";
/** Of the data plane and the admin server, as Arroyo has them: pods have addresses of their own. */
const DATA_PORT = 6900;
const ADMIN_PORT = 6901;
/** Any user but root; the image need not know it. */
const USER = 10_001;
/** A name that looks like a secret's: it would be readable in the Job. */
const SECRET_NAME = /token|secret|passw|credential|private_?key|api_?key/i;

/** The Job of `spec`. Throws `invalid-config` for what can never be met. */
export function renderRun(spec: RunSpec, settings: Config, namespace: string): RenderedRun {
  checkSpec(spec, settings);
  const cluster = settings["kubernetes.cluster-name"];
  const workers = sizeWorkers(spec.slots, spec.slotsPerWorker).length;
  const slotsPerWorker = Math.ceil(spec.slots / workers);
  const name = jobName(settings["kubernetes.worker.name-prefix"], spec);
  const specHash = hashSpec(spec);
  const { cpuMillis, memoryBytes } = podResources(spec, settings, slotsPerWorker);
  const labels = { ...settings["kubernetes.worker.labels"], ...runLabels(cluster, spec) };
  const annotations = {
    ...settings["kubernetes.worker.annotations"],
    [ANNOTATION.slots]: String(slotsPerWorker),
    [ANNOTATION.workers]: String(workers),
    [ANNOTATION.specHash]: specHash,
  };
  const podSpec = renderPod(spec, settings, { name, slotsPerWorker, cpuMillis, memoryBytes });
  const plain: V1Job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace, labels, annotations },
    spec: {
      completionMode: "Indexed",
      parallelism: workers,
      completions: workers,
      backoffLimitPerIndex: 0,
      podFailurePolicy: FAILURE_POLICY,
      podReplacementPolicy: "Failed",
      ttlSecondsAfterFinished: Math.ceil(settings["kubernetes.job-ttl"] / 1000),
      template: { metadata: { labels, annotations }, spec: podSpec },
    },
  };
  const job = overlaid(plain, spec, settings);
  return { name, job, specHash, workers, slotsPerWorker, podCpuMillis: cpuMillis, podMemoryBytes: memoryBytes };
}

/** What pods of `spec` mount: the token, the controllers, and the authority of the controllers' certificates if there is one. */
export function renderSecret(spec: RunSpec, settings: Config, namespace: string): V1Secret {
  const { "kubernetes.cluster-name": cluster, "kubernetes.worker.name-prefix": prefix } = settings;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: jobName(prefix, spec), namespace, labels: runLabels(cluster, spec) },
    type: "Opaque",
    data: {
      "run-token": base64(spec.runToken),
      controllers: base64(`${spec.controllers.join("\n")}\n`),
      "controller-ca.pem": base64(spec.controllerCa ?? ""),
    },
  };
}

/** Tells whether two calls mean the same run. */
function hashSpec(spec: RunSpec): string {
  const { runToken: _token, controllers: _controllers, controllerCa: _ca, ...essence } = spec;
  const text = JSON.stringify(essence, (_key, value: unknown) => {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** Any end but success fails the worker's index alone, once its pod has really ended. */
const FAILURE_POLICY: V1PodFailurePolicy = {
  rules: [
    { action: "FailIndex", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
    { action: "FailIndex", onExitCodes: { containerName: "worker", operator: "NotIn", values: [0] } },
  ],
};

interface PodParts {
  readonly name: string;
  readonly slotsPerWorker: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

function renderPod(spec: RunSpec, settings: Config, parts: PodParts): V1PodSpec {
  const account = settings["kubernetes.worker.service-account-name"];
  const priority = settings["kubernetes.worker.priority-class"];
  const selector = settings["kubernetes.worker.node-selector"];
  const pullSecrets = settings["kubernetes.worker.image-pull-secrets"];
  return {
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.ceil(settings["kubernetes.worker.termination-grace"] / 1000),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      fsGroup: USER,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [renderContainer(spec, settings, parts)],
    volumes: [
      { name: "wadi-run", secret: { secretName: parts.name, defaultMode: 0o440 } },
      { name: "wadi-scratch", emptyDir: {} },
      ...asManifests<NonNullable<V1PodSpec["volumes"]>>(settings["kubernetes.worker.volumes"]),
    ],
    topologySpreadConstraints: topologySpread(spec, settings),
    ...(account === undefined ? {} : { serviceAccountName: account }),
    ...(priority === undefined ? {} : { priorityClassName: priority }),
    ...(Object.keys(selector).length === 0 ? {} : { nodeSelector: { ...selector } }),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    ...(settings["kubernetes.worker.tolerations"].length === 0
      ? {}
      : { tolerations: asManifests<NonNullable<V1PodSpec["tolerations"]>>(settings["kubernetes.worker.tolerations"]) }),
  };
}

function renderContainer(spec: RunSpec, settings: Config, parts: PodParts): V1Container {
  const command = settings["kubernetes.worker.command"];
  const [cpu, memory] = [cpuQuantity(parts.cpuMillis), memoryQuantity(parts.memoryBytes)];
  return {
    name: "worker",
    image: imageOf(spec.build, settings["kubernetes.worker.image"] ?? ""),
    imagePullPolicy: settings["kubernetes.worker.image-pull-policy"],
    ...(command.length === 0 ? { args: ["worker"] } : { command: [...command] }),
    env: renderEnvironment(spec, settings, parts.slotsPerWorker),
    ports: [
      { name: "data", containerPort: DATA_PORT, protocol: "TCP" },
      { name: "admin", containerPort: ADMIN_PORT, protocol: "TCP" },
    ],
    // No limit of processors: throttling would stall barriers; the request gives the share.
    resources: { requests: { cpu, memory }, limits: { memory } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    volumeMounts: [
      { name: "wadi-run", mountPath: SECRETS_FOLDER, readOnly: true },
      { name: "wadi-scratch", mountPath: SCRATCH_FOLDER },
      ...asManifests<NonNullable<V1Container["volumeMounts"]>>(settings["kubernetes.worker.volume-mounts"]),
    ],
    // What a worker says last is kept with the pod, so that it is seen without its log.
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** Another build than the settings': an image, or the tag of one. */
function imageOf(build: string | undefined, image: string): string {
  if (build === undefined) return image;
  return /[/:@]/.test(build) ? build : `${image.replace(/@.*$/, "").replace(/:[^/:]*$/, "")}:${build}`;
}

function renderEnvironment(spec: RunSpec, settings: Config, slots: number): V1EnvVar[] {
  const field = (name: string, fieldPath: string): V1EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const plain: Record<string, string> = {
    ...settings["kubernetes.worker.env"],
    ...literal(spec.environment),
    HOME: SCRATCH_FOLDER,
    TMPDIR: SCRATCH_FOLDER,
    WADI_PIPELINE_ID: spec.pipeline,
    WADI_JOB_ID: spec.job,
    WADI_RUN_ID: spec.run,
    WADI_RUN_FENCE: String(spec.fence),
    WADI_TASK_SLOTS: String(slots),
    WADI_RUN_TOKEN_FILE: `${SECRETS_FOLDER}/run-token`,
    WADI_CONTROLLERS_FILE: `${SECRETS_FOLDER}/controllers`,
    // An empty file counts as none.
    WADI_CONTROLLER_CA_FILE: `${SECRETS_FOLDER}/controller-ca.pem`,
    WADI_DATA_PORT: String(DATA_PORT),
    WADI_ADMIN_PORT: String(ADMIN_PORT),
    WADI__LOGGING__FORMAT: "json",
  };
  return [
    ...Object.entries(plain).map(([name, value]) => ({ name, value })),
    field("WADI_WORKER_HANDLE", "metadata.name"),
    field("WADI_MACHINE", "spec.nodeName"),
    field("WADI_DATA_HOST", "status.podIP"),
    field("WADI__WORKER__BIND_ADDRESS", "status.podIP"),
    ...spec.secrets.map(({ variable, reference }) => secretVariable(variable, reference)),
  ];
}

/** As they are: Kubernetes would put other variables in the place of `$(NAME)`. */
function literal(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value.replaceAll("$(", "$$$(")]));
}

function secretVariable(name: string, reference: string): V1EnvVar {
  const [secret = "", key = ""] = reference.split("/");
  return { name, valueFrom: { secretKeyRef: { name: secret, key } } };
}

function topologySpread(spec: RunSpec, settings: Config): V1TopologySpreadConstraint[] {
  const wish = settings["kubernetes.worker.topology-spread"];
  if (wish === "none") return [];
  const matchLabels = { [LABEL.job]: spec.job, [LABEL.fence]: String(spec.fence) };
  const over = (topologyKey: string, must: boolean): V1TopologySpreadConstraint => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: must ? "DoNotSchedule" : "ScheduleAnyway",
    labelSelector: { matchLabels },
  });
  return [over("topology.kubernetes.io/zone", false), over("kubernetes.io/hostname", wish === "required")];
}

function podResources(spec: RunSpec, settings: Config, slots: number): { cpuMillis: number; memoryBytes: number } {
  const { "kubernetes.worker.cpu": cpu, "kubernetes.worker.memory": memory } = settings;
  const factor = settings["kubernetes.resource-mode"] === "per-slot" ? slots : 1;
  return {
    cpuMillis:
      cpu === undefined ? spec.resources.cpuMillis * slots : Math.ceil(settingQuantity("kubernetes.worker.cpu", cpu) * 1000 * factor),
    memoryBytes:
      memory === undefined ? spec.resources.memoryBytes * slots : Math.ceil(settingQuantity("kubernetes.worker.memory", memory) * factor),
  };
}

/** With the operator's overlay and the pipeline's; what the scheduler itself relies on must have stayed. */
function overlaid(job: V1Job, spec: RunSpec, settings: Config): V1Job {
  const own = (spec.overrides["kubernetes"] ?? {}) as TreeTable;
  checkOverlay(own, settings["kubernetes.worker.overlay-allowed"]);
  const merged = mergeTree(mergeTree(job as unknown as Tree, settings["kubernetes.worker.overlay"]), own) as unknown as V1Job;
  const essence = ({ metadata, spec: jobSpec }: V1Job): string => {
    const { completionMode, parallelism, completions, backoffLimitPerIndex, template } = jobSpec ?? { template: {} };
    const labels = Object.values(LABEL).map((label) => [metadata?.labels?.[label], template?.metadata?.labels?.[label]]);
    const { slots, workers, specHash } = ANNOTATION;
    const notes = [slots, workers, specHash].map((name) => metadata?.annotations?.[name]);
    const pod = template?.spec;
    return JSON.stringify([
      metadata?.name,
      metadata?.namespace,
      labels,
      notes,
      completionMode,
      parallelism,
      completions,
      backoffLimitPerIndex,
      pod?.restartPolicy,
    ]);
  };
  if (essence(merged) === essence(job)) return merged;
  throw refused("an overlay changes what Wadi needs of a worker Job: its name, labels wadi.dev/…, completions or restart policy");
}

function checkSpec(spec: RunSpec, settings: Config): void {
  if (settings["kubernetes.worker.image"] === undefined) throw refused("kubernetes.worker.image is not set");
  if (!/^[a-z]([0-9a-z-]{0,4}[0-9a-z])?$/.test(settings["kubernetes.worker.name-prefix"])) {
    throw refused("kubernetes.worker.name-prefix must be 1 to 6 lower-case letters, digits and dashes");
  }
  const names = [...Object.keys(spec.environment), ...Object.keys(settings["kubernetes.worker.env"])];
  const secret = names.find((name) => SECRET_NAME.test(name));
  if (secret !== undefined) throw refused(`"${secret}" looks like a secret and would be readable in the worker Job`);
  const [unknown] = Object.keys(spec.overrides).filter((name) => name !== "kubernetes");
  if (unknown !== undefined) throw refused(`the Kubernetes scheduler does not know the setting "${unknown}"`);
  if (typeof (spec.overrides["kubernetes"] ?? {}) !== "object") throw refused('the setting "kubernetes" of a pipeline must be a table');
  for (const { variable, store, reference } of spec.secrets) {
    if (store !== "kubernetes-secret") throw refused(`the Kubernetes scheduler cannot read "${variable}" from the store "${store}"`);
    if (!/^[^/]+\/[^/]+$/.test(reference)) throw refused(`the secret of "${variable}" must be given as name/key, not "${reference}"`);
  }
}

/** What an operator wrote in the settings is checked by the API server, field by field. */
function asManifests<T>(tables: readonly TreeTable[]): T {
  return tables as unknown as T;
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

function refused(message: string): AppError {
  return externalError("invalid-config", message, { retry: "never" });
}
