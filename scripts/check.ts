/**
 * `npm run check`: the gate before a commit. Runs every check of the tree, two at a time, prints each with its duration and what it looked
 * at, and the output of those that failed. A check that saw nothing, or less than there is, has failed.
 */
import { steps } from "./check-steps.ts";
import type { ToolResult } from "./process.ts";

const HELP = `usage: npm run check -- [--only step,…]
  steps: ${steps.map((step) => step.name).join(", ")}
`;
const LANES = 2;
/** A failed step shows so many lines; run alone, all. */
const LINES_SHOWN = 60;

/** One part of the gate. */
export interface Step {
  readonly name: string;
  /** Looks at the tree; says what it saw. */
  readonly run: () => Promise<StepResult>;
}

/** What a step found. */
export interface StepResult {
  readonly ok: boolean;
  /** How much it looked at, such as "62 files". */
  readonly saw: string;
  /** Shown if it failed. */
  readonly output: ToolResult["output"];
}

/** The output of a failed step, indented, cut unless `whole`. */
function excerpt(output: string, name: string, whole: boolean): string {
  const lines = output.trimEnd().split("\n");
  const shown = whole ? lines : lines.slice(0, LINES_SHOWN);
  const rest = lines.length - shown.length;
  const more = rest > 0 ? [`… ${rest} more lines: npm run check -- --only ${name}`] : [];
  return [...shown, ...more].map((line) => `       ${line}\n`).join("");
}

async function runStep(step: Step, whole: boolean): Promise<boolean> {
  const startedMs = performance.now();
  const result = await step.run().catch((error: unknown) => ({ ok: false, saw: "nothing", output: String(error) }));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${result.ok ? "ok    " : "FAILED"} ${step.name.padEnd(8)} ${seconds.padStart(5)} s  ${result.saw}\n`);
  if (!result.ok) process.stdout.write(excerpt(result.output, step.name, whole));
  return result.ok;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const only = args[0] === "--only" ? (args[1] ?? "").split(",") : steps.map((step) => step.name);
  const queue = steps.filter((step) => only.includes(step.name));
  const chosen = queue.length;
  const failed: string[] = [];
  const startedMs = performance.now();
  const lane = async () => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      if (!(await runStep(step, only.length === 1))) failed.push(step.name);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const verdict = failed.length === 0 ? "all passed" : `failed: ${failed.join(", ")}`;
  process.stdout.write(`${chosen} checks in ${seconds} s, ${verdict}\n`);
  return failed.length === 0 && chosen === only.length && chosen > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
