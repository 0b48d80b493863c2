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
