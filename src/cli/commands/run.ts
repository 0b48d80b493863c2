/**
 * `wadi run`: one pipeline in this process until its sources end, it fails, or Ctrl-C (checkpoint, then stop). Rows of a bare
 * SELECT go to stdout; everything else is said on stderr, progress only on a terminal.
 */

import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import type { LatePolicy } from "../../dataflow/row-errors.ts";
import { explainScript } from "../../sql/explain.ts";
import { type RunSummary, runPipeline } from "../../worker/embedded-run.ts";
import type { RunProgress } from "../../worker/run-progress.ts";
import { compileOnce } from "../compile.ts";
import { EXIT, print, say, sayDiagnostics } from "../output.ts";
import { ProgressLine } from "../progress.ts";
import { planText, readScript } from "../script.ts";

/** Arguments of the command. */
export interface RunArguments {
  readonly query: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly parallelism: number;
  readonly workers: number;
  readonly stateDir: string | undefined;
  readonly ignoreState: boolean;
  readonly checkpointIntervalMs: number | undefined;
  readonly checkpointEveryRows: number | undefined;
  readonly stopAfterCheckpoint: number | undefined;
  readonly late: LatePolicy;
}

/** Runs the script; the exit code. */
export async function run(args: RunArguments, config: Config): Promise<number> {
  const script = await readScript(args.query);
  const { planned, diagnostics } = await planText(script, args.parameters, "stdout");
  sayDiagnostics(diagnostics, script);
  if (planned === undefined) return EXIT.usage;
  if (planned.explain) {
    print(explainScript(planned, "text"));
    return EXIT.done;
  }
  const artifact = await compileOnce(planned.program, "production", config);
  const interrupt = watchInterrupts();
  const progress = new ProgressLine(process.stderr);
  try {
    const summary = await runPipeline({
      program: planned.program,
      module: { kind: "wasm", bytes: artifact.wasm },
      stateSchemas: artifact.stateSchemas,
      parallelism: args.parallelism,
      workers: args.workers,
      stateUrl: args.stateDir,
      ignoreState: args.ignoreState,
      checkpointIntervalMs: args.checkpointIntervalMs ?? config["default-checkpoint-interval"],
      checkpointEveryRows: args.checkpointEveryRows,
      stopAfterCheckpoint: args.stopAfterCheckpoint,
      late: args.late,
      batchRows: config["pipeline.source-batch-size"],
      flushIntervalMs: config["pipeline.update-flush-interval"],
      stateLimit: config["pipeline.state-limit"],
      signal: interrupt.signal,
      onProgress: (p: RunProgress) => progress.show(p),
      onImbalance: (epoch, imbalances) => say(`warning: row counts of epoch ${epoch} do not balance: ${JSON.stringify(imbalances)}`),
    });
    progress.end();
    saySummary(summary);
    return EXIT.done;
  } catch (error) {
    progress.end();
    // A reader that has seen enough, such as head(1), closes the pipe.
    if (toAppError(error).code === "connection-lost" && toAppError(error).message.includes("standard output")) return EXIT.done;
    throw error;
  } finally {
    interrupt.dispose();
  }
}

/** What a person wants to know at the end; rows that were not processed always, the rest on a terminal. */
function saySummary(summary: RunSummary): void {
  if (summary.alreadyFinished) return say("the run had already finished: nothing to do (start over with --ignore-state)");
  if (summary.late > 0) say(`${summary.late} late rows were dropped (fail instead with --late fail)`);
  if (summary.bad > 0) say(`${summary.bad} bad rows were dropped`);
  for (const epoch of summary.skippedEpochs) say(`warning: checkpoint ${epoch} could not be read; an older one was used`);
  if (!process.stderr.isTTY) return;
  const from = summary.restoredEpoch > 0 ? `, resumed from checkpoint ${summary.restoredEpoch}` : "";
  say(`${summary.outcome}: ${summary.rowsIn} rows in, ${summary.rowsOut} rows out in ${(summary.elapsedMs / 1000).toFixed(1)} s${from}`);
}

/** Ctrl-C once: the signal. Twice: the process ends with 130. */
function watchInterrupts(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    say("stopping: taking a checkpoint (Ctrl-C again stops at once)");
    controller.abort();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
