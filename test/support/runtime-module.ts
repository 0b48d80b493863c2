/**
 * Compiles a small AssemblyScript entry together with files of `src/runtime` and instantiates it, all in memory, so that
 * runtime functions can be tested one by one from JavaScript.
 *
 * The entry imports runtime files as `./src/runtime/<name>.ts` and exports what the test calls. It is no part of the
 * product's own compiler: flags are fixed and nothing is cached.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { internalError } from "../../src/core/errors.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ENTRY = "entry.ts";
const PAGE_BYTES = 65536;
/** 16 MiB: tests never grow the memory, so views stay valid. */
const INITIAL_PAGES = 256;
const FLAGS = ["--runtime", "minimal", "--enable", "simd", "-O2", "--noAssert", "--initialMemory", String(INITIAL_PAGES)];

/** An instantiated entry: its exports under the test's own type, its memory, and room for test data. */
export interface RuntimeModule<Exports> {
  readonly exports: Exports;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** First free byte after the module's static data, 64-byte aligned. */
  readonly base: number;
  /** Writes `text` as UTF-8 at `at`, followed by 64 bytes of `padding`, and returns its length in bytes. */
  writeText(at: number, text: string, padding?: number): number;
  /** Reads UTF-8 from `from` up to `to`. */
  readText(from: number, to: number): string;
}

/** Reads an entry's or a runtime file's text; AssemblyScript probes several names and wants `null` for absent ones. */
function readSource(entry: string, filename: string): string | null {
  if (filename === ENTRY) return entry;
  try {
    return readFileSync(ROOT + filename, "utf8");
  } catch {
    return null;
  }
}

/** Compiles `entry` with the runtime's flags. Throws `compile-failed` with the compiler's own messages. */
export async function compileRuntime(entry: string): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main([ENTRY, "--outFile", "entry.wasm", ...FLAGS], {
    readFile: (filename) => readSource(entry, filename),
    writeFile: (_filename, contents) => {
      if (typeof contents !== "string") binary = new Uint8Array(contents);
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) {
    throw internalError("compile-failed", `the test entry did not compile: ${error?.message ?? ""} ${stderr.toString()}`);
  }
  return binary;
}

/** Compiles and instantiates `entry`. The type parameter states what the entry exports. */
export async function runtimeModule<Exports>(entry: string): Promise<RuntimeModule<Exports>> {
  const binary = await compileRuntime(`${entry}\nexport function testBase(): usize { return (__heap_base + 63) & ~63; }\n`);
  const { instance } = await WebAssembly.instantiate(binary, {
    env: {
      abort: () => {
        throw internalError("invariant", "the runtime aborted");
      },
    },
  });
  const exports = instance.exports as unknown as Exports & { memory: WebAssembly.Memory; testBase(): number };
  const bytes = new Uint8Array(exports.memory.buffer, 0, INITIAL_PAGES * PAGE_BYTES);
  const encoder = new TextEncoder();
  return {
    exports,
    bytes,
    view: new DataView(exports.memory.buffer),
    base: exports.testBase() >>> 0,
    writeText(at, text, padding = 0) {
      const { written } = encoder.encodeInto(text, bytes.subarray(at));
      bytes.fill(padding, at + written, at + written + 64);
      return written;
    },
    readText: (from, to) => new TextDecoder().decode(bytes.subarray(from, to)),
  };
}

/** How much more than the committed amount fuzz tests do: `WADI_FUZZ_SCALE`, 1 by default. */
export const FUZZ_SCALE = Number(process.env["WADI_FUZZ_SCALE"] ?? "1");
