/**
 * The tree that the tidy checks look at: a map from path to text, so that a test can plant a fault without touching a file. Checks are pure
 * functions from a tree to a verdict that says how much they saw.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS = ["src", "test", "scripts", "ui", "proto", "nomad", "terraform"];
const TOP_FILES = ["README.md", "package.json"];
const READ = /\.(ts|tsx|mjs|cjs|md|json|proto|hcl|tf)$/;
const GENERATED_HEADER = /^(\/\*\*[^/]*|\/\/.*)\b[Gg]enerated by/;

/** Paths relative to the repository's root, with slashes, and the files' text. */
export type SourceTree = ReadonlyMap<string, string>;

/** What a check found. */
export interface Verdict {
  /** How many things it looked at: files, declarations or imports, as the check says. */
  readonly seen: number;
  /** `path:line: what is wrong`. */
  readonly problems: readonly string[];
}

/** A rule of the repository. */
export type Check = (tree: SourceTree) => Verdict;

/** The repository as it is. */
export function readTree(): SourceTree {
  const inFolders = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && READ.test(entry.name))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
  );
  const paths = [...TOP_FILES, ...inFolders].filter((path) => !path.includes("node_modules/"));
  return new Map(paths.sort().map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
}

/** The TypeScript files of the tree below any of `folders`, without generated ones. AssemblyScript counts as TypeScript. */
export function codeFiles(tree: SourceTree, ...folders: readonly string[]): [path: string, text: string][] {
  return [...tree].filter(
    ([path, text]) =>
      /\.(ts|tsx)$/.test(path) &&
      folders.some((folder) => path.startsWith(`${folder}/`)) &&
      !path.startsWith("src/gen/") &&
      !GENERATED_HEADER.test(text.slice(0, 400)),
  );
}

/** Whether the file is AssemblyScript. */
export function isRuntime(path: string): boolean {
  return path.startsWith("src/runtime/");
}

const parsed = new Map<string, ts.SourceFile>();

/** The syntax tree of a file; kept, because every check wants it. Decorators of AssemblyScript do not disturb it. */
export function syntaxOf(path: string, text: string): ts.SourceFile {
  const key = `${path}\n${text}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true, path.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS);
  parsed.set(key, source);
  return source;
}

/** Calls `visit` for every node of the file. */
export function walk(source: ts.SourceFile, visit: (node: ts.Node) => void): void {
  const descend = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, descend);
  };
  descend(source);
}

/** `path:line` of a node. */
export function placeOf(node: ts.Node): string {
  const source = node.getSourceFile();
  return `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

/** The check that looks at each code file of some folders alone; it sees as many things as there are files. */
export function fileCheck(folders: readonly string[], problemsOf: (path: string, text: string) => readonly string[]): Check {
  return (tree) => {
    const files = codeFiles(tree, ...folders);
    return { seen: files.length, problems: files.flatMap(([path, text]) => problemsOf(path, text)) };
  };
}
