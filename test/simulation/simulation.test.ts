/** Many seeds of the simulation, and the proof that its checkers see what they are there for. */
import { expect } from "chai";
import { JOB_STATES } from "../../src/job/job.ts";
import { QUICK } from "../support/quick.ts";
import { CHAOS_KINDS, PLANTS, type Plant } from "./sim-options.ts";
import { type SimSummary, Simulation } from "./simulation.ts";

const SEEDS = QUICK ? 100 : 2000;
/** A planted bug has to show within so many seeds. */
const PLANT_SEEDS = 600;

/** The violation of a seed; undefined: none. */
function violationOf(seed: number, plant: Plant): string | undefined {
  try {
    new Simulation(seed, plant).run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("simulation", () => {
  it(`holds every invariant over ${SEEDS} seeds, and all kinds of faults and states occur`, function () {
    this.timeout(300_000);
    const states = new Set<string>();
    const faults = new Map<string, number>();
    const total = { adoptions: 0, repeated: 0, published: 0, epochs: 0, runs: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const summary = runSeed(seed);
      for (const state of summary.states) states.add(state);
      for (const [fault, count] of summary.faults) faults.set(fault, (faults.get(fault) ?? 0) + count);
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += summary[key];
    }
    expect([...states]).to.include.members(JOB_STATES.filter((state) => state !== "created"));
    expect([...faults.keys()]).to.include.members([
      ...CHAOS_KINDS,
      "controller crashed",
      "wish",
      "prepared",
      "handed over",
      "discarded",
      "build rejected",
      "build moved",
    ]);
    for (const [what, count] of Object.entries(total)) expect(count, what).to.be.greaterThan(SEEDS / 10);
  });

  it("repeats itself from a seed", () => {
    const lines = (): readonly string[] => {
      const all: string[] = [];
      new Simulation(7, undefined, (line) => all.push(line)).run();
      return all;
    };
    expect(lines()).to.deep.equal(lines());
  });

  for (const plant of PLANTS) {
    it(`finds the planted bug "${plant}"`, function () {
      this.timeout(120_000);
      let seed = 1;
      while (seed <= PLANT_SEEDS && violationOf(seed, plant) === undefined) seed++;
      expect(seed).to.be.at.most(PLANT_SEEDS);
    });
  }
});

function runSeed(seed: number): SimSummary {
  try {
    return new Simulation(seed).run();
  } catch (error) {
    if (error instanceof Error) error.message = `seed ${seed} (npm run simulate -- --seed ${seed}): ${error.message}`;
    throw error;
  }
}
