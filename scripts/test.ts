/**
 * `npm test`: builds, then runs every suite there is. Suites whose server is absent are named in one line at the end. The last line is
 * `N passed, M failed, K skipped`; the exit code is 0 only if tests ran, none failed, and none was skipped where `WADI_CI_REQUIRE` is set, but
 * for those that a person turns on by an environment variable, and those that `WADI_CI_EXCUSE` names. In CI a test with real processes that
 * fails is tried once more: a machine that stood still is not the product's fault. Each such test is named with its first error, so that it is
 * looked at.
 */
import { build } from "./build.ts";
import { addOutcomes, NO_OUTCOME, type Outcome, runSuites, suiteFiles } from "./suites.ts";

const HELP = `usage: npm test -- [folder…]
  runs test/<folder>/**/*.test.ts; without folders: all of them
  WADI_CI_REQUIRE=s3,…   these suites must not be skipped, and no other may be either
`;
/** Their tests depend on the machine's clock and load. */
const WITH_PROCESSES = new Set(["integration", "e2e"]);
const FOLDERS = ["unit", "golden", "tidy", "oracle", "conformance", "integration", "simulation", "e2e"];

/** One line that names what was skipped and why, or nothing. */
function skippedLine(outcome: Outcome): string {
  const reasons = new Set(outcome.skipped.map(({ suite, reason }) => `${suite} (${reason})`));
  return reasons.size === 0 ? "" : `skipped: ${[...reasons].join("; ")}\n`;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  let total = NO_OUTCOME;
  const problem = await build();
  if (problem !== undefined) {
    process.stdout.write(`${problem}\nthe build failed\n`);
    total = { ...total, failed: 1 };
  }
  for (const folder of args.length > 0 ? args : FOLDERS) {
    const files = suiteFiles(folder);
    if (files.length === 0 && args.length === 0) continue;
    process.stdout.write(`\ntest/${folder}: ${files.length} files\n`);
    const retries = process.env["CI"] !== undefined && WITH_PROCESSES.has(folder) ? 1 : 0;
    total = addOutcomes(total, files.length === 0 ? { ...NO_OUTCOME, failed: 1 } : await runSuites(files, { retries }));
  }
  const forbidden = (process.env["WADI_CI_REQUIRE"] ?? "") !== "" && total.skipped.some(({ reason }) => !/^(set |excused: )/.test(reason));
  process.stdout.write(`\n${skippedLine(total)}`);
  if (total.flaky.length > 0) process.stdout.write(`passed at the second attempt only: ${total.flaky.join("; ")}\n`);
  if (forbidden) process.stdout.write("a suite was skipped although WADI_CI_REQUIRE is set\n");
  if (total.passed === 0) process.stdout.write("no test ran\n");
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped\n`);
  return total.passed > 0 && total.failed === 0 && !forbidden ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
