/** Updating aggregates: random operators over changing input against the naive computation, with restarts; and the edges one by one. */
import { expect } from "chai";
import { emitUpdatingAggregate } from "../../../src/codegen/operator/updating-aggregate.ts";
import { must } from "../../../src/core/assert.ts";
import { Prng } from "../../../src/core/prng.ts";
import { FLOAT64, INT64, TEXT } from "../../../src/data/data-type.ts";
import type { Column } from "../../../src/data/schema.ts";
import { AGGREGATE_FUNCTIONS, type Aggregate, type UpdatingAggregateOperator } from "../../../src/program/operator.ts";
import { aggregateOf, columnReference, KINDS, randomCell, typeOf } from "../../support/aggregate-case.ts";
import { canonicalKey, cellText, groupRows, naiveAggregate, sorted } from "../../support/naive-aggregate.ts";
import { QUICK } from "../../support/quick.ts";
import { FUZZ_SCALE } from "../../support/runtime-module.ts";
import { type Cells, type CompiledVertex, compileVertex, VertexInstance, type VertexSpec } from "../../support/vertex-module.ts";
import { subtaskOf } from "../../support/window-case.ts";

const column = (name: string, type: Column["type"], nullable = false): Column => ({ name, type, nullable });

interface Shape {
  readonly columns: readonly Column[];
  readonly keys: readonly number[];
  readonly aggregates: readonly Aggregate[];
  readonly updating: boolean;
  readonly ttlMs?: number;
}

function specOf({ columns, keys, aggregates, updating, ttlMs = 0 }: Shape): VertexSpec {
  const results = aggregates.map((a, i): Column => ({ name: `a${i}`, type: a.type, nullable: a.function !== "count" }));
  const operator: UpdatingAggregateOperator = {
    kind: "updating-aggregate",
    keys: keys.map((k) => columnReference(columns, k)),
    aggregates,
    ttlMs,
  };
  const output = { updating: true, columns: [...keys.map((k) => must(columns[k], "key")), ...results] };
  return { operator, inputs: [{ columns, updating }], output, exchange: keys.length === 0 ? { kind: "gather" } : { kind: "keyed", keys } };
}

/** What stands after a changelog: rows (without hidden columns) by weight; asserts that none is negative. */
class Changelog {
  readonly #weights = new Map<string, number>();
  changes = 0;

  add(rows: readonly Cells[]): void {
    for (const row of rows) {
      this.changes++;
      const text = row.slice(0, -2).map(cellText).join("|");
      const weight = (this.#weights.get(text) ?? 0) + Number(row.at(-1));
      if (weight === 0) this.#weights.delete(text);
      else this.#weights.set(text, weight);
    }
  }

  rows(): string[] {
    return [...this.#weights].flatMap(([row, weight]) => (weight > 0 ? new Array<string>(weight).fill(row) : [`negative ${row}`])).sort();
  }
}

function naive(shape: Shape, rows: readonly Cells[]): string[] {
  const groups = [...groupRows(rows, shape.keys).values()];
  if (shape.keys.length === 0 && groups.length === 0) groups.push([]);
  return sorted(
    groups.map((group) => {
      const key = shape.keys.map((k) => canonicalKey(group[0]?.[k] ?? null, must(shape.columns[k], "column").type));
      return [...key, ...shape.aggregates.map((a) => naiveAggregate(a, group))];
    }),
  );
}

/** −old is followed by +new of the same key, and both are in one batch. */
function expectAdjacent(rows: readonly Cells[], keys: number): void {
  for (const [i, row] of rows.entries()) {
    const next = rows[i + 1];
    if (row.at(-1) !== -1n || next?.at(-1) !== 1n) continue;
    const sameKey = cellTextOf(row, keys) === cellTextOf(next, keys);
    if (sameKey) expect(cellTextOf(row, row.length - 2)).to.not.equal(cellTextOf(next, row.length - 2));
  }
  const seen = new Map<string, number>();
  for (const [i, row] of rows.entries()) {
    const key = cellTextOf(row, keys);
    const before = seen.get(key);
    if (before !== undefined) expect(i - before).to.equal(1);
    seen.set(key, i);
  }
}

function cellTextOf(row: Cells, columns: number): string {
  return row.slice(0, columns).map(cellText).join("|");
}

function randomShape(random: Prng, updating: boolean): Shape {
  const columns = Array.from({ length: 4 }, (_, i) =>
    column(`c${i}`, typeOf(KINDS[random.below(KINDS.length)] ?? "int64"), random.below(2) === 0),
  );
  columns.push(column("f", { kind: "boolean" }, true), column("i", INT64, true), column("d", FLOAT64, true), column("t", TEXT, true));
  const aggregates = Array.from({ length: 1 + random.below(6) }, () => {
    const kind = AGGREGATE_FUNCTIONS[random.below(5)] ?? "count";
    const argument = kind === "sum" || kind === "avg" ? 5 + random.below(2) : random.below(columns.length);
    const filter = random.below(3) === 0 ? { filter: 4 } : {};
    return aggregateOf(kind, columns, argument, { distinct: random.below(3) === 0, ...filter });
  });
  return { columns, keys: [0, 1, 2].slice(0, random.below(4)), aggregates, updating };
}

/** Random changes: rows, and retractions of rows that are there. Applies them to `present`. */
function randomChanges(random: Prng, shape: Shape, present: Cells[], spread: number): Cells[] {
  return Array.from({ length: random.below(150) }, () => {
    const retract = shape.updating && present.length > 0 && random.below(5) < 2;
    if (retract) {
      const [row] = present.splice(random.below(present.length), 1);
      return [...must(row, "row"), 5n, -1n];
    }
    const row = shape.columns.map((c) => randomCell(random, c, spread));
    present.push(row);
    return shape.updating ? [...row, BigInt(random.below(100)), 1n] : [...row, BigInt(random.below(100))];
  });
}

describe("updating aggregate", function () {
  this.timeout(120_000);

  for (const updating of [false, true]) {
    for (let seed = 1; seed <= (QUICK ? 1 : 2 * FUZZ_SCALE); seed++) {
      it(`equals the naive result over ${updating ? "updating" : "append-only"} input of any types, with restarts (seed ${seed})`, async () => {
        const random = new Prng(seed + (updating ? 100 : 0));
        const shape = randomShape(random, updating);
        const spec = specOf(shape);
        const compiled = await compileVertex(emitUpdatingAggregate, spec);
        for (let run = 0; run < 2; run++) runCase(compiled, shape, random);
      });
    }
  }

  function runCase(compiled: CompiledVertex, shape: Shape, random: Prng): void {
    const { spec } = compiled;
    const spread = 1 + random.below(12);
    const log = new Changelog();
    const present: Cells[] = [];
    let instances = [new VertexInstance(compiled)];
    const push = (rows: readonly Cells[]): void => {
      for (const [s, instance] of instances.entries())
        instance.push(
          rows.filter((r) => subtaskOf(spec, r, instances.length) === s),
          1 + random.below(80),
        );
    };
    for (let round = 0; round < 12; round++) {
      const changes = randomChanges(random, shape, present, spread);
      push(changes);
      for (const instance of instances) {
        const rows = instance.flush(BigInt(round) * 1000n);
        expectAdjacent(rows, shape.keys.length);
        log.add(rows);
      }
      expect(log.rows()).to.deep.equal(naive(shape, present));
      if (random.below(3) > 0) continue;
      for (const instance of instances) instance.exports.barrier(1n);
      const lost = randomChanges(random, shape, [...present], spread);
      push(lost.slice(0, 60));
      const frames = instances.flatMap((instance) => instance.snapshot(() => push(lost.slice(60))));
      const parallelism = 1 + random.below(4);
      instances = Array.from({ length: parallelism }, (_, subtask) => new VertexInstance(compiled, subtask, parallelism));
      for (const instance of instances) instance.restore([...frames].sort(() => random.below(3) - 1));
    }
    expect(log.changes).to.be.greaterThan(0);
  }

  const bids = [column("k", INT64), column("v", INT64, true)];
  const counted = (options: Partial<Shape> = {}): Shape => ({
    columns: bids,
    keys: [0],
    aggregates: [aggregateOf("count", bids), aggregateOf("max", bids, 1)],
    updating: true,
    ...options,
  });

  it("emits −old +new adjacent with weights and the group's newest time, and nothing for changes that cancel out", async () => {
    const instance = new VertexInstance(await compileVertex(emitUpdatingAggregate, specOf(counted())));
    instance.push([
      [1n, 5n, 10n, 1n],
      [1n, 7n, 20n, 1n],
    ]);
    expect(instance.flush(0n)).to.deep.equal([[1n, 2n, 7n, 20n, 1n]]);
    instance.push([[1n, 7n, 30n, -1n]]);
    expect(instance.flush(0n)).to.deep.equal([
      [1n, 2n, 7n, 20n, -1n],
      [1n, 1n, 5n, 30n, 1n],
    ]);
    instance.push([
      [1n, 9n, 31n, 1n],
      [1n, 9n, 32n, -1n],
    ]);
    expect(instance.flush(0n)).to.deep.equal([]);
    instance.push([[1n, 5n, 33n, -1n]]);
    expect(instance.flush(0n)).to.deep.equal([[1n, 1n, 5n, 32n, -1n]]);
    expect(instance.stat("keys")).to.equal(0);
    expect(instance.stat("flushes")).to.equal(4);
  });

  it("has one group without keys, on subtask 0 only, even over no input, and not twice after a restart", async () => {
    const shape = counted({ keys: [] });
    const compiled = await compileVertex(emitUpdatingAggregate, specOf(shape));
    const [first, second] = [new VertexInstance(compiled, 0, 2), new VertexInstance(compiled, 1, 2)];
    expect(first.flush(0n)).to.deep.equal([[0n, null, 0n, 1n]]);
    expect(second.flush(0n)).to.deep.equal([]);
    expect(first.flush(0n)).to.deep.equal([]);
    first.exports.barrier(1n);
    const restored = new VertexInstance(compiled, 0, 3);
    restored.restore(first.snapshot());
    expect(restored.flush(0n)).to.deep.equal([]);
    restored.push([[1n, 5n, 10n, 1n]]);
    expect(restored.flush(0n)).to.deep.equal([
      [0n, null, 0n, -1n],
      [1n, 5n, 10n, 1n],
    ]);
  });

  it("takes back and forgets groups that were untouched for the TTL, also after a restart", async () => {
    const compiled = await compileVertex(emitUpdatingAggregate, specOf(counted({ ttlMs: 10_000 })));
    let instance = new VertexInstance(compiled);
    instance.push([
      [1n, 5n, 1n, 1n],
      [2n, 6n, 1n, 1n],
    ]);
    expect(instance.flush(1_700_000_000_000n)).to.have.length(2);
    instance.exports.barrier(1n);
    const frames = instance.snapshot();
    instance = new VertexInstance(compiled);
    instance.restore(frames);
    instance.push([[2n, 7n, 1n, 1n]]);
    expect(instance.flush(1_700_000_008_000n)).to.have.length(2);
    expect(instance.flush(1_700_000_011_000n)).to.deep.equal([[1n, 1n, 5n, 1n, -1n]]);
    expect(instance.stat("keys")).to.equal(1);
    instance.push([[1n, 8n, 9n, 1n]]);
    expect(instance.flush(1_700_000_012_000n)).to.deep.equal([[1n, 1n, 8n, 9n, 1n]]);
  });

  it("finds the next extreme after the current one is taken back, text included", async () => {
    const columns = [column("k", INT64), column("t", TEXT)];
    const shape: Shape = {
      columns,
      keys: [0],
      aggregates: [aggregateOf("min", columns, 1), aggregateOf("max", columns, 1)],
      updating: true,
    };
    const instance = new VertexInstance(await compileVertex(emitUpdatingAggregate, specOf(shape)));
    const texts = Array.from({ length: 100 }, (_, i) => `t${String(i).padStart(3, "0")}`);
    instance.push(texts.map((t) => [1n, t, 1n, 1n]));
    instance.flush(0n);
    instance.push(texts.slice(0, 10).map((t) => [1n, t, 1n, -1n]));
    instance.push(texts.slice(-10).map((t) => [1n, t, 1n, -1n]));
    expect(instance.flush(0n)).to.deep.equal([
      [1n, "t000", "t099", 1n, -1n],
      [1n, "t010", "t089", 1n, 1n],
    ]);
  });

  it("resets a float sum when its group is empty, so that nothing of infinity or rounding stays", async () => {
    const columns = [column("k", INT64), column("d", FLOAT64, true)];
    const shape: Shape = { columns, keys: [0], aggregates: [aggregateOf("sum", columns, 1)], updating: true };
    const instance = new VertexInstance(await compileVertex(emitUpdatingAggregate, specOf(shape)));
    instance.push([
      [1n, Infinity, 1n, 1n],
      [1n, null, 1n, 1n],
      [1n, Infinity, 1n, -1n],
      [1n, 0.1, 1n, 1n],
    ]);
    expect(instance.flush(0n)).to.deep.equal([[1n, 0.1, 1n, 1n]]);
  });

  it("reuses the memory of groups that come and go", async () => {
    const columns = [column("k", TEXT)];
    const shape: Shape = { columns, keys: [0], aggregates: [aggregateOf("count", columns)], updating: true };
    const instance = new VertexInstance(await compileVertex(emitUpdatingAggregate, specOf(shape)));
    const round = (r: number): number => {
      const rows = Array.from({ length: 5000 }, (_, i) => `round ${r} key ${i}`);
      instance.push(rows.map((k) => [k, 1n, 1n]));
      instance.flush(0n);
      instance.push(rows.map((k) => [k, 1n, -1n]));
      instance.flush(0n);
      return instance.stat("stateBytes");
    };
    const first = round(0);
    for (let r = 1; r < 10; r++) expect(round(r)).to.be.at.most(first * 1.2);
  });
});
