/**
 * Runs a program in one module instance without a slot: all input of one source after the other in odd pieces, then the end
 * of time. The shortest way from generated code to an answer that the oracle can judge.
 */

import { compileModule, MEMORY_PAGES, type OptimisationLevel } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { must } from "../../src/core/assert.ts";
import { internalError } from "../../src/core/errors.ts";
import type { Prng } from "../../src/core/prng.ts";
import { FIRST_ROW_ERROR, LATE_ROW, type ModuleExports, type ModuleImports } from "../../src/program/abi.ts";
import type { Program } from "../../src/program/program.ts";

/** A program compiled once. */
export interface CompiledProgram {
  readonly program: Program;
  readonly module: WebAssembly.Module;
}

/** What a run gave. */
export interface ModuleResult {
  readonly sinks: Record<string, string[]>;
  readonly bad: number;
  readonly errors: number;
  readonly late: number;
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

/** Runs `compiled` over `inputs` (by table name) to the end. `prng` chooses batch and chunk sizes. */
export function runModule(compiled: CompiledProgram, inputs: Readonly<Record<string, Uint8Array>>, prng: Prng): ModuleResult {
  const batchRows = prng.pick([1, 2, 3, 7, 64, 1000, 8192]);
  const run = new ModuleRun(compiled, instantiate(compiled, batchRows), batchRows, prng);
  for (const vertex of compiled.program.vertices) {
    if (vertex.operator.kind === "source") run.feed(vertex.id, must(inputs[vertex.operator.table], `input of ${vertex.operator.table}`));
  }
  run.finish();
  return run.result;
}

const END_OF_TIME = (1n << 63n) - 1n;

class ModuleRun {
  readonly result: { sinks: Record<string, string[]>; bad: number; errors: number; late: number } = {
    sinks: {},
    bad: 0,
    errors: 0,
    late: 0,
  };
  readonly #program: Program;
  readonly #x: ModuleExports;
  readonly #batchRows: number;
  readonly #prng: Prng;

  constructor({ program }: CompiledProgram, exports: ModuleExports, batchRows: number, prng: Prng) {
    this.#program = program;
    this.#x = exports;
    this.#batchRows = batchRows;
    this.#prng = prng;
    for (const { operator } of program.vertices) if (operator.kind === "sink") this.result.sinks[operator.table] = [];
  }

  feed(vertex: number, bytes: Uint8Array): void {
    let at = 0;
    let carried = 0;
    while (at < bytes.length || carried > 0) {
      const take = Math.min(bytes.length - at, this.#prng.pick([1, 17, 300, 5000, 100_000]));
      const last = at + take >= bytes.length;
      const base = this.#x.inputBuffer(vertex, carried + take + 64) >>> 0;
      const area = new Uint8Array(this.#x.memory.buffer, base, carried + take);
      area.set(bytes.subarray(at, at + take), carried);
      const length = carried + take;
      let from = 0;
      for (;;) {
        this.#x.scan(vertex, base + from, base + length, last ? 1 : 0, this.#batchRows, 0, BigInt(at - carried + from));
        const consumed = this.#x.scanBytes() >>> 0;
        this.#drain();
        from += consumed;
        if (consumed === 0 || from >= length) break;
      }
      area.copyWithin(0, from);
      carried = length - from;
      at += take;
      if (last) break;
    }
  }

  finish(): void {
    for (const { id, operator } of this.#program.vertices) {
      if (operator.kind === "window-aggregate" || operator.kind === "window-join") this.#x.watermark(id, END_OF_TIME);
      if (operator.kind === "updating-aggregate") this.#x.flush(id, 0n);
      this.#drain();
      while (this.#x.pull() !== 0) this.#drain();
      this.#drain();
    }
  }

  #drain(): void {
    const view = new DataView(this.#x.memory.buffer);
    for (let entry = this.#x.outputPeek() >>> 0; entry !== 0; entry = this.#x.outputPeek() >>> 0) {
      const frame = view.getUint32(entry, true);
      const edge = must(this.#program.edges[view.getUint32(entry + 8, true)], "edge");
      const sink = must(this.#program.vertices[edge.target], "sink").operator;
      const text = Buffer.from(this.#x.memory.buffer, frame + 96, view.getUint32(frame + 60, true)).toString();
      if (sink.kind === "sink") this.result.sinks[sink.table]?.push(...text.split("\n").slice(0, -1));
      this.#x.outputPop();
      this.#x.frameFree(frame);
    }
    this.#drainErrors(view);
    if (this.#x.fatalCode() !== 0) throw internalError("slot-failed", `fatal ${this.#x.fatalCode()}`);
  }

  #drainErrors(view: DataView): void {
    const buffer = this.#x.errorBuffer() >>> 0;
    const end = buffer + (this.#x.errorBytes() >>> 0);
    for (let at = buffer; at < end; at += view.getUint32(at, true)) {
      const reason = view.getUint32(at + 8, true);
      if (reason === LATE_ROW) this.result.late++;
      else if (reason >= FIRST_ROW_ERROR) this.result.errors++;
      else this.result.bad++;
    }
    this.#x.errorReset();
  }
}
