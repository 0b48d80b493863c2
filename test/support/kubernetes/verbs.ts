/** What the API server does for each verb that changes anything: the way from a body to a stored object, with every check in between. */
import { applyDefaults, podSecurityTroubles, quotaRefusal, updateRefusal, validationCauses } from "./admission.ts";
import { type KubeObject, newMetadata, type PodObject, type Resource } from "./objects.ts";
import { schemaErrors } from "./schema.ts";
import { ApiRefusal, alreadyExists, badRequest, conflict, forbidden, invalid, notFound } from "./status.ts";
import type { ObjectStore } from "./store.ts";

export interface WriteOptions {
  readonly dryRun: boolean;
  /** "Strict", "Warn" or "Ignore". */
  readonly fieldValidation: string;
  /** Takes warnings for the client. */
  readonly warn: (text: string) => void;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

type Body = Partial<KubeObject> & { readonly [name: string]: unknown };

export class ApiVerbs {
  readonly #store: ObjectStore;
  /** Namespaces whose pods must keep the restricted standard. */
  readonly restricted = new Set<string>();
  /** Fields that this version of the API server knows and drops: features that are off. */
  readonly droppedJobFields = new Set<string>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  create(resource: Resource, namespace: string | undefined, body: unknown, options: WriteOptions): KubeObject {
    const given = this.#decode(resource, body, options);
    const { name = "", generateName, labels, annotations, finalizers, ownerReferences, namespace: own } = given.metadata ?? {};
    if (own !== undefined && own !== "" && own !== namespace) {
      throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
    }
    const chosen = name !== "" ? name : `${generateName ?? ""}${Math.random().toString(36).slice(2, 7)}`;
    const kept = Object.fromEntries(
      Object.entries({ labels, annotations, finalizers, ownerReferences, generateName }).filter(([, value]) => value !== undefined),
    );
    const object = {
      ...given,
      apiVersion: given.apiVersion ?? "",
      kind: resource.kind,
      metadata: newMetadata(chosen, namespace, kept),
    } as KubeObject;
    if (resource.plural === "pods") (object as PodObject).status = { phase: "Pending" };
    this.#dropFields(resource, object);
    applyDefaults(resource, object);
    const causes = validationCauses(resource, object);
    if (causes.length > 0) throw invalid(resource, chosen, causes);
    if (this.#store.get(resource.plural, namespace, chosen) !== undefined) throw alreadyExists(resource, chosen);
    this.#warnOfJobPods(resource, object, options);
    const refused = resource.plural === "pods" ? this.podRefusal(resource, object as PodObject) : undefined;
    if (refused !== undefined) throw refused;
    if (options.dryRun) return object;
    const made = this.#store.create(resource.plural, object);
    if (made === undefined) throw alreadyExists(resource, chosen);
    return made;
  }

  /** Why a pod may not be made. */
  podRefusal(resource: Resource, pod: PodObject): ApiRefusal | undefined {
    const { namespace = "", name } = pod.metadata;
    const troubles = this.restricted.has(namespace) ? podSecurityTroubles(pod.spec) : [];
    if (troubles.length > 0) return forbidden(resource, name, `violates PodSecurity "restricted:latest": ${troubles.join(", ")}`);
    return quotaRefusal(this.#store, resource, pod);
  }

  replace(resource: Resource, namespace: string | undefined, name: string, body: unknown, options: WriteOptions): KubeObject {
    const before = this.#existing(resource, namespace, name);
    const given = this.#decode(resource, body, options);
    const version = given.metadata?.resourceVersion ?? "";
    if (version !== "" && version !== before.metadata.resourceVersion) throw conflict(resource, name);
    return this.#update(resource, before, given as KubeObject, options);
  }

  /** A merge patch: https://www.rfc-editor.org/rfc/rfc7396 */
  patch(resource: Resource, namespace: string | undefined, name: string, body: unknown, type: string, options: WriteOptions): KubeObject {
    if (!type.startsWith("application/merge-patch+json")) {
      throw new ApiRefusal(
        415,
        "UnsupportedMediaType",
        `the body of the request was in an unknown format - accepted media types include: application/merge-patch+json`,
      );
    }
    const before = this.#existing(resource, namespace, name);
    const { resourceVersion: _version, ...metadata } = before.metadata;
    const merged = mergePatch({ ...before, metadata }, body) as Body;
    return this.#update(resource, before, this.#decode(resource, merged, options) as KubeObject, options);
  }

  /** Deletes, or begins to: finalizers and a pod's grace period keep it for a while. */
  delete(resource: Resource, namespace: string | undefined, name: string, options: DeleteOptions): KubeObject {
    const object = this.#existing(resource, namespace, name);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (
      (uid !== undefined && uid !== object.metadata.uid) ||
      (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion)
    )
      throw conflict(resource, name);
    const graceSeconds = resource.plural === "pods" ? graceOf(object as PodObject, options.gracePeriodSeconds) : 0;
    const finalizer =
      resource.plural === "jobs"
        ? { Foreground: "foregroundDeletion", Orphan: "orphan" }[options.propagationPolicy ?? "Background"]
        : undefined;
    if (finalizer === "orphan") this.#orphan(object);
    return this.#store.change(resource.plural, object, ({ metadata }) => {
      if (finalizer === "foregroundDeletion") metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), finalizer])];
      // A grace period that has begun is only ever made shorter.
      if (metadata.deletionTimestamp !== undefined && graceSeconds >= (metadata.deletionGracePeriodSeconds ?? 0)) return;
      metadata.deletionTimestamp = new Date(Date.now() + graceSeconds * 1000).toISOString().replace(/\.\d+Z/, "Z");
      metadata.deletionGracePeriodSeconds = graceSeconds;
    });
  }

  #orphan(owner: KubeObject): void {
    for (const pod of this.#store.list<PodObject>("pods", owner.metadata.namespace)) {
      this.#store.change("pods", pod, ({ metadata }) => {
        metadata.ownerReferences = (metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
      });
    }
  }

  #existing(resource: Resource, namespace: string | undefined, name: string): KubeObject {
    const found = this.#store.get(resource.plural, namespace, name);
    if (found === undefined) throw notFound(resource, name);
    return found;
  }

  #update(resource: Resource, before: KubeObject, after: KubeObject, options: WriteOptions): KubeObject {
    const { name, namespace } = before.metadata;
    const refused = updateRefusal(resource, before, after) ?? secretRefusal(resource, before, after);
    if (refused !== undefined) throw refused;
    const causes = validationCauses(resource, { ...after, metadata: { ...after.metadata, name } });
    if (causes.length > 0) throw invalid(resource, name, causes);
    if (options.dryRun) return after;
    return this.#store.change(resource.plural, this.#existing(resource, namespace, name), (copy) => {
      const { labels, annotations, finalizers, ownerReferences } = after.metadata;
      const changed = { labels, annotations, finalizers, ownerReferences };
      Object.assign(copy.metadata, Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined)));
      // The status has a subresource of its own, which the control plane alone writes here.
      const { metadata: _metadata, status: _status, ...content } = after as KubeObject & { status?: unknown };
      Object.assign(copy, content);
    });
  }

  #decode(resource: Resource, body: unknown, { fieldValidation, warn }: WriteOptions): Body {
    if (typeof body !== "object" || body === null) throw badRequest("the body is not an object");
    const given = structuredClone(body) as Body;
    const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
    if ((given.kind ?? resource.kind) !== resource.kind || (given.apiVersion ?? apiVersion) !== apiVersion) {
      throw badRequest(
        `the API version in the data (${given.apiVersion}, Kind=${given.kind}) does not match the expected API version (${apiVersion}, Kind=${resource.kind})`,
      );
    }
    const errors = schemaErrors(resource.model, body);
    const mismatches = errors.filter((error) => !error.startsWith("unknown field"));
    if (mismatches.length > 0)
      throw badRequest(`${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${mismatches[0]}`);
    if (errors.length > 0 && fieldValidation === "Strict")
      throw badRequest(
        `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${errors.join(", ")}`,
      );
    if (fieldValidation === "Warn") for (const error of errors) warn(error);
    return { ...given, apiVersion };
  }

  #dropFields(resource: Resource, object: KubeObject): void {
    if (resource.plural !== "jobs") return;
    const { spec } = object as KubeObject & { spec: Record<string, unknown> };
    for (const field of this.droppedJobFields) delete spec[field];
    // A rule of a feature that is off is dropped with it.
    const { podFailurePolicy } = spec as { podFailurePolicy?: { rules: { action: string }[] } };
    if (spec["backoffLimitPerIndex"] === undefined && podFailurePolicy !== undefined && this.droppedJobFields.size > 0)
      podFailurePolicy.rules = podFailurePolicy.rules.filter(({ action }) => action !== "FailIndex");
  }

  #warnOfJobPods(resource: Resource, object: KubeObject, { warn }: WriteOptions): void {
    const { namespace = "" } = object.metadata;
    if (resource.plural !== "jobs" || !this.restricted.has(namespace)) return;
    const { spec } = (object as KubeObject & { spec: { template: { spec: PodObject["spec"] } } }).spec.template;
    const troubles = podSecurityTroubles(spec);
    if (troubles.length > 0) warn(`would violate PodSecurity "restricted:latest": ${troubles.join(", ")}`);
  }
}

function secretRefusal(resource: Resource, before: KubeObject, after: KubeObject): ApiRefusal | undefined {
  const { immutable = false } = before as KubeObject & { immutable?: boolean };
  const data = (object: KubeObject): string => JSON.stringify((object as KubeObject & { data?: unknown }).data);
  if (!immutable || data(before) === data(after)) return undefined;
  return invalid(resource, before.metadata.name, ["data: Forbidden: field is immutable when `immutable` is set"]);
}

function graceOf(pod: PodObject, wanted: number | undefined): number {
  const ended = pod.status.phase === "Succeeded" || pod.status.phase === "Failed";
  if (pod.spec.nodeName === undefined || ended) return 0;
  return wanted ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}
