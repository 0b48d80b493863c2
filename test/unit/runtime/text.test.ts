/**
 * Text functions against JavaScript's strings, read as code points. Every text stands between bytes that must not matter.
 */
import { expect } from "chai";
import { FUZZ_SCALE, type RuntimeModule, runtimeModule } from "../../support/runtime-module.ts";
import { Seeded } from "../../support/seeded.ts";

const ENTRY = `
import * as text from "./src/runtime/text.ts";
import {
  bytesEqual, compareBytes, startsWith, endsWith, containsText, positionOf, firstCodePoint, substringFrom, substring, leftPart,
  rightPart, trimStart, trimEnd, trimBoth, trimSpaces, trimSpacesStart, trimSpacesEnd, splitPart,
} from "./src/runtime/text.ts";
import {
  appendBytes, replaceText, replacedLength, repeatText, padStart, padEnd, reverseText, translateText,
} from "./src/runtime/text-build.ts";
import { lowerText, upperText, initcapText, foldCodePoint } from "./src/runtime/text-case.ts";
import { likeText, ilikeText } from "./src/runtime/text-like.ts";
export { bytesEqual, compareBytes, startsWith, endsWith, containsText, positionOf, firstCodePoint, substringFrom, substring };
export { leftPart, rightPart, trimStart, trimEnd, trimBoth, trimSpaces, trimSpacesStart, trimSpacesEnd, splitPart };
export { appendBytes, replaceText, replacedLength, repeatText, padStart, padEnd, reverseText, translateText };
export { lowerText, upperText, initcapText, foldCodePoint, likeText, ilikeText };
export function partLength(): usize { return text.partLength; }
`;

type OnOne = (p: number, length: number) => number;
type OnTwo = (p: number, length: number, q: number, qLength: number) => number;
type OnPart = (p: number, length: number, n: bigint) => number;
type Build = (dst: number, p: number, length: number) => number;
type Pad = (dst: number, p: number, length: number, n: bigint, fill: number, fillLength: number) => number;
type BuildOfThree = (dst: number, p: number, length: number, from: number, fromLength: number, to: number, toLength: number) => number;

interface Exports {
  readonly bytesEqual: (a: number, b: number, length: number) => number;
  readonly compareBytes: OnTwo;
  readonly startsWith: OnTwo;
  readonly endsWith: OnTwo;
  readonly containsText: OnTwo;
  readonly positionOf: (p: number, length: number, needle: number, needleLength: number) => bigint;
  readonly firstCodePoint: OnOne;
  readonly substringFrom: OnPart;
  readonly substring: (p: number, length: number, start: bigint, count: bigint) => number;
  readonly leftPart: OnPart;
  readonly rightPart: OnPart;
  readonly trimStart: OnTwo;
  readonly trimEnd: OnTwo;
  readonly trimBoth: OnTwo;
  readonly trimSpaces: OnOne;
  readonly trimSpacesStart: OnOne;
  readonly trimSpacesEnd: OnOne;
  readonly splitPart: (p: number, length: number, delimiter: number, delimiterLength: number, n: bigint) => number;
  readonly appendBytes: Build;
  readonly replaceText: BuildOfThree;
  readonly replacedLength: (p: number, length: number, from: number, fromLength: number, toLength: number) => number;
  readonly repeatText: (dst: number, p: number, length: number, n: bigint) => number;
  readonly padStart: Pad;
  readonly padEnd: Pad;
  readonly reverseText: Build;
  readonly translateText: BuildOfThree;
  readonly lowerText: Build;
  readonly upperText: Build;
  readonly initcapText: Build;
  readonly foldCodePoint: (codePoint: number) => number;
  readonly likeText: (p: number, length: number, pattern: number, patternLength: number, escapedBy: number) => number;
  readonly ilikeText: (p: number, length: number, pattern: number, patternLength: number, escapedBy: number) => number;
  readonly partLength: () => number;
}

/** Slots for arguments, far enough apart for the longest test text, and for a result. */
const SLOT = 4096;
const RESULT = 4 * SLOT;
const BACKSLASH = 0x5c;
/** The tables hold Unicode 17; a Node with another version is compared where letters no longer change. */
const LAST_STABLE = process.versions["unicode"] === "17.0" ? 0x1ffff : 0x52f;

let m: RuntimeModule<Exports>;

before(async () => {
  m = await runtimeModule<Exports>(ENTRY);
});

/** Places texts in slots, each between bytes of the kind most likely to be mistaken for its own. */
function place(...texts: readonly string[]): number[] {
  return texts.flatMap((text, i) => {
    const at = m.base + i * SLOT + 32;
    m.bytes.fill(0x61, at - 32, at);
    return [at, m.writeText(at, text, 0x61)];
  });
}

/** Arguments of a call: pointer and length of each text, then the rest. */
function call(f: (...args: never[]) => number | bigint, texts: readonly string[], ...rest: readonly (number | bigint)[]): number | bigint {
  return (f as (...args: readonly (number | bigint)[]) => number | bigint)(...place(...texts), ...rest);
}

/** A part as text. */
function partOf(f: (...args: never[]) => number, texts: readonly string[], ...rest: readonly (number | bigint)[]): string {
  const at = Number(call(f, texts, ...rest)) >>> 0;
  return m.readText(at, at + m.exports.partLength());
}

/** Made text; the arguments come in the order given, after the destination. */
function built(f: (...args: never[]) => number, ...args: readonly (string | bigint)[]): string {
  const places = place(...args.filter((arg) => typeof arg === "string"));
  const flat: (number | bigint)[] = [];
  for (const arg of args) flat.push(...(typeof arg === "string" ? places.splice(0, 2) : [arg]));
  const end = (f as (...args: readonly (number | bigint)[]) => number)(m.base + RESULT, ...flat);
  return m.readText(m.base + RESULT, end >>> 0);
}

const ALPHABETS = [
  ["a", "b"],
  ["a", "b", "%", "_", "é"],
  ["a", "A", "ß", "Σ", "σ", "ς", "😀", " ", "İ", "k", "K"],
];

function randomText(random: Seeded, most: number, alphabet: readonly string[] = random.pick(ALPHABETS)): string {
  let text = "";
  for (let n = random.below(most + 1); n > 0; n--) text += random.pick(alphabet);
  return text;
}

const points = (text: string): string[] => Array.from(text);

function compareByCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** LIKE as a regular expression. */
function likeExpression(pattern: string, flags: string): RegExp {
  const elements = points(pattern);
  let source = "";
  for (let i = 0; i < elements.length; i++) {
    let element = elements[i] as string;
    if (element === "%" || element === "_") {
      source += element === "%" ? ".*" : ".";
      continue;
    }
    if (element === "\\" && i + 1 < elements.length) element = elements[++i] as string;
    source += `\\u{${(element.codePointAt(0) ?? 0).toString(16)}}`;
  }
  return new RegExp(`^${source}$`, flags);
}

/** Rust's `split`, of which split_part takes one part. */
function rustSplit(text: string, delimiter: string): string[] {
  return delimiter === "" ? ["", ...points(text), ""] : text.split(delimiter);
}

describe("comparing and searching text", () => {
  it("agrees with JavaScript on equality, order, prefix, suffix, containment and position", () => {
    const random = new Seeded(31);
    for (let i = 0; i < 3000 * FUZZ_SCALE; i++) {
      const alphabet = random.pick(ALPHABETS);
      const a = randomText(random, random.pick([3, 20, 60]), alphabet);
      const from = random.below(points(a).length + 1);
      const b = random.pick([randomText(random, 20, alphabet), randomText(random, 2, alphabet), points(a).slice(from).join(""), a]);
      const fault = (what: string): never => expect.fail(`${what}: "${a}" and "${b}"`);
      if (Math.sign(Number(call(m.exports.compareBytes, [a, b]))) !== compareByCodePoints(a, b)) fault("order");
      if ((call(m.exports.startsWith, [a, b]) === 1) !== a.startsWith(b)) fault("prefix");
      if ((call(m.exports.endsWith, [a, b]) === 1) !== a.endsWith(b)) fault("suffix");
      if ((call(m.exports.containsText, [a, b]) === 1) !== a.includes(b)) fault("containment");
      const at = a.indexOf(b);
      if (call(m.exports.positionOf, [a, b]) !== BigInt(at < 0 ? 0 : points(a.slice(0, at)).length + 1)) fault("position");
      const [p = 0, length = 0, q = 0, qLength = 0] = place(a, b);
      if (length === qLength && (m.exports.bytesEqual(p, q, length) === 1) !== (a === b)) fault("equality");
    }
    expect(call(m.exports.firstCodePoint, ["😀x"])).to.equal(0x1f600);
    expect(call(m.exports.firstCodePoint, [""])).to.equal(0);
  });

  it("finds a needle at every offset and of every length up to three blocks", () => {
    for (let offset = 0; offset < 40; offset++) {
      for (let length = 1; length < 40; length++) {
        const needle = `x${"y".repeat(length - 1)}`;
        const text = `${"-".repeat(offset)}${needle}`;
        if (call(m.exports.positionOf, [text, needle]) !== BigInt(offset + 1)) expect.fail(`${offset} ${length}`);
        if (call(m.exports.containsText, [text.slice(0, -1), needle]) !== 0) expect.fail(`${offset} ${length} cut off`);
      }
    }
  });

  it("LIKE and ILIKE agree with regular expressions", () => {
    const random = new Seeded(32);
    const alphabets = [
      ["a", "b", "%", "_"],
      ["a", "%", "_", "é", "😀"],
      ["a", "A", "\\", "%", "_", "s", "ſ", "ß", "ẞ"],
      ["a", "a", "a", "b", "%"],
    ];
    let matches = 0;
    for (let i = 0; i < 6000 * FUZZ_SCALE; i++) {
      const alphabet = random.pick(alphabets);
      const text = randomText(
        random,
        24,
        alphabet.filter((letter) => letter !== "%" || i % 2 === 0),
      );
      let pattern = randomText(random, 8, alphabet);
      if (i % 3 === 0)
        pattern = points(text)
          .map((c) => (random.below(4) === 0 ? random.pick(["%", "_", ""]) : c))
          .join("");
      const like = call(m.exports.likeText, [text, pattern], BACKSLASH) === 1;
      if (like) matches++;
      if (like !== likeExpression(pattern, "su").test(text)) expect.fail(`"${text}" LIKE "${pattern}": ${like}`);
      const ilike = call(m.exports.ilikeText, [text, pattern], BACKSLASH) === 1;
      if (ilike !== likeExpression(pattern, "isu").test(text)) expect.fail(`"${text}" ILIKE "${pattern}": ${ilike}`);
    }
    expect(matches).to.be.greaterThan(600 * FUZZ_SCALE);
    expect(call(m.exports.likeText, ["50%", "50!%"], 0x21)).to.equal(1);
    expect(call(m.exports.likeText, ["50x", "50!%"], 0x21)).to.equal(0);
    expect(call(m.exports.likeText, ["a\\b", "a\\b"], 0)).to.equal(1);
    expect(call(m.exports.likeText, ["a\\", "a\\"], BACKSLASH)).to.equal(1);
  });

  it("LIKE is not exponential", () => {
    expect(call(m.exports.likeText, ["a".repeat(3000), `${"%a".repeat(200)}%b`], BACKSLASH)).to.equal(0);
  });

  it("folds case as regular expressions do, over all code points", () => {
    for (let c = 0; c <= LAST_STABLE; c++) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      const folded = m.exports.foldCodePoint(c);
      if (folded === c) continue;
      if (!new RegExp(`^\\u{${c.toString(16)}}$`, "iu").test(String.fromCodePoint(folded))) expect.fail(`U+${c.toString(16)}: ${folded}`);
      if (m.exports.foldCodePoint(folded) !== folded) expect.fail(`U+${c.toString(16)} does not fold in one step`);
    }
    for (const pair of ["ſs", "Kk", "ςσ", "Σς", "ẞß", "ΐΐ", "ﬅﬆ", "Ꭰꭰ", "ǅǆ", "µΜ", "Åå", "ϴθ"]) {
      const [a = 0, b = 0] = points(pair).map((character) => m.exports.foldCodePoint(character.codePointAt(0) ?? 0));
      expect(a, pair).to.equal(b);
    }
    for (const pair of ["ıi", "İi", "ßs"]) {
      const [a, b] = points(pair).map((character) => m.exports.foldCodePoint(character.codePointAt(0) ?? 0));
      expect(a, pair).to.not.equal(b);
    }
  });
});

describe("parts of text", () => {
  it("substr, left and right take code points as PostgreSQL does", () => {
    const random = new Seeded(33);
    const huge = [2n ** 63n - 1n, -(2n ** 63n) + 1n, 2n ** 32n, -(2n ** 32n)];
    for (let i = 0; i < 3000 * FUZZ_SCALE; i++) {
      const text = randomText(random, 40);
      const all = points(text);
      const number = (): bigint => (random.below(20) === 0 ? random.pick(huge) : BigInt(random.below(100) - 45));
      const [start, n] = [number(), number()];
      const count = n < 0n ? -n : n;
      const inside = all.filter((_, at) => BigInt(at + 1) >= start && BigInt(at + 1) < start + count).join("");
      expect(partOf(m.exports.substring, [text], start, count), `substr(${text}, ${start}, ${count})`).to.equal(inside);
      expect(partOf(m.exports.substringFrom, [text], start)).to.equal(all.filter((_, at) => BigInt(at + 1) >= start).join(""));
      const size = BigInt(all.length);
      expect(partOf(m.exports.leftPart, [text], n)).to.equal(all.filter((_, at) => BigInt(at) < (n < 0n ? size + n : n)).join(""));
      expect(partOf(m.exports.rightPart, [text], n)).to.equal(all.filter((_, at) => BigInt(at) >= (n < 0n ? -n : size - n)).join(""));
    }
    expect(partOf(m.exports.substring, ["alphabet"], -1n, 4n)).to.equal("al");
    expect(partOf(m.exports.substring, ["alphabet"], 3n, -1n)).to.equal("");
    expect(partOf(m.exports.leftPart, ["abc"], -(2n ** 63n))).to.equal("");
  });

  it("trim takes away the set's code points, or spaces", () => {
    const random = new Seeded(34);
    for (let i = 0; i < 2000 * FUZZ_SCALE; i++) {
      const text = randomText(random, 30, ["a", "é", "😀", " ", "b"]);
      const set = randomText(random, 3, ["a", "é", "😀", " "]);
      let [from, to] = [0, points(text).length];
      const all = points(text);
      while (from < to && points(set).includes(all[from] as string)) from++;
      while (to > from && points(set).includes(all[to - 1] as string)) to--;
      expect(partOf(m.exports.trimBoth, [text, set])).to.equal(all.slice(from, to).join(""));
      expect(partOf(m.exports.trimStart, [text, set])).to.equal(all.slice(from).join(""));
      const untilLast = all.length - [...all].reverse().findIndex((c) => !points(set).includes(c));
      expect(partOf(m.exports.trimEnd, [text, set])).to.equal(from === all.length ? "" : all.slice(0, untilLast).join(""));
      expect(partOf(m.exports.trimSpaces, [text])).to.equal(text.replace(/^ +| +$/g, ""));
      expect(partOf(m.exports.trimSpacesStart, [text])).to.equal(text.replace(/^ +/, ""));
      expect(partOf(m.exports.trimSpacesEnd, [text])).to.equal(text.replace(/ +$/, ""));
    }
  });

  it("split_part counts from both ends as DataFusion does", () => {
    const random = new Seeded(35);
    for (let i = 0; i < 3000 * FUZZ_SCALE; i++) {
      const text = randomText(random, 12, ["a", "b", "é", "-"]);
      const delimiter = randomText(random, 2, ["a", "-", "é"]);
      const n = BigInt(random.below(12) - 6) || 1n;
      const parts = rustSplit(text, delimiter);
      const expected = parts.at(n > 0n ? Number(n) - 1 : Number(n)) ?? "";
      expect(partOf(m.exports.splitPart, [text, delimiter], n), `split_part(${text}, ${delimiter}, ${n})`).to.equal(expected);
    }
  });
});

describe("made text", () => {
  it("replace, repeat, pad, reverse and translate agree with JavaScript", () => {
    const random = new Seeded(36);
    for (let i = 0; i < 2000 * FUZZ_SCALE; i++) {
      const text = randomText(random, 40);
      const [from, to] = [randomText(random, 2, ["a", "b", "é", "😀"]), randomText(random, 3)];
      const replaced =
        from === ""
          ? to +
            points(text)
              .map((c) => c + to)
              .join("")
          : text.split(from).join(to);
      expect(built(m.exports.replaceText, text, from, to), `replace(${text}, ${from}, ${to})`).to.equal(replaced);
      const [p = 0, length = 0, f = 0, fLength = 0] = place(text, from);
      expect(m.exports.replacedLength(p, length, f, fLength, Buffer.byteLength(to))).to.equal(Buffer.byteLength(replaced));
      const n = random.below(60) - 5;
      expect(built(m.exports.repeatText, text, BigInt(n >> 2))).to.equal(text.repeat(Math.max(n >> 2, 0)));
      const missing = Math.max(n, 0) - points(text).length;
      const fill =
        to === ""
          ? ""
          : points(to.repeat(Math.max(missing, 0)))
              .slice(0, Math.max(missing, 0))
              .join("");
      const cut = points(text).slice(0, Math.max(n, 0)).join("");
      expect(built(m.exports.padStart, text, BigInt(n), to), `lpad(${text}, ${n}, ${to})`).to.equal(missing > 0 ? fill + text : cut);
      expect(built(m.exports.padEnd, text, BigInt(n), to)).to.equal(missing > 0 ? text + fill : cut);
      expect(built(m.exports.reverseText, text)).to.equal(points(text).reverse().join(""));
      const map = points(from);
      const translated = points(text).map((c) => (map.includes(c) ? (points(to)[map.indexOf(c)] ?? "") : c));
      expect(built(m.exports.translateText, text, from, to), `translate(${text}, ${from}, ${to})`).to.equal(translated.join(""));
      expect(built(m.exports.appendBytes, text)).to.equal(text);
    }
  });

  it("lower and upper agree with JavaScript on every code point", () => {
    for (let c = 0; c <= LAST_STABLE; c += 40) {
      let text = "";
      for (let i = c; i < c + 40; i++) if (i < 0xd800 || i > 0xdfff) text += `${String.fromCodePoint(i)}1`;
      if (built(m.exports.upperText, text) !== text.toUpperCase()) expect.fail(`upper of U+${c.toString(16)} and the next`);
      if (built(m.exports.lowerText, text) !== text.toLowerCase()) expect.fail(`lower of U+${c.toString(16)} and the next`);
    }
  });

  it("lower and upper agree with JavaScript on mixtures, the final sigma included", () => {
    const random = new Seeded(37);
    const alphabet = [
      "a",
      "A",
      "z",
      "Z",
      "@",
      "[",
      "`",
      "{",
      "Σ",
      "σ",
      "ς",
      "İ",
      "ß",
      "ŉ",
      "ﬃ",
      "ΐ",
      "'",
      ".",
      "\u0301",
      "😀",
      "1",
      "Ⱥ",
      "ᾳ",
    ];
    for (let i = 0; i < 3000 * FUZZ_SCALE; i++) {
      const text = randomText(random, 50, i % 2 === 0 ? alphabet : alphabet.slice(0, 9));
      if (built(m.exports.upperText, text) !== text.toUpperCase()) expect.fail(`upper("${text}")`);
      if (built(m.exports.lowerText, text) !== text.toLowerCase()) expect.fail(`lower("${text}"): ${built(m.exports.lowerText, text)}`);
      let inWord = false;
      let capitalised = "";
      for (const c of text) {
        capitalised += inWord ? c.toLowerCase() : c.toUpperCase();
        inWord = /[\p{Alphabetic}\p{N}]/u.test(c);
      }
      if (built(m.exports.initcapText, text) !== capitalised) expect.fail(`initcap("${text}")`);
    }
    expect(built(m.exports.initcapText, "hi THOMAS o'neil-x 3RD")).to.equal("Hi Thomas O'Neil-X 3rd");
  });
});
