/**
 * Runs folders of test suites through mocha, each folder in a process of its own so that a crash or a hang in one is one failure and not the
 * end of the report, and adds up what they counted. A folder whose process leaves no report has failed.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listFiles, ROOT, runNode, runNodeInherited, toolPath } from "./process.ts";

/** A test that did not run and why. */
interface SkippedTest {
  readonly suite: string;
  readonly test: string;
  readonly reason: string;
}

/** What some suites came to. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
  /** Tests that passed at a second attempt only, by their full titles. */
  readonly flaky: readonly string[];
  /** What the tests printed, if it was collected. */
  readonly output: string;
}

/** How suites run. */
export interface SuiteOptions {
  /** Collects the output instead of showing it. */
  readonly quiet?: boolean;
  /** How often a test that fails is tried again, none by default. */
  readonly retries?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** The test files of `test/<folder>`, or none if there is no such folder. */
export function suiteFiles(folder: string): string[] {
  return existsSync(join(ROOT, "test", folder)) ? listFiles(join("test", folder), ".test.ts") : [];
}

/** Nothing yet. */
export const NO_OUTCOME: Outcome = { passed: 0, failed: 0, skipped: [], flaky: [], output: "" };

/** Both together. */
export function addOutcomes(a: Outcome, b: Outcome): Outcome {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: [...a.skipped, ...b.skipped],
    flaky: [...a.flaky, ...b.flaky],
    output: a.output + b.output,
  };
}

/** Runs `files`, which are test files, in one mocha process. */
export async function runSuites(files: readonly string[], options: SuiteOptions = {}): Promise<Outcome> {
  if (files.length === 0) return NO_OUTCOME;
  const folder = mkdtempSync(join(tmpdir(), "wadi-tests-"));
  const report = join(folder, "report.jsonl");
  const args = [toolPath("mocha", "mocha"), "--exit", "--reporter", join(ROOT, "test", "support", "reporter.cjs")];
  args.push("--retries", String(options.retries ?? 0), ...files);
  const env = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true", ...options.env, WADI_TEST_REPORT: report };
  try {
    const ran = options.quiet === true ? await runNode(args, env) : { code: await runNodeInherited(args, env), output: "" };
    return readReport(report, ran.code, ran.output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(path: string, code: number, output: string): Outcome {
  if (!existsSync(path))
    return { ...NO_OUTCOME, failed: 1, output: `${output}\nmocha ended with exit code ${code} and without a report\n` };
  const { passed, failed, skipped, flaky } = JSON.parse(readFileSync(path, "utf8")) as Outcome;
  // A failing hook outside of any test, or forbidden `only`, shows in the exit code alone.
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped, flaky, output };
}
