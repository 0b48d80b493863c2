/** The garbage collector: removes what has lost its owner, and finishes foreground deletions. */
import { type KubeObject, ownedBy, RESOURCES } from "./objects.ts";
import type { ObjectStore } from "./store.ts";

const FOREGROUND = "foregroundDeletion";

export class GarbageCollector {
  readonly #store: ObjectStore;
  readonly #remove: (plural: string, object: KubeObject) => void;

  /** `remove` deletes as a client would, in the background. */
  constructor(store: ObjectStore, remove: (plural: string, object: KubeObject) => void) {
    this.#store = store;
    this.#remove = remove;
  }

  sync(): void {
    const all = RESOURCES.flatMap(({ plural }) => this.#store.list(plural).map((object) => ({ plural, object })));
    const uids = new Set(all.map(({ object }) => object.metadata.uid));
    for (const { plural, object } of all) {
      const { ownerReferences = [], deletionTimestamp } = object.metadata;
      if (ownerReferences.length === 0 || deletionTimestamp !== undefined) continue;
      if (!ownerReferences.some(({ uid }) => uids.has(uid))) this.#remove(plural, object);
    }
    for (const { plural, object } of all) {
      if (object.metadata.finalizers?.includes(FOREGROUND) !== true) continue;
      const dependents = all.filter((one) => ownedBy(one.object, object));
      for (const dependent of dependents)
        if (dependent.object.metadata.deletionTimestamp === undefined) this.#remove(dependent.plural, dependent.object);
      const blocking = dependents.filter(({ object: { metadata } }) =>
        metadata.ownerReferences?.some(({ uid, blockOwnerDeletion }) => uid === object.metadata.uid && blockOwnerDeletion === true),
      );
      const left = blocking.filter(
        (one) => this.#store.get(one.plural, one.object.metadata.namespace, one.object.metadata.name) !== undefined,
      );
      if (left.length > 0) continue;
      this.#store.change(plural, object, ({ metadata }) => {
        metadata.finalizers = (metadata.finalizers ?? []).filter((name) => name !== FOREGROUND);
      });
    }
  }
}
