/**
 * A run in a process of its own, to be killed: `run-child.ts SCRIPT STATE PARALLELISM EVERY_ROWS [STOP_AFTER]`. Prints
 * `epoch N` when a checkpoint counts and `done` at the end.
 */

import { planText, readScript } from "../../src/cli/script.ts";
import { compileModule } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { must } from "../../src/core/assert.ts";
import { type RunSummary, runPipeline } from "../../src/worker/embedded-run.ts";

/** What a test chooses of a run. */
export interface TestRun {
  readonly script: string;
  readonly state: string | undefined;
  readonly parallelism: number;
  readonly everyRows?: number | undefined;
  readonly stopAfter?: number | undefined;
  readonly throttled?: boolean | undefined;
  readonly workers?: number | undefined;
  readonly onEpoch?: ((epoch: number) => void) | undefined;
}

/** Plans, compiles and runs a script; late rows fail it. */
export async function runScript(run: TestRun): Promise<RunSummary> {
  const { planned } = await planText(await readScript(run.script), new Map(), "stdout");
  const { program } = must(planned, "plan of a script of the query set");
  const generated = generateModule(program);
  return await runPipeline({
    program,
    module: { kind: "wasm", bytes: await compileModule(generated.sources, ENTRY, "preview") },
    stateSchemas: Object.fromEntries(generated.stateSchemas),
    parallelism: run.parallelism,
    workers: run.workers,
    stateUrl: run.state,
    checkpointEveryRows: run.everyRows,
    stopAfterCheckpoint: run.stopAfter,
    late: "fail",
    connectors: run.throttled === true ? new URL("./throttled-connectors.ts", import.meta.url).href : undefined,
    onEpoch: run.onEpoch,
  });
}

if (process.argv[1]?.endsWith("run-child.ts") === true) {
  const [script = "", state = "", parallelism = "1", everyRows = "20000"] = process.argv.slice(2);
  const onEpoch = (epoch: number): void => void process.stdout.write(`epoch ${epoch}\n`);
  runScript({ script, state, parallelism: Number(parallelism), everyRows: Number(everyRows), throttled: true, onEpoch }).then(
    () => process.stdout.write("done\n", () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
}
