/** How the doctor's checks are run: side by side, bounded, each fault told once. */
import { expect } from "chai";
import { type Check, fail, ok, warn } from "../../../src/cli/doctor/check.ts";
import { examine } from "../../../src/cli/doctor/examine.ts";
import { makeReport, renderReport } from "../../../src/cli/doctor/report.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { userError } from "../../../src/core/errors.ts";

const never = new AbortController().signal;

function check(id: string, run: Check["run"], needs: readonly string[] = []): Check {
  return { id, title: `the ${id}`, limitMs: 2_000, needs, ifSilent: "Wake it.", run };
}

/** Runs checks while time goes on by itself. */
async function examined(checks: readonly Check[], totalMs = 10_000) {
  const clock = new ManualClock();
  const done = examine(checks, { clock, totalMs, signal: never });
  await clock.advance(totalMs);
  return { results: await done, clock };
}

describe("the doctor's examination", () => {
  it("keeps the order of the checks", async () => {
    const { results } = await examined([check("a", async () => ok("fine")), check("b", async () => warn("slow", "Wait."))]);
    expect(results.map(({ id, verdict }) => `${id} ${verdict}`)).to.deep.equal(["a ok", "b warn"]);
  });

  it("gives up a check that hangs, with its own advice", async () => {
    const { results } = await examined([check("a", () => new Promise(() => undefined))]);
    expect(results[0]).to.include({ verdict: "fail", says: "no answer within 2 s", fix: "Wake it." });
  });

  it("aborts the signal of a check that it gives up", async () => {
    let aborted = false;
    await examined([
      check("a", (signal) => {
        signal.addEventListener("abort", () => (aborted = true));
        return new Promise(() => undefined);
      }),
    ]);
    expect(aborted).to.equal(true);
  });

  it("skips what needs a check that failed, and what needs that", async () => {
    const { results } = await examined([
      check("a", async () => fail("broken", "Mend it.")),
      check("b", async () => ok("fine"), ["a"]),
      check("c", async () => ok("fine"), ["b"]),
      check("d", async () => ok("fine")),
    ]);
    expect(results.map(({ verdict }) => verdict)).to.deep.equal(["fail", "skip", "skip", "ok"]);
    expect(results[1]?.says).to.equal('not looked at, because of "the a"');
  });

  it("makes a failure of what a check throws, with its hint", async () => {
    const error = userError("invalid-config", "it is wrong", { hint: "Correct it." });
    const { results } = await examined([check("a", () => Promise.reject(error))]);
    expect(results[0]).to.include({ verdict: "fail", says: "it is wrong", fix: "Correct it." });
  });

  it("is over in time although everything hangs, one after another", async () => {
    const hang = () => new Promise<never>(() => undefined);
    const { clock } = await examined([check("a", hang), check("b", hang), check("c", hang, ["x"])], 3_000);
    expect(clock.elapsedMs()).to.be.at.most(3_000);
  });

  it("prints cause and fix of what is bad, each on a line", async () => {
    const { results } = await examined([check("a", async () => fail("broken\n  in two", "Mend it."))]);
    const text = renderReport(makeReport(results, { release: "1", scheduler: "nomad", tookMs: 5 }));
    expect(text).to.match(/^FAIL the a {2}broken in two\n +Fix: Mend it\.\n\n0 ok, 0 warnings, 1 failures/);
  });
});
