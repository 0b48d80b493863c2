/**
 * What runs Wadi itself in Kubernetes: controllers, API, their rights and who may talk to whom. Pure: settings go in, manifests come out. The
 * database, the object store and the secrets' values are somebody else's: they are referred to by name.
 */
import type {
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1ConfigMap,
  V1Container,
  V1Deployment,
  V1Namespace,
  V1NetworkPolicy,
  V1PodDisruptionBudget,
  V1PolicyRule,
  V1Role,
  V1RoleBinding,
  V1Service,
  V1ServiceAccount,
} from "@kubernetes/client-node";
import { type Config, printSetting, type SettingName, settingNames } from "../../core/config.ts";
import { SETTINGS } from "../../core/settings.ts";
import { LABEL } from "./labels.ts";

/** One object. */
export type Manifest =
  | V1Namespace
  | V1ServiceAccount
  | V1Role
  | V1RoleBinding
  | V1ClusterRole
  | V1ClusterRoleBinding
  | V1ConfigMap
  | V1Deployment
  | V1Service
  | V1NetworkPolicy
  | V1PodDisruptionBudget;

/** The secret that operators make: see `SECRET_KEYS`. */
export const SECRET_NAME = "wadi-secrets";
/** Its keys and the variables that they become. */
const SECRET_KEYS = { "database-password": "WADI__DATABASE__POSTGRES__PASSWORD", "session-token": "WADI__API__SESSION_TOKEN" } as const;
const USER = 10_001;
const PORTS = { api: 5115, controller: 5116, admin: 5114, data: 6900, workerAdmin: 6901 } as const;

/** What the controller does within its namespace. */
export const CONTROLLER_RULES: readonly V1PolicyRule[] = [
  { apiGroups: ["batch"], resources: ["jobs"], verbs: ["create", "get", "list", "watch", "delete"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch", "delete"] },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["create", "patch", "delete"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["create", "get", "list", "update", "delete"] },
  { apiGroups: [""], resources: ["events"], verbs: ["list", "watch"] },
  { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
];

/** What it does beyond, where nodes are watched: machines that drain, and the room on them. */
export const CONTROLLER_CLUSTER_RULES: readonly V1PolicyRule[] = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["list", "watch"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
];

/** All manifests, in the order in which they are applied. */
export function renderSystem(settings: Config): readonly Manifest[] {
  const namespace = settings["kubernetes.namespace"] ?? "wadi";
  return [
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: namespace,
        labels: { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted" },
      },
    },
    ...rights(settings, namespace),
    configuration(settings, namespace),
    deployment(settings, namespace, "controller"),
    deployment(settings, namespace, "api"),
    service(settings, namespace, "controller"),
    service(settings, namespace, "api"),
    ...(["controller", "api"] as const).map((part) => budget(settings, namespace, part)),
    ...networkPolicies(settings, namespace),
  ];
}

type Part = "controller" | "api";

function labelsOf(settings: Config, part: Part): Record<string, string> {
  const cluster = settings["kubernetes.cluster-name"];
  return {
    "app.kubernetes.io/name": "wadi",
    "app.kubernetes.io/component": part,
    "app.kubernetes.io/instance": cluster,
    [LABEL.managedBy]: "wadi",
    [LABEL.cluster]: cluster,
  };
}

function selectorOf(settings: Config, part: Part | "worker"): Record<string, string> {
  return { "app.kubernetes.io/component": part, "app.kubernetes.io/instance": settings["kubernetes.cluster-name"] };
}

function rights(settings: Config, namespace: string): Manifest[] {
  const name = "wadi-controller";
  const metadata = { name, namespace, labels: labelsOf(settings, "controller") };
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const apiGroup = "rbac.authorization.k8s.io";
  const version = `${apiGroup}/v1` as const;
  const wide = { name: `wadi-controller-${namespace}`, labels: metadata.labels };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: version, kind: "Role", metadata, rules: [...CONTROLLER_RULES] },
    { apiVersion: version, kind: "RoleBinding", metadata, roleRef: { apiGroup, kind: "Role", name }, subjects },
    ...(settings["kubernetes.watch-nodes"]
      ? ([
          { apiVersion: version, kind: "ClusterRole", metadata: wide, rules: [...CONTROLLER_CLUSTER_RULES] },
          {
            apiVersion: version,
            kind: "ClusterRoleBinding",
            metadata: wide,
            roleRef: { apiGroup, kind: "ClusterRole", name: wide.name },
            subjects,
          },
        ] satisfies Manifest[])
      : []),
  ];
}

/** What both services read: settings that are not as they come, without secrets, and what being in Kubernetes asks for. */
function configuration(settings: Config, namespace: string): V1ConfigMap {
  const inKubernetes: Partial<Config> = {
    "controller.scheduler": "kubernetes",
    "kubernetes.namespace": namespace,
    "database.type": "postgres",
    "controller-endpoint": `http://wadi-controller.${namespace}.svc:${PORTS.controller}`,
    "api.bind-address": "0.0.0.0",
    "api.http-port": PORTS.api,
    "admin.bind-address": "0.0.0.0",
    "admin.http-port": PORTS.admin,
    "controller.rpc-port": PORTS.controller,
    "logging.format": "json",
  };
  const config = { ...settings, ...inKubernetes } as Config;
  const chosen = settingNames().filter((name) => {
    const { fallback, sensitive } = SETTINGS[name];
    return !sensitive && !HERE_ONLY.has(name) && JSON.stringify(config[name]) !== JSON.stringify(fallback);
  });
  const names = [...new Set([...chosen, ...(Object.keys(inKubernetes) as SettingName[])])];
  const text = names.map((name) => `${name} = ${printSetting(config, name)}\n`).join("");
  const metadata = { name: "wadi-config", namespace, labels: labelsOf(settings, "controller") };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "wadi.toml": text } };
}

/** Settings of this machine: pods have their own. */
const HERE_ONLY: ReadonlySet<SettingName> = new Set<SettingName>([
  "state-dir",
  "hostname",
  "kubernetes.kubeconfig",
  "kubernetes.context",
  "controller.bind-address",
]);

function deployment(settings: Config, namespace: string, part: Part): V1Deployment {
  const name = `wadi-${part}`;
  const labels = labelsOf(settings, part);
  const own = selectorOf(settings, part);
  const mounts: Pick<V1Container, "volumeMounts" | "securityContext"> = {
    volumeMounts: [
      { name: "config", mountPath: "/etc/wadi", readOnly: true },
      { name: "scratch", mountPath: "/var/lib/wadi" },
    ],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
  };
  const image = settings["kubernetes.worker.image"] ?? "wadi";
  const base = { image, imagePullPolicy: settings["kubernetes.worker.image-pull-policy"], env: environment(), ...mounts };
  const command = (word: string): string[] => [word, "--config", "/etc/wadi/wadi.toml"];
  const status = { httpGet: { path: "/status", port: "admin" } };
  const container: V1Container = {
    ...base,
    name: part,
    args: command(part),
    ports: [
      { name: part === "api" ? "http" : "rpc", containerPort: PORTS[part] },
      { name: "admin", containerPort: PORTS.admin },
    ],
    resources: { requests: { cpu: "250m", memory: "512Mi" }, limits: { memory: part === "api" ? "2Gi" : "4Gi" } },
    readinessProbe: { ...status, periodSeconds: 5 },
    livenessProbe: { ...status, periodSeconds: 10, failureThreshold: 6, initialDelaySeconds: 30 },
  };
  const secrets = settings["kubernetes.worker.image-pull-secrets"].map((secret) => ({ name: secret }));
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: own },
      template: {
        metadata: { labels },
        spec: {
          ...(part === "controller" ? { serviceAccountName: name } : { automountServiceAccountToken: false }),
          ...(secrets.length === 0 ? {} : { imagePullSecrets: secrets }),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: USER,
            runAsGroup: USER,
            fsGroup: USER,
            seccompProfile: { type: "RuntimeDefault" },
          },
          initContainers: part === "controller" ? [{ ...base, name: "migrate", args: [...command("migrate"), "--wait", "120"] }] : [],
          containers: [container],
          volumes: [
            { name: "config", configMap: { name: "wadi-config" } },
            { name: "scratch", emptyDir: {} },
          ],
          topologySpreadConstraints: [
            { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: own } },
          ],
        },
      },
    },
  };
}

/** A service's own address, so that workers find the leader itself, and what is secret. */
function environment(): NonNullable<V1Container["env"]> {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    { name: "HOME", value: "/var/lib/wadi" },
    { name: "TMPDIR", value: "/var/lib/wadi" },
    field("WADI__HOSTNAME", "status.podIP"),
    field("WADI__CONTROLLER__BIND_ADDRESS", "status.podIP"),
    ...Object.entries(SECRET_KEYS).map(([key, name]) => ({ name, valueFrom: { secretKeyRef: { name: SECRET_NAME, key } } })),
  ];
}

/** That of the controllers has no address of its own: its name stands for all of them, and a worker tries them in turn. */
function service(settings: Config, namespace: string, part: Part): V1Service {
  const port =
    part === "api" ? { name: "http", port: PORTS.api, targetPort: "http" } : { name: "rpc", port: PORTS.controller, targetPort: "rpc" };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `wadi-${part}`, namespace, labels: labelsOf(settings, part) },
    spec: { selector: selectorOf(settings, part), ports: [port], ...(part === "controller" ? { clusterIP: "None" } : {}) },
  };
}

function budget(settings: Config, namespace: string, part: Part): V1PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: `wadi-${part}`, namespace, labels: labelsOf(settings, part) },
    spec: { minAvailable: 1, selector: { matchLabels: selectorOf(settings, part) } },
  };
}

/** Workers hear workers alone, controllers hear workers; admin ports are for whoever scrapes metrics in the namespace. */
function networkPolicies(settings: Config, namespace: string): V1NetworkPolicy[] {
  const pods = (part: Part | "worker") => ({ podSelector: { matchLabels: selectorOf(settings, part) } });
  const port = (number: number) => ({ protocol: "TCP", port: number });
  const policy = (part: Part | "worker", ingress: NonNullable<V1NetworkPolicy["spec"]>["ingress"]): V1NetworkPolicy => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: `wadi-${part}`, namespace, labels: labelsOf(settings, part === "worker" ? "controller" : part) },
    spec: { ...pods(part), policyTypes: ["Ingress"], ...(ingress === undefined ? {} : { ingress }) },
  });
  const within = [{ podSelector: {} }];
  return [
    policy("worker", [
      { _from: [pods("worker")], ports: [port(PORTS.data)] },
      { _from: within, ports: [port(PORTS.workerAdmin)] },
    ]),
    policy("controller", [
      { _from: [pods("worker")], ports: [port(PORTS.controller)] },
      { _from: within, ports: [port(PORTS.admin)] },
    ]),
    policy("api", [{ ports: [port(PORTS.api)] }, { _from: within, ports: [port(PORTS.admin)] }]),
  ];
}
