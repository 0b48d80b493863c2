/**
 * Data-driven golden tests. A file holds cases; each becomes a mocha test that compares what the code prints with what the file says.
 * `UPDATE_GOLDEN=1` rewrites the files instead (`npm run golden`); it is refused where `CI` is set. The form, after CockroachDB's datadriven:
 *
 *     # a comment, which names the case
 *     directive key=value key="two words" flag
 *     input lines, blank ones too
 *     ----
 *     expected lines, ended by a blank line or the end of the file
 *
 * Expected text with blank lines stands between two pairs of `----` lines.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SEPARATOR = "----";

/** One case of a golden file. */
export interface GoldenCase {
  /** The comment above it, without `# `; the directive line if there is none. */
  readonly title: string;
  /** The first word of its directive line. */
  readonly directive: string;
  /** `key=value` of its directive line; a flag has the value "". */
  readonly args: ReadonlyMap<string, string>;
  /** Without the final newline. */
  readonly input: string;
  /** Without the final newline. */
  readonly expected: string;
  /** Of the directive, from 1. */
  readonly line: number;
}

/** A golden file as parsed: everything up to each expected text, so that it can be rewritten without touching the rest. */
export interface GoldenFile {
  readonly cases: readonly GoldenCase[];
  /** The file with `outputs[i]` as the expected text of case i. */
  render(outputs: readonly string[]): string;
}

/** Parses `text`; throws with the line if it is not of the form above. */
export function parseGolden(text: string): GoldenFile {
  const lines = text.replace(/\n$/, "").split("\n");
  const cases: GoldenCase[] = [];
  const heads: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    const comments: string[] = [];
    for (; at < lines.length && /^(#|$)/.test(lines[at] ?? ""); at++) comments.push(lines[at] ?? "");
    if (at === lines.length) break;
    const directiveAt = at;
    const separatorAt = lines.indexOf(SEPARATOR, at);
    if (separatorAt < 0) throw new SyntaxError(`line ${directiveAt + 1}: the case has no ${SEPARATOR}`);
    const { expected, next } = readExpected(lines, separatorAt);
    heads.push(lines.slice(start, separatorAt).join("\n"));
    const input = lines.slice(directiveAt + 1, separatorAt).join("\n");
    cases.push({ ...readDirective(lines[directiveAt] ?? "", comments), input, expected, line: directiveAt + 1 });
    at = next;
  }
  return { cases, render: (outputs) => heads.map((head, i) => `${head}\n${renderExpected(outputs[i] ?? "")}`).join("\n\n") + "\n" };
}

function readDirective(line: string, comments: readonly string[]) {
  const [directive = "", ...words] = line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const args = new Map(
    words.map((word): [string, string] => {
      const equals = word.indexOf("=");
      return equals < 0 ? [word, ""] : [word.slice(0, equals), word.slice(equals + 1).replace(/^"(.*)"$/, "$1")];
    }),
  );
  const last = comments.slice(comments.lastIndexOf("") + 1).map((comment) => comment.replace(/^#\s*/, ""));
  return { directive, args, title: last.length > 0 ? last.join(" ") : line };
}

function readExpected(lines: readonly string[], separatorAt: number): { expected: string; next: number } {
  const isPaired = lines[separatorAt + 1] === SEPARATOR;
  if (!isPaired) {
    const blank = lines.indexOf("", separatorAt + 1);
    const end = blank < 0 ? lines.length : blank;
    return { expected: lines.slice(separatorAt + 1, end).join("\n"), next: end + 1 };
  }
  const end = lines.findIndex(
    (line, i) => i > separatorAt + 1 && line === SEPARATOR && lines[i + 1] === SEPARATOR && lines[i + 2] !== SEPARATOR,
  );
  if (end < 0) throw new SyntaxError(`line ${separatorAt + 1}: the pair of ${SEPARATOR} is not closed`);
  return { expected: lines.slice(separatorAt + 2, end).join("\n"), next: end + 3 };
}

function renderExpected(output: string): string {
  const lines = output.split("\n");
  const needsPair = lines.length > 1 ? lines.includes("") || lines.includes(SEPARATOR) : output === SEPARATOR;
  return needsPair
    ? `${SEPARATOR}\n${SEPARATOR}\n${output}\n${SEPARATOR}\n${SEPARATOR}`
    : `${SEPARATOR}${output === "" ? "" : `\n${output}`}`;
}

/** Whether golden files are to be rewritten; throws where that is refused. */
export function isUpdating(env: Readonly<Record<string, string | undefined>>): boolean {
  const wanted = !["", "0", undefined].includes(env["UPDATE_GOLDEN"]);
  if (wanted && !["", "0", "false", undefined].includes(env["CI"]))
    throw new RangeError("UPDATE_GOLDEN is refused in CI: golden files are reviewed like code");
  return wanted;
}

/** The golden files `*.golden` of a folder below `test/golden`, as absolute paths, sorted. */
export function goldenFiles(folder: string): string[] {
  const absolute = join(ROOT, "test", "golden", folder);
  return readdirSync(absolute)
    .filter((name) => name.endsWith(".golden"))
    .sort()
    .map((name) => join(absolute, name));
}

/**
 * Declares a mocha suite with one test per case of the golden file at `path` (absolute). `run` prints what the code makes of a case; trailing
 * white space of its lines and of the whole is not compared.
 */
export function goldenSuite(path: string, run: (golden: GoldenCase) => string | Promise<string>): void {
  const name = relative(ROOT, path);
  const updating = isUpdating(process.env);
  const file = parseGolden(readFileSync(path, "utf8"));
  const outputs = file.cases.map((golden) => golden.expected);
  describe(name, () => {
    it("has at least one case", () => {
      expect(file.cases.length).to.be.greaterThan(0);
    });
    file.cases.forEach((golden, index) => {
      it(`${golden.title} (line ${golden.line})`, async () => {
        const output = (await run(golden)).replace(/[ \t]+$/gm, "").trimEnd();
        outputs[index] = output;
        if (!updating)
          expect(output, `${name}:${golden.line} differs; if the change is meant, run npm run golden`).to.equal(golden.expected);
      });
    });
    after(() => {
      if (updating) writeFileSync(path, file.render(outputs));
    });
  });
}
