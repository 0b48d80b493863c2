/** One suite for every object store: what `ObjectStore` promises, asked of memory, the local disk and S3 (moto). */
import { expect } from "chai";
import { AppError } from "../../src/core/errors.ts";
import { LocalStore } from "../../src/storage/local.ts";
import { MemoryStore } from "../../src/storage/memory.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";
import { S3Store } from "../../src/storage/s3.ts";
import { type MotoServer, motoAbsence, startMoto } from "../support/moto-server.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PART = 5 << 20;

describe("object store: memory", () => {
  conforms(async () => new MemoryStore("conformance"));
});

describe("object store: local", () => {
  conforms(async () => new LocalStore(temporaryFolder("store")));
});

describe("object store: s3", function () {
  this.timeout(90_000);
  requires("s3", motoAbsence);
  let server: MotoServer | undefined;
  let stores = 0;
  before(async () => {
    server = await startMoto();
  });
  after(() => server?.stop());
  conforms(async () => {
    if (server === undefined) return expect.fail("the server was not started");
    stores++;
    return S3Store.open({ bucket: server.bucket, prefix: `store-${stores}`, endpoint: server.endpoint, partBytes: PART });
  });
});

function conforms(open: () => Promise<ObjectStore>): void {
  let store: ObjectStore;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  describe("one object", () => {
    it("is read back as it was put", async () => {
      await store.put("a/b.bin", bytes(1, 2, 3));
      expect([...(await store.get("a/b.bin"))]).to.deep.equal([1, 2, 3]);
      expect(await store.head("a/b.bin")).to.deep.equal({ path: "a/b.bin", size: 3 });
    });

    it("may be empty", async () => {
      await store.put("empty", bytes());
      expect((await store.get("empty")).length).to.equal(0);
      expect(await store.head("empty")).to.deep.equal({ path: "empty", size: 0 });
      expect((await store.getRange("empty", 0, 0)).length).to.equal(0);
    });

    it("is replaced by a second put", async () => {
      await store.put("a", bytes(1, 1, 1));
      await store.put("a", bytes(2));
      expect([...(await store.get("a"))]).to.deep.equal([2]);
    });

    it("can be put in chunks, empty ones too", async () => {
      async function* chunks() {
        yield bytes(1);
        yield bytes();
        yield bytes(2, 3);
      }
      await store.put("chunks", chunks());
      await store.put("array", [bytes(4), bytes(5)]);
      expect([...(await store.get("chunks"))]).to.deep.equal([1, 2, 3]);
      expect([...(await store.get("array"))]).to.deep.equal([4, 5]);
    });

    it("is not stored if its chunks end in an error, and the older one stays", async () => {
      await store.put("broken", bytes(7));
      function* chunks() {
        yield bytes(1);
        throw new RangeError("boom");
      }
      await rejects(store.put("broken", chunks()), (e) => expect(String(e)).to.contain("boom"));
      expect([...(await store.get("broken"))]).to.deep.equal([7]);
      expect(await paths(store, "")).to.deep.equal(["broken"]);
    });

    it("can be put from shared memory", async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(4));
      shared.set([9, 8, 7, 6]);
      await store.put("shared", shared.subarray(1, 3));
      expect([...(await store.get("shared"))]).to.deep.equal([8, 7]);
    });

    it("is a copy: changing the buffers changes nothing", async () => {
      const given = bytes(1, 2);
      await store.put("copy", given);
      given[0] = 99;
      const got = await store.get("copy");
      got[1] = 99;
      expect([...(await store.get("copy"))]).to.deep.equal([1, 2]);
    });

    it("may have any well-formed name", async () => {
      const names = ["a b+c%20d", "ünï/ß=1,x@~", "日本/𝄞", "q?x=1&y#z", "..a/b..", "'\"<>|*"];
      for (const name of names) await store.put(name, new TextEncoder().encode(name));
      for (const name of names) expect(new TextDecoder().decode(await store.get(name))).to.equal(name);
      expect((await paths(store, "")).sort()).to.deep.equal([...names].sort());
    });
  });

  describe("ranges", () => {
    beforeEach(() => store.put("r", bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)));

    it("are exact at the start, in the middle and at the end", async () => {
      expect([...(await store.getRange("r", 0, 2))]).to.deep.equal([0, 1]);
      expect([...(await store.getRange("r", 4, 3))]).to.deep.equal([4, 5, 6]);
      expect([...(await store.getRange("r", 8, 2))]).to.deep.equal([8, 9]);
      expect([...(await store.getRange("r", 0, 10))]).to.have.length(10);
      expect([...(await store.getRange("r", 10, 0))]).to.deep.equal([]);
    });

    it("that leave the object are refused", async () => {
      for (const [offset, length] of [
        [8, 3],
        [10, 1],
        [50, 2],
        [11, 0],
      ] as const) {
        await rejectsWith(store.getRange("r", offset, length), "checksum-mismatch", '"r"', "10 bytes");
      }
    });

    it("of a missing object are not found", async () => {
      await rejectsWith(store.getRange("none", 0, 1), "not-found", '"none"');
      await rejectsWith(store.getRange("none", 0, 0), "not-found", '"none"');
    });
  });

  describe("a missing object", () => {
    it("is not found, in words that name it and the store", async () => {
      const error = await rejectsWith(store.get("no/such"), "not-found", '"no/such"', store.url, "does not exist");
      expect(error.domain).to.equal("external");
      expect(error.retry).to.equal("never");
      expect(await store.head("no/such")).to.equal(undefined);
    });

    it("is one below an object's folder", async () => {
      await store.put("f/x", bytes(1));
      await rejectsWith(store.get("f"), "not-found", '"f"');
      expect(await store.head("f")).to.equal(undefined);
    });

    it("can be deleted", async () => {
      await store.delete("no/such");
      expect(await store.deletePrefix("no/")).to.equal(0);
      expect(await store.discardUnfinished("no/")).to.equal(0);
    });
  });

  describe("put-if-absent", () => {
    it("is what the probe says, stores once and then refuses", async () => {
      expect(await store.probe()).to.deep.equal({ putIfAbsent: true });
      await store.putIfAbsent("once", bytes(1));
      await rejectsWith(store.putIfAbsent("once", bytes(2)), "already-exists", '"once"');
      expect([...(await store.get("once"))]).to.deep.equal([1]);
    });

    it("lets exactly one of many win", async () => {
      const tries = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => store.putIfAbsent("race", bytes(i))));
      const winners = tries.flatMap((t, i) => (t.status === "fulfilled" ? [i] : []));
      expect(winners).to.have.length(1);
      expect([...(await store.get("race"))]).to.deep.equal(winners);
    });

    it("leaves nothing of the probe behind", async () => {
      await store.probe();
      await store.probe();
      expect(await paths(store, "")).to.deep.equal([]);
    });
  });

  describe("listing", () => {
    const all = ["a", "a!/x", "a-b", "a/b", "a/b-c", "a/b/c", "a/bc", "ab/c", "é", "\uffee", "\u{1f600}"];
    const tree = all.filter((path) => path !== "a" && path !== "a/b");

    it("is in order of UTF-8 bytes, across folders", async () => {
      for (const path of [...tree].reverse()) await store.put(path, bytes(1));
      expect(await paths(store, "")).to.deep.equal(tree);
    });

    it("takes any prefix", async () => {
      for (const path of tree) await store.put(path, bytes(1, 2));
      expect(await paths(store, "a/b")).to.deep.equal(["a/b-c", "a/b/c", "a/bc"]);
      expect(await paths(store, "a/b/")).to.deep.equal(["a/b/c"]);
      expect(await paths(store, "a/")).to.deep.equal(["a/b-c", "a/b/c", "a/bc"]);
      expect(await paths(store, "a-")).to.deep.equal(["a-b"]);
      expect(await paths(store, "zzz/")).to.deep.equal([]);
      for await (const info of store.list("ab/")) expect(info).to.deep.equal({ path: "ab/c", size: 2 });
    });

    it("can be left early", async () => {
      for (const path of tree) await store.put(path, bytes(1));
      for await (const { path } of store.list("")) {
        expect(path).to.equal("a!/x");
        break;
      }
    });
  });

  describe("deleting", () => {
    it("removes one object and may be repeated", async () => {
      await store.put("d", bytes(1));
      await store.delete("d");
      await store.delete("d");
      expect(await store.head("d")).to.equal(undefined);
    });

    it("of a folder takes what is in it and nothing beside it", async () => {
      for (const path of ["job/1/x", "job/1/y/z", "job/10/x", "job/1-x", "k"]) await store.put(path, bytes(1));
      expect(await store.deletePrefix("job/1/")).to.equal(2);
      expect(await paths(store, "")).to.deep.equal(["job/1-x", "job/10/x", "k"]);
      expect(await store.deletePrefix("job/1/")).to.equal(0);
    });
  });

  describe("a writer", () => {
    it("shows nothing before it finishes", async () => {
      const writer = await store.openWriter("w/x");
      await writer.write(bytes(1, 2));
      expect(writer.size).to.equal(2);
      expect(await store.head("w/x")).to.equal(undefined);
      expect(await paths(store, "")).to.deep.equal([]);
      await writer.write(bytes(3));
      await writer.finish();
      await writer.abort();
      expect([...(await store.get("w/x"))]).to.deep.equal([1, 2, 3]);
    });

    it("leaves the older object when it is aborted", async () => {
      await store.put("w", bytes(5));
      const writer = await store.openWriter("w");
      await writer.write(new Uint8Array(2 * PART));
      await writer.abort();
      await writer.abort();
      expect([...(await store.get("w"))]).to.deep.equal([5]);
      expect(await store.discardUnfinished("w/")).to.equal(0);
    });

    it("lets its caller reuse the buffer", async () => {
      const writer = await store.openWriter("reuse");
      const buffer = bytes(0);
      for (let i = 0; i < 5; i++) {
        buffer[0] = i;
        await writer.write(buffer);
      }
      buffer[0] = 99;
      await writer.finish();
      expect([...(await store.get("reuse"))]).to.deep.equal([0, 1, 2, 3, 4]);
    });

    for (const size of [0, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 17]) {
      it(`writes ${size} bytes in uneven chunks`, async () => {
        const data = pattern(size);
        const writer = await store.openWriter("large");
        for (let at = 0, step = 1; at < size; at += step, step = Math.min(1_000_003, step * 3))
          await writer.write(data.subarray(at, at + step));
        await writer.finish();
        expect(Buffer.compare(await store.get("large"), data)).to.equal(0);
        expect(await store.head("large")).to.deep.equal({ path: "large", size });
        if (size > PART) expect(Buffer.compare(await store.getRange("large", PART - 2, 3), data.subarray(PART - 2, PART + 1))).to.equal(0);
      });
    }

    it("is used by put for what is larger than a part", async () => {
      const data = pattern(PART * 2 + 5);
      await store.put("large", data);
      expect(Buffer.compare(await store.get("large"), data)).to.equal(0);
    });

    it("that was never finished is discarded on demand", async () => {
      const writer = await store.openWriter("u/v/lost");
      await writer.write(new Uint8Array(PART + 1));
      await store.put("u/v/kept", bytes(1));
      expect(await paths(store, "u/")).to.deep.equal(["u/v/kept"]);
      await store.discardUnfinished("u/");
      expect(await store.discardUnfinished("u/")).to.equal(0);
      expect(await paths(store, "u/")).to.deep.equal(["u/v/kept"]);
      await writer.abort();
    });
  });

  describe("paths", () => {
    const wrong = ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", ".", "a\\b", "a\nb", "a\0b", "\ud800", ".wadi-tmp-1", "x".repeat(256)];
    for (const path of wrong) {
      it(`${JSON.stringify(path.slice(0, 20))} is refused`, async () => {
        await rejectsWith(store.put(path, bytes(1)), "invariant", "not an object path");
        await rejectsWith(store.putIfAbsent(path, bytes(1)), "invariant");
        await rejectsWith(store.get(path), "invariant");
        await rejectsWith(store.getRange(path, 0, 1), "invariant");
        await rejectsWith(store.head(path), "invariant");
        await rejectsWith(store.delete(path), "invariant");
        await rejectsWith(store.openWriter(path), "invariant");
      });
    }

    it("of folders to delete must end with a slash", async () => {
      for (const folder of ["", "/", "a", "../", "a/../"]) await rejectsWith(store.deletePrefix(folder), "invariant");
    });

    it("of lists must not leave the store", async () => {
      for (const prefix of ["/", "../", "a/../b", "a//"]) await rejectsWith(paths(store, prefix), "invariant");
      expect(await paths(store, "..")).to.deep.equal([]);
    });
  });
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** `size` bytes that differ from part to part. */
function pattern(size: number): Uint8Array {
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) data[i] = (i * 31 + (i >>> 13)) & 255;
  return data;
}

async function paths(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of store.list(prefix)) found.push(path);
  return found;
}

async function rejects(promise: Promise<unknown>, check: (error: unknown) => void): Promise<void> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) return expect.fail("it was not refused");
  check(outcome.error);
}

async function rejectsWith(promise: Promise<unknown>, code: string, ...words: string[]): Promise<AppError> {
  let found: AppError | undefined;
  await rejects(promise, (error) => {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).to.equal(code);
    for (const word of words) expect(error.message).to.contain(word);
    found = error;
  });
  return found ?? expect.fail("no error");
}
