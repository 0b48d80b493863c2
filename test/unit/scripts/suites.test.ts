/** The runner of suites counts what happened, also when a process dies, and the formatter leaves AssemblyScript's decorators alone. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { hideDecorators, showDecorators } from "../../../scripts/format.ts";
import { addOutcomes, NO_OUTCOME, runSuites, suiteFiles } from "../../../scripts/suites.ts";

describe("suite runner", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wadi-suites-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const run = (code: string, retries = 0) => {
    const file = join(folder, "planted.test.mjs");
    writeFileSync(file, code);
    return runSuites([file], { quiet: true, retries });
  };

  it("counts passed, failed and skipped tests, and takes a reason from the title", async () => {
    const outcome = await run(`describe("a", () => {
      it("passes", () => {});
      it("fails", () => { throw new Error("planted"); });
      it("waits [no server]");
    });`);
    expect([outcome.passed, outcome.failed]).to.deep.equal([1, 1]);
    expect(outcome.skipped).to.deep.equal([{ suite: "a", test: "a waits [no server]", reason: "no server" }]);
    expect(outcome.output).to.contain("planted");
  }).timeout(60_000);

  it("counts a process that dies, a file that does not load and a forbidden `only` as a failure", async () => {
    for (const code of ['it("x", () => process.exit(0));', 'throw new Error("no");', 'it["on" + "ly"]("x", () => {});']) {
      const outcome = await run(code);
      expect([outcome.failed, code]).to.deep.equal([1, code]);
    }
  }).timeout(60_000);

  it("names a test that passes at the second attempt only, and its hooks know that the first failed", async () => {
    const outcome = await run(
      `let attempts = 0, failures = 0;
      describe("a", () => {
        afterEach(function () { failures += this.currentTest.state === "failed" ? 1 : 0; });
        it("passes late", () => { attempts += 1; if (attempts === 1) throw new Error("planted"); });
        it("knows", () => { if (failures !== 1) throw new Error("failures: " + failures); });
      });`,
      1,
    );
    expect([outcome.passed, outcome.failed, outcome.flaky]).to.deep.equal([2, 0, ["a passes late"]]);
    expect(outcome.output).to.contain("planted");
  }).timeout(60_000);

  it("adds outcomes up and knows the folders", () => {
    const one = { passed: 1, failed: 2, skipped: [{ suite: "s", test: "t", reason: "r" }], flaky: ["f"], output: "x" };
    expect(addOutcomes(addOutcomes(NO_OUTCOME, one), one)).to.deep.include({ passed: 2, failed: 4, flaky: ["f", "f"], output: "xx" });
    expect(suiteFiles("unit")).to.include("test/unit/scripts/suites.test.ts");
    expect(suiteFiles("no-such-folder")).to.deep.equal([]);
  });
});

describe("formatting AssemblyScript", () => {
  it("hides decorators of functions and variables, with or without a declaration behind, and shows them again", () => {
    const source = '@inline\nexport function f(): void {}\n@external("env", "abort") @lazy\nconst x = 1;\n';
    const hidden = hideDecorators(source);
    expect(hidden).to.not.match(/^@/m);
    expect(showDecorators(hidden)).to.equal(source);
    expect(showDecorators(hideDecorators("@inline function g(): void {}\n"))).to.equal("@inline\nfunction g(): void {}\n");
  });
});
