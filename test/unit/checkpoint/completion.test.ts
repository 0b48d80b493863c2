/** Which epochs count: fences, the ladder of restore points, and that nothing is skipped silently. */
import { expect } from "chai";
import {
  type CompleteEpoch,
  findRestorePoint,
  forgetEpochs,
  nextFence,
  readCompletion,
  recordComplete,
  takeOver,
  writeManifest,
} from "../../../src/checkpoint/completion.ts";
import { assembleManifest, type Manifest } from "../../../src/checkpoint/manifest.ts";
import { completionPath, tableFilePath } from "../../../src/checkpoint/paths.ts";
import { LocalStore } from "../../../src/storage/local.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";
import { IDENTITY, PROGRAM, sampleReports, writeTable } from "../../support/checkpoint-samples.ts";
import { FailingDisk, PowerLoss } from "../../support/failing-disk.ts";
import { expectGoldenBytes } from "../../support/golden-bytes.ts";
import { refusal, rejection } from "../../support/rejection.ts";

const JOB = "job_1";

function run(fence: bigint) {
  return { fence, run: `run_${fence}` };
}

/** A manifest without state. */
function manifestOf(epoch: number, fence: bigint): Manifest {
  const reports = sampleReports().map((report) => ({ ...report, segments: [], files: [] }));
  return assembleManifest({ ...IDENTITY, epoch, ...run(fence) }, PROGRAM, reports);
}

async function complete(store: MemoryStore | LocalStore, epoch: number, fence: bigint): Promise<CompleteEpoch> {
  const entry = await writeManifest(store, manifestOf(epoch, fence));
  await recordComplete(store, JOB, entry);
  return entry;
}

describe("completion record", () => {
  it("does not exist for a new job", async () => {
    const store = new MemoryStore();
    expect(await readCompletion(store, JOB)).to.equal(undefined);
    expect(await findRestorePoint(store, JOB)).to.equal(undefined);
    expect(nextFence(undefined)).to.equal(1n);
  });

  it("counts an epoch only once it is recorded, not when its manifest is written", async () => {
    const store = new MemoryStore();
    await takeOver(store, JOB, run(1n), undefined);
    await complete(store, 1, 1n);
    await writeManifest(store, manifestOf(2, 1n));
    expect((await findRestorePoint(store, JOB))?.manifest.epoch).to.equal(1);
  });

  it("has the bytes of the golden file", async () => {
    const store = new MemoryStore();
    await takeOver(store, JOB, run(2n ** 64n - 1n), undefined);
    await complete(store, 1, 2n ** 64n - 1n);
    expectGoldenBytes("completion.json", await store.get(completionPath(JOB)));
  });

  it("is idempotent for an epoch recorded twice and refuses older ones", async () => {
    const store = new MemoryStore();
    await takeOver(store, JOB, run(1n), undefined);
    const first = await complete(store, 1, 1n);
    expect((await recordComplete(store, JOB, first)).epochs).to.have.length(1);
    await complete(store, 3, 1n);
    await rejection(complete(store, 2, 1n), "invariant", "epoch 2", "not newer than epoch 3");
    await rejection(recordComplete(store, JOB, { ...first, epoch: 3 }), "invariant");
  });

  it("fences a run that was given up", async () => {
    const store = new MemoryStore();
    await rejection(complete(store, 1, 1n), "fenced", "no run has taken it over");
    await takeOver(store, JOB, run(1n), undefined);
    await complete(store, 1, 1n);
    const record = await readCompletion(store, JOB);
    expect(nextFence(record)).to.equal(2n);
    await takeOver(store, JOB, run(2n), 1);
    await rejection(complete(store, 2, 1n), "fenced", '"run_1"', "fence 1", '"run_2"', "fence 2");
    await rejection(recordComplete(store, JOB, await writeManifest(store, { ...manifestOf(2, 1n), run: "run_2" })), "fenced");
    const twin = await writeManifest(store, { ...manifestOf(2, 2n), run: "run_twin" });
    await rejection(recordComplete(store, JOB, twin), "fenced", '"run_twin"');
    await rejection(forgetEpochs(store, JOB, run(1n), new Set()), "fenced");
    await rejection(takeOver(store, JOB, run(2n), 1), "fenced");
    await rejection(takeOver(store, JOB, run(1n), 1), "fenced");
    await complete(store, 2, 2n);
  });

  it("drops epochs newer than the restored one, whose numbers are counted again", async () => {
    const store = new MemoryStore();
    await takeOver(store, JOB, run(1n), undefined);
    for (const epoch of [1, 2, 3]) await complete(store, epoch, 1n);
    await rejection(takeOver(store, JOB, run(2n), 9), "invariant", "epoch 9");
    expect((await takeOver(store, JOB, run(2n), 1)).epochs.map((e) => e.epoch)).to.deep.equal([1]);
    await complete(store, 2, 2n);
    const point = await findRestorePoint(store, JOB);
    expect(point?.manifest).to.include({ epoch: 2, fence: 2n });
  });

  it("forgets epochs but never the newest", async () => {
    const store = new MemoryStore();
    await takeOver(store, JOB, run(1n), undefined);
    for (const epoch of [1, 2, 3]) await complete(store, epoch, 1n);
    await rejection(forgetEpochs(store, JOB, run(1n), new Set([3])), "invariant");
    expect((await forgetEpochs(store, JOB, run(1n), new Set([1]))).epochs.map((e) => e.epoch)).to.deep.equal([2, 3]);
  });

  it("that cannot be read is an error, not a fresh start", async () => {
    const store = new MemoryStore();
    await store.put(completionPath(JOB), new Uint8Array(0));
    await rejection(findRestorePoint(store, JOB), "checksum-mismatch", completionPath(JOB), "empty");
    await rejection(takeOver(store, JOB, run(1n), undefined), "checksum-mismatch");
  });

  it("refuses names that are not plain", async () => {
    await refusal(() => completionPath("../x"), "invariant");
    await refusal(() => tableFilePath("job", 0, run(1n), 0, 0), "invariant");
  });
});

describe("restore ladder", () => {
  async function threeEpochs(): Promise<{ store: MemoryStore; entries: CompleteEpoch[] }> {
    const store = new MemoryStore();
    await takeOver(store, JOB, run(1n), undefined);
    const entries: CompleteEpoch[] = [];
    for (const epoch of [1, 2, 3]) entries.push(await complete(store, epoch, 1n));
    return { store, entries };
  }
  const path = (entries: CompleteEpoch[], index: number) => (entries[index] as CompleteEpoch).manifest;

  it("takes the newest epoch and skips nothing when all is well", async () => {
    const { store } = await threeEpochs();
    const point = await findRestorePoint(store, JOB);
    expect(point?.entry.epoch).to.equal(3);
    expect(point?.skipped).to.deep.equal([]);
  });

  it("falls back past a damaged and a missing manifest, and says so", async () => {
    const { store, entries } = await threeEpochs();
    const bytes = await store.get(path(entries, 2));
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await store.put(path(entries, 2), bytes);
    await store.delete(path(entries, 1));
    const point = await findRestorePoint(store, JOB);
    expect(point?.entry.epoch).to.equal(1);
    expect(point?.skipped.map((s) => [s.epoch, s.error.code])).to.deep.equal([
      [3, "checksum-mismatch"],
      [2, "not-found"],
    ]);
    expect(point?.skipped[0]?.error.message).to.contain(path(entries, 2));
  });

  it("falls back past an intact manifest that is not the recorded one", async () => {
    const { store, entries } = await threeEpochs();
    await store.put(path(entries, 2), await store.get(path(entries, 1)));
    const point = await findRestorePoint(store, JOB);
    expect(point?.skipped[0]?.error.message).to.contain("not the manifest that was recorded for epoch 3");
  });

  it("falls back past another manifest of the same epoch and run", async () => {
    const { store } = await threeEpochs();
    await writeManifest(store, { ...manifestOf(3, 1n), createdAtNs: 5n });
    const point = await findRestorePoint(store, JOB);
    expect(point?.entry.epoch).to.equal(2);
    expect(point?.skipped[0]?.error).to.include({ code: "checksum-mismatch" });
  });

  it("falls back past an epoch whose files are missing or have another size", async () => {
    const { store } = await threeEpochs();
    const reports = sampleReports();
    const files = reports.flatMap((r) => r.files);
    const size = { size: 104, recordBytes: 0, checksum: 1 };
    const manifest = assembleManifest(
      { ...IDENTITY, epoch: 4, ...run(1n) },
      PROGRAM,
      reports.map((r) => ({ ...r, files: r.files.map((file) => ({ ...file, ...size })) })),
    );
    for (const file of files) await writeTable(store, file.path, []);
    await recordComplete(store, JOB, await writeManifest(store, manifest));
    expect((await findRestorePoint(store, JOB))?.entry.epoch).to.equal(4);
    await store.put(files[0]?.path ?? "", new Uint8Array(5));
    expect((await findRestorePoint(store, JOB))?.skipped[0]?.error).to.include({ code: "checksum-mismatch" });
    await store.delete(files[0]?.path ?? "");
    const point = await findRestorePoint(store, JOB);
    expect(point?.entry.epoch).to.equal(3);
    expect(point?.skipped[0]?.error.message).to.contain("needs file").and.contain("does not exist");
  });

  it("fails in words when no epoch can be read, instead of starting fresh", async () => {
    const { store, entries } = await threeEpochs();
    for (const entry of entries) await store.delete(entry.manifest);
    const error = await rejection(findRestorePoint(store, JOB), "not-found", "none of the 3 complete epochs", JOB);
    expect(error.hint).to.contain("start without state");
    expect(error.detail).to.contain("Epoch 1:").and.contain("Epoch 3:");
  });

  it("does not give up work because of an outage", async () => {
    const disk = new FailingDisk();
    const store = new LocalStore("/d", { fileSystem: disk });
    await takeOver(store, JOB, run(1n), undefined);
    await complete(store, 1, 1n);
    const read = disk.read.bind(disk);
    disk.read = (at, range) =>
      at.includes("manifest") ? Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })) : read(at, range);
    expect((await rejection(findRestorePoint(store, JOB), "io", "manifest")).retry).to.equal("backoff");
  });
});

describe("a power cut while an epoch completes", () => {
  for (const eager of [false, true]) {
    it(`leaves the old or the new restore point, never none (${eager ? "all names kept" : "only fsynced names kept"})`, async () => {
      const seen = new Set<number>();
      for (let fuel = 0; ; fuel++) {
        const disk = new FailingDisk();
        const store = new LocalStore("/d", { fileSystem: disk });
        await takeOver(store, JOB, run(1n), undefined);
        await complete(store, 1, 1n);
        disk.fuel = fuel;
        const finished = await complete(store, 2, 1n).then(
          () => true,
          (error: unknown) => {
            if (error instanceof PowerLoss || (error as Error).cause instanceof PowerLoss) return false;
            throw error;
          },
        );
        const point = await findRestorePoint(new LocalStore("/d", { fileSystem: disk.afterPowerLoss(eager) }), JOB);
        expect(point?.skipped).to.deep.equal([]);
        expect(point?.entry.epoch).to.be.oneOf(finished ? [2] : [1, 2]);
        seen.add(point?.entry.epoch ?? 0);
        if (finished) break;
      }
      expect([...seen]).to.have.members([1, 2]);
    });
  }
});
