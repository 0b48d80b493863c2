/** What the API server fills in and refuses before it stores an object: defaults, validation, pod security, quotas. */
import type { V1Container, V1PodSpec, V1PodTemplateSpec } from "@kubernetes/client-node";
import { readQuantity } from "../../../src/scheduler/kubernetes/quantity.ts";
import { isTerminal, type JobObject, type KubeObject, type PodObject, type Resource } from "./objects.ts";
import { type ApiRefusal, forbidden, invalid } from "./status.ts";
import type { ObjectStore } from "./store.ts";

const DNS_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const LABEL_NAME = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const MAX_INT = 2 ** 31 - 1;

/** Fills in what clients may leave out. */
export function applyDefaults(resource: Resource, object: KubeObject): void {
  if (resource.plural === "pods") defaultPod((object as PodObject).spec);
  if (resource.plural !== "jobs") return;
  const { spec, metadata } = object as JobObject;
  const own = {
    "batch.kubernetes.io/controller-uid": metadata.uid,
    "batch.kubernetes.io/job-name": metadata.name,
    "controller-uid": metadata.uid,
    "job-name": metadata.name,
  };
  spec.completionMode ??= "NonIndexed";
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : MAX_INT;
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed";
  spec.selector = { matchLabels: { "batch.kubernetes.io/controller-uid": metadata.uid } };
  spec.template.metadata = { ...spec.template.metadata, labels: { ...spec.template.metadata?.labels, ...own } };
  if (spec.template.spec !== undefined) defaultPod(spec.template.spec);
  (object as JobObject).status = {};
}

function defaultPod(spec: V1PodSpec): void {
  spec.restartPolicy ??= "Always";
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= "ClusterFirst";
  spec.schedulerName ??= "default-scheduler";
  spec.serviceAccountName ??= "default";
  for (const container of spec.containers ?? []) {
    container.terminationMessagePath ??= "/dev/termination-log";
    container.terminationMessagePolicy ??= "File";
    container.imagePullPolicy ??= "IfNotPresent";
  }
}

/** What is wrong with it; empty: nothing. */
export function validationCauses(resource: Resource, object: KubeObject): string[] {
  const causes = metadataCauses(object);
  if (resource.plural === "jobs") causes.push(...jobCauses(object as JobObject));
  if (resource.plural === "pods") causes.push(...podCauses((object as PodObject).spec, "spec"));
  return causes;
}

function metadataCauses({ metadata: { name, labels = {} } }: KubeObject): string[] {
  const causes: string[] = [];
  if (!DNS_NAME.test(name) || name.length > 253)
    causes.push(
      `metadata.name: Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'`,
    );
  return [...causes, ...labelCauses(labels, "metadata.labels")];
}

function labelCauses(labels: Record<string, string>, path: string): string[] {
  return Object.entries(labels).flatMap(([label, value]) => {
    if (!LABEL_NAME.test(label))
      return [`${path}: Invalid value: "${label}": name part must consist of alphanumeric characters, '-', '_' or '.'`];
    if (value.length > 63) return [`${path}: Invalid value: "${value}": must be no more than 63 characters`];
    return LABEL_VALUE.test(value)
      ? []
      : [
          `${path}: Invalid value: "${value}": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`,
        ];
  });
}

/** https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/batch/validation/validation.go */
function jobCauses({ metadata, spec }: JobObject): string[] {
  const causes: string[] = [];
  const indexed = spec.completionMode === "Indexed";
  const refuse = (condition: boolean, cause: string): void => void (condition && causes.push(cause));
  const length = metadata.name.length + 1 + String((spec.completions ?? 1) - 1).length;
  refuse(indexed && length > 63, `metadata.name: Invalid value: "${metadata.name}": will not able to create pod with invalid DNS label`);
  refuse(indexed && spec.completions === undefined, 'spec.completions: Required value: when completion mode is "Indexed"');
  refuse(!indexed && spec.backoffLimitPerIndex !== undefined, "spec.backoffLimitPerIndex: Invalid value: requires indexed completion mode");
  refuse((spec.parallelism ?? 0) < 0, "spec.parallelism: Invalid value: must be greater than or equal to 0");
  const pod = spec.template.spec;
  refuse(
    !["Never", "OnFailure"].includes(pod?.restartPolicy ?? ""),
    `spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`,
  );
  if (spec.podFailurePolicy !== undefined) {
    refuse(
      pod?.restartPolicy !== "Never",
      `spec.template.spec.restartPolicy: Invalid value: "${pod?.restartPolicy}": only "Never" is supported when podFailurePolicy is specified`,
    );
    refuse(spec.podReplacementPolicy !== "Failed", 'spec.podReplacementPolicy: Unsupported value: supported values: "Failed"');
    for (const [index, rule] of spec.podFailurePolicy.rules.entries()) {
      const path = `spec.podFailurePolicy.rules[${index}]`;
      const { onExitCodes: codes, onPodConditions: conditions = [] } = rule;
      refuse(!["FailJob", "FailIndex", "Ignore", "Count"].includes(rule.action), `${path}.action: Unsupported value: "${rule.action}"`);
      refuse(
        rule.action === "FailIndex" && spec.backoffLimitPerIndex === undefined,
        `${path}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
      );
      refuse(
        codes === undefined && conditions.length === 0,
        `${path}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
      );
      refuse(
        codes !== undefined && conditions.length > 0,
        `${path}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported`,
      );
      refuse(
        codes?.operator === "In" && codes.values.includes(0),
        `${path}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator`,
      );
      const container = codes?.containerName;
      refuse(
        container !== undefined && !(pod?.containers ?? []).some(({ name }) => name === container),
        `${path}.onExitCodes.containerName: Invalid value: "${container}": must be one of the container or initContainer names in the pod template`,
      );
    }
  }
  return [
    ...causes,
    ...labelCauses(spec.template.metadata?.labels ?? {}, "spec.template.labels"),
    ...(pod === undefined ? ["spec.template.spec: Required value"] : podCauses(pod, "spec.template.spec")),
  ];
}

function podCauses(spec: V1PodSpec, path: string): string[] {
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const causes = (spec.containers ?? []).flatMap((container, index) => containerCauses(container, volumes, `${path}.containers[${index}]`));
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    if (!["DoNotSchedule", "ScheduleAnyway"].includes(constraint.whenUnsatisfiable))
      causes.push(`${path}.topologySpreadConstraints[${index}].whenUnsatisfiable: Unsupported value: "${constraint.whenUnsatisfiable}"`);
  }
  for (const [index, { effect = "" }] of (spec.tolerations ?? []).entries()) {
    if (!["", "NoSchedule", "PreferNoSchedule", "NoExecute"].includes(effect))
      causes.push(`${path}.tolerations[${index}].effect: Unsupported value: "${effect}"`);
  }
  return (spec.containers ?? []).length === 0 ? [`${path}.containers: Required value`] : causes;
}

function containerCauses(
  { image, name, env = [], volumeMounts = [], resources, ports = [] }: V1Container,
  volumes: ReadonlySet<string>,
  path: string,
): string[] {
  const causes: string[] = [];
  if (image === undefined || image === "") causes.push(`${path}.image: Required value`);
  if (!DNS_NAME.test(name)) causes.push(`${path}.name: Invalid value: "${name}"`);
  for (const [index, mount] of volumeMounts.entries())
    if (!volumes.has(mount.name)) causes.push(`${path}.volumeMounts[${index}].name: Not found: "${mount.name}"`);
  for (const [index, one] of env.entries()) {
    if (one.value !== undefined && one.value !== "" && one.valueFrom !== undefined)
      causes.push(`${path}.env[${index}].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`);
    const field = one.valueFrom?.fieldRef?.fieldPath;
    if (field !== undefined && !FIELD_PATHS.test(field))
      causes.push(`${path}.env[${index}].valueFrom.fieldRef.fieldPath: Unsupported value: "${field}"`);
  }
  for (const { name: portName = "" } of ports)
    if (portName.length > 15) causes.push(`${path}.ports[0].name: Invalid value: "${portName}": must be no more than 15 characters`);
  for (const part of ["requests", "limits"] as const) {
    for (const [what, amount] of Object.entries(resources?.[part] ?? {}))
      if (readQuantity(amount) === undefined) causes.push(`${path}.resources.${part}.${what}: Invalid value: "${amount}"`);
  }
  for (const [what, request] of Object.entries(resources?.requests ?? {})) {
    const limit = resources?.limits?.[what];
    if (limit !== undefined && (readQuantity(request) ?? 0) > (readQuantity(limit) ?? 0))
      causes.push(`${path}.resources.requests: Invalid value: "${request}": must be less than or equal to ${what} limit of ${limit}`);
  }
  return causes;
}

const FIELD_PATHS =
  /^(metadata\.(name|namespace|uid|labels\['[^']+'\]|annotations\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$/;

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted; empty: it is restricted enough. */
export function podSecurityTroubles(spec: V1PodSpec): string[] {
  const pod = spec.securityContext;
  const troubles: string[] = [];
  for (const { name, securityContext: own } of spec.containers) {
    if (own?.allowPrivilegeEscalation !== false)
      troubles.push(`allowPrivilegeEscalation != false (container "${name}" must set securityContext.allowPrivilegeEscalation=false)`);
    if (own?.capabilities?.drop?.includes("ALL") !== true)
      troubles.push(`unrestricted capabilities (container "${name}" must set securityContext.capabilities.drop=["ALL"])`);
    if ((own?.runAsNonRoot ?? pod?.runAsNonRoot) !== true)
      troubles.push(`runAsNonRoot != true (pod or container "${name}" must set securityContext.runAsNonRoot=true)`);
    const profile = own?.seccompProfile?.type ?? pod?.seccompProfile?.type;
    if (profile !== "RuntimeDefault" && profile !== "Localhost")
      troubles.push(
        `seccompProfile (pod or container "${name}" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`,
      );
  }
  const allowed = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
  for (const { name, ...source } of spec.volumes ?? [])
    if (!Object.keys(source).some((kind) => allowed.includes(kind))) troubles.push(`restricted volume types (volume "${name}")`);
  return troubles;
}

interface Quota extends KubeObject {
  readonly spec: { readonly hard: Record<string, string> };
}

/** The refusal of a pod for which a quota of its namespace has no room. */
export function quotaRefusal(store: ObjectStore, resource: Resource, pod: PodObject): ApiRefusal | undefined {
  for (const quota of store.list<Quota>("resourcequotas", pod.metadata.namespace)) {
    const limit = readQuantity(quota.spec.hard["pods"] ?? "");
    const used = store.list<PodObject>("pods", pod.metadata.namespace).filter((one) => !isTerminal(one)).length;
    if (limit === undefined || used + 1 <= limit) continue;
    return forbidden(
      resource,
      pod.metadata.name,
      `exceeded quota: ${quota.metadata.name}, requested: pods=1, used: pods=${used}, limited: pods=${limit}`,
    );
  }
  return undefined;
}

/** What an update may not change. */
export function updateRefusal(resource: Resource, before: KubeObject, after: KubeObject): ApiRefusal | undefined {
  if (resource.plural !== "jobs") return undefined;
  const part = (job: KubeObject): string => {
    const { template, completions, selector, completionMode, podFailurePolicy } = (job as JobObject).spec;
    return JSON.stringify([template, completions, selector, completionMode, podFailurePolicy]);
  };
  return part(before) === part(after)
    ? undefined
    : invalid(resource, after.metadata.name, ["spec.template: Invalid value: field is immutable"]);
}

/** The pod of a Job's template. */
export function podOf(template: V1PodTemplateSpec): V1PodSpec {
  return structuredClone(template.spec ?? { containers: [] });
}
