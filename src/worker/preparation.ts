/**
 * Fetches what an assignment refers to: the module, checked and kept in a folder of this machine, and the manifest, from which the worker's
 * part of the restore follows. Idempotent; an object store that does not answer is asked again.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseManifest } from "../checkpoint/manifest-codec.ts";
import { planRestore, type VertexRestore } from "../checkpoint/restore.ts";
import { sha256 } from "../checkpoint/sealed.ts";
import type { Clock } from "../core/clock.ts";
import { AppError, externalError } from "../core/errors.ts";
import type { RandomSource } from "../core/prng.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import type { ArtifactRef } from "../gen/program.ts";
import { LocalStore } from "../storage/local.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { openObjectStore } from "../storage/open.ts";
import { continueVertices, type RestoreOrder } from "./assignment.ts";

/** What fetching works with. */
export interface PreparationContext {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly signal: AbortSignal;
  /** Folder for modules, shared by the workers and the compiler of the machine; undefined: they are not kept. */
  readonly cacheFolder: string | undefined;
}

const POLICY: RetryPolicy = { attempts: 8, initialMs: 200, maxMs: 5_000 };

async function withStore<T>(url: string, context: PreparationContext, read: (store: ObjectStore) => Promise<T>): Promise<T> {
  const store = await openObjectStore(url);
  try {
    return await withRetry(() => read(store), POLICY, context);
  } finally {
    await store.close();
  }
}

/** The module's bytes. Throws `checksum-mismatch` if the store has others. */
export async function fetchModule(artifact: ArtifactRef, context: PreparationContext): Promise<Uint8Array<ArrayBuffer>> {
  const cache = context.cacheFolder === undefined ? undefined : new LocalStore(context.cacheFolder);
  const path = `artifacts/${artifact.hash}.wasm`;
  const cached = await cache?.get(path).catch(() => undefined);
  if (cached !== undefined && isModule(cached, artifact)) return new Uint8Array(cached);
  const bytes = await withStore(artifact.storeUrl, context, (store) => store.get(artifact.path));
  if (!isModule(bytes, artifact)) {
    const where = join(artifact.storeUrl, artifact.path);
    throw externalError("checksum-mismatch", `the module at "${where}" is not the one that was compiled`, { retry: "never" });
  }
  // A cache that cannot be written costs the next worker a fetch.
  await cache?.put(path, bytes).catch(() => undefined);
  return new Uint8Array(bytes);
}

function isModule(bytes: Uint8Array, artifact: ArtifactRef): boolean {
  return createHash("sha256").update(bytes).digest("hex") === artifact.checksum;
}

/** What the vertices of the program begin with. Throws `checksum-mismatch` if the manifest is not the one that was meant. */
export async function fetchRestore(
  order: RestoreOrder,
  stateUrl: string,
  parallelism: number,
  context: PreparationContext,
): Promise<readonly VertexRestore[]> {
  const { manifestPath, manifestChecksum, origins } = order;
  const bytes = await withStore(stateUrl, context, (store) => store.get(manifestPath)).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "not-found") {
      throw externalError("not-found", `checkpoint ${order.epoch} is not there: ${error.message}`, { retry: "never", cause: error });
    }
    throw error;
  });
  if (sha256(bytes) !== manifestChecksum) {
    throw externalError("checksum-mismatch", `the manifest "${manifestPath}" is not the one that was recorded`, { retry: "never" });
  }
  return continueVertices(planRestore(parseManifest(bytes, manifestPath), parallelism), origins);
}
