/**
 * Fetches compiled modules ahead: while a worker's process starts, the module that it will want comes to the machine's cache, once for all
 * workers. A module that cannot be fetched is no failure here: the worker fetches it itself and says what is wrong.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { externalError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import { type RetryPolicy, withRetry } from "../core/retry.ts";
import { LocalStore } from "../storage/local.ts";
import { openObjectStore } from "../storage/open.ts";

/** What fetching works with. */
export interface ArtifactFetchOptions {
  /** Folder of modules that the machine's workers share. */
  readonly cacheFolder: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

const POLICY: RetryPolicy = { attempts: 4, initialMs: 200, maxMs: 2_000 };
/** Hashes that are told to the controller. */
const TOLD = 100;

const description = z.object({ checksum: z.string() });

/** See the file's comment. */
export class ArtifactFetch {
  readonly #options: ArtifactFetchOptions;
  readonly #held = new Map<string, Promise<boolean>>();
  readonly #there = new Set<string>();

  constructor(options: ArtifactFetchOptions) {
    this.#options = options;
  }

  /** Hashes of modules that are in the cache, the newest last. */
  get artifacts(): readonly string[] {
    return [...this.#there].slice(-TOLD);
  }

  /** Whether the module `hash` of the store at `storeUrl` is in the cache now. Asked again it does nothing more. Never throws. */
  fetch(hash: string, storeUrl: string): Promise<boolean> {
    const known = this.#held.get(hash);
    if (known !== undefined) return known;
    const fetching = this.#fetch(hash, storeUrl).then(
      () => {
        this.#there.add(hash);
        return true;
      },
      (error: unknown) => {
        this.#held.delete(hash);
        this.#options.logger.warn("a module could not be fetched ahead", { artifact: hash, error: toAppError(error) });
        return false;
      },
    );
    this.#held.set(hash, fetching);
    return fetching;
  }

  async #fetch(hash: string, storeUrl: string): Promise<void> {
    const cache = new LocalStore(this.#options.cacheFolder);
    const path = `artifacts/${hash}.wasm`;
    const store = await openObjectStore(storeUrl);
    try {
      await withRetry(
        async () => {
          const { checksum } = description.parse(JSON.parse(new TextDecoder().decode(await store.get(`artifacts/${hash}.json`))));
          const cached = await cache.get(path).catch(() => undefined);
          if (cached !== undefined && sha256(cached) === checksum) return;
          const bytes = await store.get(path);
          if (sha256(bytes) !== checksum) throw externalError("checksum-mismatch", `"${path}" is not the module that was compiled`);
          await cache.put(path, bytes);
        },
        POLICY,
        this.#options,
      );
    } finally {
      await store.close();
    }
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
