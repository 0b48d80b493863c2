/** The local store's fsync rule: the order of its file operations, and what a power cut between any two of them leaves. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { AppError } from "../../../src/core/errors.ts";
import { LocalStore } from "../../../src/storage/local.ts";
import { FailingDisk, PowerLoss } from "../../support/failing-disk.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const OLD = Uint8Array.of(1, 1);
const NEW = Uint8Array.of(2, 2, 2);

function storeOn(disk: FailingDisk): LocalStore {
  let names = 0;
  return new LocalStore("/data", { fileSystem: disk, uniqueName: () => `${names++}` });
}

describe("local store: fsync rule", () => {
  it("puts by open, write, fsync, close, rename, fsync of the folder", async () => {
    const disk = new FailingDisk();
    const store = storeOn(disk);
    await store.put("a/b", OLD);
    disk.log.length = 0;
    await store.put("a/x", NEW);
    const temporary = "/data/a/.wadi-tmp-1";
    expect(disk.log).to.deep.equal([
      `open ${temporary}`,
      `write ${temporary}`,
      `fsync ${temporary}`,
      `close ${temporary}`,
      "rename /data/a/x",
      "fsync-folder /data/a",
    ]);
  });

  it("fsyncs every new folder into its parent before the first file", async () => {
    const disk = new FailingDisk();
    await storeOn(disk).put("a/b/c", NEW);
    expect(disk.log.slice(0, 6)).to.deep.equal([
      "mkdir /data",
      "mkdir /data/a",
      "mkdir /data/a/b",
      "fsync-folder /",
      "fsync-folder /data",
      "fsync-folder /data/a",
    ]);
  });

  it("fsyncs a folder that another thread has just made, once", async () => {
    const disk = new FailingDisk();
    const [one, other] = [storeOn(disk), new LocalStore("/data", { fileSystem: disk, uniqueName: () => "other" })];
    await one.put("a/x", NEW);
    disk.log.length = 0;
    await other.put("a/y", NEW);
    await other.put("a/z", NEW);
    expect(disk.log.filter((line) => line === "fsync-folder /data")).to.have.length(1);
    expect(disk.log[0]).to.equal("fsync-folder /data");
  });

  it("survives that an emptied folder is removed before its file is created", async () => {
    const disk = new FailingDisk();
    const store = storeOn(disk);
    const makeFolder = disk.makeFolder.bind(disk);
    let removals = 0;
    disk.makeFolder = async (path) => {
      const made = await makeFolder(path);
      if (removals < 2 && (await disk.removeEmptyFolder(path))) removals++;
      return made;
    };
    await store.put("a/x", NEW);
    expect(removals).to.equal(2);
    expect([...(await store.get("a/x"))]).to.deep.equal([...NEW]);
  });

  it("puts if absent by link instead of rename", async () => {
    const disk = new FailingDisk();
    const store = storeOn(disk);
    await store.put("x", OLD);
    disk.log.length = 0;
    await store.putIfAbsent("y", NEW);
    expect(disk.log.map((line) => line.split(" ")[0])).to.deep.equal(["open", "write", "fsync", "close", "link", "unlink", "fsync-folder"]);
  });

  for (const operation of ["put", "putIfAbsent", "writer"] as const) {
    for (const eager of [false, true]) {
      it(`${operation}: a power cut at any step leaves the old or the new object (${eager ? "all names kept" : "only fsynced names kept"})`, async () => {
        const cuts = { old: 0, new: 0 };
        for (let fuel = 0; ; fuel++) {
          const disk = new FailingDisk();
          const store = storeOn(disk);
          if (operation !== "putIfAbsent") await store.put("d/x", OLD);
          disk.fuel = fuel;
          const finished = await write(store, operation);
          const after = storeOn(disk.afterPowerLoss(eager));
          const found = (await after.head("d/x")) === undefined ? undefined : [...(await after.get("d/x"))];
          const old = operation === "putIfAbsent" ? undefined : [...OLD];
          expect(found).to.be.deep.oneOf(finished ? [[...NEW]] : [old, [...NEW]]);
          cuts[found?.length === NEW.length ? "new" : "old"]++;
          for await (const { path } of after.list("")) expect(path).to.equal("d/x");
          if (finished) break;
        }
        expect(cuts.old).to.be.greaterThan(4);
        expect(cuts.new).to.be.greaterThan(0);
      });
    }
  }

  it("leaves no temporary file when a step fails, and says what failed", async () => {
    const causes = { open: "EACCES", write: "ENOSPC", fsync: "EIO", rename: "EROFS" };
    const codes = { open: "permission-denied", write: "disk-full", fsync: "io", rename: "permission-denied" };
    for (const [operation, errno] of Object.entries(causes)) {
      const disk = new FailingDisk();
      const store = storeOn(disk);
      await store.put("x", OLD);
      disk.fault = { operation, errno };
      const error = await store.put("x", NEW).then(
        () => undefined,
        (e: unknown) => e,
      );
      disk.fault = undefined;
      expect(error).to.be.instanceOf(AppError);
      expect(error).to.include({ code: codes[operation as keyof typeof codes], domain: "external" });
      expect((error as AppError).message).to.contain('cannot write object "x" in "file:///data"');
      expect([...(await store.get("x"))]).to.deep.equal([...OLD]);
      expect(await disk.readFolder("/data")).to.deep.equal([{ name: "x", isFolder: false }]);
    }
  });
});

/** Whether the write was reported as done. */
async function write(store: LocalStore, operation: "put" | "putIfAbsent" | "writer"): Promise<boolean> {
  try {
    if (operation === "put") await store.put("d/x", NEW);
    else if (operation === "putIfAbsent") await store.putIfAbsent("d/x", NEW);
    else {
      const writer = await store.openWriter("d/x");
      await writer.write(NEW.subarray(0, 1));
      await writer.write(NEW.subarray(1));
      await writer.finish();
    }
    return true;
  } catch (error) {
    if (error instanceof PowerLoss || (error as Error).cause instanceof PowerLoss) return false;
    throw error;
  }
}

describe("local store: on a real disk", () => {
  it("names a root that is a file", async () => {
    const root = temporaryFolder("file");
    await new LocalStore(root).put("f", NEW);
    const error = await new LocalStore(join(root, "f")).probe().catch((e: unknown) => e);
    expect(error).to.be.instanceOf(AppError);
    expect((error as AppError).message).to.contain(root);
  });

  it("removes folders that a deletion leaves empty, but not the root", async () => {
    const root = temporaryFolder("empty");
    const store = new LocalStore(`${root}/`);
    for (const path of ["a/b/x", "a/b/y", "c/z"]) await store.put(path, NEW);
    await store.delete("a/b/x");
    expect(readdirSync(join(root, "a", "b"))).to.deep.equal(["y"]);
    await store.delete("a/b/y");
    expect(readdirSync(root)).to.deep.equal(["c"]);
    await store.delete("c/z");
    await store.delete("c/z");
    expect(readdirSync(root)).to.deep.equal([]);
    await store.put("a/b/x", NEW);
    expect(readdirSync(join(root, "a", "b"))).to.deep.equal(["x"]);
  });

  it("lets many write and delete in one folder at the same time", async () => {
    const store = new LocalStore(temporaryFolder("busy"));
    const one = async (i: number) => {
      for (let round = 0; round < 20; round++) {
        await store.put(`d/e/${i}`, Uint8Array.of(i));
        expect([...(await store.get(`d/e/${i}`))]).to.deep.equal([i]);
        await store.delete(`d/e/${i}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => one(i)));
    for await (const { path } of store.list("")) expect.fail(`${path} is left`);
  });

  it("hides temporary files from lists and removes them with discardUnfinished", async () => {
    const root = temporaryFolder("temporary");
    const store = new LocalStore(root);
    mkdirSync(join(root, "a"));
    const writer = await store.openWriter("a/x");
    await writer.write(NEW);
    expect(readdirSync(join(root, "a"))[0]).to.match(/^\.wadi-tmp-/);
    for await (const { path } of store.list("")) expect.fail(`${path} is listed`);
    expect(await store.discardUnfinished("a/")).to.equal(1);
    expect(readdirSync(join(root, "a"))).to.deep.equal([]);
    await writer.abort();
  });
});
