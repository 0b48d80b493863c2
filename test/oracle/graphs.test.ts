/**
 * Graphs that random programs seldom or never have, each on a cluster against the oracle: shapes that the planner makes on the side (two
 * edges between the same vertices, rows without columns, columns that are only declared nullable, several writers of one sink), and state
 * large enough to be copied while it changes.
 */
import { expect } from "chai";
import { Prng } from "../../src/core/prng.ts";
import { BOOLEAN, INT64, TEXT, TIMESTAMP } from "../../src/data/data-type.ts";
import type { Program } from "../../src/program/program.ts";
import { judge } from "../support/fuzz-case.ts";
import { randomClusterCase } from "../support/module-cluster.ts";
import { compileProgram } from "../support/module-runner.ts";
import { aggregate, type Built, call, column, literal, ProgramBuilder, type SourceTable } from "../support/oracle-programs.ts";
import { QUICK, some } from "../support/quick.ts";
import { randomInputs } from "../support/random-program.ts";

const CASES = QUICK ? 2 : 30;
const SECOND = 1_000_000_000n;
const TABLE: SourceTable = {
  name: "t0",
  eventTime: 0,
  delayNs: 2n * SECOND,
  fields: [
    { name: "at", type: TIMESTAMP, nullable: false },
    { name: "k", type: { kind: "int8" }, nullable: true },
    { name: "v", type: INT64, nullable: false },
    { name: "s", type: TEXT, nullable: true },
  ],
};
const OTHER: SourceTable = { ...TABLE, name: "t1" };
const K = column(1, { kind: "int8" });
const V = column(2, INT64, false);
const S = column(3, TEXT);
const TUMBLE = { kind: "tumble", widthNs: 10n * SECOND } as const;
const HOP = { kind: "hop", slideNs: 4n * SECOND, widthNs: 10n * SECOND } as const;

/** `program` with the outputs of vertex `id` declared nullable. */
function declareNullable(program: Program, id: number): Program {
  const vertices = program.vertices.map((v) =>
    v.id === id ? { ...v, output: { ...v.output, columns: v.output.columns.map((c) => ({ ...c, nullable: true })) } } : v,
  );
  return { ...program, vertices };
}

interface Graph {
  readonly name: string;
  readonly tables: readonly SourceTable[];
  readonly rows: number;
  readonly cases: number;
  build(): Program;
}

function graph(
  name: string,
  build: (b: ProgramBuilder, source: Built, other: () => Built) => Program | undefined,
  rows = 80,
  cases = CASES,
): Graph {
  const tables: SourceTable[] = [TABLE];
  const make = (): Program => {
    const b = new ProgramBuilder();
    const source = b.source(TABLE);
    const other = (): Built => {
      if (tables.length === 1) tables.push(OTHER);
      return b.source(OTHER);
    };
    return build(b, source, other) ?? b.build();
  };
  return { name, tables, rows, cases, build: make };
}

/** A small, never failing number: sums of it overflow nowhere. */
const SMALL = call("modulo", [V, literal(1009n, INT64)], INT64);

const GRAPHS: readonly Graph[] = [
  graph("two edges from one vertex to one port", (b, source) => {
    const projected = b.compute([source], [K, V, S]);
    b.sink("out", [b.compute([projected, projected], [column(0, { kind: "int8" }), column(1, INT64, false), column(2, TEXT)])]);
    return undefined;
  }),
  graph("two edges from a source to one port, under windows", (b, source) => {
    const both = b.compute([source, source], [K, SMALL]);
    b.sink("out", [b.window(both, HOP, [column(0, { kind: "int8" })], [aggregate("count"), aggregate("sum", column(1, INT64))])]);
    return undefined;
  }),
  graph("rows without columns, counted by windows and for ever", (b, source, other) => {
    const nothing = b.compute([b.compute([source], [], call("is_null", [K])), b.compute([other()], [])], []);
    b.sink("windows", [b.window(nothing, TUMBLE, [], [aggregate("count")])]);
    b.sink("total", [b.updating(nothing, [], [aggregate("count")])]);
    return undefined;
  }),
  graph("one sink written by three encoders", (b, source, other) => {
    const parts = [b.compute([source], [K], call("ge", [V, literal(50n, INT64)])), b.compute([other()], [K]), b.compute([source], [K])];
    b.sink("out", parts);
    return undefined;
  }),
  graph("columns declared nullable whose expressions are not", (b, source) => {
    const projected = b.compute([source], [SMALL, call("concat", [S, literal("!", TEXT)], TEXT), call("is_null", [K])]);
    const keys = [column(2, BOOLEAN), column(1, TEXT)];
    const aggregates = [aggregate("count", column(0, INT64)), aggregate("sum", column(0, INT64)), aggregate("min", column(1, TEXT))];
    b.sink("windows", [b.window(projected, HOP, keys, aggregates)]);
    b.sink("groups", [b.updating(projected, keys, aggregates)]);
    b.sink("rows", [b.compute([projected], [column(1, TEXT), column(0, INT64)], call("lt", [column(0, INT64), literal(70n, INT64)]))]);
    return declareNullable(b.build(), projected.id);
  }),
  ...(["inner", "left", "right", "full"] as const).map((kind) =>
    graph(`a ${kind} join of windows with a filter over columns that only its output makes nullable`, (b, source, other) => {
      const side = (from: Built): Built =>
        b.window(
          b.compute([from], [K, SMALL, call("concat", [S], TEXT)]),
          TUMBLE,
          [column(0, { kind: "int8" })],
          [aggregate("count"), aggregate("max", column(2, TEXT, false))],
        );
      const joined = b.join(side(source), side(other()), kind, [0], [0], call("le", [column(3, INT64, false), column(8, INT64, false)]));
      b.sink("out", [joined]);
      const counts = [aggregate("count", column(3, INT64)), aggregate("count", column(8, INT64)), aggregate("max", column(9, TEXT))];
      b.sink("changes", [b.updating(joined, [column(0, { kind: "int8" })], counts)], [0]);
      return undefined;
    }),
  ),
  graph("changes of two aggregates united and aggregated again", (b, source, other) => {
    const group = (from: Built): Built =>
      b.updating(b.compute([from], [K, SMALL]), [column(0, { kind: "int8" })], [aggregate("count"), aggregate("max", column(1, INT64))]);
    const columns = [column(0, { kind: "int8" }), column(1, INT64, false), column(2, INT64)];
    const both = b.compute([group(source), group(other())], columns, call("gt", [column(1, INT64, false), literal(1n, INT64)]));
    const again = [aggregate("count"), aggregate("min", column(2, INT64)), aggregate("sum", column(1, INT64), { distinct: true })];
    b.sink("out", [b.updating(both, [column(0, { kind: "int8" })], again)], [0]);
    b.sink("one", [b.updating(both, [], again)]);
    return undefined;
  }),
  graph("one vertex that feeds a keyed, a gathered and a forward edge, with rows that fail", (b, source) => {
    const risky = call("divide", [literal(1000n, INT64), call("modulo", [V, literal(7n, INT64)], INT64)], INT64);
    const projected = b.compute([source], [K, V, risky]);
    const failing = call("divide", [literal(9n, INT64), call("modulo", [column(1, INT64, false), literal(5n, INT64)], INT64)], INT64);
    b.sink("rows", [b.compute([projected], [column(0, { kind: "int8" }), failing])]);
    b.sink("groups", [b.updating(projected, [column(0, { kind: "int8" })], [aggregate("max", column(2, INT64))])], [0]);
    b.sink("total", [b.window(projected, TUMBLE, [], [aggregate("count"), aggregate("min", failing)])]);
    return undefined;
  }),
  graph(
    "many groups, whose state is copied while it changes",
    (b, source) => {
      const wide = b.compute([source], [call("modulo", [V, literal(5003n, INT64)], INT64), SMALL, S]);
      const key = column(0, INT64, false);
      const aggregates = [aggregate("count"), aggregate("sum", column(1, INT64, false)), aggregate("min", column(2, TEXT))];
      b.sink("groups", [b.updating(wide, [key], [...aggregates, aggregate("count", column(2, TEXT), { distinct: true })])], [0]);
      b.sink("windows", [b.window(wide, { kind: "hop", slideNs: 600n * SECOND, widthNs: 1200n * SECOND }, [key], aggregates)]);
      b.sink(
        "nested",
        [
          b.updating(
            b.updating(wide, [key], aggregates),
            [column(1, INT64, false)],
            [aggregate("count"), aggregate("max", column(3, TEXT))],
          ),
        ],
        [0],
      );
      return undefined;
    },
    6000,
    Math.ceil(CASES / 5),
  ),
];

describe("odd graphs of the engine against the oracle", function () {
  this.timeout(240_000);

  for (const [number, { name, tables, rows, cases, build }] of some([...GRAPHS.entries()], 2)) {
    it(`agrees on ${name}`, async () => {
      const compiled = await compileProgram(build());
      for (let index = 0; index < cases; index++) {
        const prng = new Prng(1000 * (number + 1) + index);
        const inputs = randomInputs(prng, tables, { rows, badPerMille: 5 });
        const many = rows > 1000;
        const chosen = randomClusterCase(prng);
        // Small batches of many rows would take long; and a large state is worth being restored every time.
        const options = many ? { ...chosen, batchRows: 40, parallelisms: [2, 3, 1], epochSteps: 1, stopEpochs: 1, stopSteps: 20 } : chosen;
        const { difference, result } = judge(compiled, inputs, options, prng);
        expect(difference, `case ${index}, ${JSON.stringify(options)}`).to.equal(undefined);
        if (many) expect(result?.restores).to.be.greaterThan(0);
      }
    });
  }
});
