/** Time, randomness, ids, logs and nearest names: the small parts of `core`. */
import { expect } from "chai";
import fc from "fast-check";
import { ManualClock } from "../../../src/core/clock.ts";
import { formatDuration, parseDuration } from "../../../src/core/duration.ts";
import { userError } from "../../../src/core/errors.ts";
import { ID_PREFIXES, isId, makeId, parseId } from "../../../src/core/ids.ts";
import { makeLogger } from "../../../src/core/log.ts";
import { nearestName } from "../../../src/core/nearest.ts";
import { Prng, systemRandom } from "../../../src/core/prng.ts";
import { formatByteSize, parseByteSize } from "../../../src/core/setting.ts";
import {
  civilFromDays,
  daysFromCivil,
  formatDate,
  formatTimestamp,
  parseDate,
  parseTimestamp,
  TIMESTAMP_MAX,
  TIMESTAMP_MIN,
} from "../../../src/core/time.ts";

describe("time", () => {
  it("prints timestamps so that they read back", () => {
    fc.assert(fc.property(fc.bigInt(TIMESTAMP_MIN, TIMESTAMP_MAX), (ns) => parseTimestamp(formatTimestamp(ns)) === ns));
    fc.assert(fc.property(fc.bigInt(-(10n ** 10n), 10n ** 10n), (s) => parseTimestamp(formatTimestamp(s * 10n ** 6n)) === s * 10n ** 6n));
  });

  it("agrees with JavaScript's calendar on every day of 3,000 years", () => {
    for (let days = -700_000; days < 400_000; days += 1) {
      const date = new Date(days * 86_400_000);
      const civil = civilFromDays(days);
      if (civil.year !== date.getUTCFullYear() || civil.month !== date.getUTCMonth() + 1 || civil.day !== date.getUTCDate())
        expect.fail(`${days}`);
      if (daysFromCivil(civil.year, civil.month, civil.day) !== days) expect.fail(`${days}`);
    }
  });

  it("prints dates of the whole 32-bit range up to six-digit years so that they read back", () => {
    fc.assert(fc.property(fc.integer({ min: -365_000_000, max: 364_000_000 }), (days) => parseDate(formatDate(days)) === days));
  });

  it("prints durations and sizes so that they read back", () => {
    fc.assert(fc.property(fc.bigInt(0n, 10n ** 18n), (ns) => parseDuration(formatDuration(ns)) === ns));
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (bytes) => parseByteSize(formatByteSize(bytes)) === bytes));
    expect([parseByteSize("1.5GiB"), parseByteSize("2 MB"), parseByteSize("0.3B"), parseByteSize("1XB")]).to.deep.equal([
      1_610_612_736,
      2_000_000,
      undefined,
      undefined,
    ]);
  });
});

describe("manual clock", () => {
  it("wakes sleepers in the order of their deadlines, each at its own time", async () => {
    const clock = new ManualClock(5n);
    const log: string[] = [];
    const sleeper = async (ms: number) => {
      await clock.sleep(ms);
      log.push(`${ms} at ${clock.elapsedMs()}`);
    };
    void sleeper(30);
    void sleeper(10).then(() => sleeper(15));
    expect(clock.sleeping).to.equal(2);
    await clock.advance(40);
    expect(log).to.deep.equal(["10 at 10", "15 at 25", "30 at 30"]);
    expect(clock.nowNs()).to.equal(40_000_005n);
  });

  it("ends a sleep when its signal is aborted", async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleep = clock.sleep(1_000, stop.signal);
    stop.abort();
    await sleep;
    expect(clock.sleeping).to.equal(0);
  });
});

describe("prng", () => {
  it("gives the same sequence for the same seed, on every machine", () => {
    const draw = (seed: number) => {
      const prng = new Prng(seed);
      return [prng.nextU32(), prng.nextU32(), prng.below(10), prng.nextU64().toString(16), prng.between(-5, 5), prng.fork().nextU32()];
    };
    expect(draw(42)).to.deep.equal(draw(42));
    expect(draw(42)).to.not.deep.equal(draw(43));
  });

  it("draws uniformly below any bound", () => {
    const prng = new Prng(1);
    for (const bound of [1, 2, 3, 7, 10]) {
      const counts = new Array<number>(bound).fill(0);
      for (let i = 0; i < 20_000; i++) {
        const value = prng.below(bound);
        counts[value] = (counts[value] ?? 0) + 1;
      }
      for (const count of counts) expect(count).to.be.within(0.9 * (20_000 / bound), 1.1 * (20_000 / bound));
    }
    expect(() => prng.below(0)).to.throw("bound must be");
  });

  it("shuffles without losing anything", () => {
    const items = Array.from({ length: 100 }, (_, i) => i);
    const shuffled = new Prng(3).shuffle(items);
    expect(shuffled).to.not.deep.equal(items);
    expect([...shuffled].sort((a, b) => a - b)).to.deep.equal(items);
  });
});

describe("ids", () => {
  it("carry their kind's prefix, which no other kind's id is taken for", () => {
    const kinds = Object.keys(ID_PREFIXES) as (keyof typeof ID_PREFIXES)[];
    const ids = kinds.map((kind) => makeId(kind, systemRandom));
    for (const [i, id] of ids.entries()) expect(kinds.filter((kind) => isId(kind, id))).to.deep.equal([kinds[i]]);
    expect(makeId("job", new Prng(1))).to.match(/^job_[0-9a-z]{16}$/);
  });

  it("refuse text that is none, in words", () => {
    expect(() => parseId("pipeline", "job_1")).to.throw('"job_1" is not a pipeline id');
    for (const text of ["pl_", "pl_A", "pl_a b", "", "pl_../x"]) expect(isId("pipeline", text), text).to.equal(false);
  });
});

describe("log", () => {
  const lines = (format: "json" | "plaintext" | "logfmt", level: "info" | "debug" = "info"): string[] => {
    const written: string[] = [];
    const logger = makeLogger({ level, format, write: (line) => written.push(line) }).child({ job: "job_1" });
    logger.debug("not always written");
    logger.warn("checkpoint failed", { epoch: 7n, error: userError("disk-full", 'no space in "/tmp"'), path: "a b" });
    return written;
  };

  it("writes one JSON object a line, bigints as digits and errors as records", () => {
    const [line = "", ...rest] = lines("json");
    expect(rest).to.deep.equal([]);
    expect(line.endsWith("}\n")).to.equal(true);
    const { time, ...fields } = JSON.parse(line);
    expect(time).to.match(/^\d{4}-\d\d-\d\dT/);
    const error = { domain: "user", code: "disk-full", message: 'no space in "/tmp"', retry: "never" };
    expect(fields).to.deep.equal({ level: "warn", message: "checkpoint failed", job: "job_1", epoch: "7", error, path: "a b" });
  });

  it("writes plain text and logfmt with quoted values", () => {
    expect(lines("plaintext")[0]).to.match(/^\S+ WARN {2}checkpoint failed job=job_1 epoch=7 error="\{.*\}" path="a b"\n$/);
    expect(lines("logfmt")[0]).to.match(/^time=\S+ level=warn message="checkpoint failed" job=job_1 /);
  });

  it("leaves out what is less urgent than its level", () => {
    expect([lines("json").length, lines("json", "debug").length]).to.deep.equal([1, 2]);
  });
});

describe("nearest name", () => {
  it("finds a typing error and no far relation", () => {
    const names = ["source-batch-size", "state-limit", "timeout"];
    expect(nearestName("sorce-batch-size", names)).to.equal("source-batch-size");
    expect(nearestName("TIMEUOT", names)).to.equal("timeout");
    expect(nearestName("retention", names)).to.equal(undefined);
    expect(nearestName("x", [])).to.equal(undefined);
  });
});
