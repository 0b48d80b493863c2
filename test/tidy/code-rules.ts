/**
 * Rules about what stands in the code: function length, errors, types, exports, and who may touch the machine.
 */
import ts from "typescript";
import { type Check, codeFiles, fileCheck, isRuntime, placeOf, syntaxOf, walk } from "./source-tree.ts";

const FUNCTION_LINES_MAX = 70;

/** The check that asks every node of every file; it sees files. */
function nodeCheck(
  folders: readonly string[],
  applies: (path: string) => boolean,
  problemOf: (node: ts.Node, path: string) => string | undefined,
): Check {
  return fileCheck(folders, (path, text) => {
    const problems: string[] = [];
    if (!applies(path)) return problems;
    walk(syntaxOf(path, text), (node) => {
      const problem = problemOf(node, path);
      if (problem !== undefined) problems.push(`${placeOf(node)}: ${problem}`);
    });
    return problems;
  });
}

const isTypeScript = (path: string): boolean => !isRuntime(path);
const everywhere = (): boolean => true;

/** Sees functions of `src`, `scripts` and `ui`. None has more than 70 lines that are not blank. */
export const functionLengths: Check = (tree) => {
  const problems: string[] = [];
  let seen = 0;
  for (const [path, text] of codeFiles(tree, "src", "scripts", "ui")) {
    walk(syntaxOf(path, text), (node) => {
      if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
      seen++;
      const lines = node
        .getText()
        .split("\n")
        .filter((line) => line.trim() !== "").length;
      if (lines > FUNCTION_LINES_MAX) problems.push(`${placeOf(node)}: a function of ${lines} lines, at most ${FUNCTION_LINES_MAX}`);
    });
  }
  return { seen, problems };
};

const BARE_ERRORS = new Set(["Error", "TypeError", "RangeError", "SyntaxError", "AggregateError"]);

/** Sees files. `src` throws `AppError` only. */
export const bareErrors = nodeCheck(["src"], isTypeScript, (node) => {
  const isMade = ts.isNewExpression(node) || ts.isCallExpression(node);
  return isMade && ts.isIdentifier(node.expression) && BARE_ERRORS.has(node.expression.text)
    ? `a bare ${node.expression.text}; use userError, externalError or internalError`
    : undefined;
});

/** Sees files. No `any`. */
export const anyTypes = nodeCheck(["src", "test", "scripts", "ui"], isTypeScript, (node) =>
  node.kind === ts.SyntaxKind.AnyKeyword ? "any" : undefined,
);

/** Sees files. No default export. */
export const defaultExports = nodeCheck(["src", "test", "scripts", "ui"], everywhere, (node) => {
  const isDefault = ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword || isNamedDefault(node);
  return isDefault && !(ts.isExportAssignment(node) && node.isExportEquals) && !ts.isDefaultClause(node.parent)
    ? "a default export"
    : undefined;
});

function isNamedDefault(node: ts.Node): boolean {
  return ts.isExportSpecifier(node) && node.name.text === "default";
}

/** Sees files. No file that only passes on what others export, and no `export *`. */
export const barrels = fileCheck(["src", "test", "scripts", "ui"], (path, text) => {
  const statements = syntaxOf(path, text).statements;
  const passedOn = statements.filter((statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined);
  const star = passedOn.find((statement) => (statement as ts.ExportDeclaration).exportClause === undefined);
  if (star !== undefined) return [`${placeOf(star)}: export *`];
  const others = statements.filter((statement) => !ts.isImportDeclaration(statement) && !passedOn.includes(statement));
  return passedOn.length > 0 && others.length === 0 ? [`${path}: a barrel`] : [];
});

/** What of the machine is behind `core/clock.ts`, `core/prng.ts` and `cli/`, and the folders that may have it besides. */
const MACHINE: readonly { readonly names: readonly string[]; readonly homes: readonly string[] }[] = [
  { names: ["Date.now", "performance.now", "process.hrtime"], homes: ["src/core/clock.ts", "src/dataflow/", "src/worker/"] },
  { names: ["setTimeout", "setInterval"], homes: ["src/core/clock.ts", "src/dataflow/", "src/worker/"] },
  { names: ["Math.random", "crypto.getRandomValues", "randomBytes", "randomInt"], homes: ["src/core/prng.ts"] },
  // Names of temporary files and uploads that must not meet those of another process.
  { names: ["randomUUID", "crypto.randomUUID"], homes: ["src/core/prng.ts", "src/storage/"] },
  { names: ["process.env"], homes: [] },
];

/** Sees files. Only the listed places touch the machine's clock, timers, randomness and environment. */
export const machineAccess = nodeCheck(["src"], isTypeScript, (node, path) => {
  const name = machineName(node);
  const rule = MACHINE.find(({ names }) => name !== undefined && names.includes(name));
  if (rule === undefined || path.startsWith("src/cli/") || rule.homes.some((home) => path.startsWith(home))) return undefined;
  return `${name} outside of ${["src/cli/", ...rule.homes].join(", ")}`;
});

/** The name under which a node reaches the machine: a member, a called or imported function, `new Date()`. */
function machineName(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return `${node.expression.getText()}.${node.name.text}`.replace(/^globalThis\./, "");
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments?.length ?? 0) === 0) return "Date.now";
  if (ts.isImportSpecifier(node)) return (node.propertyName ?? node.name).text;
  if (ts.isIdentifier(node) && ts.isCallExpression(node.parent) && node.parent.expression === node) return node.text;
  return undefined;
}

const RUNTIME_BANNED = new Map([
  ["parseFloat", "is not exact"],
  ["dtoa", "is not shortest"],
  ["dtoa_buffered", "is not shortest"],
  ["strtod", "is not exact"],
]);

/** Sees files of `src/runtime` and the generator. AssemblyScript's own number parsing and printing are wrong and not used. */
export const runtimeNumbers: Check = (tree) => {
  const files = codeFiles(tree, "src/runtime");
  const problems: string[] = [];
  for (const [path, text] of files) {
    walk(syntaxOf(path, text), (node) => {
      const reason = ts.isIdentifier(node) ? RUNTIME_BANNED.get(node.text) : undefined;
      if (reason !== undefined) problems.push(`${placeOf(node)}: AssemblyScript's ${node.getText()} ${reason}`);
      if (ts.isStringLiteral(node) && /^(~lib\/)?util\/number$/.test(node.text)) problems.push(`${placeOf(node)}: imports util/number`);
    });
  }
  return { seen: files.length, problems };
};
