/**
 * The layer table of `src/README.md` and what it means for imports: down only, never sideways; `runtime/` stands alone; each outside package
 * has its home.
 */
import { dirname, join } from "node:path";
import ts from "typescript";
import { type Check, codeFiles, isRuntime, placeOf, type SourceTree, syntaxOf, walk } from "./source-tree.ts";

/** The row of each folder of `src`. */
export type LayerTable = ReadonlyMap<string, number>;

/** The table as written in `src/README.md`. */
export function parseLayerTable(readme: string): LayerTable {
  const rows = readme.matchAll(/^\| (\d) \| ([a-z, -]+) \|/gm);
  return new Map(
    [...rows].flatMap(([, row, folders = ""]) => folders.split(",").map((name): [string, number] => [name.trim(), Number(row)])),
  );
}

/** Packages that only some places may import, by the beginning of their name. */
const PACKAGE_HOMES: readonly (readonly [packagePrefix: string, homes: readonly string[]])[] = [
  ["@aws-sdk/", ["src/storage/"]],
  ["@smithy/", ["src/storage/"]],
  ["@guanmingchiu/sqlparser-ts", ["src/sql/"]],
  ["assemblyscript", ["src/codegen/", "src/compiler/"]],
  ["pino", ["src/core/log.ts"]],
  ["smol-toml", ["src/core/config.ts"]],
  ["yargs", ["src/cli/"]],
  ["knex", ["src/db/"]],
  ["pg", ["src/db/"]],
  ["@electric-sql/", ["src/db/"]],
  ["koa", ["src/api/"]],
  ["@koa/", ["src/api/"]],
  ["@grpc/", ["src/rpc/", "src/gen/"]],
  ["node-fetch", ["src/scheduler/nomad/", "src/cli/", "src/rpc/pushgateway.ts", "src/api/prometheus-metrics.ts"]],
];

interface Import {
  readonly specifier: string;
  readonly place: string;
}

function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  walk(syntaxOf(path, text), (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) found.push({ specifier, place: placeOf(node) });
  });
  return found;
}

/** The text of a static import, a re-export, an `import()` or an import type. */
function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined)
    return literal(node.moduleSpecifier);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return literal(node.arguments[0]);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literal(node.argument.literal);
  return undefined;
}

function literal(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** Sees imports. Every folder of `src` has a row; an import goes to the same folder or a lower row. */
export const layers: Check = (tree) => {
  const table = parseLayerTable(tree.get("src/README.md") ?? "");
  const problems = new Set<string>();
  let seen = 0;
  for (const [path, text] of codeFiles(tree, "src")) {
    if (!isRuntime(path) && !table.has(folderOf(path))) problems.add(`src/README.md: the layer table lacks ${folderOf(path)}`);
    for (const { specifier, place } of importsOf(path, text)) {
      seen++;
      const reason = specifier.startsWith(".") ? layerFault(table, path, join(dirname(path), specifier)) : packageFault(path, specifier);
      if (reason !== undefined) problems.add(`${place}: imports "${specifier}": ${reason}`);
    }
  }
  return { seen, problems: [...problems] };
};

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function layerFault(table: LayerTable, from: string, to: string): string | undefined {
  if (!to.startsWith("src/")) return "outside of src";
  if (isRuntime(from)) return isRuntime(to) ? undefined : "runtime imports only itself";
  if (isRuntime(to)) return "runtime is compiled by asc, imported by nothing";
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
  if (fromFolder === toFolder) return undefined;
  const [fromRow, toRow] = [table.get(fromFolder) ?? 0, table.get(toFolder) ?? 99];
  return toRow < fromRow ? undefined : `${fromFolder} is in row ${fromRow}, ${toFolder} in row ${toRow}`;
}

function packageFault(path: string, specifier: string): string | undefined {
  if (isRuntime(path)) return "runtime imports only itself";
  const home = PACKAGE_HOMES.find(([prefix]) => specifier === prefix || specifier.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`));
  if (home === undefined || home[1].some((place) => path.startsWith(place))) return undefined;
  return `only ${home[1].join(" and ")} may`;
}

/** Sees rows. The table of `src/README.md` has all seven and names no folder twice. */
export const layerTable: Check = (tree: SourceTree) => {
  const readme = tree.get("src/README.md") ?? "";
  const names = [...readme.matchAll(/^\| \d \| ([a-z, -]+) \|/gm)].flatMap((row) => (row[1] ?? "").split(",").map((name) => name.trim()));
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  const rows = new Set(parseLayerTable(readme).values());
  const absent = [1, 2, 3, 4, 5, 6, 7].filter((row) => !rows.has(row));
  const problems = [
    ...twice.map((name) => `src/README.md: ${name} is in two rows`),
    ...absent.map((row) => `src/README.md: the layer table has no row ${row}`),
  ];
  return { seen: rows.size, problems };
};
