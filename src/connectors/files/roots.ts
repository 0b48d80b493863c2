/**
 * Which directories file connectors may reach (`connectors.file.roots`). Symbolic links are followed before the comparison, for what does
 * not exist yet those of its nearest existing parent. It guards a service against its users' SQL, not against other processes that
 * change links at the same time.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { userError } from "../../core/errors.ts";
import type { SinkOperator, SourceOperator } from "../../program/operator.ts";
import type { Program } from "../../program/program.ts";

/** Connectors whose option `path` names a file or directory. */
const FILE_CONNECTORS: ReadonlySet<string> = new Set(["single_file", "filesystem"]);

/** A table as far as its place is concerned. */
export type PlacedTable = Pick<SourceOperator | SinkOperator, "table" | "connector" | "options">;

/** Refuses a program with a table outside of `roots` (relative to the working directory) with `permission-denied`. */
export function checkFileRoots(program: Program, roots: readonly string[]): void {
  for (const { operator } of program.vertices) {
    if (operator.kind === "source" || operator.kind === "sink") checkTableRoots(operator, roots);
  }
}

/** Refuses a table outside of `roots` as `checkFileRoots` does. Tables that are not of files are anywhere. */
export function checkTableRoots({ table, connector, options }: PlacedTable, roots: readonly string[]): void {
  if (!FILE_CONNECTORS.has(connector)) return;
  const allowed = roots.map((root) => realPath(resolve(root)));
  const path = String(options["path"]).replace(/^file:\/\//, "");
  const real = realPath(resolve(path));
  if (allowed.some((root) => isBelow(real, root))) return;
  throw userError("permission-denied", `table "${table}" may not reach "${path}"`, {
    detail: `File connectors reach ${roots.map((root) => `"${root}"`).join(", ")} and what is below.`,
    hint: "Change the table's path, or add the directory to the setting connectors.file.roots.",
  });
}

function isBelow(path: string, root: string): boolean {
  const below = relative(root, path);
  return below === "" || (below !== ".." && !below.startsWith(`..${sep}`) && resolve(below) !== below);
}

/** `path`, which is absolute, without symbolic links, as far as it exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
