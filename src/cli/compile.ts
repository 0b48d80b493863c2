/** Compiling for the commands: one compiler with the cache that the configuration names. */
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { OptimisationLevel } from "../codegen/asc.ts";
import type { Artifact } from "../compiler/artifact.ts";
import { type ArtifactCache, cacheBefore, noCache, storeCache } from "../compiler/cache.ts";
import { Compiler } from "../compiler/compiler.ts";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Program } from "../program/program.ts";
import { LocalStore } from "../storage/local.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { openObjectStore } from "../storage/open.ts";

const MIB = 2 ** 20;

/** The directory of compiled artifacts, of the compiler and of workers. */
export function artifactCacheFolder(config: Config): string {
  const home = homedir();
  return config["compiler.cache-dir"] ?? join(home === "" || home === "/" ? tmpdir() : home, ".cache", "wadi");
}

/** The cache in that directory; one that keeps nothing if it cannot be written. */
async function openCache(config: Config): Promise<ArtifactCache> {
  try {
    const store = new LocalStore(artifactCacheFolder(config));
    await store.probe();
    return storeCache(store);
  } catch {
    // A cache that cannot be written costs a second a run, no more.
    return noCache;
  }
}

/** A compiler with the configured limits and cache. `far`: modules that others have compiled, asked for what the cache does not have. */
export async function openCompiler(config: Config, far?: Pick<ArtifactCache, "get">): Promise<Compiler> {
  const limits = { timeoutMs: config["compiler.timeout"], memoryMb: Math.floor(config["compiler.memory-limit"] / MIB) };
  const near = await openCache(config);
  return new Compiler(limits, far === undefined ? near : cacheBefore(near, far), systemClock);
}

/**
 * Modules in the store where workers look for them: a controller on another machine needs not compile what one before it has compiled, which
 * is what a recovery would wait for. The store is opened when it is first asked; one that fails is opened anew the next time.
 */
export function artifactStore(config: Config): Pick<ArtifactCache, "get"> {
  const url = config["compiler.artifact-url"] ?? config["checkpoint-url"];
  let store: Promise<ObjectStore> | undefined;
  return {
    async get(hash) {
      store ??= openObjectStore(url);
      store.catch(() => {
        store = undefined;
      });
      return storeCache(await store).get(hash);
    },
  };
}

/** Compiles one program and closes the compiler. */
export async function compileOnce(program: Program, level: OptimisationLevel, config: Config): Promise<Artifact> {
  const compiler = await openCompiler(config);
  try {
    return await compiler.compile({ program, level });
  } finally {
    await compiler.close();
  }
}

/** Connectors whose rows somebody looks at. */
export const STDOUT_CONNECTORS: ReadonlySet<string> = new Set(["stdout", "preview"]);

/** Whether a program's rows all go to somebody who looks at them. */
export function writesOnlyToStdout(program: Program): boolean {
  return program.vertices.every(({ operator }) => operator.kind !== "sink" || STDOUT_CONNECTORS.has(operator.connector));
}

/** Rows that somebody looks at are to come soon: preview modules compile in half the time and run about as fast. */
export function levelOf(program: Program): OptimisationLevel {
  return writesOnlyToStdout(program) ? "preview" : "production";
}
