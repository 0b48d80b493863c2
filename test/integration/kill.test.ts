/** Runs that die or hang: kill -9, slots that do not return, sinks that hold up a stop. */
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import type { AppError } from "../../src/core/errors.ts";
import { Prng } from "../../src/core/prng.ts";
import { FakeRun } from "../support/fake-run.ts";

const ROWS = 12_000;
const KEYS = 11;

function startRun(fake: FakeRun, parallelism: number): ChildProcess {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const script = fileURLToPath(new URL("../support/fake-run-process.ts", import.meta.url));
  return fork(script, [fake.folder, String(parallelism)], { execArgv: ["--import", tsx], stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** Kills the process once `epoch` is complete; the newest epoch it reported. */
async function killAt(child: ChildProcess, epoch: number): Promise<number> {
  let newest = 0;
  child.on("message", (complete) => {
    newest = complete as number;
    if (newest >= epoch) child.kill("SIGKILL");
  });
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.on("exit", (_code, s) => resolve(s)));
  expect(signal, "the process was killed").to.equal("SIGKILL");
  return newest;
}

describe("a run that dies", function () {
  this.timeout(60_000);

  for (const seed of [1, 2, 3]) {
    it(`goes on from its last epoch after kill -9, at any parallelism, without a row lost or doubled (seed ${seed})`, async () => {
      const prng = new Prng(seed);
      const fake = new FakeRun();
      fake.write(ROWS, KEYS);
      const killed = await killAt(startRun(fake, prng.between(1, 3)), prng.between(3, 5));
      expect(killed).to.be.greaterThanOrEqual(3);
      const resumed = await fake.run(fake.windowed(), { parallelism: prng.between(1, 3), stateUrl: fake.state });
      expect(resumed.restoredEpoch).to.be.greaterThanOrEqual(killed);
      expect(resumed.rowsIn).to.be.lessThan(ROWS);
      expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
    });
  }

  it("is ended when a slot does not return from generated code", async () => {
    const fake = new FakeRun();
    fake.write(ROWS, KEYS);
    const module = new URL("../support/hanging-module.ts", import.meta.url).href;
    const error: AppError = await fake.run(fake.windowed(), { parallelism: 2, stuckMs: 1500 }, module).then(
      () => expect.fail("the run did not fail"),
      (e: AppError) => e,
    );
    expect(error.code).to.equal("slot-failed");
    expect(error.message).to.match(/^slot \d has not turned its loop for \d+ ms$/);
  });

  for (const [hang, words] of [
    ["stage", /^the run did not stop: "[^"]+" in slot 0 did not report epoch 1 for 2 s$/],
    ["commit", /^the run did not stop: slot 0 did not commit epoch 1 for 2 s$/],
  ] as const) {
    it(`is failed, with the name of who was waited for, when a sink's ${hang} holds up a stop`, async () => {
      const fake = new FakeRun();
      fake.write(ROWS, KEYS);
      const stop = new AbortController();
      const options = { parallelism: 2, stopLimitMs: 2000, signal: stop.signal, onRunning: () => stop.abort() };
      const error: AppError = await fake.run(fake.windowed({ unbounded: true }, { hang }), options).then(
        () => expect.fail("the run did not fail"),
        (e: AppError) => e,
      );
      expect(error.code).to.equal("timeout");
      expect(error.message).to.match(words);
    });
  }

  it("raises an alarm when an operator's row counts do not balance", async () => {
    const fake = new FakeRun();
    fake.write(1000, KEYS);
    const module = new URL("../support/miscounting-module.ts", import.meta.url).href;
    const alarms: number[] = [];
    const summary = await fake.run(fake.windowed(), { stateUrl: fake.state, onImbalance: (epoch) => alarms.push(epoch) }, module);
    expect(alarms).to.deep.equal([1]);
    expect(summary.imbalances[0]).to.include({ kind: "vertex", vertex: 1 });
  });
});
