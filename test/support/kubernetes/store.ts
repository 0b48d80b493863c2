/**
 * What etcd and the watch cache are to Kubernetes: objects with one growing version for all of them, and the changes since the last compaction.
 * Whatever is changed is stored anew; nothing in the store is changed in place.
 */
import { isDeepStrictEqual } from "node:util";
import { copyOf, isTerminal, type KubeObject, type PodObject } from "./objects.ts";

export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly plural: string;
  readonly version: number;
  readonly object: KubeObject;
  /** As it was, for selectors that it leaves. */
  readonly before: KubeObject | undefined;
}

export class ObjectStore {
  #version = 1_000;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  #changes: Change[] = [];
  /** Changes up to this version are not known any more. */
  #compacted = 1_000;
  readonly #listeners = new Set<(change: Change) => void>();

  get version(): number {
    return this.#version;
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Changes after `version`; undefined: they are compacted away. */
  since(version: number): readonly Change[] | undefined {
    return version < this.#compacted ? undefined : this.#changes.filter((change) => change.version > version);
  }

  /** Forgets all changes until now, as etcd does every five minutes. */
  compact(): void {
    this.#version += 1;
    this.#compacted = this.#version;
    this.#changes = [];
  }

  get<T extends KubeObject>(plural: string, namespace: string | undefined, name: string): T | undefined {
    const found = this.#objects.get(plural)?.get(keyOf(namespace, name));
    return found as T | undefined;
  }

  list<T extends KubeObject>(plural: string, namespace?: string): T[] {
    const all = [...(this.#objects.get(plural)?.values() ?? [])] as T[];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** Stores a new object. Undefined: there is one of this name. */
  create<T extends KubeObject>(plural: string, object: T): T | undefined {
    const { namespace, name } = object.metadata;
    if (this.get(plural, namespace, name) !== undefined) return undefined;
    return this.#write("ADDED", plural, object, undefined) as T;
  }

  /**
   * Changes a copy of the object and stores it, unless nothing was changed. An object that is being deleted is removed with its last finalizer.
   */
  change<T extends KubeObject>(plural: string, object: T, edit: (copy: T) => void): T {
    const { namespace, name, uid } = object.metadata;
    const before = this.get<T>(plural, namespace, name);
    if (before === undefined || before.metadata.uid !== uid) return object;
    const copy = copyOf(before);
    edit(copy);
    if (isDeepStrictEqual(copy, before)) return before;
    const done = copy.metadata.deletionTimestamp !== undefined && (copy.metadata.finalizers ?? []).length === 0;
    if (done && isGone(plural, copy)) return this.#write("DELETED", plural, copy, before) as T;
    return this.#write("MODIFIED", plural, copy, before) as T;
  }

  /** Removes it, finalizers or not. */
  remove(plural: string, object: KubeObject): void {
    const { namespace, name } = object.metadata;
    const before = this.get(plural, namespace, name);
    if (before !== undefined) this.#write("DELETED", plural, copyOf(before), before);
  }

  #write(type: Change["type"], plural: string, object: KubeObject, before: KubeObject | undefined): KubeObject {
    this.#version += 1;
    object.metadata.resourceVersion = String(this.#version);
    const { namespace, name } = object.metadata;
    const kind = this.#objects.get(plural) ?? new Map<string, KubeObject>();
    this.#objects.set(plural, kind);
    if (type === "DELETED") kind.delete(keyOf(namespace, name));
    else kind.set(keyOf(namespace, name), object);
    const change = { type, plural, version: this.#version, object, before };
    this.#changes.push(change);
    for (const listener of [...this.#listeners]) listener(change);
    return object;
  }
}

/** A pod stays until its kubelet says that its processes have ended. */
function isGone(plural: string, object: KubeObject): boolean {
  if (plural !== "pods") return true;
  const { metadata, spec, status } = object as PodObject;
  return (
    metadata.deletionGracePeriodSeconds === 0 ||
    spec.nodeName === undefined ||
    (isTerminal(object as PodObject) && status.reason === "Evicted")
  );
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
