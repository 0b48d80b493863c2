/** Table files: round trips, golden bytes, and that no damage goes unnoticed. */
import { crc32 } from "node:zlib";
import { expect } from "chai";
import type { SegmentMeta, SegmentRef } from "../../../src/checkpoint/segment.ts";
import { planReads, readSegments, readTableFile, TableFileWriter, verifyTableFile } from "../../../src/checkpoint/table-file.ts";
import { AppError, externalError } from "../../../src/core/errors.ts";
import { Prng } from "../../../src/core/prng.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";
import { writeTable } from "../../support/checkpoint-samples.ts";
import { expectGoldenBytes, recordedBytes } from "../../support/golden-bytes.ts";
import { rejection } from "../../support/rejection.ts";

const PATH = "checkpoints/job_1/7/table-1-0-3-run_abc";

function segment(index: number, partition = 0n, rows = 1): SegmentMeta {
  return { table: 2, partition, segment: index, rows };
}

/** Frames of random bytes (stored as they are) and of runs (deflated). */
function frames(prng: Prng, count: number, maxLength: number): [SegmentMeta, Uint8Array][] {
  return Array.from({ length: count }, (_, i) => {
    const random = prng.chance(1, 2);
    const frame = Uint8Array.from({ length: prng.below(maxLength) }, (_unused, at) => (random ? prng.below(256) : at >> 5));
    return [segment(i, BigInt(prng.below(3)) - 1n, prng.below(1024)), frame];
  });
}

async function collect(store: MemoryStore, refs: readonly SegmentRef[]): Promise<Map<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  for await (const { ref, frame } of readSegments(store, refs)) found.set(ref.segment, frame);
  return found;
}

describe("table file", () => {
  it("gives back every frame, deflated or not, empty ones too", async () => {
    const store = new MemoryStore();
    const given = frames(new Prng(1), 60, 3000);
    given.push([segment(60), new Uint8Array(0)], [segment(61), new Uint8Array(100_000)]);
    const { file, refs } = await writeTable(store, PATH, given);
    const found = await collect(store, refs);
    for (const [meta, frame] of given) expect(Buffer.compare(found.get(meta.segment) ?? Buffer.from("?"), frame)).to.equal(0);
    expect(found.size).to.equal(62);
    const contents = await verifyTableFile(store, PATH, file);
    expect(contents.header).to.deep.equal({ vertex: 1, subtask: 0, parallelism: 2, epoch: 7, fence: 3n });
    expect(contents.refs.length).to.equal(62);
    expect(contents.refs.reduce((sum, ref) => sum + ref.length, 0)).to.equal(file.recordBytes);
  });

  it("may hold no segment", async () => {
    const store = new MemoryStore();
    const { file } = await writeTable(store, PATH, []);
    expect(file).to.include({ size: 104, recordBytes: 0 });
    expect((await verifyTableFile(store, PATH, file)).refs).to.deep.equal([]);
  });

  it("records its size and its CRC-32", async () => {
    const store = new MemoryStore();
    const { file } = await writeTable(store, PATH, frames(new Prng(2), 5, 500));
    const bytes = await store.get(PATH);
    expect(file).to.include({ path: PATH, size: bytes.length, checksum: crc32(bytes) });
  });

  it("is invisible before it is finished and leaves nothing when it is aborted", async () => {
    const store = new MemoryStore();
    const writer = await TableFileWriter.open(store, PATH, { vertex: 1, subtask: 0, parallelism: 2, epoch: 7, fence: 3n });
    await writer.append(segment(0), new Uint8Array(10));
    expect(writer.count).to.equal(1);
    expect(await store.head(PATH)).to.equal(undefined);
    await writer.abort();
    expect(await store.head(PATH)).to.equal(undefined);
  });

  it("stores frames in the order of overlapping calls", async () => {
    const store = new MemoryStore();
    const writer = await TableFileWriter.open(store, PATH, { vertex: 1, subtask: 0, parallelism: 2, epoch: 7, fence: 3n });
    const given = frames(new Prng(9), 100, 20_000);
    const appends = given.map(([meta, frame]) => writer.append(meta, frame));
    const file = await writer.finish();
    const refs = await Promise.all(appends);
    for (const [i, ref] of refs.entries())
      expect(ref.offset).to.equal(i === 0 ? 64 : (refs[i - 1]?.offset ?? 0) + (refs[i - 1]?.length ?? 0));
    await verifyTableFile(store, PATH, file);
    const found = await collect(store, refs);
    for (const [meta, frame] of given) expect(Buffer.compare(found.get(meta.segment) ?? Buffer.from("?"), frame)).to.equal(0);
  });

  it("fails every append after one that could not be stored, and then finish", async () => {
    const store = new MemoryStore();
    const inner = await store.openWriter(PATH);
    let writes = 0;
    store.openWriter = async () => ({
      size: 0,
      write: (chunk) => (++writes > 3 ? Promise.reject(externalError("disk-full", "no space left")) : inner.write(chunk)),
      finish: () => inner.finish(),
      abort: () => inner.abort(),
    });
    const writer = await TableFileWriter.open(store, PATH, { vertex: 1, subtask: 0, parallelism: 2, epoch: 7, fence: 3n });
    const results = await Promise.allSettled([0, 1, 2, 3].map((i) => writer.append(segment(i), Uint8Array.of(i))));
    expect(results.map((result) => result.status)).to.deep.equal(["fulfilled", "rejected", "rejected", "rejected"]);
    await rejection(writer.finish(), "disk-full");
    await writer.abort();
    expect(await store.head(PATH)).to.equal(undefined);
  });

  it("has the bytes of the golden file", async () => {
    const store = new MemoryStore();
    // Incompressible on purpose: what deflate makes of a frame may differ between zlib's versions.
    await writeTable(store, PATH, [
      [{ table: 1, partition: -2n, segment: 3, rows: 4 }, Uint8Array.of(1, 2, 3, 4, 5)],
      [{ table: 4294967295, partition: 2n ** 62n, segment: 4294967295, rows: 0 }, new Uint8Array(0)],
    ]);
    expectGoldenBytes("table-file.hex", await store.get(PATH));
  });

  it("of version 1 with deflated frames, recorded once, is still read", async () => {
    const frame = Uint8Array.from({ length: 4096 }, (_, i) => i >> 6);
    const bytes = await recordedBytes("table-file-v1-deflated.hex", async () => {
      const scratch = new MemoryStore();
      await writeTable(scratch, PATH, [[segment(9, 77n, 12), frame]]);
      return scratch.get(PATH);
    });
    expect(bytes.length).to.be.lessThan(1000);
    const store = new MemoryStore();
    await store.put(PATH, bytes);
    const { refs } = await verifyTableFile(store, PATH);
    expect(refs[0]).to.include({ table: 2, partition: 77n, segment: 9, rows: 12 });
    expect(Buffer.compare((await collect(store, refs)).get(9) ?? Buffer.of(), frame)).to.equal(0);
  });
});

describe("damage to a table file", () => {
  let store: MemoryStore;
  let bytes: Uint8Array;
  let written: Awaited<ReturnType<typeof writeTable>>;
  before(async () => {
    store = new MemoryStore();
    written = await writeTable(store, PATH, [...frames(new Prng(3), 4, 200), [segment(9), new Uint8Array(500)]]);
    bytes = await store.get(PATH);
  });

  it("is detected at every flipped byte, naming the file and an offset", async () => {
    let seen = 0;
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      await store.put(PATH, changed);
      const error = await rejection(verifyTableFile(store, PATH), "checksum-mismatch", `"${PATH}"`, "at byte");
      expect(error).to.include({ domain: "external", retry: "never" });
      seen++;
    }
    expect(seen).to.be.greaterThan(500);
  });

  it("is detected wherever the file is cut off", async () => {
    for (let length = 0; length < bytes.length; length++) {
      await store.put(PATH, bytes.subarray(0, length));
      await rejection(verifyTableFile(store, PATH), "checksum-mismatch", `"${PATH}"`);
    }
  });

  it("is detected by a restore, which reads records only, and named with the segment", async () => {
    const ref = written.refs[2] as SegmentRef;
    for (let at = ref.offset; at < ref.offset + ref.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 255;
      await store.put(PATH, changed);
      await rejection(collect(store, written.refs), "checksum-mismatch", PATH, `byte ${ref.offset}`, "table 2", `segment ${ref.segment}`);
    }
    await store.put(PATH, bytes.subarray(0, ref.offset + 1));
    await rejection(collect(store, [ref]), "checksum-mismatch", PATH);
    await store.delete(PATH);
    await rejection(collect(store, [ref]), "not-found", PATH);
  });

  it("is detected when an intact file stands in for another", async () => {
    const other = new MemoryStore();
    await writeTable(other, PATH, frames(new Prng(4), 5, 200));
    await store.put(PATH, await other.get(PATH));
    await rejection(verifyTableFile(store, PATH, written.file), "checksum-mismatch", PATH, "recorded");
    await rejection(collect(store, written.refs), "checksum-mismatch", PATH);
  });

  it("is detected when an older version of a segment stands in its place", async () => {
    const old = await writeTable(store, PATH, [[segment(1), Uint8Array.of(1, 2, 3)]]);
    await writeTable(store, PATH, [[segment(1), Uint8Array.of(1, 2, 4)]]);
    await rejection(collect(store, old.refs), "checksum-mismatch", "another version");
  });

  it("is detected when a record's lengths contradict each other", async () => {
    for (const size of [3, 300]) {
      const { refs } = await writeTable(store, PATH, [[segment(1), new Uint8Array(size)]]);
      const ref = refs[0] as SegmentRef;
      const record = await store.get(PATH);
      const at = ref.offset;
      record[at + 32] = (record[at + 32] ?? 0) ^ 1;
      const checksum = crc32(record.subarray(at + 40, at + ref.length), crc32(record.subarray(at, at + 36)));
      new DataView(record.buffer).setUint32(at + 36, checksum, true);
      await store.put(PATH, record);
      await rejection(collect(store, [{ ...ref, checksum }]), "checksum-mismatch", "recorded length");
    }
  });

  it("is told apart from a file of a newer version", async () => {
    const newer = bytes.slice();
    newer[8] = 2;
    new DataView(newer.buffer).setUint32(60, crc32(newer.subarray(0, 60)), true);
    await store.put(PATH, newer);
    const error = await rejection(verifyTableFile(store, PATH), "version-mismatch", PATH, "version 2", "reads version 1");
    expect(error.hint).to.contain("another version of Wadi");

    const ref = written.refs[0] as SegmentRef;
    const record = bytes.slice();
    record[ref.offset + 3] = "2".charCodeAt(0);
    const at = ref.offset;
    const checksum = crc32(record.subarray(at + 40, at + ref.length), crc32(record.subarray(at, at + 36)));
    new DataView(record.buffer).setUint32(at + 36, checksum, true);
    await store.put(PATH, record);
    await rejection(collect(store, [{ ...ref, checksum }]), "version-mismatch", PATH, "version 2");
  });

  it("at random places never yields wrong frames", async () => {
    const prng = new Prng(5);
    let refused = 0;
    const expected = new Map<number, Uint8Array>();
    await store.put(PATH, bytes);
    for await (const { ref, frame } of readSegments(store, written.refs)) expected.set(ref.segment, frame);
    for (let round = 0; round < 500; round++) {
      const changed = bytes.slice();
      for (let n = prng.between(1, 4); n > 0; n--) changed[prng.below(changed.length)] = prng.below(256);
      await store.put(PATH, changed);
      try {
        for await (const { ref, frame } of readSegments(store, written.refs)) {
          expect(Buffer.compare(expected.get(ref.segment) ?? Buffer.of(), frame)).to.equal(0);
        }
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        expect(error.code).to.be.oneOf(["checksum-mismatch", "version-mismatch"]);
        refused++;
      }
    }
    expect(refused).to.be.greaterThan(100);
  });
});

describe("planReads", () => {
  const ref = (file: string, offset: number, length: number): SegmentRef => ({ ...segment(offset), file, offset, length, checksum: 0 });

  it("joins neighbours, jumps over large gaps and never crosses files", () => {
    const reads = planReads([ref("b", 0, 10), ref("a", 64, 100), ref("a", 164, 50), ref("a", 1000, 10), ref("a", 100_000, 5)]);
    expect(reads.map(({ file, offset, length, refs }) => [file, offset, length, refs.length])).to.deep.equal([
      ["a", 64, 946, 3],
      ["a", 100_000, 5, 1],
      ["b", 0, 10, 1],
    ]);
    expect(planReads([])).to.deep.equal([]);
  });

  it("keeps requests near 8 MiB and covers every reference once", () => {
    const prng = new Prng(6);
    let offset = 64;
    const refs = Array.from({ length: 400 }, () => {
      const made = ref("a", offset, prng.between(40, 300_000));
      offset += made.length + prng.below(3) * 3000;
      return made;
    });
    const reads = planReads(prng.shuffle(refs));
    expect(reads.flatMap((read) => read.refs)).to.have.members(refs);
    for (const read of reads) {
      expect(read.length).to.be.at.most(8 << 20);
      for (const one of read.refs) expect(one.offset).to.be.within(read.offset, read.offset + read.length - one.length);
    }
    const live = refs.reduce((sum, one) => sum + one.length, 0);
    expect(reads.reduce((sum, read) => sum + read.length, 0)).to.be.lessThan(live * 1.1);
  });

  it("reads a single record larger than a request at once", () => {
    expect(planReads([ref("a", 0, 20 << 20)])[0]?.length).to.equal(20 << 20);
  });
});

describe("readTableFile", () => {
  it("names a missing file", async () => {
    await rejection(readTableFile(new MemoryStore(), PATH), "not-found", PATH);
  });
});
