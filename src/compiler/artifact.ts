/** The artifact: a compiled program, named by the hash of everything that went into it. */
import type { OptimisationLevel } from "../codegen/asc.ts";
import type { Program } from "../program/program.ts";

/** What the compiler is asked for. */
export interface CompileRequest {
  readonly program: Program;
  readonly level: OptimisationLevel;
}

/** A compiled program. */
export interface Artifact {
  /** Hex SHA-256 over generated sources, runtime, ABI version and level. */
  readonly hash: string;
  readonly level: OptimisationLevel;
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** State-schema hash by vertex, for those with state. */
  readonly stateSchemas: Readonly<Record<number, string>>;
  /** Lines of generated source. */
  readonly lines: number;
  /** True if it came from the cache. */
  readonly cached: boolean;
}
