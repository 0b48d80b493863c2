/** A SQL script, planned and compiled for tests of workers. */
import { planText } from "../../src/cli/script.ts";
import { compileModule } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { must } from "../../src/core/assert.ts";
import type { TestArtifact } from "./scripted-controller.ts";

const compiled = new Map<string, Uint8Array>();

/** The program and its module; the same module is compiled once. */
export async function compileScript(sql: string): Promise<TestArtifact> {
  const { planned } = await planText({ sql, name: "test" }, new Map(), "preview");
  const { program } = must(planned, "the plan");
  const { sources } = generateModule(program);
  const key = JSON.stringify([...sources]);
  const wasm = compiled.get(key) ?? (await compileModule(sources, ENTRY, "preview"));
  compiled.set(key, wasm);
  return { program, wasm };
}
