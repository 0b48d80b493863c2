/** Timestamps of JSON: the way for the day read last against the reader for any text, in sequences that mix days and spellings. */
import { expect } from "chai";
import { FUZZ_SCALE, type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";
import { Seeded } from "../../support/seeded.ts";

const ENTRY = `
import { readTimestampString, valueI64 } from "./src/runtime/json-value.ts";
import { clearFault, scanFault } from "./src/runtime/json-scan.ts";
import { readTimestamp, timeValue } from "./src/runtime/time-text.ts";
export { readTimestampString, readTimestamp, clearFault };
export function value(): i64 { return valueI64; }
export function fault(): i32 { return scanFault; }
export function expected(): i64 { return timeValue; }
`;

interface Exports {
  readonly readTimestampString: (at: number) => number;
  readonly readTimestamp: (at: number, length: number) => number;
  readonly clearFault: () => void;
  readonly value: () => bigint;
  readonly fault: () => number;
  readonly expected: () => bigint;
}

let m: RuntimeModule<Exports>;

before(async () => {
  m = await runtimeModule<Exports>(ENTRY);
});

/** Reads `text` in quotes as JSON and bare as a timestamp: both must say the same. */
function expectSame(text: string): void {
  const quoted = m.writeText(m.base, `"${text}",`);
  m.exports.clearFault();
  const end = m.exports.readTimestampString(m.base);
  const [fault, value] = [m.exports.fault(), m.exports.value()];
  m.writeText(m.base, text);
  const status = m.exports.readTimestamp(m.base, text.length);
  if ((fault === 0) !== (status === 0)) expect.fail(`${text}: fault ${fault}, status ${status}`);
  if (fault !== 0) return;
  if (value !== m.exports.expected() || end !== m.base + quoted - 1) expect.fail(`${text}: ${value} instead of ${m.exports.expected()}`);
}

describe("JSON timestamps", () => {
  it("of the day read last are those of the reader for any text", () => {
    const random = new Seeded(0x15_07_15);
    const days = ["2015-07-15", "2015-07-16", "1969-12-31", "2262-04-11", "1677-09-21", "2024-02-29"];
    let seen = 0;
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      const two = (limit: number): string => String(random.below(limit)).padStart(2, "0");
      const day = random.below(4) === 0 ? (days[random.below(days.length)] ?? "") : "2015-07-15";
      const millis = String(random.below(1000)).padStart(3, "0");
      const text = [...`${day}T${two(25)}:${two(61)}:${two(62)}.${millis}Z`];
      // One character in six texts is another one.
      if (random.below(6) === 0) text[random.below(text.length)] = "0:.-TtZz+ 9/a"[random.below(13)] ?? "";
      expectSame(text.join(""));
      seen++;
    }
    expect(seen).to.equal(20_000 * FUZZ_SCALE);
  });

  it("are judged by their own text after a day that is remembered", () => {
    for (const text of [
      "2015-07-15T01:02:03.004Z",
      "2015-07-15T23:59:60.999Z",
      "2015-07-15T24:00:00.000Z",
      "2015-07-15T01:02:03.04",
      "2015-07-15",
    ])
      expectSame(text);
    expectSame("2015-07-15T01:02:03.004Z");
    expectSame("2015-07-16T00:00:00.000Z");
  });
});
