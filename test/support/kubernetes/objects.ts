/** Objects of the fake Kubernetes: shapes that it works with itself. What a client sends is checked against the real OpenAPI in `schema.ts`. */
import { randomUUID } from "node:crypto";
import type { V1JobSpec, V1NodeSpec, V1PodSpec } from "@kubernetes/client-node";

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface Metadata {
  name: string;
  namespace?: string;
  generateName?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime: string;
}

export interface ContainerState {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: { exitCode: number; signal?: number; reason: string; message?: string; startedAt: string; finishedAt: string };
}

export interface PodObject extends KubeObject {
  spec: V1PodSpec;
  status: {
    phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
    reason?: string;
    message?: string;
    podIP?: string;
    hostIP?: string;
    startTime?: string;
    conditions?: Condition[];
    containerStatuses?: { name: string; image: string; imageID: string; ready: boolean; restartCount: number; state: ContainerState }[];
  };
}

export interface JobObject extends KubeObject {
  spec: V1JobSpec;
  status: {
    active?: number;
    ready?: number;
    succeeded?: number;
    failed?: number;
    terminating?: number;
    completedIndexes?: string;
    failedIndexes?: string;
    startTime?: string;
    completionTime?: string;
    conditions?: Condition[];
  };
}

export interface NodeObject extends KubeObject {
  spec: Omit<V1NodeSpec, "taints"> & { taints?: { key: string; value?: string; effect: string; timeAdded?: string }[] };
  status: {
    capacity: Record<string, string>;
    allocatable: Record<string, string>;
    conditions: Condition[];
    addresses: { type: string; address: string }[];
    nodeInfo: Record<string, string>;
  };
}

export interface SecretObject extends KubeObject {
  data?: Record<string, string>;
  type: string;
}

export interface EventObject extends KubeObject {
  involvedObject: { kind: string; namespace: string; name: string; uid: string };
  type: "Normal" | "Warning";
  reason: string;
  message: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  eventTime: null;
  source: { component: string };
}

/** A kind of object. */
export interface Resource {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Name of its class in the client's generated models. */
  readonly model: string;
}

const resource = (group: string, plural: string, kind: string, model: string, namespaced = true): Resource => ({
  group,
  version: "v1",
  plural,
  kind,
  namespaced,
  model,
});

export const RESOURCES: readonly Resource[] = [
  resource("", "pods", "Pod", "V1Pod"),
  resource("", "secrets", "Secret", "V1Secret"),
  resource("", "configmaps", "ConfigMap", "V1ConfigMap"),
  resource("", "events", "Event", "CoreV1Event"),
  resource("", "services", "Service", "V1Service"),
  resource("", "serviceaccounts", "ServiceAccount", "V1ServiceAccount"),
  resource("", "namespaces", "Namespace", "V1Namespace", false),
  resource("", "nodes", "Node", "V1Node", false),
  resource("", "resourcequotas", "ResourceQuota", "V1ResourceQuota"),
  resource("batch", "jobs", "Job", "V1Job"),
  resource("apps", "deployments", "Deployment", "V1Deployment"),
  resource("policy", "poddisruptionbudgets", "PodDisruptionBudget", "V1PodDisruptionBudget"),
  resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", "V1NetworkPolicy"),
  resource("rbac.authorization.k8s.io", "roles", "Role", "V1Role"),
  resource("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", "V1RoleBinding"),
  resource("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", "V1ClusterRole", false),
  resource("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", "V1ClusterRoleBinding", false),
];

export function findResource(plural: string, group = ""): Resource | undefined {
  return RESOURCES.find((one) => one.plural === plural && one.group === group);
}

export function now(): string {
  // Kubernetes' metav1.Time has whole seconds.
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

export function newMetadata(name: string, namespace: string | undefined, more: Partial<Metadata> = {}): Metadata {
  const place = namespace === undefined ? {} : { namespace };
  return { name, ...place, uid: randomUUID(), resourceVersion: "", creationTimestamp: now(), ...more };
}

/** Sets a condition; its time changes only with its status. */
export function setCondition(conditions: Condition[], fresh: Omit<Condition, "lastTransitionTime">): Condition[] {
  const before = conditions.find(({ type }) => type === fresh.type);
  const since = before?.status === fresh.status ? before.lastTransitionTime : now();
  return [...conditions.filter(({ type }) => type !== fresh.type), { ...fresh, lastTransitionTime: since }];
}

export function isTerminal(pod: PodObject): boolean {
  return pod.status.phase === "Succeeded" || pod.status.phase === "Failed";
}

/** What kubectl would call it. */
export function ownedBy(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) === true;
}

/** A deep copy that may be changed. */
export function copyOf<T extends KubeObject>(object: T): T {
  return structuredClone(object);
}
