/** Values as the UI writes them. */
import { expect } from "chai";
import { formatAgo, formatBytes, formatCount, formatDuration, formatShort, plural } from "../../../ui/src/format.ts";

const SECOND = 1_000_000;

describe("values in the UI", () => {
  it("durations have the unit that fits, never sixty of it", () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, "0 µs"],
      [840, "840 µs"],
      [1000, "1 ms"],
      [12_400, "12 ms"],
      [3.4 * SECOND, "3.4 s"],
      [59.9 * SECOND, "1 min 0 s"],
      [999_700, "1 s"],
      [3599.8 * SECOND, "1 h 0 min"],
      [125 * SECOND, "2 min 5 s"],
      [3600 * SECOND, "1 h 0 min"],
      [90_000 * SECOND, "1 d 1 h"],
      [-2 * SECOND, "−2 s"],
    ];
    for (const [micros, text] of cases) expect(formatDuration(micros)).to.equal(text);
    expect(formatDuration(null)).to.equal("–");
    expect(formatDuration(Number.NaN)).to.equal("–");
  });

  it("bytes, counts and rates are short", () => {
    expect([0, 1023, 1024, 1536, 5_000_000, 3e12].map((bytes) => formatBytes(bytes))).to.deep.equal([
      "0 B",
      "1023 B",
      "1 KiB",
      "1.5 KiB",
      "4.8 MiB",
      "2.7 TiB",
    ]);
    expect([0, 0.42, 7.25, 980, 12_400, 3.2e6, 4e9].map(formatShort)).to.deep.equal(["0", "0.4", "7.3", "980", "12k", "3.2M", "4G"]);
    expect(formatCount(1_234_567)).to.equal("1,234,567");
    expect([plural(1, "task"), plural(3, "task")]).to.deep.equal(["1 task", "3 tasks"]);
  });

  it("ages are in one unit", () => {
    const nowMs = 1_800_000_000_000;
    const ages = [0.2, 12, 185, 7300, 200_000].map((seconds) => formatAgo(nowMs * 1000 - seconds * SECOND, nowMs));
    expect(ages).to.deep.equal(["now", "12 s ago", "3 min ago", "2 h ago", "2 d ago"]);
  });
});
