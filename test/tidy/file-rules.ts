/**
 * Rules about files as a whole: opening comment, length, name, leftovers, pages and dependencies.
 */
import ts from "typescript";
import { type Check, fileCheck, type SourceTree, syntaxOf } from "./source-tree.ts";

const CODE = ["src", "test", "scripts", "ui"];
const LINES_MAX = 500;
const HEADER_LINES_MAX = 10;

/** Sees files. Each opens with a comment of 1 to 10 lines. */
export const headers = fileCheck(CODE, (path, text) => {
  const comment = ts.getLeadingCommentRanges(text, text.startsWith("#!") ? text.indexOf("\n") : 0)?.[0];
  const first = syntaxOf(path, text).statements[0];
  if (comment === undefined || (first !== undefined && comment.pos > first.getStart())) return [`${path}:1: has no opening comment`];
  const lines = text
    .slice(comment.pos, comment.end)
    .split("\n")
    .filter((line) => /[^\s*/]/.test(line));
  if (lines.length === 0) return [`${path}:1: the opening comment is empty`];
  return lines.length > HEADER_LINES_MAX ? [`${path}:1: the opening comment has ${lines.length} lines, at most ${HEADER_LINES_MAX}`] : [];
});

/** Sees files. None is longer than 500 lines. */
export const fileLengths = fileCheck(CODE, (path, text) => {
  const lines = text.trimEnd().split("\n").length;
  return lines > LINES_MAX ? [`${path}: ${lines} lines, at most ${LINES_MAX}`] : [];
});

const VAGUE_NAME = /(^|\/)(utils?|helpers?|common|types|managers?|misc|stuff)(\.|\/)/;
const KEBAB_NAME = /^[a-z0-9_-]+(\.(test|gen|d))?\.tsx?$/;

/** Sees files. Names are kebab-case and say what is inside. */
export const fileNames = fileCheck(CODE, (path) => {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (VAGUE_NAME.test(path)) return [`${path}: the name does not say what is inside`];
  return KEBAB_NAME.test(name) && !name.includes("_") ? [] : [`${path}: the name is not kebab-case`];
});

const LEFTOVER = /(\/\/|^\s*\*|\/\*).*\b(TODO|FIXME|XXX|HACK)\b/;

/** Sees files. No notes to oneself in comments. This folder names them, and is left out. */
export const leftovers = fileCheck(CODE, (path, text) => {
  if (path.startsWith("test/tidy/")) return [];
  return text.split("\n").flatMap((line, i) => (LEFTOVER.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : []));
});

/** Sees pages. Each Markdown page has exactly one title. */
export const pageTitles: Check = (tree) => {
  const pages = [...tree].filter(([path]) => path.endsWith(".md"));
  const problems = pages.flatMap(([path, text]) => {
    const titles = text.replace(/^```.*?^```/gms, "").match(/^# \S/gm)?.length ?? 0;
    return titles === 1 ? [] : [`${path}: ${titles} titles, must be 1`];
  });
  return { seen: pages.length, problems };
};

/** Sees dependencies. Each has a line in the README's table, and each line a dependency. */
export const dependencies: Check = (tree) => {
  const manifest = JSON.parse(tree.get("package.json") ?? "{}") as Partial<
    Record<"dependencies" | "devDependencies", Record<string, string>>
  >;
  const names = new Set([...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.devDependencies ?? {})]);
  const listed = new Set(dependencyTable(tree));
  const problems = [
    ...[...names].filter((name) => !listed.has(name)).map((name) => `README.md: the dependency table lacks ${name}`),
    ...[...listed].filter((name) => !names.has(name)).map((name) => `README.md: ${name} is no dependency`),
  ];
  return { seen: names.size, problems };
};

/** The names in backticks in the first column of the README's section "Dependencies". */
function dependencyTable(tree: SourceTree): string[] {
  const section = /^## Dependencies$(.*?)(?=^## |\s*$(?![\s\S]))/ms.exec(tree.get("README.md") ?? "")?.[1] ?? "";
  const cells = [...section.matchAll(/^\| (`[^|]+) \|/gm)].map((row) => row[1] ?? "");
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((name) => name[1] ?? ""));
}

/** Sees settings. Each is in the README's table, and the table names no other. */
export const settings: Check = (tree) => {
  const code = tree.get("src/core/settings.ts") ?? "";
  const names = new Set([...code.matchAll(/^ {2}"?([a-z0-9.-]+)"?: [a-zA-Z]+\(/gm)].map((match) => match[1] ?? ""));
  const section = /^## Settings$(.*?)(?=^## )/ms.exec(tree.get("README.md") ?? "")?.[1] ?? "";
  const listed = new Set([...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? ""));
  const problems = [
    ...[...names].filter((name) => !listed.has(name)).map((name) => `README.md: the table of settings lacks ${name}`),
    ...[...listed].filter((name) => !names.has(name)).map((name) => `README.md: ${name} is no setting`),
  ];
  return { seen: names.size, problems };
};
