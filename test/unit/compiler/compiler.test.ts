/** The compiler's thread: queue, cache by content, time limit, closing. */
import { expect } from "chai";
import { cacheBefore, noCache, storeCache } from "../../../src/compiler/cache.ts";
import { Compiler } from "../../../src/compiler/compiler.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { AppError } from "../../../src/core/errors.ts";
import { INT64 } from "../../../src/data/data-type.ts";
import type { Program } from "../../../src/program/program.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";
import { call, column, literal, ProgramBuilder } from "../../support/oracle-programs.ts";

const LIMITS = { timeoutMs: 60_000, memoryMb: 1024 };

/** A program that adds `n` to a column. */
function adding(n: bigint): Program {
  const builder = new ProgramBuilder();
  const source = builder.source({ name: "t", fields: [{ name: "a", type: INT64, nullable: false }] });
  const sum = builder.compute([source], [call("add", [column(0, INT64, false), literal(n, INT64)], INT64)]);
  builder.sink("out", [sum], []);
  return builder.build();
}

/** The error that `work` ends with. */
async function failure(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).to.be.instanceOf(AppError);
  return error as AppError;
}

describe("compiler", function () {
  this.timeout(120_000);

  it("compiles one program after the other and finds the same content again", async () => {
    const compiler = new Compiler(LIMITS, storeCache(new MemoryStore("memory://artifacts")), systemClock);
    const [one, two] = await Promise.all([1n, 2n].map((n) => compiler.compile({ program: adding(n), level: "preview" })));
    expect(one?.hash).to.not.equal(two?.hash);
    expect(WebAssembly.validate(one?.wasm ?? new Uint8Array())).to.equal(true);
    const again = await compiler.compile({ program: adding(1n), level: "preview" });
    expect(again).to.deep.include({ hash: one?.hash, cached: true });
    expect(Buffer.from(again.wasm).equals(one?.wasm ?? new Uint8Array())).to.equal(true);
    await compiler.close();
  });

  it("takes what another has compiled and stored, but nothing that is no module, and does without a store that fails", async () => {
    const [mine, theirs] = [1, 2].map((n) => new MemoryStore(`memory://${n}`));
    if (mine === undefined || theirs === undefined) return expect.fail("no stores");
    const other = new Compiler(LIMITS, storeCache(theirs), systemClock);
    const { hash } = await other.compile({ program: adding(3n), level: "preview" });
    await other.close();
    const compiler = new Compiler(LIMITS, cacheBefore(storeCache(mine), storeCache(theirs)), systemClock);
    expect(await compiler.compile({ program: adding(3n), level: "preview" })).to.deep.include({ hash, cached: true });
    expect(await storeCache(mine).get(hash)).to.not.equal(undefined);
    await compiler.close();
    await theirs.put(`artifacts/${hash}.wasm`, new Uint8Array([1, 2, 3]));
    const failing = { get: () => Promise.reject(new Error("away")) };
    for (const far of [storeCache(theirs), failing]) expect(await cacheBefore(noCache, far).get(hash)).to.equal(undefined);
  });

  it("ends a compilation that takes too long, and the next one gets a new thread", async () => {
    const compiler = new Compiler({ ...LIMITS, timeoutMs: 1 }, noCache, systemClock);
    for (const n of [1n, 2n]) {
      const error = await failure(compiler.compile({ program: adding(n), level: "preview" }));
      expect(error.code).to.equal("timeout");
      expect(error.hint).to.contain("compiler.timeout");
    }
    await compiler.close();
  });

  it("rejects what is under way when it is closed", async () => {
    const compiler = new Compiler(LIMITS, noCache, systemClock);
    const waiting = [1n, 2n].map((n) => failure(compiler.compile({ program: adding(n), level: "preview" })));
    // Both requests reach the queue before the thread can have started.
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    await compiler.close();
    for (const error of await Promise.all(waiting)) expect(error.message).to.equal("the compiler was closed");
  });
});
