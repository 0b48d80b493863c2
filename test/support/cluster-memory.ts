/**
 * Linear memories for many short lives of a module. A fresh 4 GiB reservation costs more than a small run, mostly in page faults, so a memory
 * is used again after its used part has been zeroed: a new instance on it cannot tell it from a fresh one.
 */
import { MEMORY_PAGES } from "../../src/codegen/asc.ts";
import { internalError } from "../../src/core/errors.ts";
import { Instance } from "../../src/dataflow/instance.ts";
import type { ModuleExports, ModuleImports } from "../../src/program/abi.ts";
import type { Program } from "../../src/program/program.ts";

const free: WebAssembly.Memory[] = [];
/** Size of a block that is never pooled, so that its address tells how far the module's allocator has come. */
const PROBE_BYTES = 32 << 20;
const CHUNK_BYTES = 65536;
const ZEROS = new Uint8Array(CHUNK_BYTES);
const STATE_LIMIT = 2 ** 30;

function imports(memory: WebAssembly.Memory): ModuleImports & { readonly memory: WebAssembly.Memory } {
  return {
    memory,
    abort: (message, file, line, column) => {
      throw internalError("slot-failed", `aborted: ${text(memory, message >>> 0)} at ${text(memory, file >>> 0)}:${line}:${column}`);
    },
    exp: Math.exp,
    ln: Math.log,
    log10: Math.log10,
    log2: Math.log2,
    pow: Math.pow,
  };
}

/** A string literal of AssemblyScript: UTF-16, its length in bytes before it. */
function text(memory: WebAssembly.Memory, pointer: number): string {
  if (pointer < 4) return "unknown";
  const length = new DataView(memory.buffer).getUint32(pointer - 4, true);
  return Buffer.from(memory.buffer, pointer, Math.min(length, 1024)).toString("utf16le");
}

/** An instance on a pooled memory. `close` gives the memory back; it must not be called after a trap. */
export class PooledInstance extends Instance {
  readonly #memory: WebAssembly.Memory;

  constructor(module: WebAssembly.Module, program: Program, subtask: number, parallelism: number, batchRows: number) {
    const memory = free.pop() ?? new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    const exports = { ...new WebAssembly.Instance(module, { env: { ...imports(memory) } }).exports, memory } as unknown as ModuleExports;
    super(exports, { program, subtask, parallelism, batchRows, stateLimit: STATE_LIMIT, fence: 1n });
    this.#memory = memory;
  }

  close(): void {
    const used = this.frameBuffer(PROBE_BYTES) + 4096;
    // Most of it was never written. Comparing reads those parts without making pages of them.
    for (let at = 0; at < used; at += CHUNK_BYTES) {
      const chunk = this.memory.subarray(at, at + CHUNK_BYTES);
      if (Buffer.compare(chunk, ZEROS) !== 0) chunk.fill(0);
    }
    free.push(this.#memory);
  }
}
