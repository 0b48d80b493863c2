/** Window joins of every kind against the naive computation, with filters, NULL keys and restarts. */
import { expect } from "chai";
import { emitWindowJoin } from "../../../src/codegen/operator/window-join.ts";
import { must } from "../../../src/core/assert.ts";
import { Prng } from "../../../src/core/prng.ts";
import { INT64, TEXT } from "../../../src/data/data-type.ts";
import type { Column, RowSchema } from "../../../src/data/schema.ts";
import type { Expression } from "../../../src/program/expression.ts";
import type { WindowJoinOperator } from "../../../src/program/operator.ts";
import { columnReference, KINDS, randomCell, typeOf } from "../../support/aggregate-case.ts";
import { cellText, sorted } from "../../support/naive-aggregate.ts";
import { some } from "../../support/quick.ts";
import { type Cells, type CompiledVertex, compileVertex, VertexInstance, type VertexSpec } from "../../support/vertex-module.ts";
import { subtaskOf } from "../../support/window-case.ts";

const MAX = (1n << 63n) - 1n;
const KINDS_OF_JOIN = ["inner", "left", "right", "full"] as const;
const column = (name: string, type: Column["type"], nullable = false): Column => ({ name, type, nullable });

function specOf(
  join: WindowJoinOperator["join"],
  left: readonly Column[],
  right: readonly Column[],
  keys: readonly number[],
  filtered: boolean,
): VertexSpec {
  const nullable = (columns: readonly Column[], outer: boolean): Column[] => columns.map((c) => ({ ...c, nullable: c.nullable || outer }));
  const output: RowSchema = {
    updating: false,
    columns: [...nullable(left, join === "right" || join === "full"), ...nullable(right, join === "left" || join === "full")],
  };
  const operands = [columnReference(output.columns, left.length - 1), columnReference(output.columns, output.columns.length - 1)];
  const filter: Expression = {
    kind: "call",
    function: "lt",
    arguments: operands,
    type: { kind: "boolean" },
    nullable: operands.some((o) => o.nullable),
  };
  const operator: WindowJoinOperator = {
    kind: "window-join",
    join,
    leftKeys: keys.map((k) => columnReference(left, k)),
    rightKeys: keys.map((k) => columnReference(right, k)),
    ...(filtered ? { filter } : {}),
  };
  const inputs = [left, right].map((columns) => ({ columns, updating: false }));
  return { operator, inputs, output, exchange: keys.length === 0 ? { kind: "gather" } : { kind: "keyed", keys } };
}

function naiveJoin(spec: VertexSpec, left: readonly Cells[], right: readonly Cells[], keys: readonly number[]): Cells[] {
  const { join, filter } = spec.operator as WindowJoinOperator;
  const nulls = (rows: number): null[] => new Array<null>(must(spec.inputs[rows], "input").columns.length).fill(null);
  const passes = (l: Cells, r: Cells): boolean => {
    if (l.at(-1) !== r.at(-1) || keys.some((k) => l[k] === null || cellText(l[k] ?? null) !== cellText(r[k] ?? null))) return false;
    const [a, b] = [l.at(-2) ?? null, r.at(-2) ?? null];
    return filter === undefined || (a !== null && b !== null && a < b);
  };
  const out: Cells[] = [];
  const matched = new Set<Cells>();
  for (const l of left) {
    const matches = right.filter((r) => passes(l, r));
    for (const r of matches) {
      matched.add(r);
      out.push([...l.slice(0, -1), ...r]);
    }
    if (matches.length === 0 && (join === "left" || join === "full")) out.push([...l.slice(0, -1), ...nulls(1), l.at(-1) ?? null]);
  }
  if (join === "right" || join === "full") for (const r of right) if (!matched.has(r)) out.push([...nulls(0), ...r]);
  return out;
}

describe("window join", function () {
  this.timeout(120_000);

  for (const [j, join] of some([...KINDS_OF_JOIN.entries()], 3)) {
    for (const filtered of some([j === 0, j !== 0], 2)) {
      it(`gives every pair of a ${join} join ${filtered ? "with a filter" : ""} once, with restarts`, async () => {
        const random = new Prng(10 * j + (filtered ? 5 : 0));
        const keyed = [typeOf(KINDS[random.below(KINDS.length)] ?? "int64"), typeOf(KINDS[random.below(KINDS.length)] ?? "text")];
        const side = (): Column[] => [
          ...keyed.map((type, i) => column(`k${i}`, type, random.below(2) === 0)),
          column("t", TEXT, true),
          column("x", typeOf(KINDS[random.below(KINDS.length)] ?? "date"), true),
          column("i", INT64, random.below(2) === 0),
        ];
        const keys = [0, 1].slice(0, random.below(3));
        const spec = specOf(join, side(), side(), keys, filtered);
        const compiled = await compileVertex(emitWindowJoin, spec);
        let pairs = 0;
        for (let run = 0; run < 3; run++) pairs += runCase(compiled, keys, random);
        expect(pairs).to.be.greaterThan(10);
      });
    }
  }

  function runCase(compiled: CompiledVertex, keys: readonly number[], random: Prng): number {
    const { spec } = compiled;
    const spread = 1 + random.below(6);
    const all: [Cells[], Cells[]] = [[], []];
    const out: Cells[] = [];
    let instances = [new VertexInstance(compiled)];
    const push = (port: 0 | 1, rows: readonly Cells[]): void => {
      for (const [s, instance] of instances.entries()) {
        instance.push(
          rows.filter((r) => subtaskOf(spec, r, instances.length, port) === s),
          1 + random.below(40),
          port,
        );
      }
    };
    let time = 0n;
    for (let round = 0; round < 10; round++) {
      for (const port of [0, 1] as const) {
        const columns = must(spec.inputs[port], "input").columns;
        const rows = Array.from({ length: random.below(50) }, () => [
          ...columns.map((c) => randomCell(random, c, spread)),
          time + BigInt(random.below(4)),
        ]);
        all[port].push(...rows);
        push(port, rows);
      }
      if (random.below(3) === 0) {
        for (const instance of instances) instance.exports.barrier(1n);
        push(0, all[0].slice(-20));
        const frames = instances.flatMap((instance) => instance.snapshot(() => push(1, all[1].slice(-5))));
        const parallelism = 1 + random.below(3);
        instances = Array.from({ length: parallelism }, (_, subtask) => new VertexInstance(compiled, subtask, parallelism));
        for (const instance of instances) {
          instance.restore(frames);
          instance.exports.restoreWatermark(time);
        }
      }
      time += BigInt(random.below(4));
      for (const instance of instances) out.push(...instance.watermark(time));
    }
    for (const instance of instances) out.push(...instance.watermark(MAX));
    const expected = naiveJoin(spec, all[0], all[1], keys);
    expect(sorted(out)).to.deep.equal(sorted(expected));
    expect(instances.every((instance) => instance.exports.stateBytes() === 0n)).to.equal(true);
    return expected.length;
  }

  it("emits large products in batches of at most 8,192 rows and drops late rows", async () => {
    const columns = [column("k", INT64), column("i", INT64)];
    const instance = new VertexInstance(await compileVertex(emitWindowJoin, specOf("inner", columns, columns, [0], false)));
    const rows = Array.from({ length: 300 }, (_, i): Cells => [BigInt(i % 2), BigInt(i), 5n]);
    instance.push(rows, 8192, 0);
    instance.push(rows, 8192, 1);
    expect(instance.watermark(5n)).to.have.length(0);
    expect(instance.watermark(6n)).to.have.length(2 * 150 * 150);
    expect(Math.max(...instance.batches)).to.be.at.most(8192);
    instance.push(rows.slice(0, 1), 1, 1);
    expect(instance.errors().map((e) => e.payload)).to.deep.equal(["timestamp=1970-01-01T00:00:00.000000005 key=(0)"]);
    expect(instance.stat("late")).to.equal(1);
  });
});
