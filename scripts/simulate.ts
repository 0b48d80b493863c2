/** `npm run simulate`: runs seeds of test/simulation; one alone is told line by line. Ends at the first violation, with the seed that repeats it. */
import { parseArgs } from "node:util";
import { PLANTS, type Plant } from "../test/simulation/sim-options.ts";
import { Simulation } from "../test/simulation/simulation.ts";

const HELP = `usage: npm run simulate -- [--seed N] [--seeds M] [--plant NAME] [--trace]
  --seed N      first seed (default 1)
  --seeds M     so many seeds from there (default 1: told line by line)
  --trace       tell what happens, also of several seeds
  --plant NAME  build a bug in: ${PLANTS.join(", ")}
`;

function main(args: string[]): number {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1" },
      plant: { type: "string" },
      trace: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [first, count] = [Number(values.seed), Number(values.seeds)];
  const plant = PLANTS.find((known) => known === values.plant);
  const valid = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 1 && plant === values.plant;
  if (values.help || !valid) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  return simulate(first, count, plant, values.trace || count === 1);
}

function simulate(first: number, count: number, plant: Plant | undefined, trace: boolean): number {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  for (let seed = first; seed < first + count; seed++) {
    try {
      const { state, steps, runs, epochs, published } = new Simulation(seed, plant, trace ? say : undefined).run();
      if (trace) say(`seed ${seed}: ${state} after ${steps} steps, ${runs} runs, ${epochs} epochs, ${published} transactions`);
    } catch (error) {
      say(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
      return 1;
    }
  }
  say(`${count} seed${count === 1 ? "" : "s"}, no violation`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
