/** The fake module with a defect in its row counts, for the ledger to find. */
import type { ModuleExports } from "../../src/program/abi.ts";
import type { Program } from "../../src/program/program.ts";
import { makeModule as makeFake } from "./fake-module.ts";

/** As the fake module's. */
export function makeModule(program: Program): ModuleExports {
  return makeFake(program, { miscount: 1 });
}
