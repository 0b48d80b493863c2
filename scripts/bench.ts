/** `npm run bench`: `wadi bench` on the build that the door script has just made, without a configuration file's help. */
import { parseArgs } from "node:util";

// The build is measured, not the sources: threads and processes then start without a TypeScript loader.
const built = async <T>(path: string): Promise<T> => (await import(new URL(`../dist/cli/${path}`, import.meta.url).href)) as T;
const { BENCH_DEFAULTS, BENCHMARK_NAMES, bench } = await built<typeof import("../src/cli/commands/bench.ts")>("commands/bench.js");
const { sayError } = await built<typeof import("../src/cli/output.ts")>("output.js");

const HELP = `usage: npm run bench -- [benchmark…] [--rows N] [--pairs N] [--record]
  benchmarks: ${BENCHMARK_NAMES.join(", ")} (one query: nexmark:q5); without names: all
  --rows N    rows of the input (default ${BENCH_DEFAULTS.rows}; records are made with 10000000)
  --pairs N   interleaved repetitions (default ${BENCH_DEFAULTS.pairs})
  --record    writes test/bench/records/<benchmark>.json
`;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rows: { type: "string", default: String(BENCH_DEFAULTS.rows) },
      pairs: { type: "string", default: String(BENCH_DEFAULTS.pairs) },
      record: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [rows, pairs] = [Number(values.rows), Number(values.pairs)];
  if (values.help || !Number.isInteger(rows) || !Number.isInteger(pairs) || rows < 1 || pairs < 1) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  return bench({ names: positionals, rows, pairs, record: values.record, command: `npm run bench -- ${args.join(" ")}` });
}

process.exitCode = await main(process.argv.slice(2)).catch(sayError);
