/** Supervision and retrying, on a clock that stands still until it is moved. */
import { expect } from "chai";
import { ManualClock } from "../../../src/core/clock.ts";
import { externalError, internalError, userError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/log.ts";
import { Prng } from "../../../src/core/prng.ts";
import { backoffDelayMs, withRetry } from "../../../src/core/retry.ts";
import { runServices, type Service, superviseService } from "../../../src/core/service.ts";

const policy = { attempts: 3, initialMs: 100, maxMs: 1_000 };

function world() {
  const clock = new ManualClock();
  const options = { clock, random: new Prng(1), logger: silentLogger, policy, healthyMs: 10_000 };
  return { clock, options, stop: new AbortController() };
}

/** A service that does what `script` says, one step a run, and then waits for its signal. */
function scripted(name: string, script: readonly (() => void | Promise<void>)[], log: string[] = []): Service {
  let runs = 0;
  return {
    name,
    async run(signal) {
      log.push(`${name} starts`);
      const step = script[runs++];
      if (step !== undefined) return await step();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      log.push(`${name} stops`);
    },
  };
}

const fail = (): void => {
  throw externalError("io", "no answer");
};

describe("service supervisor", () => {
  it("restarts a service that fails, after a backoff", async () => {
    const { clock, options, stop } = world();
    const log: string[] = [];
    const ended = superviseService(scripted("a", [fail, fail], log), options, stop.signal);
    await clock.advance(1_000);
    expect(log.length).to.equal(3);
    stop.abort();
    await ended;
  });

  it("gives up after the policy's number of failures in a row", async () => {
    const { clock, options, stop } = world();
    const log: string[] = [];
    const ended = superviseService(scripted("a", [fail, fail, fail, fail], log), options, stop.signal).catch((error) => error.message);
    await clock.advance(60_000);
    expect([await ended, log.length]).to.deep.equal(["no answer", 3]);
  });

  it("forgets failures before a healthy run", async () => {
    const { clock, options, stop } = world();
    const log: string[] = [];
    const healthy = () => clock.sleep(10_000).then(fail);
    const ended = superviseService(scripted("a", [fail, healthy, fail, healthy, fail], log), options, stop.signal);
    await clock.advance(120_000);
    expect(log.length).to.equal(6);
    stop.abort();
    await ended;
  });

  it("does not restart after a user's error", async () => {
    const { options, stop } = world();
    const wrong = scripted("a", [() => Promise.reject(userError("invalid-config", "port 5115 is not a name"))]);
    expect(await superviseService(wrong, options, stop.signal).catch((error) => error.message)).to.equal("port 5115 is not a name");
  });

  it("stops services in reverse order, each after those behind it", async () => {
    const { options, stop } = world();
    const log: string[] = [];
    const ended = runServices([scripted("a", [], log), scripted("b", [], log)], options, stop.signal);
    stop.abort();
    await ended;
    expect(log).to.deep.equal(["a starts", "b starts", "b stops", "a stops"]);
  });

  it("stops all services when one fails for good, and throws its error", async () => {
    const { options, stop } = world();
    const log: string[] = [];
    const broken = scripted("b", [() => Promise.reject(userError("invalid-config", "wrong"))], log);
    const error = await runServices([scripted("a", [], log), broken], options, stop.signal).catch((e) => e.message);
    expect([error, log.at(-1)]).to.deep.equal(["wrong", "a stops"]);
  });
});

describe("retry", () => {
  it("tries again only what may help and only as often as allowed", async () => {
    const { clock, options } = world();
    let runs = 0;
    const counted = <T>(step: () => T): T => {
      runs += 1;
      return step();
    };
    const flaky = withRetry(async () => (++runs < 3 ? fail() : "done"), policy, options);
    await clock.advance(5_000);
    expect([await flaky, runs]).to.deep.equal(["done", 3]);
    runs = 0;
    const dead = withRetry(async () => counted(fail), policy, options).catch((error) => error.message);
    await clock.advance(5_000);
    expect([await dead, runs]).to.deep.equal(["no answer", 3]);
    runs = 0;
    const bug = withRetry(async () => counted(() => Promise.reject(internalError("invariant", "bug"))), policy, options).catch(
      (e) => e.message,
    );
    expect([await bug, runs]).to.deep.equal(["bug", 1]);
  });

  it("ends waiting when its signal is aborted", async () => {
    const { options, stop } = world();
    const waiting = withRetry(async () => fail(), policy, { ...options, signal: stop.signal }).catch((error) => error.message);
    setImmediate(() => stop.abort());
    expect(await waiting).to.equal("no answer");
  });

  it("doubles its wait up to the limit, with jitter on the upper half", () => {
    const random = new Prng(7);
    for (const [attempt, ceiling] of [
      [1, 100],
      [2, 200],
      [4, 800],
      [5, 1_000],
      [99, 1_000],
    ] as const) {
      for (let i = 0; i < 200; i++) expect(backoffDelayMs(attempt, policy, random)).to.be.within(ceiling / 2, ceiling);
    }
  });
});
