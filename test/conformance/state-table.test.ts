/**
 * The contract of state towards checkpoints (`program/abi.ts`, "state"), over every stateful operator: a snapshot is the state at
 * the barrier whatever happens while it is read, frames of several epochs add up, and every row is restored exactly once at any
 * parallelism.
 */
import { expect } from "chai";
import { emitUpdatingAggregate } from "../../src/codegen/operator/updating-aggregate.ts";
import { emitWindowAggregate } from "../../src/codegen/operator/window-aggregate.ts";
import { emitWindowJoin } from "../../src/codegen/operator/window-join.ts";
import type { VertexEmitter } from "../../src/codegen/vertex.ts";
import { must } from "../../src/core/assert.ts";
import { Prng } from "../../src/core/prng.ts";
import { INT64, TEXT } from "../../src/data/data-type.ts";
import { readFrameHeader } from "../../src/data/frame.ts";
import type { Column } from "../../src/data/schema.ts";
import { aggregateOf, columnReference } from "../support/aggregate-case.ts";
import { sorted } from "../support/naive-aggregate.ts";
import {
  type Cells,
  type CompiledVertex,
  compileVertex,
  frameIdentity,
  VertexInstance,
  type VertexSpec,
} from "../support/vertex-module.ts";
import { subtaskOf, windowSpec } from "../support/window-case.ts";

const MAX = (1n << 63n) - 1n;
const columns: readonly Column[] = [
  { name: "k", type: INT64, nullable: false },
  { name: "t", type: TEXT, nullable: true },
  { name: "v", type: INT64, nullable: true },
];
const keys = [columnReference(columns, 0), columnReference(columns, 1)];
const aggregates = [
  aggregateOf("count", columns),
  aggregateOf("sum", columns, 2),
  aggregateOf("max", columns, 1),
  aggregateOf("count", columns, 2, { distinct: true }),
];
const results: Column[] = aggregates.map((a, i) => ({ name: `a${i}`, type: a.type, nullable: a.function !== "count" }));
const exchange = { kind: "keyed", keys: [0, 1] } as const;

interface Subject {
  readonly name: string;
  readonly emitter: VertexEmitter;
  readonly spec: VertexSpec;
  /** Everything that the state holds, as output rows. Ends the instance. */
  drain(instance: VertexInstance): Cells[];
}

/** Makes the groups' whole content visible: a change to every group would do as well. */
const SUBJECTS: readonly Subject[] = [
  {
    name: "window aggregate",
    emitter: emitWindowAggregate,
    spec: windowSpec(columns, { kind: "tumble", widthNs: 10n }, [0, 1], aggregates),
    drain: (instance) => instance.watermark(MAX),
  },
  {
    name: "updating aggregate",
    emitter: emitUpdatingAggregate,
    spec: {
      operator: { kind: "updating-aggregate", keys, aggregates, ttlMs: 1000 },
      inputs: [{ columns, updating: false }],
      output: { updating: true, columns: [...columns.slice(0, 2), ...results] },
      exchange,
    },
    // The TTL takes back every group, with its values.
    drain: (instance) => instance.flush(1_000_000n),
  },
  {
    name: "window join",
    emitter: emitWindowJoin,
    spec: {
      operator: { kind: "window-join", join: "full", leftKeys: keys, rightKeys: keys },
      inputs: [
        { columns, updating: false },
        { columns, updating: false },
      ],
      output: { updating: false, columns: [...columns, ...columns].map((c) => ({ ...c, nullable: true })) },
      exchange,
    },
    drain: (instance) => instance.watermark(MAX),
  },
];

function randomRows(random: Prng, count: number): Cells[] {
  return Array.from({ length: count }, () => {
    const text = random.below(6) === 0 ? null : `text ${"x".repeat(random.below(30))}${random.below(40)}`;
    return [BigInt(random.below(60)), text, random.below(5) === 0 ? null : BigInt(random.below(9)), BigInt(random.below(40))];
  });
}

for (const subject of SUBJECTS) {
  describe(`state of the ${subject.name}`, function () {
    this.timeout(60_000);
    let compiled: CompiledVertex;

    before(async () => {
      compiled = await compileVertex(subject.emitter, subject.spec);
    });

    const start = (subtask = 0, parallelism = 1): VertexInstance => new VertexInstance(compiled, subtask, parallelism);
    const push = (instance: VertexInstance, random: Prng, count: number): void => {
      for (const port of subject.spec.inputs.keys()) instance.push(randomRows(random, count), 1 + random.below(500), port);
    };
    const settle = (instance: VertexInstance): void => {
      if (subject.spec.operator.kind === "updating-aggregate") instance.flush(0n);
    };
    const restored = (frames: readonly Uint8Array[], subtask = 0, parallelism = 1): string[] => {
      const instance = start(subtask, parallelism);
      instance.restore(frames);
      return sorted(subject.drain(instance));
    };

    it("is, in the snapshot, what it was at the barrier, however it changes while it is read", () => {
      const random = new Prng(11);
      const [instance, quiet] = [start(), start()];
      for (const [i, x] of [instance, quiet].entries()) {
        push(x, new Prng(3), 3000);
        settle(x);
        x.exports.barrier(1n);
        expect(x.liveSegments().size).to.be.greaterThan(3, `instance ${i}`);
      }
      const still = quiet.snapshot();
      push(instance, random, 500);
      const disturbed = instance.snapshot(() => {
        push(instance, random, 300);
        settle(instance);
      });
      expect(restored(disturbed)).to.deep.equal(restored(still));
      expect(disturbed.map(frameIdentity)).to.have.members(still.map(frameIdentity));
    });

    it("adds up over incremental snapshots: the newest frame of every live segment is the state", () => {
      const random = new Prng(12);
      const instance = start();
      const newest = new Map<string, Uint8Array[]>();
      let written = 0;
      for (let epoch = 1n; epoch <= 6n; epoch++) {
        push(instance, random, epoch === 1n ? 3000 : 20);
        settle(instance);
        if (subject.spec.operator.kind !== "updating-aggregate") instance.watermark(epoch * 5n);
        instance.exports.barrier(epoch);
        const live = instance.liveSegments();
        const frames = instance.snapshot(() => push(instance, random, 1));
        settle(instance);
        const byIdentity = new Map<string, Uint8Array[]>();
        for (const frame of frames) byIdentity.set(frameIdentity(frame), [...(byIdentity.get(frameIdentity(frame)) ?? []), frame]);
        for (const [identity, all] of byIdentity) newest.set(identity, all);
        for (const identity of newest.keys()) if (!live.has(identity)) newest.delete(identity);
        expect([...newest.keys()]).to.have.members([...live.keys()]);
        for (const [identity, rows] of live) {
          const sum = must(newest.get(identity), identity).reduce((n, frame) => n + readFrameHeader(frame).rows, 0);
          expect(sum).to.equal(rows);
        }
        written += frames.length;
      }
      expect(written).to.be.greaterThan(newest.size);
      instance.exports.barrier(7n);
      instance.snapshot();
      const whole = start();
      whole.restore([...newest.values()].flat());
      // What came during the last snapshot is not in it.
      expect(subject.drain(whole).length).to.be.greaterThan(0);
    });

    it("is restored exactly once at every parallelism, each row on the subtask of its key", () => {
      const instance = start();
      push(instance, new Prng(13), 2000);
      settle(instance);
      instance.exports.barrier(1n);
      const frames = instance.snapshot();
      const whole = restored(frames);
      for (const parallelism of [2, 3, 7]) {
        const parts = Array.from({ length: parallelism }, (_, subtask) => restored(frames, subtask, parallelism));
        expect(parts.flat().sort()).to.deep.equal(whole);
        expect(parts.filter((p) => p.length > 0).length).to.equal(parallelism);
      }
      const own = start(1, 3);
      own.restore(frames);
      for (const row of subject.drain(own)) {
        const key = row[0] === null ? row.slice(3) : row;
        expect(subtaskOf(subject.spec, key, 3)).to.equal(1);
      }
    });

    it("counts changes again that an unread snapshot would have written", () => {
      const instance = start();
      push(instance, new Prng(14), 1000);
      settle(instance);
      instance.exports.barrier(1n);
      push(instance, new Prng(15), 5);
      settle(instance);
      instance.exports.barrier(2n);
      const frames = instance.snapshot();
      expect(new Set(frames.map(frameIdentity)).size).to.equal(instance.liveSegments().size);
    });

    it("goes back to the pool when nothing is left", () => {
      const instance = start();
      push(instance, new Prng(16), 3000);
      settle(instance);
      instance.exports.barrier(1n);
      subject.drain(instance);
      instance.snapshot();
      expect(instance.stat("keys")).to.equal(0);
      if (subject.spec.operator.kind !== "updating-aggregate") expect(instance.exports.stateBytes()).to.equal(0n);
    });
  });
}
