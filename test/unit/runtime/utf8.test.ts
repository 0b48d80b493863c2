/**
 * UTF-8 against JavaScript's fatal TextDecoder and its strings' own code points.
 */
import { expect } from "chai";
import { FUZZ_SCALE, type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";
import { Seeded } from "../../support/seeded.ts";

const ENTRY = `
import {
  isAscii, isValidUtf8, countCodePoints, advanceCodePoints, retreatCodePoints, decodeCodePoint, encodeCodePoint, sequenceLength,
} from "./src/runtime/utf8.ts";
export {
  isAscii, isValidUtf8, countCodePoints, advanceCodePoints, retreatCodePoints, decodeCodePoint, encodeCodePoint, sequenceLength,
};
`;

interface Exports {
  readonly isAscii: (at: number, length: number) => number;
  readonly isValidUtf8: (at: number, length: number) => number;
  readonly countCodePoints: (at: number, length: number) => number;
  readonly advanceCodePoints: (at: number, end: number, n: bigint) => number;
  readonly retreatCodePoints: (start: number, at: number, n: bigint) => number;
  readonly decodeCodePoint: (at: number) => number;
  readonly encodeCodePoint: (at: number, codePoint: number) => number;
  readonly sequenceLength: (at: number) => number;
}

/** Fifteen well-formed sequences at the edges of the lengths, then broken ones. */
const PIECES = `
  41 61 c3a9 ceb1 e282ac e4b8ad f09f9880 f48fbfbf ed9fbf ee8080 efbfbf f0908080 dfbf c280 e0a080 80 bf c3 e282
  e2 f09f98 f09f f0 c080 c1bf e08080 e09fbf eda080 edbfbf f0808080 f08fbfbf f4908080 f5808080 ff fe c328 e228a1
  e28228 f0288cbc f8a1a1a1a1 00 7f
`
  .trim()
  .split(/\s+/)
  .map((hex) => Buffer.from(hex, "hex"));

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

let m: RuntimeModule<Exports>;

before(async () => {
  m = await runtimeModule<Exports>(ENTRY);
});

function decodes(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Compares the validator with the decoder; what follows the text must not matter. */
function expectValidity(bytes: Uint8Array, follower: number): void {
  m.bytes.set(bytes, m.base);
  m.bytes.fill(follower, m.base + bytes.length, m.base + bytes.length + 64);
  const valid = m.exports.isValidUtf8(m.base, bytes.length) === 1;
  if (valid !== decodes(bytes)) expect.fail(`${Buffer.from(bytes).toString("hex")}: ${valid}`);
}

function randomText(random: Seeded, length: number): string {
  let text = "";
  const planes = [0x7f, 0x7f, 0x7ff, 0xd7ff, 0x10ffff];
  while (text.length < length) {
    const codePoint = random.below(random.pick(planes) + 1);
    if (codePoint < 0xd800 || codePoint > 0xdfff) text += String.fromCodePoint(codePoint);
  }
  return text;
}

describe("UTF-8 validation", () => {
  it("agrees with TextDecoder on every sequence of up to three bytes from the edges, at every offset of a block", () => {
    const edges = Buffer.from("007f808f909fa0bfc0c1c2dfe0e1ecedeeeff0f3f4f5ff", "hex");
    for (const a of edges) {
      for (const b of edges) {
        for (const c of edges) {
          const offset = (a + b + c) % 33;
          const bytes = new Uint8Array(offset + 3).fill(0x61);
          bytes.set([a, b, c], offset);
          expectValidity(bytes, 0x80);
        }
      }
    }
  });

  it("agrees with TextDecoder on every lead byte with every possible second byte and edge third and fourth bytes", () => {
    for (let lead = 0xc0; lead <= 0xff; lead++) {
      for (let second = 0; second < 256; second += second > 0x7c && second < 0xc2 ? 1 : 5) {
        for (const tail of [[], [0x80], [0xbf, 0x80], [0x80, 0xbf], [0xbf, 0x41], [0x41, 0x80]]) {
          expectValidity(Uint8Array.from([0x41, lead, second, ...tail]), 0xbf);
        }
      }
    }
  });

  it("agrees with TextDecoder on random mixtures of right and wrong pieces", () => {
    const random = new Seeded(11);
    let valid = 0;
    for (let i = 0; i < 30_000 * FUZZ_SCALE; i++) {
      const good = random.below(3) === 0;
      const parts: Uint8Array[] = [];
      for (let n = random.below(24); n > 0; n--) parts.push(random.pick(good || n > 2 ? PIECES.slice(0, 15) : PIECES));
      const bytes = Buffer.concat(parts);
      if (decodes(bytes)) valid++;
      expectValidity(bytes, random.pick([0x00, 0x80, 0xc3, 0xff, 0x41]));
    }
    expect(valid).to.be.within(3000 * FUZZ_SCALE, 27_000 * FUZZ_SCALE);
  });

  it("agrees with TextDecoder when one byte of a valid text is changed", () => {
    const random = new Seeded(12);
    for (let i = 0; i < 20_000 * FUZZ_SCALE; i++) {
      const bytes = new TextEncoder().encode(randomText(random, 1 + random.below(40)));
      expectValidity(bytes, 0x80);
      bytes[random.below(bytes.length)] = random.below(256);
      expectValidity(bytes, 0x80);
    }
  });

  it("knows ASCII at every length", () => {
    for (let length = 0; length < 70; length++) {
      m.bytes.fill(0x80, m.base, m.base + 160);
      m.bytes.fill(0x41, m.base + 3, m.base + 3 + length);
      expect(m.exports.isAscii(m.base + 3, length)).to.equal(1);
      expect(m.exports.isAscii(m.base + 3, length + 1)).to.equal(0);
    }
  });
});

describe("UTF-8 code points", () => {
  it("are counted and stepped over as JavaScript's iterator does", () => {
    const random = new Seeded(13);
    for (let i = 0; i < 5000 * FUZZ_SCALE; i++) {
      const points = Array.from(randomText(random, random.below(80)));
      const length = m.writeText(m.base, points.join(""), 0x80);
      const end = m.base + length;
      expect(m.exports.countCodePoints(m.base, length)).to.equal(points.length);
      const n = random.below(points.length + 3);
      const bytes = Buffer.byteLength(points.slice(0, n).join(""));
      expect(m.exports.advanceCodePoints(m.base, end, BigInt(n))).to.equal(m.base + bytes);
      const back = Buffer.byteLength(points.slice(0, Math.max(points.length - n, 0)).join(""));
      expect(m.exports.retreatCodePoints(m.base, end, BigInt(n))).to.equal(m.base + back);
    }
    m.writeText(m.base, "abc");
    expect(m.exports.advanceCodePoints(m.base, m.base + 3, 2n ** 63n - 1n)).to.equal(m.base + 3);
  });

  it("are decoded and encoded over the whole range", () => {
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint += codePoint < 0x3000 ? 1 : 97) {
      if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
      const end = m.exports.encodeCodePoint(m.base, codePoint);
      if (m.readText(m.base, end) !== String.fromCodePoint(codePoint)) expect.fail(`U+${codePoint.toString(16)}`);
      expect(m.exports.decodeCodePoint(m.base)).to.equal(codePoint);
      expect(m.exports.sequenceLength(m.base)).to.equal(end - m.base);
    }
  });
});
