/** Artifacts by content hash, in an object store: an artifact is written once and never changes. */
import { AppError } from "../core/errors.ts";
import type { ObjectStore } from "../storage/object-store.ts";

/** Where compiled modules are kept. */
export interface ArtifactCache {
  /** The module named `hash`, or undefined. */
  get(hash: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  put(hash: string, wasm: Uint8Array): Promise<void>;
}

/** A cache that keeps nothing. */
export const noCache: ArtifactCache = { get: async () => undefined, put: async () => {} };

/** A cache in `store` under `artifacts/`. */
export function storeCache(store: ObjectStore): ArtifactCache {
  const path = (hash: string): string => `artifacts/${hash}.wasm`;
  return {
    async get(hash) {
      try {
        return new Uint8Array(await store.get(path(hash)));
      } catch (error) {
        if (error instanceof AppError && error.code === "not-found") return undefined;
        throw error;
      }
    },
    put: (hash, wasm) => store.put(path(hash), wasm),
  };
}

/**
 * A cache in front of another that is farther away and may not answer: what it has is kept nearby, and its failures are misses, because a
 * module can always be compiled again. New modules are put nearby only: whoever compiles stores them where workers look.
 */
export function cacheBefore(near: ArtifactCache, far: Pick<ArtifactCache, "get">): ArtifactCache {
  return {
    async get(hash) {
      const found = await near.get(hash);
      if (found !== undefined) return found;
      const fetched = await far.get(hash).catch(() => undefined);
      if (fetched === undefined || !WebAssembly.validate(fetched)) return undefined;
      await near.put(hash, fetched);
      return fetched;
    },
    put: (hash, wasm) => near.put(hash, wasm),
  };
}
