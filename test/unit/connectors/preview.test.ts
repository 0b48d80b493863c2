/** Rows for whoever watches: preview sinks and taps on other sinks. */
import { expect } from "chai";
import type { PreviewBatch, Sink } from "../../../src/connectors/connector.ts";
import { splitRows } from "../../../src/connectors/preview/rows.ts";
import { PreviewSink } from "../../../src/connectors/preview/sink.ts";
import { TappedSink } from "../../../src/connectors/preview/tapped-sink.ts";
import { ManualClock } from "../../../src/core/clock.ts";

const lines = (from: number, count: number): Uint8Array => Buffer.from(Array.from({ length: count }, (_, i) => `${from + i}\n`).join(""));
const shown = (batches: readonly PreviewBatch[]): string[] => batches.flatMap(({ rows }) => rows);

describe("preview sink", () => {
  let clock: ManualClock;
  let batches: PreviewBatch[];
  beforeEach(() => {
    clock = new ManualClock();
    batches = [];
  });
  const make = (rows: number, rowsPerSecond: number, waits: boolean): PreviewSink =>
    new PreviewSink({ rows, rowsPerSecond, waits, send: (batch) => batches.push(batch) }, clock);

  it("shows a small result whole, no faster than it may", async () => {
    const sink = make(100, 10, true);
    await sink.open(undefined);
    const written = sink.write(lines(0, 25), 25);
    await clock.advance(0);
    expect(shown(batches)).to.have.length(10);
    await clock.advance(1_000);
    expect(shown(batches)).to.have.length(20);
    await clock.advance(1_000);
    await written;
    expect(shown(batches)).to.deep.equal(Array.from({ length: 25 }, (_, i) => String(i)));
    expect(batches.map(({ firstRow }) => firstRow)).to.deep.equal([0, 10, 20]);
  });

  it("leaves rows out behind the limit, and tells how many at the next checkpoint", async () => {
    const sink = make(3, 1_000, true);
    await sink.write(lines(0, 2), 2);
    await sink.write(lines(2, 5), 5);
    await sink.write(lines(7, 5), 5);
    expect(shown(batches)).to.deep.equal(["0", "1", "2"]);
    expect(await sink.stage()).to.deep.equal({ rows: 12 });
    expect(batches.at(-1)).to.deep.equal({ firstRow: 12, rows: [], dropped: 9 });
    const before = batches.length;
    await sink.stage();
    expect(batches).to.have.length(before);
  });

  it("does not hold a running pipeline back: rows that come too fast are left out, and keep their numbers", async () => {
    const sink = make(0xffff_ffff, 4, false);
    await sink.write(lines(0, 10), 10);
    await sink.write(lines(10, 10), 10);
    await clock.advance(1_000);
    await sink.write(lines(20, 2), 2);
    expect(batches).to.deep.equal([
      { firstRow: 0, rows: ["0", "1", "2", "3"], dropped: 0 },
      { firstRow: 20, rows: ["20", "21"], dropped: 16 },
    ]);
  });

  it("goes on with a row's number where it was", async () => {
    const sink = make(100, 10, true);
    await sink.open([{ rows: 7 }]);
    await sink.write(lines(7, 1), 1);
    expect(batches).to.deep.equal([{ firstRow: 7, rows: ["7"], dropped: 0 }]);
  });

  it("does not wait any more once it is closed", async () => {
    const sink = make(100, 1, true);
    const written = sink.write(lines(0, 3), 3);
    await clock.advance(0);
    await sink.close();
    await clock.advance(1_000);
    await written;
    expect(shown(batches).length).to.be.at.least(1);
  });

  it("splits bytes into rows and says of a row that it is too long", () => {
    expect(splitRows(Buffer.from('{"a":1}\n{"a":2}\n'))).to.deep.equal(['{"a":1}', '{"a":2}']);
    expect(splitRows(Buffer.from("a\nb"))).to.deep.equal(["a", "b"]);
    expect(splitRows(Buffer.from("a\nb\nc\n"), 2)).to.deep.equal(["a", "b"]);
    expect(splitRows(new Uint8Array())).to.deep.equal([]);
    expect(JSON.parse(splitRows(Buffer.alloc(100_000, "x"))[0] ?? "")).to.deep.equal({
      "…": "a row of 100000 bytes is too long to be shown",
    });
  });
});

describe("tapped sink", () => {
  const calls: string[] = [];
  const inner: Sink = {
    open: async () => void calls.push("open"),
    write: async (bytes) => void calls.push(`write ${bytes.length}`),
    stage: async (epoch) => ({ epoch }),
    commit: async (epoch) => void calls.push(`commit ${epoch}`),
    close: async (finished) => void calls.push(`close ${finished}`),
  };

  it("passes everything on, whether somebody looks or not", async () => {
    const sink = new TappedSink(inner, () => undefined, new ManualClock());
    await sink.open(undefined);
    await sink.write(lines(0, 2), 2);
    sink.tap(10);
    await sink.write(lines(2, 2), 2);
    expect(await sink.stage(3)).to.deep.equal({ epoch: 3 });
    await sink.commit(3, {});
    await sink.close(true);
    expect(calls).to.deep.equal(["open", "write 4", "write 4", "commit 3", "close true"]);
  });

  it("shows a sample while somebody looks, with the rows' numbers", async () => {
    const clock = new ManualClock();
    const batches: PreviewBatch[] = [];
    const sink = new TappedSink(inner, (batch) => batches.push(batch), clock);
    await sink.write(lines(0, 5), 5);
    sink.tap(2);
    await sink.write(lines(5, 5), 5);
    await sink.write(lines(10, 5), 5);
    await clock.advance(1_000);
    await sink.write(lines(15, 1), 1);
    sink.tap(0);
    await clock.advance(1_000);
    await sink.write(lines(16, 5), 5);
    expect(batches).to.deep.equal([
      { firstRow: 5, rows: ["5", "6"], dropped: 0 },
      { firstRow: 15, rows: ["15"], dropped: 8 },
    ]);
  });
});
