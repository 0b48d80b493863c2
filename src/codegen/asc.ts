/**
 * The AssemblyScript compiler, in process and in memory: generated files plus the runtime's files in, one WebAssembly
 * module out. The runtime's sources are read once from beside this build (`src/runtime`, or `dist/runtime` when emitted).
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { internalError } from "../core/errors.ts";

/** How much the compiler works: `production` −O3, `preview` −O1, `checked` −O1 with assertions and bounds checks of arrays. */
export type OptimisationLevel = "production" | "preview" | "checked";

const FLAGS: Readonly<Record<OptimisationLevel, readonly string[]>> = {
  production: ["-O3", "--noAssert", "--uncheckedBehavior", "always"],
  preview: ["-O1", "--noAssert", "--uncheckedBehavior", "always"],
  checked: ["-O1"],
};

/** Pages of a slot's memory: 4 GiB, the most there is, so that views never detach. */
export const MEMORY_PAGES = 65536;

const runtimeFolder = fileURLToPath(new URL("../runtime/", import.meta.url));
const runtimeFiles = new Map<string, string | null>();

/** Text of the runtime file `name` ("batch.ts"), or null. */
export function runtimeSource(name: string): string | null {
  let text = runtimeFiles.get(name);
  if (text === undefined) {
    const path = runtimeFolder + name;
    text = existsSync(path) ? readFileSync(path, "utf8") : null;
    runtimeFiles.set(name, text);
  }
  return text;
}

/**
 * Compiles `sources` (path → text, paths such as "generated/main.ts") with `entry` as the module. Throws `compile-failed`
 * with the compiler's messages; that is a defect of the generator, never of the user's SQL.
 */
export async function compileModule(
  sources: ReadonlyMap<string, string>,
  entry: string,
  level: OptimisationLevel,
): Promise<Uint8Array<ArrayBuffer>> {
  let output: Uint8Array<ArrayBuffer> | undefined;
  let messages = "";
  const flags = ["--runtime", "minimal", "--enable", "simd", "--importMemory"];
  const memory = ["--initialMemory", String(MEMORY_PAGES), "--maximumMemory", String(MEMORY_PAGES)];
  const { error } = await asc.main([entry, "-o", "module.wasm", ...flags, ...memory, ...FLAGS[level]], {
    readFile: (name) => sources.get(name) ?? (name.startsWith("runtime/") ? runtimeSource(name.slice("runtime/".length)) : null),
    writeFile: (name, contents) => {
      if (name === "module.wasm" && typeof contents !== "string") output = new Uint8Array(contents);
    },
    listFiles: () => [],
    stdout: { write: () => {} },
    stderr: {
      write: (text) => {
        messages += String(text);
      },
    },
  });
  if (error !== null || output === undefined) {
    throw internalError("compile-failed", "the generated module did not compile", { detail: `${messages}${error?.message ?? ""}` });
  }
  return output;
}

/** The smallest module: compiling it loads and warms the compiler. */
export const ENTRY_WARM_UP: ReadonlyMap<string, string> = new Map([
  ["generated/main.ts", 'import { reserve } from "../runtime/memory.ts";\nexport function init(): usize { return reserve(64); }\n'],
]);
