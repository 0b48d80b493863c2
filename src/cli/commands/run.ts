/**
 * `wadi run`: one pipeline in this process until its sources end, it fails, or Ctrl-C (checkpoint, then stop). Rows of a bare
 * SELECT go to stdout; everything else is said on stderr, progress only on a terminal.
 */

import { checkFileRoots } from "../../connectors/files/roots.ts";
import { resolveSecrets, secretsOf } from "../../connectors/secrets.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { toAppError, userError } from "../../core/errors.ts";
import type { LatePolicy } from "../../dataflow/row-errors.ts";
import type { Program } from "../../program/program.ts";
import { explainScript } from "../../sql/explain.ts";
import { type RunOptions, type RunSummary, runPipeline } from "../../worker/embedded-run.ts";
import { compileOnce, levelOf, STDOUT_CONNECTORS, writesOnlyToStdout } from "../compile.ts";
import { EXIT, print, say, sayDiagnostics } from "../output.ts";
import { ProgressLine } from "../progress.ts";
import { planText, readScript, readUdfs } from "../script.ts";

/** Arguments of the command. */
export interface RunArguments {
  readonly query: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** TypeScript files of functions. */
  readonly udfs: readonly string[];
  readonly parallelism: number;
  readonly workers: number;
  readonly stateDir: string | undefined;
  readonly ignoreState: boolean;
  readonly checkpointIntervalMs: number | undefined;
  readonly checkpointEveryRows: number | undefined;
  readonly stopAfterCheckpoint: number | undefined;
  readonly late: LatePolicy;
}

/** Runs the script; the exit code. Throws what the pipeline fails with. */
export async function run(args: RunArguments, loaded: LoadedConfig): Promise<number> {
  checkArguments(args);
  const interrupt = watchInterrupts();
  let progress: ProgressLine | undefined;
  try {
    const script = await readScript(args.query);
    const { planned, diagnostics } = await planText(script, args.parameters, "stdout", await readUdfs(args.udfs));
    for (const warning of loaded.warnings) say(`warning: ${warning}`);
    sayDiagnostics(diagnostics, script);
    if (planned === undefined) return EXIT.usage;
    if (planned.explain) {
      print(explainScript(planned, "text"));
      return EXIT.done;
    }
    const line = new ProgressLine(process.stderr, process.stdout.isTTY && hasStdoutSink(planned.program));
    progress = line;
    const summary = await runProgram(planned.program, args, loaded, { signal: interrupt.signal, onProgress: (p) => line.show(p) });
    progress.end();
    if (summary !== undefined) saySummary(summary);
    return EXIT.done;
  } catch (error) {
    progress?.end();
    throw error;
  } finally {
    interrupt.dispose();
  }
}

function checkArguments(args: RunArguments): void {
  if (args.stateDir !== undefined || !args.ignoreState) return;
  throw userError("invalid-usage", "--ignore-state needs --state-dir", { hint: "Without --state-dir every run starts from nothing." });
}

/** Compiles and runs; undefined if the reader of the rows went away. */
async function runProgram(
  program: Program,
  args: RunArguments,
  { config, origins }: LoadedConfig,
  live: Pick<RunOptions, "signal" | "onProgress">,
): Promise<RunSummary | undefined> {
  // Whoever calls this command may read the files anyway: a limit holds if it was set.
  if (origins.has("connectors.file.roots")) checkFileRoots(program, config["connectors.file.roots"]);
  const artifact = await compileOnce(program, levelOf(program), config);
  try {
    return await runPipeline({
      program,
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
      udfTimeoutMs: config["udf.timeout"],
      secrets: resolveSecrets(secretsOf(program), {
        variable: (name) => process.env[name],
        roots: config["connectors.secret.roots"],
      }),
      // Unless it was set, the machine's memory decides, too.
      stateLimit: origins.has("pipeline.state-limit") ? config["pipeline.state-limit"] : undefined,
      ...live,
      onImbalance: (epoch, imbalances) => say(`warning: row counts of epoch ${epoch} do not balance: ${JSON.stringify(imbalances)}`),
    });
  } catch (error) {
    if (writesOnlyToStdout(program) && isClosedStdout(error)) return undefined;
    throw error;
  }
}

/** A reader that has seen enough, such as head(1), closes the pipe. */
function isClosedStdout(error: unknown): boolean {
  const { code, message } = toAppError(error);
  return code === "connection-lost" && message.includes("standard output");
}

function hasStdoutSink(program: Program): boolean {
  return program.vertices.some(({ operator }) => operator.kind === "sink" && STDOUT_CONNECTORS.has(operator.connector));
}

/** What a person wants to know at the end; rows that were not processed always, the rest on a terminal. */
function saySummary(summary: RunSummary): void {
  if (summary.alreadyFinished) return say("the run had already finished: nothing to do (start over with --ignore-state)");
  if (summary.late > 0) say(`${rows(summary.late, "late row")} dropped (fail instead with --late fail)`);
  if (summary.bad > 0) say(`${rows(summary.bad, "bad row")} dropped (fail instead with bad_data = 'fail')`);
  for (const epoch of summary.skippedEpochs) say(`warning: checkpoint ${epoch} could not be read; an older one was used`);
  if (!process.stderr.isTTY) return;
  const from = summary.restoredEpoch > 0 ? `, resumed from checkpoint ${summary.restoredEpoch}` : "";
  say(`${summary.outcome}: ${summary.rowsIn} rows in, ${summary.rowsOut} rows out in ${(summary.elapsedMs / 1000).toFixed(1)} s${from}`);
}

function rows(count: number, what: string): string {
  return count === 1 ? `1 ${what} was` : `${count} ${what}s were`;
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
