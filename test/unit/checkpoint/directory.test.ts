/** Segment directories: a checkpoint's directory is exactly its live segments in their newest versions. */
import { expect } from "chai";
import { referencedFiles, SegmentDirectory } from "../../../src/checkpoint/directory.ts";
import { type SegmentRef, segmentOfFrame } from "../../../src/checkpoint/segment.ts";
import { FRAME_HEADER, FRAME_KINDS, makeControlFrame } from "../../../src/data/frame.ts";
import { refusal } from "../../support/rejection.ts";

function ref(table: number, partition: bigint, segment: number, file = "a"): SegmentRef {
  return { table, partition, segment, rows: 1, file, offset: 0, length: 10, checksum: 0 };
}

describe("segment directory", () => {
  it("takes the written version of what was written and keeps the rest", () => {
    const first = new SegmentDirectory([ref(0, 1n, 0), ref(0, 1n, 1), ref(1, -1n, 0)]);
    const second = first.advance([ref(0, 1n, 1, "b"), ref(0, 2n, 0, "b")], [ref(0, 1n, 0), ref(0, 1n, 1), ref(0, 2n, 0)]);
    expect(second.refs()).to.deep.equal([ref(0, 1n, 0), ref(0, 1n, 1, "b"), ref(0, 2n, 0, "b")]);
    expect(second.size).to.equal(3);
    expect(first.size).to.equal(3);
    expect(second.get({ table: 1, partition: -1n, segment: 0 })).to.equal(undefined);
  });

  it("refuses to lose a live segment or to keep a dead one", async () => {
    const directory = new SegmentDirectory([ref(0, 1n, 0)]);
    await refusal(() => directory.advance([], [ref(0, 1n, 1)]), "invariant", "table 0, partition 1, segment 1");
    await refusal(() => directory.advance([ref(0, 1n, 1)], [ref(0, 1n, 0)]), "invariant", "1 written segments are not live");
    await refusal(() => new SegmentDirectory([ref(0, 1n, 0), ref(0, 1n, 0)]), "invariant", "appears twice");
  });

  it("names each needed file once, in order", async () => {
    const files = ["c", "a", "b"].map((path) => ({ path, size: 1, recordBytes: 1, checksum: 0 }));
    expect(referencedFiles([ref(0, 0n, 0, "b"), ref(0, 0n, 1, "a"), ref(0, 0n, 2, "b")], files).map((f) => f.path)).to.deep.equal([
      "a",
      "b",
    ]);
    await refusal(() => referencedFiles([ref(0, 0n, 0, "x")], files), "invariant", '"x"');
  });
});

describe("segmentOfFrame", () => {
  it("reads key and rows from a state frame's header", () => {
    const frame = makeControlFrame({ kind: "barrier", edge: 4, source: 7, target: 0, fence: 1n, argument: -9n });
    const view = new DataView(frame.buffer);
    view.setUint8(FRAME_HEADER.kind, FRAME_KINDS.indexOf("state"));
    view.setUint32(FRAME_HEADER.rows, 55, true);
    view.setUint32(FRAME_HEADER.segment, 3, true);
    expect(segmentOfFrame(frame)).to.deep.equal({ table: 7, partition: -9n, segment: 3, rows: 55 });
  });

  it("refuses other frames", async () => {
    await refusal(
      () => segmentOfFrame(makeControlFrame({ kind: "end", edge: 0, source: 0, target: 0, fence: 0n })),
      "invariant",
      "end frame",
    );
    await refusal(() => segmentOfFrame(new Uint8Array(128)), "version-mismatch");
  });
});
