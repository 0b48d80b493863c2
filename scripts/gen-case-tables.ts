/**
 * Generates `src/runtime/case-tables.ts`: letter case and character classes from the Unicode data of the Node that runs this
 * script, which is the same data JavaScript's own `toUpperCase`, `toLowerCase` and `\p{…}` use.
 *
 * Mappings of one code point to one are runs of equal distance (`A`–`Z` +32; every second code point in Latin Extended);
 * those to several code points are listed apart. Prints nothing; `--check` exits with 1 when the committed file differs.
 */
import { readFileSync, writeFileSync } from "node:fs";

const TARGET = new URL("../src/runtime/case-tables.ts", import.meta.url);
const LAST_CODE_POINT = 0x10ffff;
/** Distances from here on point into the list of expansions. */
const EXPANSION_BASE = 0x40000000;
const HELP = `usage: tsx scripts/gen-case-tables.ts [--check]
  writes src/runtime/case-tables.ts
  --check   compares only; exit code 1 when the file is not what would be written
`;

function* codePoints(): Generator<number> {
  for (let c = 0x80; c <= LAST_CODE_POINT; c++) if (c < 0xd800 || c > 0xdfff) yield c;
}

/** Expansions of one code point to several, three words each, zeros at the end. */
class Expansions {
  readonly words: number[] = [];

  /** The distance that stands for `mapped`. */
  distance(mapped: readonly number[]): number {
    this.words.push(...mapped, ...new Array<number>(3 - mapped.length).fill(0));
    return EXPANSION_BASE + this.words.length / 3 - 1;
  }
}

interface Run {
  readonly first: number;
  last: number;
  step: number;
  readonly distance: number;
}

/** The runs of a mapping; `map` gives a code point's image. */
function runs(map: (c: number) => readonly number[], expansions: Expansions): readonly Run[] {
  const result: Run[] = [];
  for (const c of codePoints()) {
    const mapped = map(c);
    const target = mapped[0] ?? c;
    if (mapped.length === 1 && target === c) continue;
    const distance = mapped.length === 1 ? target - c : expansions.distance(mapped);
    const run = result.at(-1);
    const gap = run === undefined ? 0 : c - run.last;
    if (run !== undefined && run.distance === distance && gap <= 2 && (run.first === run.last || gap === run.step)) {
      run.step = gap;
      run.last = c;
    } else {
      result.push({ first: c, last: c, step: 1, distance });
    }
  }
  return result;
}

function toCodePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

const upper = (c: number): number[] => toCodePoints(String.fromCodePoint(c).toUpperCase());
const lower = (c: number): number[] => toCodePoints(String.fromCodePoint(c).toLowerCase());

/** Whether two code points are equal under simple case folding, which is what `i` and `u` of a regular expression use. */
function foldsAlike(a: number, b: number): boolean {
  return new RegExp(`^\\u{${a.toString(16)}}$`, "iu").test(String.fromCodePoint(b));
}

/** Code points with the same expansion in upper case, by that expansion: the first one seen. */
const expanding = new Map<string, number>();

/** One code point for all that simple case folding takes for equal: the lower case of the upper case, where that is sound. */
function fold(c: number): number {
  const single = (mapped: readonly number[]): number => (mapped.length === 1 ? (mapped[0] ?? c) : c);
  const raised = upper(c);
  if (raised.length > 1) {
    const spelling = String.fromCodePoint(...raised);
    const first = expanding.get(spelling) ?? c;
    expanding.set(spelling, first);
    if (first !== c && foldsAlike(c, first)) return first;
  }
  const candidate = single(lower(single(raised)));
  return candidate === c || foldsAlike(c, candidate) ? candidate : c;
}

/** Code points whose folding is not their single lower case, as pairs. */
function foldExceptions(): readonly number[] {
  const result: number[] = [];
  for (const c of codePoints()) {
    const lowered = lower(c);
    const plain = lowered.length === 1 ? (lowered[0] ?? c) : c;
    const folded = fold(c);
    if (folded !== plain) result.push(c, folded);
  }
  return result;
}

/** First and last code points of the ranges whose characters match. */
function ranges(pattern: RegExp): readonly number[] {
  const result: number[] = [];
  for (const c of codePoints()) {
    if (!pattern.test(String.fromCodePoint(c))) continue;
    if (result.at(-1) === c - 1) result[result.length - 1] = c;
    else result.push(c, c);
  }
  return result;
}

/** A table as text, about 130 characters a line. */
function table(words: readonly number[]): string {
  const lines: string[] = [""];
  for (const word of words) {
    const last = lines.length - 1;
    const line = lines[last] ?? "";
    if (line.length > 122) lines.push(`${word},`);
    else lines[last] = line === "" ? `${word},` : `${line} ${word},`;
  }
  return `memory.data<i32>([\n${lines.map((line) => `  ${line}`).join("\n")}\n])`;
}

function runWords(list: readonly Run[]): readonly number[] {
  return list.flatMap((run) => [run.first, run.last * 2 + (run.step - 1), run.distance]);
}

function declare(name: string, comment: string, words: readonly number[], width: number): string {
  return `
/** ${comment} */
export const ${name}: usize = ${table(words)};
/** How many entries ${name} has. */
export const ${name}_COUNT: i32 = ${words.length / width};
`;
}

function fileText(): string {
  const expansions = new Expansions();
  const upperRuns = runWords(runs(upper, expansions));
  const lowerRuns = runWords(runs(lower, expansions));
  return `/**
 * Generated by scripts/gen-case-tables.ts from Unicode ${process.versions["unicode"] ?? "?"}: letter case and character classes from U+0080 on.
 *
 * A run is three i32: the first code point; the last one times two, plus one if only every second code point is meant; and
 * the distance to the mapped code point, or EXPANSION_BASE + n for the n-th of EXPANSIONS, which are three code points each.
 * A range is its first and its last code point. All tables ascend.
 */

/** Distances from here on are expansions. */
export const EXPANSION_BASE: i32 = ${EXPANSION_BASE};
${[
  declare("UPPER_RUNS", "Runs of upper-case mappings.", upperRuns, 3),
  declare("LOWER_RUNS", "Runs of lower-case mappings.", lowerRuns, 3),
  declare("EXPANSIONS", "What maps to several code points: three each, zeros at the end.", expansions.words, 3),
  declare("FOLD_EXCEPTIONS", "Pairs of code point and folding, where the folding is not the lower case.", foldExceptions(), 2),
  declare("CASED", "Ranges of Cased.", ranges(/^\p{Cased}$/u), 2),
  declare("CASE_IGNORABLE", "Ranges of Case_Ignorable.", ranges(/^\p{Case_Ignorable}$/u), 2),
  declare("ALPHANUMERIC", "Ranges of Alphabetic, Nd, Nl and No.", ranges(/^[\p{Alphabetic}\p{N}]$/u), 2),
].join("")}`;
}

const args = process.argv.slice(2);
if (args.includes("--help")) {
  process.stdout.write(HELP);
} else if (args.includes("--check")) {
  if (readFileSync(TARGET, "utf8") !== fileText()) {
    process.stderr.write("src/runtime/case-tables.ts is out of date: run tsx scripts/gen-case-tables.ts\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(TARGET, fileText());
}
