/** Window aggregates: random operators over every type against the naive computation, with restarts; and the edges one by one. */
import { expect } from "chai";
import { emitWindowAggregate } from "../../../src/codegen/operator/window-aggregate.ts";
import { Prng } from "../../../src/core/prng.ts";
import { FLOAT64, INT64, TEXT } from "../../../src/data/data-type.ts";
import type { Column } from "../../../src/data/schema.ts";
import type { Expression } from "../../../src/program/expression.ts";
import type { Aggregate, Window } from "../../../src/program/operator.ts";
import { AGGREGATE_FUNCTIONS } from "../../../src/program/operator.ts";
import { aggregateOf, columnReference, KINDS, randomCell, typeOf } from "../../support/aggregate-case.ts";
import { sorted } from "../../support/naive-aggregate.ts";
import { some } from "../../support/quick.ts";
import { FUZZ_SCALE } from "../../support/runtime-module.ts";
import { type Cells, compileVertex, VertexInstance } from "../../support/vertex-module.ts";
import { naiveWindows, runWindows, type Step, windowSpec } from "../../support/window-case.ts";

const MAX = (1n << 63n) - 1n;
const column = (name: string, type: Column["type"], nullable = false): Column => ({ name, type, nullable });

function randomColumns(random: Prng): Column[] {
  const columns = Array.from({ length: 5 }, (_, i) =>
    column(`c${i}`, typeOf(KINDS[random.below(KINDS.length)] ?? "int64"), random.below(2) === 0),
  );
  return [...columns, column("f", { kind: "boolean" }, true), column("i", INT64, true), column("d", FLOAT64, true)];
}

function randomAggregates(random: Prng, columns: readonly Column[]): Aggregate[] {
  return Array.from({ length: 1 + random.below(6) }, () => {
    const kind = AGGREGATE_FUNCTIONS[random.below(5)] ?? "count";
    const numeric = kind === "sum" || kind === "avg";
    const argument = numeric ? 6 + random.below(2) : random.below(columns.length);
    const filter = random.below(3) === 0 ? { filter: 5 } : {};
    if (kind === "count" && random.below(3) === 0) return aggregateOf("count", columns, undefined, filter);
    return aggregateOf(kind, columns, argument, { distinct: random.below(4) === 0, ...filter });
  });
}

function randomSteps(random: Prng, columns: readonly Column[], window: Window): Step[] {
  const spread = 1 + random.below(40);
  const width = window.kind === "instant" ? 1n : window.widthNs;
  let time = -50n;
  const steps: Step[] = [];
  for (let s = 0; s < 24; s++) {
    const rows = Array.from({ length: random.below(120) }, () => {
      const at = time + BigInt(random.below(40)) - (random.below(10) === 0 ? 3n * width : 0n);
      return [...columns.map((c) => randomCell(random, c, spread)), at];
    });
    steps.push({ rows });
    if (random.below(2) === 0) steps.push({ watermark: time });
    time += BigInt(random.below(30));
  }
  return [...steps, { watermark: MAX }];
}

const WINDOWS: readonly Window[] = [
  { kind: "tumble", widthNs: 10n },
  { kind: "hop", slideNs: 5n, widthNs: 20n },
  { kind: "hop", slideNs: 6n, widthNs: 15n },
  { kind: "hop", slideNs: 20n, widthNs: 5n },
  { kind: "hop", slideNs: 7n, widthNs: 3n },
  { kind: "instant" },
];

describe("window aggregate", function () {
  this.timeout(120_000);

  for (const [w, window] of some([...WINDOWS.entries()], 2)) {
    for (let seed = 1; seed <= FUZZ_SCALE; seed++) {
      it(`equals the naive result over any types, batches and restarts (${JSON.stringify(window, (_, v) => (typeof v === "bigint" ? Number(v) : v))}, seed ${seed})`, async () => {
        const random = new Prng(1000 * w + seed);
        const columns = randomColumns(random);
        const keys = [0, 1, 2].slice(0, random.below(4));
        const spec = windowSpec(columns, window, keys, randomAggregates(random, columns));
        const compiled = await compileVertex(emitWindowAggregate, spec);
        for (let run = 0; run < 2; run++) {
          const steps = randomSteps(random, columns, window);
          const expected = naiveWindows(spec, steps);
          const restarts = new Set(run === 0 ? [] : [random.below(20), random.below(40)]);
          const actual = runWindows(compiled, steps, random, restarts);
          expect(expected.rows.length).to.be.greaterThan(10);
          expect(sorted(actual.rows)).to.deep.equal(sorted(expected.rows));
          expect(actual.late).to.equal(expected.late);
        }
      });
    }
  }

  const bids = [column("k", INT64), column("v", INT64)];

  it("emits windows in the order of their ends, at most 8,192 rows a batch, and gives all memory back", async () => {
    const spec = windowSpec(bids, { kind: "tumble", widthNs: 10n }, [0], [aggregateOf("count", bids)]);
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    const rows: Cells[] = Array.from({ length: 30_000 }, (_, i) => [BigInt(i % 10_000), 1n, BigInt(20 - 10 * Math.floor(i / 10_000))]);
    instance.push(rows);
    const out = instance.watermark(MAX);
    expect(out).to.have.length(30_000);
    expect(Math.max(...instance.batches)).to.be.at.most(8192);
    const starts = out.map((row) => Number(row[1]));
    expect(starts).to.deep.equal([...starts].sort((a, b) => a - b));
    expect(instance.exports.stateBytes()).to.equal(0n);
    expect(instance.stat("keys")).to.equal(0);
  });

  it("keeps ten thousand small panes cheaply", async () => {
    const spec = windowSpec(bids, { kind: "tumble", widthNs: 10n }, [0], [aggregateOf("count", bids)]);
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    instance.push(Array.from({ length: 10_000 }, (_, i) => [1n, 1n, BigInt(10 * i)]));
    expect(instance.stat("stateBytes")).to.be.at.most(10_000 * 5200);
    expect(instance.watermark(MAX)).to.have.length(10_000);
    expect(instance.batches.length).to.be.at.most(3);
  });

  it("reports a late row with its time and key, and drops it", async () => {
    const columns = [column("k", INT64), column("name", TEXT, true)];
    const spec = windowSpec(columns, { kind: "tumble", widthNs: 10n }, [0, 1], [aggregateOf("count", columns)]);
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    instance.watermark(10n);
    instance.push([
      [-7n, "x", 9n],
      [8n, null, 3n],
      [1n, "y", 10n],
    ]);
    expect(instance.errors().map((e) => [e.late, e.payload])).to.deep.equal([
      [true, 'timestamp=1970-01-01T00:00:00.000000009 key=(-7, "x")'],
      [true, "timestamp=1970-01-01T00:00:00.000000003 key=(8, NULL)"],
    ]);
    expect(instance.stat("late")).to.equal(2);
    expect(instance.watermark(20n)).to.deep.equal([[1n, "y", 10n, 20n, 1n, 19n]]);
  });

  it("reports the row whose sum overflows, which then adds to nothing", async () => {
    const spec = windowSpec(
      bids,
      { kind: "tumble", widthNs: 10n },
      [0],
      ["count", "sum", "avg"].map((f) => aggregateOf(f as "sum", bids, 1)),
    );
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    instance.push([
      [1n, MAX, 1n],
      [1n, 1n, 2n],
      [1n, -1n, 3n],
    ]);
    expect(instance.errors().map((e) => e.reason)).to.deep.equal([10]);
    expect(instance.stat("bad")).to.equal(1);
    expect(instance.watermark(MAX)).to.deep.equal([[1n, 0n, 10n, 2n, MAX - 1n, Number(MAX - 1n) / 2, 9n]]);
  });

  it("reports a row in which an argument faults, which then makes no group", async () => {
    const column0 = columnReference(bids, 0);
    const quotient: Expression = {
      kind: "call",
      function: "divide",
      arguments: [column0, columnReference(bids, 1)],
      type: INT64,
      nullable: false,
    };
    const aggregates: Aggregate[] = [aggregateOf("count", bids), { function: "sum", distinct: false, type: INT64, argument: quotient }];
    const instance = new VertexInstance(
      await compileVertex(emitWindowAggregate, windowSpec(bids, { kind: "tumble", widthNs: 10n }, [0], aggregates)),
    );
    instance.push([
      [1n, 0n, 1n],
      [6n, 0n, 2n],
      [6n, 2n, 3n],
      [6n, 4n, 3n],
    ]);
    expect(instance.errors().map((e) => e.reason)).to.deep.equal([11, 11]);
    expect(instance.stat("bad")).to.equal(2);
    expect(instance.watermark(MAX)).to.deep.equal([[6n, 0n, 10n, 2n, 4n, 9n]]);
  });

  it("reports a group whose panes overflow only together", async () => {
    const spec = windowSpec(bids, { kind: "hop", slideNs: 5n, widthNs: 10n }, [0], [aggregateOf("sum", bids, 1)]);
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    instance.push([
      [1n, MAX, 1n],
      [1n, 1n, 7n],
      [2n, 5n, 7n],
    ]);
    const out = instance.watermark(MAX);
    expect(instance.errors().map((e) => e.reason)).to.deep.equal([10]);
    expect(out.map((r) => [r[0], r[1], r[3]])).to.have.deep.members([
      [1n, -5n, MAX],
      [2n, 0n, 5n],
      [1n, 5n, 1n],
      [2n, 5n, 5n],
    ]);
  });

  it("averages 64-bit integers exactly beyond 2^63", async () => {
    const columns = [column("k", INT64), column("v", { kind: "uint64" })];
    const spec = windowSpec(columns, { kind: "tumble", widthNs: 10n }, [0], [aggregateOf("avg", columns, 1)]);
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    const top = (1n << 64n) - 1n;
    instance.push([
      [1n, top, 1n],
      [1n, top, 1n],
      [1n, top - 2n, 1n],
    ]);
    expect(instance.watermark(MAX)[0]?.[3]).to.equal(Number(top * 3n - 2n) / 3);
  });

  it("writes only changed segments into the next checkpoint, and touched ones", async () => {
    const spec = windowSpec(bids, { kind: "tumble", widthNs: 1000n }, [0], [aggregateOf("count", bids)]);
    const instance = new VertexInstance(await compileVertex(emitWindowAggregate, spec));
    instance.push(Array.from({ length: 20_000 }, (_, i) => [BigInt(i), 1n, 5n]));
    instance.exports.barrier(1n);
    const full = instance.snapshot();
    expect(full).to.have.length(instance.liveSegments().size);
    instance.exports.barrier(2n);
    expect(instance.snapshot()).to.have.length(0);
    expect(instance.liveSegments().size).to.equal(full.length);
    instance.push([[3n, 1n, 5n]]);
    instance.exports.touchSegment(0, 0n, 5);
    instance.exports.barrier(3n);
    expect(instance.snapshot()).to.have.length(2);
    instance.watermark(MAX);
    instance.exports.barrier(4n);
    expect(instance.snapshot()).to.have.length(0);
    expect(instance.liveSegments().size).to.equal(0);
    expect(instance.exports.stateBytes()).to.equal(0n);
  });

  it("keeps a frozen pane readable that fires before its snapshot has been read", async () => {
    const columns = [column("k", TEXT), column("v", TEXT)];
    const spec = windowSpec(columns, { kind: "tumble", widthNs: 10n }, [0], [aggregateOf("max", columns, 1)]);
    const compiled = await compileVertex(emitWindowAggregate, spec);
    const instance = new VertexInstance(compiled);
    const rows = Array.from({ length: 3000 }, (_, i): Cells => [`key ${i}`, `value ${i}`, 5n]);
    instance.push(rows);
    instance.exports.barrier(1n);
    instance.push(rows.map((r) => [r[0] ?? null, `z${String(r[1])}`, 5n]));
    expect(instance.watermark(MAX)).to.have.length(3000);
    const restored = new VertexInstance(compiled);
    restored.restore(instance.snapshot());
    expect(sorted(restored.watermark(MAX))).to.deep.equal(sorted(rows.map((r) => [r[0] ?? null, 0n, 10n, r[1] ?? null, 9n])));
    expect(instance.exports.stateBytes()).to.equal(0n);
  });

  it("splits a segment with long text into frames of at most 1 MiB", async () => {
    const columns = [column("k", TEXT)];
    const spec = windowSpec(columns, { kind: "tumble", widthNs: 10n }, [0], [aggregateOf("count", columns)]);
    const compiled = await compileVertex(emitWindowAggregate, spec);
    const instance = new VertexInstance(compiled);
    const rows = Array.from({ length: 600 }, (_, i): Cells => [`${i}`.padEnd(9000, "é"), 5n]);
    instance.push(rows, 400);
    instance.exports.barrier(1n);
    const frames = instance.snapshot();
    expect(Math.max(...frames.map((f) => f.length))).to.be.at.most(1 << 20);
    expect(frames.length).to.be.greaterThan(8);
    const restored = new VertexInstance(compiled);
    restored.restore(frames);
    expect(restored.watermark(MAX)).to.have.length(600);
  });
});
