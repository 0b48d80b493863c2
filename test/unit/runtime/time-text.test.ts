/**
 * Timestamps, dates and times as text, and calendar arithmetic, against JavaScript's Date and BigInt.
 */
import { expect } from "chai";
import { FUZZ_SCALE, type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";
import { Seeded } from "../../support/seeded.ts";

const ENTRY = `
import * as text from "./src/runtime/time-text.ts";
import * as calendar from "./src/runtime/calendar.ts";
import { readTimestamp, readDate, readTime, writeTimestamp, writeDate, writeTime } from "./src/runtime/time-text.ts";
import {
  truncateTimestamp, truncateDate, binTimestamp, partOfTimestamp, partOfDate, epochOfTimestamp, addMonths, addMonthsToDate,
  addInterval, subtractInterval, daysFromCivil, civilFromDays, dateOfTimestamp, timeOfTimestamp, timestampOf,
} from "./src/runtime/calendar.ts";
export { readTimestamp, readDate, readTime, writeTimestamp, writeDate, writeTime };
export { truncateTimestamp, truncateDate, binTimestamp, partOfTimestamp, partOfDate, epochOfTimestamp };
export { addMonths, addMonthsToDate, addInterval, subtractInterval, daysFromCivil, dateOfTimestamp, timeOfTimestamp, timestampOf };
export function value(): i64 { return text.timeValue; }
export function status(): i32 { return calendar.calendarStatus; }
export function packedCivil(days: i32): i32 {
  civilFromDays(days);
  return calendar.civilYear * 10000 + calendar.civilMonth * 100 + calendar.civilDay;
}
`;

type Read = (at: number, length: number) => number;

interface Exports {
  readonly readTimestamp: Read;
  readonly readDate: Read;
  readonly readTime: Read;
  readonly writeTimestamp: (at: number, ns: bigint) => number;
  readonly writeDate: (at: number, days: number) => number;
  readonly writeTime: (at: number, ns: bigint) => number;
  readonly truncateTimestamp: (ns: bigint, unit: number) => bigint;
  readonly truncateDate: (days: number, unit: number) => number;
  readonly binTimestamp: (stride: bigint, ns: bigint, origin: bigint) => bigint;
  readonly partOfTimestamp: (ns: bigint, part: number) => bigint;
  readonly partOfDate: (days: number, part: number) => bigint;
  readonly epochOfTimestamp: (ns: bigint) => number;
  readonly addMonths: (ns: bigint, months: number) => bigint;
  readonly addMonthsToDate: (days: number, months: number) => number;
  readonly addInterval: (ns: bigint, months: number, days: number, nanos: bigint) => bigint;
  readonly subtractInterval: (ns: bigint, months: number, days: number, nanos: bigint) => bigint;
  readonly daysFromCivil: (year: number, month: number, day: number) => number;
  readonly dateOfTimestamp: (ns: bigint) => number;
  readonly timeOfTimestamp: (ns: bigint) => bigint;
  readonly timestampOf: (days: bigint, ns: bigint) => bigint;
  readonly value: () => bigint;
  readonly status: () => number;
  readonly packedCivil: (days: number) => number;
}

const OK = 0;
const SYNTAX = 1;
const RANGE = 2;
const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 63n - 1n;
const DAY_MS = 86_400_000;
const DAY_NS = 86_400_000_000_000n;

/** Units and parts in the order of the runtime's constants. */
const UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"] as const;
const PARTS = [...UNITS, "dow", "doy", "isodow", "isoyear"] as const;

let m: RuntimeModule<Exports>;

before(async () => {
  m = await runtimeModule<Exports>(ENTRY);
});

function floorDivide(a: bigint, b: bigint): bigint {
  return (a - (((a % b) + b) % b)) / b;
}

function floorModulo(a: bigint, b: bigint): bigint {
  return ((a % b) + b) % b;
}

/** Reads `text`, which stands between digits that must not matter. */
function read(reader: Read, text: string): number {
  m.bytes.fill(0x31, m.base, m.base + 16);
  return reader(m.base + 16, m.writeText(m.base + 16, text, 0x31));
}

function written(end: number): string {
  return m.readText(m.base, end);
}

/** The Date of a timestamp, milliseconds rounded down. */
function dateOf(ns: bigint): Date {
  return new Date(Number(floorDivide(ns, 1_000_000n)));
}

/** A timestamp as it is written, from Date and the nanoseconds. */
function expectedText(ns: bigint): string {
  const text = dateOf(ns).toISOString().slice(0, 19);
  const nanos = floorModulo(ns, 1_000_000_000n).toString().padStart(9, "0");
  if (nanos === "000000000") return text;
  return `${text}.${nanos.replace(/(000){1,2}$/, "")}`;
}

function randomTimestamp(random: Seeded): bigint {
  const ns = BigInt.asIntN(64, random.nextU64());
  const near = random.pick([ns, ns >> 2n, ns >> 6n, ns >> 12n]);
  return near - floorModulo(near, random.pick([1n, 1000n, 1_000_000n, 1_000_000_000n, DAY_NS]));
}

/** Monday of the ISO week of a UTC day, in milliseconds. */
function monday(ms: number): number {
  return ms - ((new Date(ms).getUTCDay() + 6) % 7) * DAY_MS;
}

/** date_part by Date. */
function partByDate(ns: bigint, part: (typeof PARTS)[number]): bigint {
  const date = dateOf(ns);
  const midnight = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  const thursday = monday(midnight) + 3 * DAY_MS;
  const isoYear = new Date(thursday).getUTCFullYear();
  const inMinute = floorModulo(ns, 60_000_000_000n);
  switch (part) {
    case "year":
      return BigInt(date.getUTCFullYear());
    case "quarter":
      return BigInt(Math.floor(date.getUTCMonth() / 3) + 1);
    case "month":
      return BigInt(date.getUTCMonth() + 1);
    case "week":
      return BigInt(Math.floor((thursday - Date.UTC(isoYear, 0, 1)) / DAY_MS / 7) + 1);
    case "day":
      return BigInt(date.getUTCDate());
    case "hour":
      return BigInt(date.getUTCHours());
    case "minute":
      return BigInt(date.getUTCMinutes());
    case "second":
      return BigInt(date.getUTCSeconds());
    case "millisecond":
      return inMinute / 1_000_000n;
    case "microsecond":
      return inMinute / 1000n;
    case "nanosecond":
      return inMinute;
    case "dow":
      return BigInt(date.getUTCDay());
    case "doy":
      return BigInt((midnight - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS + 1);
    case "isodow":
      return BigInt(((date.getUTCDay() + 6) % 7) + 1);
    case "isoyear":
      return BigInt(isoYear);
  }
}

/** date_trunc by Date. */
function truncateByDate(ns: bigint, unit: (typeof UNITS)[number]): bigint {
  const date = dateOf(ns);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  const midnight = Date.UTC(year, month, date.getUTCDate());
  const fromMs = (ms: number): bigint => BigInt(ms) * 1_000_000n;
  switch (unit) {
    case "year":
      return fromMs(Date.UTC(year, 0, 1));
    case "quarter":
      return fromMs(Date.UTC(year, month - (month % 3), 1));
    case "month":
      return fromMs(Date.UTC(year, month, 1));
    case "week":
      return fromMs(monday(midnight));
    case "day":
      return fromMs(midnight);
    case "hour":
      return ns - floorModulo(ns, 3_600_000_000_000n);
    case "minute":
      return ns - floorModulo(ns, 60_000_000_000n);
    case "second":
      return ns - floorModulo(ns, 1_000_000_000n);
    case "millisecond":
      return ns - floorModulo(ns, 1_000_000n);
    case "microsecond":
      return ns - floorModulo(ns, 1000n);
    case "nanosecond":
      return ns;
  }
}

/** Months added by Date, with the day clamped to the month's last. */
function addMonthsByDate(ms: number, months: number): number {
  const date = new Date(ms);
  const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months + 1, 0)).getUTCDate();
  return first + (Math.min(date.getUTCDate(), last) - 1) * DAY_MS;
}

describe("timestamps as text", () => {
  it("are written as Date does, with 0, 3, 6 or 9 digits of a second, and read back", () => {
    const random = new Seeded(21);
    const cases = [0n, -1n, LEAST, GREATEST, 1n, 999_999_999n, -1_000_000_000n, 1_672_531_200_123_456_000n, 951_782_400_000_000_000n];
    for (let i = 0; i < 30_000 * FUZZ_SCALE; i++) cases.push(randomTimestamp(random));
    for (const ns of cases) {
      const expected = expectedText(ns);
      const text = written(m.exports.writeTimestamp(m.base, ns));
      if (text !== expected) expect.fail(`${ns}: ${text} instead of ${expected}`);
      const spelling = random.pick([
        text,
        text.replace("T", " "),
        `${text}Z`,
        `${text}+00:00`,
        `${text} -0000`,
        `${text.replace("T", "t")}z`,
      ]);
      if (read(m.exports.readTimestamp, spelling) !== OK || m.exports.value() !== ns) expect.fail(`${spelling}: ${m.exports.value()}`);
    }
  });

  it("take zones, short fractions and dates alone", () => {
    const at = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;
    const cases: readonly (readonly [string, bigint])[] = [
      ["1997-01-31T09:26:56.123Z", at("1997-01-31T09:26:56.123Z")],
      ["1997-01-31T09:26:56.123-05:00", at("1997-01-31T14:26:56.123Z")],
      ["2023-01-01 04:05:06.789 -08", at("2023-01-01T12:05:06.789Z")],
      ["2023-01-01 04:05:06+0530", at("2022-12-31T22:35:06Z")],
      ["1997-01-31 092656", at("1997-01-31T09:26:56Z")],
      ["1997-01-31 092656.5+04:00", at("1997-01-31T05:26:56.500Z")],
      ["1997-01-31", at("1997-01-31T00:00:00Z")],
      ["2020-02-29T23:59:60Z", at("2020-03-01T00:00:00Z")],
      ["2023-01-01T00:00:00.1", at("2023-01-01T00:00:00.100Z")],
      ["2023-01-01T00:00:00.123456789", at("2023-01-01T00:00:00.123Z") + 456_789n],
      ["2023-01-01T00:00:00.12345678999999999999Z", at("2023-01-01T00:00:00.123Z") + 456_789n],
      ["1677-09-21T00:12:43.145224192", LEAST],
      ["2262-04-11T23:47:16.854775807", GREATEST],
      ["2262-04-12T01:47:16.854775807+02:00", GREATEST],
    ];
    for (const [text, ns] of cases) {
      expect(read(m.exports.readTimestamp, text), text).to.equal(OK);
      expect(m.exports.value(), text).to.equal(ns);
    }
  });

  it("are refused when malformed, impossible or out of range", () => {
    const malformed = `|1|2023|2023-01|2023-1-01|2023-01-1|2023/01/01|2023-13-01|2023-00-01|2023-01-00|2023-02-29|1900-02-29|2023-04-31
      |2023-01-01T|2023-01-01T1|2023-01-01T10:00|2023-01-01T10:00:0|2023-01-01T24:00:00|2023-01-01T10:60:00|2023-01-01T10:00:61
      |2023-01-01X10:00:00|2023-01-01T10:00:00.|2023-01-01T10:00:00.Z|2023-01-01T10:00:00ZZ|2023-01-01T10:00:00+|2023-01-01T10:00:00+1
      |2023-01-01T10:00:00+24:00|2023-01-01T10:00:00+10:60|2023-01-01T10:00:00+10-00|2023-01-01T10:00:00 UTC|2023-01-01T10.00.00
      |+2023-01-01T10:00:00|2023-01-01T1:00:000|20230101T100000|2023-01-01T10000|2023-01-01T100:000`;
    for (const text of [...malformed.split(/\n? *\|/), "2023-01-01 ", "2023-01-01T10:00:00 "])
      expect(read(m.exports.readTimestamp, text), text).to.equal(SYNTAX);
    for (const text of [
      "1677-09-21T00:12:43.145224191",
      "2262-04-11T23:47:16.854775808",
      "0001-01-01",
      "9999-12-31T23:59:59.999999999",
      "2262-04-11T23:47:16.854775807-00:01",
      "1677-09-21T00:12:43.145224192+00:01",
      "0000-01-01T00:00:00Z",
    ]) {
      expect(read(m.exports.readTimestamp, text), text).to.equal(RANGE);
    }
  });
});

describe("dates and times as text", () => {
  it("dates are written as Date does and read back, over the whole range of Date", () => {
    const random = new Seeded(22);
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      const days = random.below(2) === 0 ? random.below(200_000_000) - 100_000_000 : random.below(800_000) - 400_000;
      const iso = new Date(days * DAY_MS).toISOString().split("T")[0] as string;
      const expected = iso.replace(/^([+-])0*(\d{4,})-/, "$1$2-");
      const text = written(m.exports.writeDate(m.base, days));
      if (text !== expected) expect.fail(`${days}: ${text} instead of ${expected}`);
      if (read(m.exports.readDate, text) !== OK || m.exports.value() !== BigInt(days)) expect.fail(`${text}: ${m.exports.value()}`);
    }
    for (const days of [2 ** 31 - 1, -(2 ** 31)]) {
      expect(read(m.exports.readDate, written(m.exports.writeDate(m.base, days)))).to.equal(SYNTAX);
    }
  });

  it("dates take short fields, compact digits and timestamps", () => {
    const day = BigInt(Date.UTC(2023, 1, 3) / DAY_MS);
    for (const text of ["2023-02-03", "2023-2-03", "2023-02-3", "2023-2-3", "20230203", "+2023-02-03", "2023-02-03T23:59:59.5"]) {
      expect(read(m.exports.readDate, text), text).to.equal(OK);
      expect(m.exports.value(), text).to.equal(day);
    }
    expect(read(m.exports.readDate, "2023-02-03T23:30:00-01:00")).to.equal(OK);
    expect(m.exports.value()).to.equal(day + 1n);
    for (const text of [
      "",
      "2023",
      "2023-02-30",
      "202-02-03",
      "2023-02-",
      "2023--03",
      "2023-02-031",
      "2023-2-3 ",
      "2023023",
      "-",
      "2023-02-03X",
    ]) {
      expect(read(m.exports.readDate, text), text).to.equal(SYNTAX);
    }
  });

  it("times are written with the fraction they need and read back", () => {
    const random = new Seeded(23);
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      const ns = floorModulo(randomTimestamp(random), DAY_NS);
      const expected = expectedText(ns).slice(11);
      const text = written(m.exports.writeTime(m.base, ns));
      if (text !== expected) expect.fail(`${ns}: ${text} instead of ${expected}`);
      if (read(m.exports.readTime, text) !== OK || m.exports.value() !== ns) expect.fail(`${text}: ${m.exports.value()}`);
    }
  });

  it("times take twelve-hour clocks and missing seconds", () => {
    const minutes = (h: number, min: number): bigint => BigInt(h * 60 + min) * 60_000_000_000n;
    for (const [text, ns] of [
      ["9:26", minutes(9, 26)],
      ["09:26", minutes(9, 26)],
      ["6:00 pm", minutes(18, 0)],
      ["12:00 AM", 0n],
      ["12:30 pM", minutes(12, 30)],
      ["09:26:56.123 AM", minutes(9, 26) + 56_123_000_000n],
      ["23:59:59.9999999999", DAY_NS - 1n],
    ] as const) {
      expect(read(m.exports.readTime, text), text).to.equal(OK);
      expect(m.exports.value(), text).to.equal(ns);
    }
    for (const text of [
      "",
      "9",
      "9:",
      "9:5",
      "24:00",
      "10:60",
      "10:00:60",
      "10:00:",
      "10:00:0",
      "10:00:00.",
      "13:00 PM",
      "0:30 AM",
      "100:00",
      "10:00 XM",
    ]) {
      expect(read(m.exports.readTime, text), text).to.equal(SYNTAX);
    }
  });
});

describe("calendar arithmetic", () => {
  it("converts between days and civil dates as Date does", () => {
    const random = new Seeded(24);
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      const days = i < 2000 ? i - 1000 : random.below(200_000_000) - 100_000_000;
      const date = new Date(days * DAY_MS);
      const packed = date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate();
      if (Math.abs(packed) < 2 ** 31 && m.exports.packedCivil(days) !== packed) expect.fail(`${days}: ${m.exports.packedCivil(days)}`);
      expect(m.exports.daysFromCivil(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())).to.equal(days);
    }
  });

  it("extracts every part, before and after 1970", () => {
    const random = new Seeded(25);
    for (let i = 0; i < 10_000 * FUZZ_SCALE; i++) {
      const ns = randomTimestamp(random);
      for (const [part, name] of PARTS.entries()) {
        const actual = m.exports.partOfTimestamp(ns, part);
        if (actual !== partByDate(ns, name)) expect.fail(`${name} of ${expectedText(ns)}: ${actual} instead of ${partByDate(ns, name)}`);
      }
      if (m.exports.epochOfTimestamp(ns) !== Number(ns) / 1e9) expect.fail(`epoch of ${ns}`);
    }
    const day = Date.UTC(2021, 0, 3) / DAY_MS;
    expect([3, 14, 11, 13, 5].map((part) => m.exports.partOfDate(day, part))).to.deep.equal([53n, 2020n, 0n, 7n, 0n]);
  });

  it("truncates to every unit, downwards, and says when the result is out of range", () => {
    const random = new Seeded(26);
    for (let i = 0; i < 10_000 * FUZZ_SCALE; i++) {
      const ns = randomTimestamp(random);
      for (const [unit, name] of UNITS.entries()) {
        const expected = truncateByDate(ns, name);
        const actual = m.exports.truncateTimestamp(ns, unit);
        const fits = expected >= LEAST;
        if ((m.exports.status() === OK) !== fits || (fits && actual !== expected)) expect.fail(`${name} of ${expectedText(ns)}: ${actual}`);
        if (unit > 4) continue;
        const days = m.exports.truncateDate(m.exports.dateOfTimestamp(ns), unit);
        if (BigInt(days) * DAY_NS !== expected) expect.fail(`${name} of the day of ${expectedText(ns)}: ${days}`);
      }
    }
    for (const [unit] of UNITS.slice(0, 10).entries()) {
      m.exports.truncateTimestamp(LEAST, unit);
      expect(m.exports.status(), UNITS[unit]).to.equal(RANGE);
    }
  });

  it("puts timestamps into bins from any origin", () => {
    const random = new Seeded(27);
    for (let i = 0; i < 10_000 * FUZZ_SCALE; i++) {
      const [ns, origin] = [randomTimestamp(random), randomTimestamp(random)];
      const stride = (random.u64OfAnyLength() >> 2n) + 1n;
      const expected = ns - floorModulo(ns - origin, stride);
      const actual = m.exports.binTimestamp(stride, ns, origin);
      if ((m.exports.status() === OK) !== expected >= LEAST) expect.fail(`${stride} ${ns} ${origin}: status`);
      if (expected >= LEAST && actual !== expected) expect.fail(`${stride} ${ns} ${origin}: ${actual}`);
    }
  });

  it("adds months with the day clamped, days and nanoseconds, and detects overflow", () => {
    const random = new Seeded(28);
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      const ns = randomTimestamp(random);
      const months = random.below(3) === 0 ? random.below(4000) - 2000 : random.below(30) - 15;
      const days = random.pick([0, 0, random.below(100) - 50, random.below(200_000) - 100_000, random.nextU32() | 0]);
      const nanos = random.pick([0n, 1n, BigInt.asIntN(64, random.nextU64() >> BigInt(random.below(60)))]);
      const day = floorDivide(ns, DAY_NS);
      const moved = BigInt(addMonthsByDate(Number(day) * DAY_MS, months)) * 1_000_000n + floorModulo(ns, DAY_NS);
      const steps = [moved, moved + BigInt(days) * DAY_NS, moved + BigInt(days) * DAY_NS + nanos];
      const fits = steps.every((step) => step >= LEAST && step <= GREATEST);
      const sum = m.exports.addInterval(ns, months, days, nanos);
      const status = m.exports.status();
      if ((status === OK) !== fits || (fits && sum !== steps[2]))
        expect.fail(`${expectedText(ns)} + ${months} ${days} ${nanos}: ${sum} ${status}`);
      const back = m.exports.subtractInterval(ns, -months, -days, -nanos);
      if (fits && nanos !== LEAST && days !== -(2 ** 31)) expect(back).to.equal(sum);
    }
    expect(m.exports.addMonthsToDate(Date.UTC(2024, 0, 31) / DAY_MS, 1)).to.equal(Date.UTC(2024, 1, 29) / DAY_MS);
    expect(m.exports.addMonthsToDate(Date.UTC(2024, 2, 31) / DAY_MS, -13)).to.equal(Date.UTC(2023, 1, 28) / DAY_MS);
    m.exports.addMonthsToDate(0, 2 ** 31 - 1);
    expect(m.exports.status()).to.equal(RANGE);
    m.exports.subtractInterval(0n, 0, 0, LEAST);
    expect(m.exports.status()).to.equal(RANGE);
  });

  it("splits timestamps into date and time and puts them together", () => {
    const random = new Seeded(29);
    for (let i = 0; i < 10_000 * FUZZ_SCALE; i++) {
      const ns = randomTimestamp(random);
      expect(m.exports.dateOfTimestamp(ns)).to.equal(Number(floorDivide(ns, DAY_NS)));
      expect(m.exports.timeOfTimestamp(ns)).to.equal(floorModulo(ns, DAY_NS));
      expect(m.exports.timestampOf(floorDivide(ns, DAY_NS), floorModulo(ns, DAY_NS))).to.equal(ns);
    }
    for (const days of [106752n, -106753n, 2n ** 31n, -(2n ** 31n), 2n ** 62n]) {
      m.exports.timestampOf(days, 0n);
      expect(m.exports.status(), `${days}`).to.equal(RANGE);
    }
  });
});
