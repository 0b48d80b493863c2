/** Compiles programs and makes instances of them without a slot: the shortest way from generated code to a test. */

import { compileModule, MEMORY_PAGES, type OptimisationLevel } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { internalError } from "../../src/core/errors.ts";
import type { ModuleExports, ModuleImports } from "../../src/program/abi.ts";
import type { Program } from "../../src/program/program.ts";

/** A program compiled once. */
export interface CompiledProgram {
  readonly program: Program;
  readonly module: WebAssembly.Module;
}

/** Compiles `program`. */
export async function compileProgram(program: Program, level: OptimisationLevel = "checked"): Promise<CompiledProgram> {
  const wasm = await compileModule(generateModule(program).sources, ENTRY, level);
  return { program, module: new WebAssembly.Module(wasm) };
}

const IMPORTS: ModuleImports = {
  abort: (_message, _file, line, column) => {
    throw internalError("invariant", `the module aborted at line ${line}, column ${column}`);
  },
  exp: Math.exp,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  pow: Math.pow,
};

/** A fresh instance of subtask 0 of 1. */
export function instantiate({ module }: CompiledProgram, batchRows: number): ModuleExports {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const instance = new WebAssembly.Instance(module, { env: { ...IMPORTS, memory } });
  const exports = { ...instance.exports, memory } as unknown as ModuleExports;
  exports.init(0, 1, batchRows, 3 * 2 ** 30, 1n);
  return exports;
}
