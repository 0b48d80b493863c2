/**
 * The deployment gate over the toolkit as it is, and over the toolkit with mistakes: nothing is found in the first, each of the mistakes by the rule
 * or step that is for it.
 */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { printFinding } from "../../scripts/check-deploy/finding.ts";
import { checkDeploy, inParallel } from "../../scripts/check-deploy/gate.ts";
import { terraformAbsence } from "../../scripts/check-deploy/terraform.ts";
import { ROOT, runNode } from "../../scripts/process.ts";
import { AWS_FAULTS } from "../support/deploy/aws-faults.ts";
import { expectFound, FaultBench } from "../support/deploy/fault-bench.ts";
import { MACHINE_FAULTS, NOMAD_FAULTS } from "../support/deploy/nomad-faults.ts";
import { TERRAFORM_FAULTS } from "../support/deploy/terraform-faults.ts";
import { requires } from "../support/requirement.ts";

/** All planted faults together, on a machine that does nothing else. */
const LIMIT_MS = 60_000;
const RULE_FAULTS = [...AWS_FAULTS, ...NOMAD_FAULTS, ...MACHINE_FAULTS];

/** Names every fault that was not found, not only the first. */
function failures(checks: readonly (() => void)[]): string {
  return checks
    .flatMap((check) => {
      try {
        check();
        return [];
      } catch (error) {
        return [error instanceof Error ? error.message : String(error)];
      }
    })
    .join("\n\n");
}

describe("check:deploy, rules", function () {
  this.timeout(300_000);

  it("find nothing in the toolkit as it is, and have seen all of it", async () => {
    const { findings, notRun, saw } = await checkDeploy({ root: ROOT, folders: [], withTerraform: false });
    expect(findings.map(printFinding).join("\n")).to.equal("");
    expect(notRun).to.have.length(1);
    const [, rules = "0", files = "0"] = /(\d+) rules over (\d+) of/.exec(saw.join("\n")) ?? [];
    expect(Number(rules)).to.be.at.least(40);
    expect(Number(files)).to.be.at.least(70);
  });

  it(`find each of ${RULE_FAULTS.length} mistakes and name it`, async () => {
    const bench = await FaultBench.open(false);
    try {
      const checks: (() => void)[] = [];
      for (const fault of RULE_FAULTS) {
        const findings = await bench.byRules(fault);
        checks.push(() => expectFound(fault, findings));
      }
      expect(failures(checks)).to.equal("");
    } finally {
      bench.close();
    }
  });
});

describe("check:deploy, where there is no terraform", function () {
  this.timeout(120_000);

  it("runs the rules, says what was not run, and ends with a code of its own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wadi-gate-path-"));
    try {
      // A path with shells and nothing else.
      for (const shell of ["bash", "sh"]) symlinkSync(`/bin/${shell}`, join(folder, shell));
      const { code, stdout } = await runNode(["--import", "tsx", "scripts/check-deploy.ts"], { PATH: folder });
      expect(stdout).to.contain("not run: terraform fmt, init, validate and test: there is no terraform on the path");
      expect(stdout).to.match(/\d+ rules over \d+ of \d+ files/);
      expect([code, stdout.includes("nothing found")]).to.deep.equal([3, true]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("check:deploy, terraform against stand-ins for providers", function () {
  this.timeout(900_000);
  requires("terraform", terraformAbsence);

  it("finds nothing in the toolkit as it is: formatted, valid, tested", async () => {
    const { findings, notRun, saw } = await checkDeploy({ root: ROOT, folders: [], withTerraform: true });
    expect(findings.map(printFinding).join("\n")).to.equal("");
    expect(notRun).to.deep.equal([]);
    const [, folders = "0", tested = "0", runs = "0"] =
      /(\d+) folders validated, (\d+) of them tested: (\d+) runs/.exec(saw.join("\n")) ?? [];
    expect(Number(folders)).to.be.at.least(11);
    expect(Number(tested)).to.be.at.least(9);
    expect(Number(runs)).to.be.at.least(50);
  });

  it(`finds each of ${TERRAFORM_FAULTS.length} mistakes and says where`, async () => {
    const begin = performance.now();
    const bench = await FaultBench.open(true);
    try {
      const checks = await inParallel(TERRAFORM_FAULTS, async (fault) => {
        const findings = await bench.byTerraform(fault);
        return () => expectFound(fault, findings);
      });
      expect(failures(checks)).to.equal("");
    } finally {
      bench.close();
    }
    const elapsedMs = performance.now() - begin;
    // The rules take seconds; a machine that is busy with other suites is no measure.
    if ((loadavg()[0] ?? 0) < 3) expect(elapsedMs).to.be.below(LIMIT_MS);
  });
});
