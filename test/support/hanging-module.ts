/** The fake module, but its scanner never returns once 1,000 rows were read: a user's endless loop. */
import type { ModuleExports } from "../../src/program/abi.ts";
import type { Program } from "../../src/program/program.ts";
import { makeModule as makeFake } from "./fake-module.ts";

/** As the fake module's. */
export function makeModule(program: Program): ModuleExports {
  return makeFake(program, { hangAfterRows: 1000 });
}
