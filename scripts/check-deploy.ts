/**
 * The deployment gate, without a network and without a cloud: formatting, `init`, `validate` and `test` of every Terraform folder against
 * stand-ins for the providers, and rules over the parsed files. Writes nothing into the checkout. What it proves and what not:
 * check-deploy/README.md.
 */

import { printFinding } from "./check-deploy/finding.ts";
import { checkDeploy, type GateReport } from "./check-deploy/gate.ts";
import { ROOT } from "./process.ts";

const HELP = `usage: npm run check:deploy -- [FOLDER]… [--no-terraform]
  FOLDER          checks only these folders of terraform/ and the files in them; everything by default
  --no-terraform  only the rules over parsed files
exit code: 0 nothing found, 1 something found, 2 wrong usage, 3 nothing found but terraform is not installed, so its steps were not run
`;

function print(report: GateReport): void {
  for (const finding of report.findings) process.stdout.write(`${printFinding(finding)}\n`);
  for (const line of report.saw) process.stdout.write(`  ${line}\n`);
  for (const line of report.notRun) process.stdout.write(`not run: ${line}\n`);
  const count = report.findings.length;
  process.stdout.write(`${count === 0 ? "nothing found" : `${count} found`} in ${(report.elapsedMs / 1000).toFixed(1)} s\n`);
}

const args = process.argv.slice(2);
if (args.includes("--help") || args.some((word) => word.startsWith("--") && word !== "--no-terraform")) {
  process.stdout.write(HELP);
  process.exitCode = args.includes("--help") ? 0 : 2;
} else {
  const folders = args.filter((word) => !word.startsWith("--"));
  const report = await checkDeploy({ root: ROOT, folders, withTerraform: !args.includes("--no-terraform") });
  print(report);
  process.exitCode = report.findings.length > 0 ? 1 : report.notRun.length > 0 ? 3 : 0;
}
