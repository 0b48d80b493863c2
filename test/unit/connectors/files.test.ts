/** Reading files in blocks: what the conformance suite does not reach: event time, rows that are too long, files that are not as they should be. */
import { chmodSync, mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import {
  type Block,
  BlockSchedule,
  blockSize,
  blocksOf,
  fromPosition,
  splitFiles,
  toPosition,
} from "../../../src/connectors/files/block.ts";
import { compressionOption } from "../../../src/connectors/files/compression.ts";
import { FilesSource } from "../../../src/connectors/files/source.ts";
import { makeFilesystemSource } from "../../../src/connectors/filesystem/source.ts";
import { makeSingleFileSource } from "../../../src/connectors/single_file/source.ts";
import { must } from "../../../src/core/assert.ts";
import { Prng } from "../../../src/core/prng.ts";
import { rejection } from "../../support/rejection.ts";
import { checkpointed, drainBytes, subtaskContext } from "../../support/source-driver.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const MIB = 1 << 20;

function files(...sizes: number[]): Block[] {
  return splitFiles(sizes.map((size, i) => ({ path: `f${i}`, size, compressed: false })));
}

describe("blocks of files", () => {
  it("are size / 64, at least 4 KiB, at most 8 MiB", () => {
    expect([0, 1, 4096, 64 * 4096, 65 * 4096, 64 * 8 * MIB, 2 ** 40].map(blockSize)).to.deep.equal([
      ...[4096, 4096, 4096, 4096, 4160, 8 * MIB, 8 * MIB],
    ]);
  });

  it("cover every byte of every file once, however many subtasks there are", () => {
    for (let parallelism = 1; parallelism <= 7; parallelism++) {
      const all = files(0, 1, 4095, 4096, 4097, 1_000_000);
      const parts = Array.from({ length: parallelism }, (_, s) => blocksOf(all, s, parallelism)).flat();
      expect(parts.map((b) => b.index).sort((a, b) => a - b)).to.deep.equal(all.map((b) => b.index));
      for (const [file, size] of [0, 1, 4095, 4096, 4097, 1_000_000].entries()) {
        const own = all.filter((b) => b.file === file);
        expect(own.reduce((sum, b) => sum + b.end - b.start, 0)).to.equal(size);
        expect(own.every((b, i) => b.start === (i === 0 ? 0 : own[i - 1]?.end))).to.equal(true);
      }
    }
  });

  it("survive being written as positions", () => {
    const block = { ...must(files(9000)[1], "block"), offset: 5000, done: true, watermarkNs: -5n, insideRow: true };
    expect(fromPosition(JSON.parse(JSON.stringify(toPosition(block))))).to.deep.equal(block);
  });

  it("of another version are refused", async () => {
    const position = { ...toPosition(must(files(1)[0], "block")), version: 2 };
    await rejection((async () => fromPosition(position))(), "version-mismatch", 'split "0"');
  });
});

describe("block schedule", () => {
  const read = (schedule: BlockSchedule, watermarkNs: bigint, done = true): number => {
    const block = must(schedule.next(), "block");
    block.watermarkNs = watermarkNs;
    block.done = done;
    schedule.advance();
    return block.file;
  };

  it("holds time at −∞ until every file has been read from, then at the slowest file", () => {
    const all = files(8192, 8192, 8192);
    const schedule = new BlockSchedule(all, all);
    expect(schedule.watermark()).to.equal(undefined);
    expect([read(schedule, 50n), read(schedule, 20n)]).to.deep.equal([0, 1]);
    expect(schedule.watermark()).to.equal(undefined);
    expect(read(schedule, 30n)).to.equal(2);
    expect(schedule.watermark()).to.deep.equal({ ns: 20n, partition: 1 });
  });

  it("reads the file that is furthest behind, and ends when all are read", () => {
    const all = files(8192, 8192);
    const schedule = new BlockSchedule(all, all);
    expect([read(schedule, 50n), read(schedule, 20n), read(schedule, 90n), read(schedule, 60n)]).to.deep.equal([0, 1, 1, 0]);
    expect(schedule.watermark()).to.equal("end");
    expect(schedule.next()).to.equal(undefined);
  });

  it("does not let time go back where a later block has older rows", () => {
    const all = files(8192);
    const schedule = new BlockSchedule(all, all);
    read(schedule, 50n);
    read(schedule, 40n, false);
    expect(schedule.watermark()).to.deep.equal({ ns: 50n, partition: 0 });
  });

  it("takes over at a restore what other subtasks have read of a file", () => {
    const all = files(16_384);
    must(all[0], "block").watermarkNs = 70n;
    must(all[0], "block").done = true;
    const second = all.filter((b) => b.index === 1);
    expect(new BlockSchedule(second, all).watermark()).to.deep.equal({ ns: 70n, partition: 0 });
  });

  it("agrees with a search through all blocks", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const prng = new Prng(seed);
      const all = files(...Array.from({ length: prng.between(1, 9) }, () => prng.below(30_000)));
      const schedule = new BlockSchedule(all, all);
      const times = new Map<number, bigint>();
      for (let block = schedule.next(); block !== undefined; block = schedule.next()) {
        const fronts = [...new Set(all.filter((b) => !b.done).map((b) => b.file))];
        const behind = Math.min(...fronts.map((f) => Number(times.get(f) ?? -1n)));
        expect(Number(times.get(block.file) ?? -1n), `seed ${seed}`).to.equal(behind);
        const ns = (times.get(block.file) ?? 0n) + BigInt(prng.below(50));
        times.set(block.file, ns);
        block.watermarkNs = ns;
        block.done = prng.chance(1, 2);
        schedule.advance();
      }
      expect(all.every((b) => b.done)).to.equal(true);
    }
  });

  it("takes 10,000 files with 20,000 blocks", () => {
    const all = files(...new Array<number>(10_000).fill(8192));
    const schedule = new BlockSchedule(all, all);
    let steps = 0;
    for (; schedule.next() !== undefined; steps++) read(schedule, BigInt((steps * 7919) % 104_729));
    expect(steps).to.equal(20_000);
  }).timeout(20_000);
});

describe("file sources", function () {
  this.timeout(30_000);
  const prng = new Prng(1);
  const single = (path: string, more: Readonly<Record<string, string | boolean>> = {}): FilesSource =>
    makeSingleFileSource(subtaskContext({ path, ...more })) as FilesSource;
  const directory = (path: string, more: Readonly<Record<string, string>> = {}): FilesSource =>
    makeFilesystemSource(subtaskContext({ path, ...more })) as FilesSource;

  /** A file of 100 MB without a newline between two rows. */
  async function writeLongRow(path: string): Promise<void> {
    const file = await open(path, "w");
    const piece = Buffer.alloc(10 * MIB, "x");
    await file.write("1 before\n2 ");
    for (let i = 0; i < 10; i++) await file.write(piece);
    await file.write("\n3 after\n4 end");
    await file.close();
  }

  it("give up a row of 100 MB and read on, with chunks of at most 17 MiB", async () => {
    const path = join(temporaryFolder("long"), "long.ndjson");
    await writeLongRow(path);
    for (let parallelism = 1; parallelism <= 2; parallelism++) {
      const rows: string[] = [];
      let tooLong = 0;
      for (let subtask = 0; subtask < parallelism; subtask++) {
        const source = makeSingleFileSource(subtaskContext({ path }, subtask, parallelism));
        await source.open(undefined);
        const drained = await drainBytes(source, prng);
        rows.push(...drained.rows);
        tooLong += drained.tooLong;
        expect(drained.longestChunk).to.be.at.most(17 * MIB);
        await source.close();
      }
      expect(rows.sort()).to.deep.equal(["1 before", "3 after", "4 end"]);
      expect(tooLong).to.equal(1);
    }
  });

  it("give up a row of a gzip file too, also when they are stopped inside of it", async () => {
    const path = join(temporaryFolder("long"), "long.gz");
    writeFileSync(path, gzipSync(`1 before\n2 ${"x".repeat(40 * MIB)}\n3 after\n`));
    const source = single(path);
    await source.open(undefined);
    const first = await drainBytes(source, prng, 1);
    const long = await source.read();
    expect(long).to.be.an("object");
    for (let chunk = long; typeof chunk === "object"; chunk = await source.read()) {
      const given = chunk.bytes.length > 16 * MIB;
      source.consumed(given ? chunk.bytes.length : 0, given ? 1 : 0, undefined);
      if (given) break;
    }
    const positions = checkpointed([source]);
    expect(positions[0]?.["insideRow"]).to.equal(true);
    await source.close();
    const again = single(path);
    await again.open(positions);
    expect([...first.rows, ...(await drainBytes(again, prng)).rows]).to.deep.equal(["1 before", "3 after"]);
    await again.close();
  });

  it("say which table's file does not exist, and that paths are relative to the working directory", async () => {
    const error = await rejection(single("/nowhere/x.ndjson").open(undefined), "not-found", '"/nowhere/x.ndjson"', '"events"');
    expect(error.hint).to.contain("working directory");
    await rejection(directory("/nowhere").open(undefined), "not-found", 'directory "/nowhere"', '"events"');
  });

  it("refuse a directory as a single file, and say what to use", async () => {
    const error = await rejection(single(temporaryFolder("dir")).open(undefined), "invalid-option", "is a directory");
    expect(error.hint).to.contain("filesystem");
  });

  it("refuse a directory without files, and one in which none matches", async () => {
    const folder = temporaryFolder("empty");
    await rejection(directory(folder).open(undefined), "not-found", "has no files to read");
    writeFileSync(join(folder, ".wadi-hidden"), "1\n");
    await rejection(directory(folder).open(undefined), "not-found", "has no files to read");
    writeFileSync(join(folder, "a.txt"), "1\n");
    const error = await rejection(directory(folder, { "source.regex_pattern": "json$" }).open(undefined), "not-found");
    expect(error.hint).to.contain("regex_pattern");
  });

  it("refuse a file that becomes shorter while it is read, wherever the reader stands", async () => {
    const path = join(temporaryFolder("shrink"), "a.ndjson");
    for (const [before, kept] of [
      [0, 10],
      [1, 4096 * 40],
      [1, 0],
    ] as const) {
      writeFileSync(path, "1 row of some bytes\n".repeat(200_000));
      const source = single(path);
      await source.open(undefined);
      await drainBytes(source, prng, before);
      truncateSync(path, kept);
      await rejection(drainBytes(source, prng), "io", path, "became shorter");
      await source.close();
    }
  });

  it("read what was there when the job began of a file that grows", async () => {
    const path = join(temporaryFolder("grow"), "a.ndjson");
    writeFileSync(path, "1 a\n2 b\n");
    const source = single(path);
    await source.open(undefined);
    writeFileSync(path, "1 a\n2 b\n3 c\n");
    expect((await drainBytes(source, prng)).rows).to.deep.equal(["1 a", "2 b"]);
    await source.close();
  });

  it("say which file may not be read", async () => {
    const folder = temporaryFolder("denied");
    const path = join(folder, "a.ndjson");
    writeFileSync(path, "1\n");
    chmodSync(folder, 0o755);
    chmodSync(path, 0);
    const source = single(path);
    await source.open(undefined);
    // Root may read anything, so for this it becomes somebody else.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65_534);
    try {
      await rejection(drainBytes(source, prng), "permission-denied", path, '"events"');
    } finally {
      if (root) process.seteuid?.(0);
    }
  });

  it("say which file cannot be read", async () => {
    const folder = temporaryFolder("failing");
    const source = new FilesSource(subtaskContext({}), {
      list: async () => [{ path: folder, size: 5, compressed: false }],
      unbounded: false,
    });
    await source.open(undefined);
    await rejection(drainBytes(source, prng), "io", folder, '"events"');
    await source.close();
  });

  it("say which file is no gzip, or is cut off, or has gone", async () => {
    const folder = temporaryFolder("gzip");
    const path = join(folder, "a.gz");
    for (const bytes of [Buffer.from("1 plain text\n"), gzipSync("1 a\n".repeat(10_000)).subarray(0, 60)]) {
      writeFileSync(path, bytes);
      const source = directory(folder);
      await source.open(undefined);
      const error = await rejection(drainBytes(source, prng), "invalid-option", path, "gzip");
      expect(error.hint).to.contain("compression");
      await source.close();
    }
    const gone = new FilesSource(subtaskContext({}), {
      list: async () => [{ path: "/nowhere/a.gz", size: 5, compressed: true }],
      unbounded: false,
    });
    await gone.open(undefined);
    await rejection(drainBytes(gone, prng), "not-found", "/nowhere/a.gz");
  });

  it("read more gzip files side by side than they keep open", async () => {
    const folder = temporaryFolder("many");
    for (let i = 0; i < 200; i++) writeFileSync(join(folder, `${i}.gz`), gzipSync(`${i}1 a\n${i}2 b\n`));
    const source = directory(folder);
    await source.open(undefined);
    expect(new Set((await drainBytes(source, prng)).rows).size).to.equal(400);
    await source.close();
  });

  it("take a file's name for its compression unless an option says otherwise", async () => {
    const path = join(temporaryFolder("named"), "a.gz");
    writeFileSync(path, "1 plain\n");
    const source = single(path, { compression: "none" });
    await source.open(undefined);
    expect((await drainBytes(source, prng)).rows).to.deep.equal(["1 plain"]);
    await source.close();
  });

  it("refuse zstd in words that name gzip", () => {
    expect(compressionOption.safeParse("zstd").error?.issues[0]?.message).to.contain("gzip");
    expect(compressionOption.safeParse("gzip").success).to.equal(true);
  });

  it("wait behind the last row under wait_for_control, until the job is stopped", async () => {
    const path = join(temporaryFolder("wait"), "a.ndjson");
    writeFileSync(path, "1 a\n");
    const source = single(path, { wait_for_control: true });
    expect(source.bounded).to.equal(false);
    await source.open(undefined);
    const drained = await drainBytes(source, prng);
    expect(drained).to.include({ ended: false });
    expect(source.watermark()).to.equal(undefined);
    const stop = new AbortController();
    const waiting = source.wait(stop.signal);
    stop.abort();
    await waiting;
    await source.close();
  });

  it("leave out hidden directories", async () => {
    const folder = temporaryFolder("hidden");
    mkdirSync(join(folder, ".git"));
    writeFileSync(join(folder, ".git", "a"), "1\n");
    writeFileSync(join(folder, "b"), "2\n");
    const source = directory(`file://${folder}`);
    await source.open(undefined);
    expect((await drainBytes(source, prng)).rows).to.deep.equal(["2"]);
    expect(source.describe(0, 1n)).to.equal(`file "${join(folder, "b")}" at byte 1`);
    expect(statSync(join(folder, "b")).size).to.equal(2);
    await source.close();
  });
});
