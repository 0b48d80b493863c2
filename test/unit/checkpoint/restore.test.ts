/** Restore plans: every key's rows reach exactly the subtask that owns the key, at any old and new parallelism. */
import { expect } from "chai";
import { overlappingSubtasks, planRestore } from "../../../src/checkpoint/restore.ts";
import { Prng } from "../../../src/core/prng.ts";
import { KEY_GROUPS, subtaskOfGroup } from "../../../src/data/key-group.ts";
import { sampleManifest } from "../../support/checkpoint-samples.ts";
import { refusal } from "../../support/rejection.ts";

describe("overlappingSubtasks", () => {
  it("are those that held any of the new subtask's groups, and no others", () => {
    const prng = new Prng(1);
    const pairs = [
      [1, 1],
      [1, 4096],
      [4096, 1],
      [4096, 4096],
      [2, 3],
      [3, 2],
      [7, 5],
    ] as [number, number][];
    for (let i = 0; i < 30; i++) pairs.push([prng.between(1, 64), prng.between(1, 64)]);
    for (const [old, now] of pairs) {
      const expected = new Map<number, Set<number>>();
      for (let group = 0; group < KEY_GROUPS; group++) {
        const subtask = subtaskOfGroup(group, now);
        const from = expected.get(subtask) ?? new Set();
        expected.set(subtask, from.add(subtaskOfGroup(group, old)));
      }
      const step = now > 100 ? 37 : 1;
      for (let subtask = 0; subtask < now; subtask += step) {
        expect(overlappingSubtasks(subtask, now, old), `${old} to ${now}`).to.deep.equal(
          [...(expected.get(subtask) ?? [])].sort((a, b) => a - b),
        );
      }
    }
  });
});

describe("planRestore", () => {
  it("at the same parallelism hands each subtask its own segments, without a filter", () => {
    const manifest = sampleManifest();
    const plan = planRestore(manifest, 2)[1];
    expect(plan).to.include({ vertex: 1, fingerprint: "bb", stateSchema: "cc", watermark: -1n });
    for (const subtask of [0, 1]) {
      expect(plan?.subtasks[subtask]?.sources).to.deep.equal([
        { oldSubtask: subtask, segments: manifest.vertices[1]?.subtasks[subtask]?.segments, filter: false },
      ]);
    }
  });

  it("from 2 to 3 lets the middle one read both and all filter what is not theirs", () => {
    const sources = planRestore(sampleManifest(), 3)[1]?.subtasks.map((s) => s.sources.map((x) => [x.oldSubtask, x.filter]));
    expect(sources).to.deep.equal([
      [[0, true]],
      [
        [0, true],
        [1, true],
      ],
      [[1, true]],
    ]);
  });

  it("from 2 to 1 reads everything and needs no filter", () => {
    const sources = planRestore(sampleManifest(), 1)[1]?.subtasks.map((s) => s.sources.map((x) => [x.oldSubtask, x.filter]));
    expect(sources).to.deep.equal([
      [
        [0, false],
        [1, false],
      ],
    ]);
  });

  it("hands back all positions, sinks and commits, whatever the parallelism", () => {
    for (const parallelism of [1, 2, 3, 50]) {
      const [source, sink] = planRestore(sampleManifest(), parallelism);
      expect(source?.positions.map((p) => p.split)).to.deep.equal(["block-0", "block-1"]);
      expect(source?.watermark).to.equal(1_000_000_000_000_000_001n);
      expect(sink?.sinks).to.deep.equal([
        { oldSubtask: 0, state: { length: 12345 }, commit: ["stage-é"] },
        { oldSubtask: 1, state: { length: 12345 }, commit: undefined },
      ]);
    }
  });

  it("starts without a watermark if one subtask had none", () => {
    const manifest = sampleManifest();
    const vertices = manifest.vertices.map((v) => ({
      ...v,
      subtasks: v.subtasks.map((s, i) => (i === 1 ? { ...s, watermark: undefined } : s)),
    }));
    expect(planRestore({ ...manifest, vertices }, 2)[0]?.watermark).to.equal(undefined);
  });

  it("refuses a split that two subtasks claim", async () => {
    const manifest = sampleManifest();
    const positions = [{ split: "block-0", position: 1 }];
    const vertices = manifest.vertices.map((v) => ({ ...v, subtasks: v.subtasks.map((s) => ({ ...s, positions })) }));
    await refusal(() => planRestore({ ...manifest, vertices }, 2), "invariant", '"block-0"');
  });
});
