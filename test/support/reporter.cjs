/**
 * Mocha's output for this repository: a line per suite, then the failures in full. Writes what `scripts/suites.ts` adds up to the JSON file
 * named by `WADI_TEST_REPORT`: counts, each skipped test with its reason (the text in brackets at the end of its title), and each that passed at a
 * second attempt only, whose first error is shown.
 */
const { appendFileSync } = require("node:fs");
const Mocha = require("mocha");

const { EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING, EVENT_TEST_RETRY, EVENT_SUITE_END, EVENT_RUN_END } = Mocha.Runner.constants;

/** The outermost named suite of a test or suite. */
function topSuite(node) {
  let suite = node;
  while (suite.parent !== undefined && !suite.parent.root) suite = suite.parent;
  return suite;
}

class SuiteReporter extends Mocha.reporters.Base {
  constructor(runner, options) {
    super(runner, options);
    this.counts = new Map();
    this.skipped = [];
    this.retried = new Map();
    this.flaky = [];
    runner.on(EVENT_TEST_PASS, (test) => {
      this.count(test, "passed");
      const error = this.retried.get(test.fullTitle());
      if (error === undefined) return;
      this.flaky.push(test.fullTitle());
      Mocha.reporters.Base.consoleLog(`  ~ ${test.fullTitle()}: passed at the second attempt, the first: ${error.stack ?? error}`);
    });
    runner.on(EVENT_TEST_RETRY, (test, error) => {
      this.retried.set(test.fullTitle(), error);
      // The next attempt is a copy; the hooks after this one have to know how it went, which mocha tells them of the last attempt only.
      test.state = "failed";
    });
    runner.on(EVENT_TEST_FAIL, (test) => this.count(test, "failed"));
    runner.on(EVENT_TEST_PENDING, (test) => {
      this.count(test, "skipped");
      const reason = /\[([^\]]+)\]$/.exec(test.title)?.[1];
      this.skipped.push({ suite: topSuite(test).title, test: test.fullTitle(), reason: reason ?? "no reason given" });
    });
    runner.on(EVENT_SUITE_END, (suite) => this.suiteLine(suite));
    runner.once(EVENT_RUN_END, () => this.finish());
  }

  count(test, outcome) {
    const suite = topSuite(test);
    const counts = this.counts.get(suite) ?? { passed: 0, failed: 0, skipped: 0, ms: 0 };
    counts[outcome] += 1;
    counts.ms += test.duration ?? 0;
    this.counts.set(suite, counts);
  }

  suiteLine(suite) {
    const counts = this.counts.get(suite);
    if (suite.root || !suite.parent?.root || counts === undefined) return;
    const parts = [`${counts.passed} passed`];
    if (counts.failed > 0) parts.push(`${counts.failed} failed`);
    if (counts.skipped > 0) parts.push(`${counts.skipped} skipped`);
    Mocha.reporters.Base.consoleLog(`  ${counts.failed > 0 ? "✗" : "✓"} ${suite.title}: ${parts.join(", ")} (${counts.ms} ms)`);
  }

  finish() {
    const sum = (outcome) => [...this.counts.values()].reduce((total, counts) => total + counts[outcome], 0);
    if (sum("failed") > 0) this.epilogue();
    const report = { passed: sum("passed"), failed: sum("failed"), skipped: this.skipped, flaky: this.flaky };
    if (process.env.WADI_TEST_REPORT !== undefined) appendFileSync(process.env.WADI_TEST_REPORT, `${JSON.stringify(report)}\n`);
  }
}

module.exports = SuiteReporter;
