/** The ring of bytes between two slots. */
import { expect } from "chai";
import fc from "fast-check";
import { Prng } from "../../../src/core/prng.ts";
import { FRAME_HEADER, makeControlFrame } from "../../../src/data/frame.ts";
import { type InFrame, InLink } from "../../../src/dataflow/exchange/inbox.ts";
import { Outbox } from "../../../src/dataflow/exchange/outbox.ts";
import { makeRing, RingReader, RingWriter } from "../../../src/dataflow/exchange/ring.ts";

describe("ring", () => {
  it("gives back exactly the bytes written, in any pieces, over many wraps", () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(128, 256, 1024), (seed, capacity) => {
        const prng = new Prng(seed);
        const ring = makeRing(capacity, 1);
        const writer = new RingWriter(ring);
        const reader = new RingReader(ring);
        const sent = new Uint8Array(64 * 200);
        for (let i = 0; i < sent.length; i++) sent[i] = prng.below(256);
        const received = new Uint8Array(sent.length);
        let written = 0;
        let read = 0;
        while (read < sent.length) {
          if (prng.chance(1, 2)) written += writer.write(sent, written, Math.min(sent.length, written + 64 * prng.between(1, 30)));
          else read += reader.read(received, read, Math.min(sent.length - read, 64 * prng.between(1, 30)));
          expect(writer.free()).to.equal(capacity - (written - read));
        }
        expect(Buffer.compare(sent, received)).to.equal(0);
      }),
      { numRuns: 50 },
    );
  });

  it("tells the reader once that the writer waits", () => {
    const ring = makeRing(128, 1);
    const reader = new RingReader(ring);
    expect(reader.takeStalled()).to.equal(false);
    new RingWriter(ring).stall();
    expect([reader.takeStalled(), reader.takeStalled()]).to.deep.equal([true, false]);
  });

  it("refuses a capacity that is no power of two", () => {
    expect(() => makeRing(1000, 1)).to.throw("no power of two");
  });

  it("counts positions beyond 2^32 bytes", () => {
    const ring = makeRing(128, 1);
    const control = new Int32Array(ring.shared);
    control[0] = 0x7fffffff;
    control[16] = 0x7fffffff;
    const writer = new RingWriter(ring);
    const reader = new RingReader(ring);
    const bytes = new Uint8Array(64).fill(7);
    for (let i = 0; i < 10; i++) {
      expect(writer.write(bytes, 0, 64)).to.equal(64);
      expect(reader.available()).to.equal(64);
      const out = new Uint8Array(64);
      reader.read(out, 0, 64);
      expect(out[63]).to.equal(7);
    }
  });
});

/** A frame of `length` bytes for channel (edge, source), filled with `mark`. */
function dataFrame(length: number, edge: number, source: number, mark: number): Uint8Array {
  const frame = new Uint8Array(length).fill(mark);
  frame.set(makeControlFrame({ kind: "end", edge, source, target: 0, fence: 5n }));
  const view = new DataView(frame.buffer);
  view.setUint8(FRAME_HEADER.kind, 0);
  view.setUint32(FRAME_HEADER.length, length, true);
  return frame;
}

describe("outbox and inbox", () => {
  /** A link over a ring of `capacity` bytes and a window of `window` bytes, with frames in one memory. */
  function link(capacity: number, window: number) {
    const memory = new Uint8Array(1 << 20);
    const released: number[] = [];
    const waiting = new Map<number, number>();
    const ring = makeRing(capacity, 4);
    const owner = {
      memory,
      release: (pointer: number) => void released.push(pointer),
      waiting: (edge: number, bytes: number) => void waiting.set(edge, (waiting.get(edge) ?? 0) + bytes),
    };
    const outbox = new Outbox(new RingWriter(ring), owner, window);
    const inLink = new InLink(new RingReader(ring), (edge) => edge, 5n);
    let top = 512 << 10;
    const frames: { edge: number; frame: InFrame }[] = [];
    const poll = () =>
      inLink.poll(
        memory,
        (length) => {
          top += length;
          return top - length;
        },
        (edge, _source, frame) => frames.push({ edge, frame }),
      );
    return { memory, released, waiting, outbox, inLink, frames, poll };
  }

  it("carries frames larger than the ring, and releases them when they are copied", () => {
    const { memory, outbox, frames, poll, released, waiting } = link(256, 1 << 20);
    memory.set(dataFrame(6400, 1, 0, 0xab), 4096);
    outbox.enqueue(1, 1, 4096, 6400);
    for (let i = 0; i < 100 && frames.length === 0; i++) {
      outbox.flush();
      poll();
    }
    const { frame } = frames[0] as (typeof frames)[number];
    expect(Buffer.compare(memory.subarray(frame.pointer, frame.pointer + 6400), memory.subarray(4096, 4096 + 6400))).to.equal(0);
    expect(released).to.deep.equal([4096]);
    expect(waiting.get(1)).to.equal(0);
  });

  it("stops a channel at the end of its credit, lets the others pass, and goes on when credit comes back", () => {
    const { memory, outbox, frames, poll, inLink } = link(1 << 16, 256);
    for (let i = 0; i < 4; i++) {
      memory.set(dataFrame(256, 1, 0, i), 4096 * (i + 1));
      outbox.enqueue(1, 1, 4096 * (i + 1), 256);
    }
    memory.set(dataFrame(256, 2, 0, 9), 4096 * 9);
    outbox.enqueue(2, 2, 4096 * 9, 256);
    outbox.flush();
    poll();
    expect(frames.map((f) => f.edge)).to.deep.equal([1, 2]);
    inLink.processed({ edge: 1, source: 0, target: 0, input: 0, queue: [], link: inLink }, (frames[0] as (typeof frames)[number]).frame);
    outbox.flush();
    poll();
    expect(frames.map((f) => f.edge)).to.deep.equal([1, 2, 1]);
  });

  it("keeps a channel's control frames behind its rows", () => {
    const { memory, outbox, frames, poll, inLink } = link(1 << 16, 128);
    for (let i = 0; i < 2; i++) {
      memory.set(dataFrame(128, 1, 0, i), 4096 * (i + 1));
      outbox.enqueue(1, 1, 4096 * (i + 1), 128);
    }
    outbox.enqueueControl(1, 1, makeControlFrame({ kind: "barrier", edge: 1, source: 0, target: 0, fence: 5n, argument: 3n }));
    outbox.flush();
    poll();
    expect(frames.map((f) => f.frame.kind)).to.deep.equal(["data"]);
    inLink.processed({ edge: 1, source: 0, target: 0, input: 0, queue: [], link: inLink }, (frames[0] as (typeof frames)[number]).frame);
    outbox.flush();
    poll();
    expect(frames.map((f) => f.frame.kind)).to.deep.equal(["data", "data", "barrier"]);
    expect(frames[2]?.frame.argument).to.equal(3n);
  });

  it("refuses a frame of another fence in words", () => {
    const { outbox, poll } = link(1 << 16, 128);
    outbox.enqueueControl(1, 1, makeControlFrame({ kind: "end", edge: 1, source: 0, target: 0, fence: 6n }));
    outbox.flush();
    expect(poll).to.throw("run fence 6, this run has 5");
  });
});
