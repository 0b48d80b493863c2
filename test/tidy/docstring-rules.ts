/**
 * Rules about docstrings: nine of ten exports have one, and all exports of the contracts that other folders are written against.
 */
import ts from "typescript";
import { type Check, codeFiles, placeOf, syntaxOf } from "./source-tree.ts";

/** The least share of documented exports, in percent. */
const SHARE_MIN = 90;
const CONTRACT_FOLDERS = ["src/core/", "src/data/", "src/program/"];

/** Whether a file is a contract: in a contract folder, or named for its own folder (`connectors/connector.ts`, `job/job.ts`). */
export function isContract(path: string): boolean {
  const [, folder = "", file = "", ...deeper] = path.split("/");
  const named = deeper.length === 0 && (file === `${folder}.ts` || `${file.replace(/\.ts$/, "")}s` === folder);
  return named || path === "src/storage/object-store.ts" || CONTRACT_FOLDERS.some((start) => path.startsWith(start));
}

interface Export {
  readonly place: string;
  readonly name: string;
  readonly documented: boolean;
}

/** Exported declarations of a file; re-exports belong to the file they come from. */
export function exportsOf(path: string, text: string): Export[] {
  return syntaxOf(path, text).statements.flatMap((statement) => {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    if (!modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) return [];
    const documented = /^\/\*\*\s*\S/.test(lastComment(statement, text));
    return declaredNames(statement).map((name) => ({ place: placeOf(statement), name, documented }));
  });
}

/** The comment next above a statement: not the file's opening comment; hint comments for other tools are passed over. */
function lastComment(statement: ts.Statement, text: string): string {
  const comments = (ts.getLeadingCommentRanges(text, statement.getFullStart()) ?? []).filter(({ pos }) => pos > 0);
  const texts = comments.map(({ pos, end }) => text.slice(pos, end));
  return texts.filter((comment) => !/^\/\/ @ts-/.test(comment)).at(-1) ?? "";
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map((declaration) => declaration.name.getText());
  const name = (statement as Partial<ts.NamedDeclaration>).name;
  return name === undefined ? [] : [name.getText()];
}

/** Sees exports of `src`. Nine of ten have a docstring, and all of a contract. */
export const docstrings: Check = (tree) => {
  const files = codeFiles(tree, "src");
  const all = files.flatMap(([path, text]) => exportsOf(path, text).map((found) => ({ ...found, contract: isContract(path) })));
  const missing = all.filter((found) => !found.documented);
  const share = all.length === 0 ? 100 : (100 * (all.length - missing.length)) / all.length;
  const reported = share < SHARE_MIN ? missing : missing.filter((found) => found.contract);
  const problems = reported.map(({ place, name }) => `${place}: ${name} has no docstring`);
  const summary = share < SHARE_MIN ? [`${share.toFixed(0)} % of the exports have a docstring, at least ${SHARE_MIN} %`] : [];
  return { seen: all.length, problems: [...summary, ...problems] };
};
