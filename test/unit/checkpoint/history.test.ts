/**
 * Random lives of a job: epochs with changed, new and dropped segments, failed attempts, crashes, restores at other parallelisms, compaction
 * and garbage collection on a real store, against a model that keeps every segment's bytes in a map.
 */
import { expect } from "chai";
import { adviseCompaction, adviseManifestCompaction } from "../../../src/checkpoint/compaction.ts";
import {
  findRestorePoint,
  loadManifest,
  nextFence,
  readCompletion,
  recordComplete,
  takeOver,
  writeManifest,
} from "../../../src/checkpoint/completion.ts";
import { referencedFiles, SegmentDirectory } from "../../../src/checkpoint/directory.ts";
import { NO_ROWS } from "../../../src/checkpoint/ledger.ts";
import { assembleManifest, type Manifest, type SubtaskReport } from "../../../src/checkpoint/manifest.ts";
import { manifestPath, tableFilePath } from "../../../src/checkpoint/paths.ts";
import { planRestore } from "../../../src/checkpoint/restore.ts";
import { chooseKept, GarbageCollector, planDeletions } from "../../../src/checkpoint/retention.ts";
import { compareSegments, type FileRef, type SegmentKey, type SegmentMeta, type SegmentRef } from "../../../src/checkpoint/segment.ts";
import { readSegments, TableFileWriter } from "../../../src/checkpoint/table-file.ts";
import { Prng } from "../../../src/core/prng.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";
import { rejection } from "../../support/rejection.ts";

const JOB = "job_h";

/** The state of one subtask as it should be: segments by name, with the bytes of their newest version. */
type Model = Map<string, { readonly meta: SegmentMeta; readonly frame: Uint8Array }>;

function nameOf(key: SegmentKey): string {
  return `${key.table}/${key.partition}/${key.segment}`;
}

/** A slot's side: its state, what changed since the last snapshot, and where the rest is stored. */
class Subtask {
  model: Model = new Map();
  directory = new SegmentDirectory();
  files: readonly FileRef[] = [];
  readonly dirty = new Set<string>();
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** Some segments change, appear or go; sometimes a whole partition expires, as panes do. */
  live(): void {
    for (let n = this.#prng.below(8); n > 0; n--) {
      const key = { table: this.#prng.below(2), partition: BigInt(this.#prng.below(6)) - 2n, segment: this.#prng.below(5) };
      const random = this.#prng.chance(1, 2);
      const frame = Uint8Array.from({ length: this.#prng.between(1, 300) }, () => (random ? this.#prng.below(256) : 7));
      this.model.set(nameOf(key), { meta: { ...key, rows: frame.length }, frame });
      this.dirty.add(nameOf(key));
    }
    if (this.#prng.chance(1, 4)) {
      const expired = BigInt(this.#prng.below(6)) - 2n;
      for (const [name, { meta }] of this.model) if (meta.partition === expired) this.model.delete(name);
    }
  }

  async checkpoint(store: MemoryStore, path: string, header: { subtask: number; parallelism: number; epoch: number; fence: bigint }) {
    const writer = await TableFileWriter.open(store, path, { vertex: 0, ...header });
    const written: SegmentRef[] = [];
    for (const [name, { meta, frame }] of this.model) if (this.dirty.has(name)) written.push(await writer.append(meta, frame));
    const file = await writer.finish();
    this.dirty.clear();
    this.directory = this.directory.advance(
      written,
      [...this.model.values()].map(({ meta }) => meta),
    );
    this.files = referencedFiles(this.directory.refs(), [...this.files, file]);
    return { live: liveBytes(this.directory.refs()), written: file.recordBytes };
  }
}

function liveBytes(refs: readonly SegmentRef[]): number {
  return refs.reduce((sum, ref) => sum + ref.length, 0);
}

function referencedBytes(files: readonly FileRef[]): number {
  return files.reduce((sum, file) => sum + file.recordBytes, 0);
}

function manifestOf(epoch: number, by: { fence: bigint; run: string }, subtasks: readonly Subtask[], last: number | undefined): Manifest {
  const reports = subtasks.map(
    (one, subtask): SubtaskReport => ({
      vertex: 0,
      subtask,
      segments: one.directory.refs(),
      files: one.files,
      positions: [],
      watermark: undefined,
      sink: undefined,
      counts: NO_ROWS,
      sent: [],
      received: [],
    }),
  );
  const identity = {
    job: JOB,
    epoch,
    ...by,
    parent: last,
    parallelism: subtasks.length,
    programFingerprint: "p",
    createdAtNs: 0n,
    final: false,
  };
  const vertices = [{ vertex: 0, name: "group", fingerprint: "f", stateSchema: "s", rowWise: false }];
  return assembleManifest(identity, { vertices, edges: [] }, reports);
}

/** Everything a manifest's restore would read, by old subtask. */
async function restored(store: MemoryStore, manifest: Manifest): Promise<Map<string, Uint8Array>[]> {
  const plan = planRestore(manifest, manifest.parallelism)[0];
  const found: Map<string, Uint8Array>[] = [];
  for (const { sources } of plan?.subtasks ?? []) {
    const map = new Map<string, Uint8Array>();
    for (const source of sources) {
      expect(source.filter).to.equal(false);
      for await (const { ref, frame } of readSegments(store, source.segments)) map.set(nameOf(ref), frame);
    }
    found.push(map);
  }
  return found;
}

function expectSame(found: readonly Map<string, Uint8Array>[], models: readonly Model[]): void {
  expect(found.length).to.equal(models.length);
  models.forEach((model, i) => {
    expect([...(found[i]?.keys() ?? [])].sort()).to.deep.equal([...model.keys()].sort());
    for (const [name, { frame }] of model) expect(Buffer.compare(found[i]?.get(name) ?? Buffer.of(), frame)).to.equal(0);
  });
}

/** One random life; returns how often each thing happened. */
async function life(seed: number) {
  const prng = new Prng(seed);
  const store = new MemoryStore();
  const seen = { epochs: 0, failed: 0, restarts: 0, rescales: 0, deleted: 0, advised: 0 };
  let by = { fence: 0n, run: "" };
  let collector = new GarbageCollector(store);
  let subtasks: Subtask[] = [];
  let epoch = 1;
  let last: number | undefined;
  let previousLive: number[] = [];
  const kept = new Map<number, { models: Model[]; manifest: string }>();

  const start = async () => {
    const point = await findRestorePoint(store, JOB);
    expect(point?.entry.epoch).to.equal(last);
    expect(point?.skipped ?? []).to.deep.equal([]);
    const fence = nextFence(await readCompletion(store, JOB));
    by = { fence, run: `run_${fence}` };
    await takeOver(store, JOB, by, last);
    collector = new GarbageCollector(store);
    epoch = (last ?? 0) + 1;
    const old = point === undefined ? [] : await restored(store, point.manifest);
    const parallelism = prng.between(1, 3);
    if (old.length > 0 && parallelism !== old.length) seen.rescales++;
    // Stands for loading: rows go by key into new segments, all of which are dirty. Here segments move whole.
    subtasks = Array.from({ length: parallelism }, () => new Subtask(prng.fork()));
    const merged = new Map<string, { meta: SegmentMeta; frame: Uint8Array }>();
    for (const model of kept.get(last ?? 0)?.models ?? []) for (const [name, entry] of model) merged.set(name, entry);
    for (const [name, entry] of merged) {
      const to = prng.pick(subtasks);
      to.model.set(name, entry);
      to.dirty.add(name);
    }
    previousLive = subtasks.map(() => Number.POSITIVE_INFINITY);
  };

  const checkpoint = async () => {
    const header = { parallelism: subtasks.length, epoch, fence: by.fence };
    for (const [subtask, one] of subtasks.entries()) {
      const { live, written } = await one.checkpoint(store, tableFilePath(JOB, epoch, by, 0, subtask), { ...header, subtask });
      // What compaction promises: with last epoch's advice applied, at most twice the bytes live then, plus what was written.
      expect(referencedBytes(one.files)).to.be.at.most(2 * (previousLive[subtask] ?? 0) + written);
      expect(one.files.length).to.be.at.most(66);
      previousLive[subtask] = live;
    }
    const manifest = manifestOf(epoch, by, subtasks, last);
    const entry = await writeManifest(store, manifest);
    if (prng.chance(1, 6)) {
      // The attempt fails after its files are written; the slots go on from what they have stored.
      seen.failed++;
    } else {
      await recordComplete(store, JOB, entry);
      kept.set(epoch, { models: subtasks.map((one) => new Map(one.model)), manifest: entry.manifest });
      last = epoch;
      seen.epochs++;
    }
    epoch++;
    for (const { subtask, ...key } of adviseManifestCompaction(manifest)) {
      subtasks[subtask]?.dirty.add(nameOf(key));
      seen.advised++;
    }
  };

  const collect = async () => {
    const { deleted } = await collector.collect({ job: JOB, by, keep: 2, oldestInFlight: epoch });
    seen.deleted += deleted.length;
    const complete = (await readCompletion(store, JOB))?.epochs ?? [];
    expect(complete.length).to.be.at.most(2);
    for (const entry of complete) {
      const bytes = await store.get(entry.manifest);
      expect(bytes.length).to.be.greaterThan(0);
    }
    // All kept epochs, not only the newest, can still be restored to the byte.
    for (const entry of complete) {
      const manifest = await loadManifest(store, JOB, entry);
      expectSame(await restored(store, manifest), kept.get(entry.epoch)?.models ?? []);
    }
  };

  await start();
  for (let step = 0; step < 40; step++) {
    for (const one of subtasks) one.live();
    await checkpoint();
    if (prng.chance(1, 2)) await collect();
    if (prng.chance(1, 10)) {
      seen.restarts++;
      for (const newer of [...kept.keys()]) if (newer > (last ?? 0)) kept.delete(newer);
      await start();
    }
  }
  return seen;
}

describe("a job's checkpoints over its life", () => {
  it("always restore exactly the live segments, whatever was deleted", async function () {
    this.timeout(60_000);
    const total = { epochs: 0, failed: 0, restarts: 0, rescales: 0, deleted: 0, advised: 0 };
    for (let seed = 1; seed <= 12; seed++) {
      try {
        const seen = await life(seed);
        for (const field of Object.keys(total) as (keyof typeof total)[]) total[field] += seen[field];
      } catch (error) {
        (error as Error).message += ` [seed ${seed}]`;
        throw error;
      }
    }
    expect(total.epochs).to.be.greaterThan(250);
    for (const happened of Object.values(total)) expect(happened).to.be.greaterThan(10);
  });
});

describe("compaction", () => {
  const key = (segment: number): SegmentMeta => ({ table: 0, partition: 0n, segment, rows: 1 });

  it("applied to a projected directory keeps files at no more than twice the live bytes", () => {
    const prng = new Prng(8);
    let refs: SegmentRef[] = [];
    let files: FileRef[] = [];
    let rewritten = 0;
    let written = 0;
    for (let epoch = 1; epoch <= 400; epoch++) {
      const dirty = new Set(Array.from({ length: prng.below(6) }, () => prng.below(60)));
      const dead = new Set(prng.chance(1, 20) ? Array.from({ length: 50 }, () => prng.below(60)) : []);
      const rest = refs.filter((ref) => !dirty.has(ref.segment) && !dead.has(ref.segment));
      const advised = new Set(adviseCompaction(rest, files).map((ref) => ref.segment));
      let offset = 64;
      const fresh = [...new Set([...dirty, ...advised])].map((segment): SegmentRef => {
        const length = prng.between(50, 5000);
        offset += length;
        return { ...key(segment), file: `f${epoch}`, offset: offset - length, length, checksum: 0 };
      });
      refs = [...rest.filter((ref) => !advised.has(ref.segment)), ...fresh];
      files = [...referencedFiles(refs, [...files, { path: `f${epoch}`, size: offset + 80, recordBytes: offset - 64, checksum: 0 }])];
      expect(referencedBytes(files)).to.be.at.most(2 * liveBytes(refs));
      expect(files.length).to.be.at.most(65);
      rewritten += advised.size;
      written += dirty.size;
    }
    expect(rewritten).to.be.greaterThan(50);
    // Rewriting costs less than twice what the job writes anyway.
    expect(rewritten).to.be.lessThan(2 * written);
  });

  it("merges the smallest files when they are many, although all are alive", () => {
    const refs = Array.from(
      { length: 70 },
      (_, i): SegmentRef => ({ ...key(i), file: `f${i}`, offset: 64, length: 1000 - i, checksum: 0 }),
    );
    const files = refs.map((ref) => ({ path: ref.file, size: ref.length + 144, recordBytes: ref.length, checksum: 0 }));
    const advised = adviseCompaction(refs, files);
    expect(advised.map((ref) => ref.segment)).to.deep.equal(Array.from({ length: 38 }, (_, i) => 32 + i));
    expect(adviseCompaction(refs.slice(0, 64), files)).to.deep.equal([]);
  });

  it("leaves a file that is half alive and empties one that is less", () => {
    const refs: SegmentRef[] = [
      { ...key(0), file: "half", offset: 64, length: 50, checksum: 0 },
      { ...key(1), file: "less", offset: 64, length: 49, checksum: 0 },
    ];
    const files = ["half", "less"].map((path) => ({ path, size: 300, recordBytes: 100, checksum: 0 }));
    expect(adviseCompaction(refs, files)).to.deep.equal([refs[1]]);
    expect(adviseCompaction([], files)).to.deep.equal([]);
  });

  it("gives its advice in canonical order", () => {
    const prng = new Prng(3);
    const refs = prng.shuffle(
      Array.from(
        { length: 20 },
        (_, i): SegmentRef => ({ ...key(i), partition: BigInt(i % 3) - 1n, file: "x", offset: 64, length: 1, checksum: 0 }),
      ),
    );
    const advised = adviseCompaction(refs, [{ path: "x", size: 1000, recordBytes: 900, checksum: 0 }]);
    expect(advised).to.deep.equal([...refs].sort(compareSegments));
  });
});

describe("planDeletions", () => {
  const at = (epoch: number, name: string) => `checkpoints/${JOB}/${epoch}/${name}`;
  const facts = {
    job: JOB,
    kept: [
      { epoch: 5, manifest: at(5, "m"), files: [at(2, "t"), at(5, "t")] },
      { epoch: 6, manifest: at(6, "m"), files: [at(2, "t"), at(6, "t")] },
    ],
    protectedPaths: new Set([at(3, "pending")]),
    oldestInFlight: 7,
  };
  const objects = [1, 2, 3, 4, 5, 6, 7].flatMap((epoch) => [at(epoch, "m"), at(epoch, "t"), at(epoch, "orphan"), at(epoch, "pending")]);

  it("deletes what nothing refers to, below the newest complete epoch only", () => {
    const deleted = planDeletions({ ...facts, objects });
    expect(deleted).to.include.members([at(1, "m"), at(1, "t"), at(2, "m"), at(4, "orphan"), at(5, "orphan"), at(3, "t")]);
    for (const needed of [at(2, "t"), at(5, "t"), at(5, "m"), at(6, "t"), at(3, "pending")]) expect(deleted).to.not.include(needed);
    for (const path of deleted) expect(Number(path.split("/")[2])).to.be.lessThan(6);
  });

  it("touches nothing of a run that went back to an older epoch", () => {
    for (const path of planDeletions({ ...facts, objects, oldestInFlight: 3 })) expect(Number(path.split("/")[2])).to.be.lessThan(3);
  });

  it("deletes nothing while no epoch is complete", () => {
    expect(planDeletions({ ...facts, kept: [], objects })).to.deep.equal([]);
  });

  it("leaves what is not an epoch's: the record, savepoints, other jobs", () => {
    const others = [
      `checkpoints/${JOB}/latest`,
      `checkpoints/${JOB}/savepoints/x`,
      `checkpoints/${JOB}/1`,
      `checkpoints/${JOB}x/1/t`,
      "x/1/t",
    ];
    expect(planDeletions({ ...facts, objects: others })).to.deep.equal([]);
  });

  it("keeps the newest epochs and the pinned ones", () => {
    const complete = [1, 2, 3, 4, 5].map((epoch) => ({ epoch }));
    const { kept, forgotten } = chooseKept(complete, 2, new Set([1]));
    expect(kept.map((e) => e.epoch)).to.deep.equal([1, 4, 5]);
    expect(forgotten.map((e) => e.epoch)).to.deep.equal([2, 3]);
    expect(chooseKept(complete, 9).forgotten).to.deep.equal([]);
  });
});

describe("garbage collector", () => {
  it("deletes nothing when a kept manifest cannot be read", async () => {
    const store = new MemoryStore();
    const by = { fence: 1n, run: "run_1" };
    await takeOver(store, JOB, by, undefined);
    for (const epoch of [1, 2, 3]) {
      const one = new Subtask(new Prng(epoch));
      one.live();
      await one.checkpoint(store, tableFilePath(JOB, epoch, by, 0, 0), { subtask: 0, parallelism: 1, epoch, fence: 1n });
      await recordComplete(store, JOB, await writeManifest(store, manifestOf(epoch, by, [one], undefined)));
    }
    await store.put(manifestPath(JOB, 2, by), Uint8Array.of(1));
    const before = await countObjects(store);
    await rejection(new GarbageCollector(store).collect({ job: JOB, by, keep: 2, oldestInFlight: 4 }), "checksum-mismatch");
    expect(await countObjects(store)).to.equal(before);
    const { deleted, forgotten } = await new GarbageCollector(store).collect({ job: JOB, by, keep: 1, oldestInFlight: 4 });
    expect(forgotten).to.deep.equal([1, 2]);
    expect(deleted).to.have.length(4);
    const old = { fence: 0n, run: "run_0" };
    await rejection(new GarbageCollector(store).collect({ job: JOB, by: old, oldestInFlight: 4 }), "fenced");
  });
});

async function countObjects(store: MemoryStore): Promise<number> {
  let count = 0;
  for await (const _ of store.list("")) count++;
  return count;
}
