/** The S3 store on a real server (moto), opened by URL as users do: long lists, checkpoints, retention, a missing bucket. */
import { expect } from "chai";
import { findRestorePoint, recordComplete, takeOver, writeManifest } from "../../src/checkpoint/completion.ts";
import { assembleManifest } from "../../src/checkpoint/manifest.ts";
import { planRestore } from "../../src/checkpoint/restore.ts";
import { GarbageCollector } from "../../src/checkpoint/retention.ts";
import { readSegments, verifyTableFile } from "../../src/checkpoint/table-file.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";
import { openObjectStore } from "../../src/storage/open.ts";
import { IDENTITY, PROGRAM, RUN, sampleReports, writeTable } from "../support/checkpoint-samples.ts";
import { FakeRun } from "../support/fake-run.ts";
import { type MotoServer, motoAbsence, startMoto } from "../support/moto-server.ts";
import { rejection } from "../support/rejection.ts";
import { requires } from "../support/requirement.ts";

describe("S3", function () {
  this.timeout(90_000);
  requires("s3", motoAbsence);
  let server: MotoServer | undefined;
  let store: ObjectStore;
  before(async () => {
    server = await startMoto();
    store = await openObjectStore(`s3://${server.bucket}/wadi/state?endpoint=${server.endpoint}&region=us-east-1`);
  });
  after(async () => {
    await store?.close();
    await server?.stop();
  });

  it("lists and deletes more objects than one page holds", async () => {
    const names = Array.from({ length: 1101 }, (_, i) => `many/${String(i).padStart(5, "0")}`);
    for (let i = 0; i < names.length; i += 50)
      await Promise.all(names.slice(i, i + 50).map((name) => store.put(name, Uint8Array.of(i & 255))));
    const found: string[] = [];
    for await (const { path } of store.list("many/")) found.push(path);
    expect(found).to.deep.equal(names);
    expect(await store.deletePrefix("many/")).to.equal(1101);
    for await (const { path } of store.list("many/")) expect.fail(`${path} is still there`);
  });

  it("is reached by Arroyo's form of the URL too", async () => {
    await store.put("shared", Uint8Array.of(5));
    const other = await openObjectStore(`s3::${server?.endpoint}/${server?.bucket}/wadi/state`);
    expect([...(await other.get("shared"))]).to.deep.equal([5]);
    await other.close();
  });

  it("names a bucket that does not exist at the first contact", async () => {
    const missing = await openObjectStore(`s3://no-such-bucket/x?endpoint=${server?.endpoint}`);
    await rejection(missing.probe(), "not-found", "no-such-bucket", "bucket does not exist");
    await missing.close();
  });

  it("keeps a run's state: stopped after a checkpoint at parallelism 2, resumed at 3", async () => {
    const [rows, keys] = [10_000, 13];
    const fake = new FakeRun();
    fake.write(rows, keys);
    const stateUrl = `s3://${server?.bucket}/wadi/run?endpoint=${server?.endpoint}&region=us-east-1`;
    const options = { stateUrl, checkpointEveryRows: 1000 };
    const stopped = await fake.run(fake.windowed(), { ...options, parallelism: 2, stopAfterCheckpoint: 3 });
    expect(stopped).to.include({ outcome: "stopped", rowsIn: 6000 });
    expect(fake.output().length).to.be.lessThan(fake.windowedAnswer(rows, keys).length);
    const resumed = await fake.run(fake.windowed(), { ...options, parallelism: 3 });
    expect(resumed).to.include({ outcome: "finished", restoredEpoch: 3, rowsIn: rows - 6000 });
    expect(resumed.imbalances).to.deep.equal([]);
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(rows, keys));
  });

  it("carries a checkpoint: written, completed, restored, collected", async () => {
    await takeOver(store, "job_s3", RUN, undefined);
    const collector = new GarbageCollector(store);
    const frame = new Uint8Array(200_000).fill(3);
    for (const epoch of [1, 2, 3]) {
      const path = `checkpoints/job_s3/${epoch}/table-1-0-3-run_abc`;
      const { file, refs } = await writeTable(store, path, [[{ table: 0, partition: 0n, segment: 0, rows: epoch }, frame]]);
      const reports = sampleReports("job_s3").map((r) => ({
        ...r,
        segments: r.vertex === 1 && r.subtask === 0 ? refs : [],
        files: r.vertex === 1 && r.subtask === 0 ? [file] : [],
      }));
      const manifest = assembleManifest({ ...IDENTITY, job: "job_s3", epoch }, PROGRAM, reports);
      await recordComplete(store, "job_s3", await writeManifest(store, manifest));
      await verifyTableFile(store, path, file);
    }
    const result = await collector.collect({ job: "job_s3", by: RUN, keep: 1, oldestInFlight: 4 });
    expect(result.forgotten).to.deep.equal([1, 2]);
    expect(result.deleted).to.have.length(4);
    const point = await findRestorePoint(store, "job_s3");
    expect(point?.manifest.epoch).to.equal(3);
    const source = point && planRestore(point.manifest, 3)[1]?.subtasks[0]?.sources[0];
    let seen = 0;
    for await (const stored of readSegments(store, source?.segments ?? [])) {
      expect(stored.ref.rows).to.equal(3);
      expect(Buffer.compare(stored.frame, frame)).to.equal(0);
      seen++;
    }
    expect(seen).to.equal(1);
  });
});
