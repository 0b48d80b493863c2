/** `wadi compile`: program, generated source and WebAssembly of a script, written into a folder. */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generateModule } from "../../codegen/module.ts";
import type { Config } from "../../core/config.ts";
import { encodeProgram } from "../../program/codec.ts";
import { printProgram } from "../../program/print.ts";
import { makeFolder } from "../../storage/make-folder.ts";
import { compileOnce } from "../compile.ts";
import { EXIT, say, sayDiagnostics } from "../output.ts";
import { planText, readScript } from "../script.ts";

/** Arguments of the command. */
export interface CompileArguments {
  readonly query: string;
  readonly out: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Writes `program.json`, `program.txt`, `generated/*.ts` and `module.wasm`; the exit code. */
export async function compile({ query, out, parameters }: CompileArguments, config: Config): Promise<number> {
  const script = await readScript(query);
  const { planned, diagnostics } = await planText(script, parameters, "preview");
  sayDiagnostics(diagnostics, script);
  if (planned === undefined) return EXIT.usage;
  const { program } = planned;
  const artifact = await compileOnce(program, "production", config);
  const files: [string, string | Uint8Array][] = [
    ["program.json", encodeProgram(program)],
    ["program.txt", printProgram(program)],
    ["module.wasm", artifact.wasm],
    ...generateModule(program).sources,
  ];
  for (const [name, contents] of files) {
    makeFolder(dirname(join(out, name)));
    await writeFile(join(out, name), contents);
  }
  say(
    `wrote ${files.length} files to ${out}: ${artifact.lines} generated lines, ${artifact.wasm.length} bytes of WebAssembly (${artifact.hash.slice(0, 12)})`,
  );
  return EXIT.done;
}
