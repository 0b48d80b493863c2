/**
 * Containers as real child processes of this machine: environment, downward API, volumes as files, output. There is no file system of its own:
 * wherever a mount path stands in environment and command line, the pod's folder for it stands instead.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { PodObject, SecretObject } from "./objects.ts";
import type { ObjectStore } from "./store.ts";

/** An image: what it runs and which variables it has. */
export interface FakeImage {
  readonly entrypoint: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory of its processes. */
  readonly workdir?: string;
}

/** Why a container is not started, as its state shows it. */
export interface StartTrouble {
  readonly reason: string;
  readonly message: string;
}

/** What is spawned. */
export interface ProcessPlan {
  readonly words: readonly string[];
  readonly env: Record<string, string>;
}

/** Writes volumes of the pod below `folder`. Undefined: a secret or config map is not there yet, and the kubelet tries again. */
export function mountVolumes(store: ObjectStore, pod: PodObject, folder: string): Map<string, string> | undefined {
  const places = new Map<string, string>();
  for (const { name, secret, configMap, emptyDir } of pod.spec.volumes ?? []) {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    places.set(name, path);
    if (emptyDir !== undefined) continue;
    const source = secret?.secretName ?? configMap?.name ?? "";
    const found = store.get<SecretObject>(secret === undefined ? "configmaps" : "secrets", pod.metadata.namespace, source);
    if (found === undefined) return undefined;
    writeFiles(path, found.data ?? {}, secret !== undefined, secret?.defaultMode ?? 0o644);
  }
  return places;
}

/** Writes a volume's files again: a secret that changed reaches the pods that mount it. */
export function writeFiles(path: string, data: Readonly<Record<string, string>>, isSecret: boolean, mode: number): void {
  for (const [key, value] of Object.entries(data)) {
    const file = join(path, key);
    rmSync(file, { force: true });
    writeFileSync(file, isSecret ? Buffer.from(value, "base64") : value, { mode });
  }
}

/** The process of a container, or why it cannot be. */
export function planProcess(
  store: ObjectStore,
  pod: PodObject,
  container: V1Container,
  image: FakeImage,
  volumes: ReadonlyMap<string, string>,
  hostIP: string,
): ProcessPlan | StartTrouble {
  const places = (container.volumeMounts ?? []).map(({ name, mountPath }) => [mountPath, volumes.get(name) ?? ""] as const);
  const within = (text: string): string => places.reduce((done, [mountPath, path]) => done.replaceAll(mountPath, path), text);
  const env: Record<string, string> = { ...image.env };
  for (const variable of container.env ?? []) {
    const value = variableValue(store, pod, variable, env, hostIP);
    if (typeof value !== "string") return value;
    env[variable.name] = within(value);
  }
  const expand = (text: string): string => within(expandVariables(text, env));
  const words = [
    ...(container.command ?? image.entrypoint),
    ...(container.args ?? (container.command === undefined ? (image.cmd ?? []) : [])),
  ].map(expand);
  return { words, env };
}

function variableValue(
  store: ObjectStore,
  pod: PodObject,
  { value, valueFrom }: V1EnvVar,
  env: Readonly<Record<string, string>>,
  hostIP: string,
): string | StartTrouble {
  if (valueFrom?.fieldRef !== undefined) return fieldOf(pod, valueFrom.fieldRef.fieldPath, hostIP);
  const reference = valueFrom?.secretKeyRef ?? valueFrom?.configMapKeyRef;
  if (reference === undefined) return expandVariables(value ?? "", env);
  const { name = "", key } = reference;
  const what = valueFrom?.secretKeyRef === undefined ? "configmap" : "secret";
  const found = store.get<SecretObject>(`${what}s`, pod.metadata.namespace, name);
  if (found === undefined) return { reason: "CreateContainerConfigError", message: `${what} "${name}" not found` };
  const text = found.data?.[key];
  if (text === undefined)
    return {
      reason: "CreateContainerConfigError",
      message: `couldn't find key ${key} in ${what === "secret" ? "Secret" : "ConfigMap"} ${pod.metadata.namespace}/${name}`,
    };
  return what === "secret" ? Buffer.from(text, "base64").toString("utf8") : text;
}

function fieldOf({ metadata, spec, status }: PodObject, path: string, hostIP: string): string {
  const table = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (table !== null) return metadata[table[1] as "labels" | "annotations"]?.[table[2] ?? ""] ?? "";
  const fields: Readonly<Record<string, string | undefined>> = {
    "metadata.name": metadata.name,
    "metadata.namespace": metadata.namespace,
    "metadata.uid": metadata.uid,
    "spec.nodeName": spec.nodeName,
    "spec.serviceAccountName": spec.serviceAccountName,
    "status.podIP": status.podIP,
    "status.podIPs": status.podIP,
    "status.hostIP": hostIP,
  };
  return fields[path] ?? "";
}

/** `$(NAME)` of variables defined before; `$$(NAME)` stays as text. */
function expandVariables(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$?\$\(([A-Za-z_][\w.-]*)\)/g, (whole, name: string) =>
    whole.startsWith("$$") ? whole.slice(1) : (env[name] ?? whole),
  );
}
