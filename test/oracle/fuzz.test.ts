/**
 * The engine against the oracle on random programs, inputs, batch sizes, parallelisms, epochs, restarts and rescales, in one thread without
 * slots (`support/module-cluster.ts`), so that a case costs milliseconds. `ORACLE_CASES` sets their number, `ORACLE_SEED` the first program.
 * A mass run: `ORACLE_CASES=5000 ORACLE_SEED=1000 npx mocha test/oracle/fuzz.test.ts`, which also prints what the cases were.
 */
import { expect } from "chai";
import { type FuzzOutcome, type FuzzProgram, fuzzCase, fuzzProgram } from "../support/fuzz-case.ts";
import { closePlanner } from "../support/oracle-planner.ts";
import { QUICK } from "../support/quick.ts";

const ASKED = process.env["ORACLE_CASES"];
const CASES = Number(ASKED ?? (QUICK ? 120 : 320));
const FIRST_SEED = Number(process.env["ORACLE_SEED"] ?? 1);
const CASES_PER_PROGRAM = 40;

/** Cases by what they were. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(program: FuzzProgram, { options, result }: FuzzOutcome): void {
    this.#count("cases");
    for (const shape of program.shapes) this.#count(shape);
    this.#count(`${program.level} code`);
    if (result === undefined) return;
    if (options.watermarkEveryRows !== undefined) this.#count("lateness judged");
    for (const what of ["late", "bad", "errors", "epochs", "restarts", "restores", "rescales"] as const) {
      if (result[what] > 0) this.#count(`with ${what}`);
    }
    if (Math.max(...options.parallelisms) > 1) this.#count("parallel");
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  toString(): string {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => `${what} ${count}`)
      .join(", ");
  }
}

describe("fuzzed engine against the oracle", function () {
  this.timeout(60_000 + CASES * 500);
  after(closePlanner);
  const tally = new Tally();

  it(`agrees on ${CASES} random cases`, async () => {
    const failures: string[] = [];
    for (let seed = FIRST_SEED; tally.of("cases") < CASES; seed++) {
      const program = await fuzzProgram(seed);
      if (program === undefined) continue;
      for (let index = 0; index < CASES_PER_PROGRAM && tally.of("cases") < CASES; index++) {
        const outcome = fuzzCase(program, seed, index);
        tally.add(program, outcome);
        if (outcome.difference === undefined) continue;
        const replay = `ORACLE_SEED=${seed} ORACLE_CASES=${index + 1} npx mocha test/oracle/fuzz.test.ts`;
        failures.push(
          `${replay}\ncase ${index} (${program.shapes.join(", ")}), ${JSON.stringify(outcome.options)}:\n${outcome.difference}`,
        );
        break;
      }
      if (failures.length >= 10) break;
    }
    if (ASKED !== undefined) process.stdout.write(`      ${tally}\n`);
    expect(failures.join("\n\n")).to.equal("");
  });

  it("went through late and bad rows, row errors, epochs, restores and rescales", () => {
    // Forty cases share a program, so what only some programs do needs many cases to be seen.
    const seen = ["epochs", "restores", "rescales", ...(CASES >= 5000 ? ["late", "bad", "errors"] : [])];
    for (const what of seen) expect(tally.of(`with ${what}`), what).to.be.greaterThan(0);
    expect(tally.of("lateness judged")).to.be.greaterThan(0);
    expect(tally.of("parallel")).to.be.greaterThan(CASES / 3);
  });
});
