/**
 * Compiled programs in the object store: the module under its content hash, and beside it what a worker and a later controller have to know
 * of it without compiling. Both are written once and never change, so storing again is no harm.
 */
import { z } from "zod";
import { sha256 } from "../checkpoint/sealed.ts";
import { externalError, toAppError } from "../core/errors.ts";
import type { ArtifactRef } from "../gen/program.ts";
import { ABI_VERSION } from "../program/abi.ts";
import type { Program } from "../program/program.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { ProgramCompiler } from "./context.ts";

/** What is known of an artifact. */
export interface ArtifactDescription {
  /** Content hash: its name. */
  readonly hash: string;
  /** `ABI_VERSION` of the module. */
  readonly abi: number;
  readonly sizeBytes: number;
  /** SHA-256 of the module's bytes, hex. */
  readonly checksum: string;
  /** Hash of the state's layout, by vertex. */
  readonly stateSchemas: Readonly<Record<number, string>>;
}

const description = z.object({
  hash: z.string(),
  abi: z.number(),
  sizeBytes: z.number(),
  checksum: z.string(),
  stateSchemas: z.record(z.string(), z.string()),
});

function modulePath(hash: string): string {
  return `artifacts/${hash}.wasm`;
}

function descriptionPath(hash: string): string {
  return `artifacts/${hash}.json`;
}

/** Compiles `program` and stores it unless the store has it. Throws the compiler's and the store's errors. */
export async function makeArtifact(compiler: ProgramCompiler, store: ObjectStore, program: Program): Promise<ArtifactDescription> {
  const { hash, wasm, stateSchemas } = await compiler.compile(program);
  const made = { hash, abi: ABI_VERSION, sizeBytes: wasm.byteLength, checksum: sha256(wasm), stateSchemas };
  const known = await store.head(modulePath(hash));
  if (known?.size !== wasm.byteLength) await store.put(modulePath(hash), wasm);
  if ((await store.head(descriptionPath(hash))) === undefined) {
    await store.put(descriptionPath(hash), new TextEncoder().encode(JSON.stringify(made)));
  }
  return made;
}

/** The description of a stored artifact; undefined if it or its module is gone. */
export async function readArtifact(store: ObjectStore, hash: string): Promise<ArtifactDescription | undefined> {
  try {
    const text = new TextDecoder().decode(await store.get(descriptionPath(hash)));
    if ((await store.head(modulePath(hash))) === undefined) return undefined;
    return description.parse(JSON.parse(text));
  } catch (error) {
    const known = toAppError(error);
    if (known.code === "not-found") return undefined;
    if (known.domain === "external") throw known;
    throw externalError("checksum-mismatch", `"${descriptionPath(hash)}" is not the description of an artifact`, {
      cause: error,
      retry: "never",
    });
  }
}

/** Where a worker finds the artifact. */
export function artifactRef(storeUrl: string, { hash, abi, sizeBytes, checksum }: ArtifactDescription): ArtifactRef {
  return { hash, storeUrl, path: modulePath(hash), abiVersion: abi, sizeBytes: BigInt(sizeBytes), checksum };
}
