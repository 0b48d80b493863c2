/**
 * Which tables and functions a parsed script mentions and which tables it defines, by name. A name that means a CTE or a built-in function is
 * mentioned too: that does no harm, since a name is only looked up.
 */
import type { QualifiedName } from "../sql/name.ts";
import type { Statement } from "../sql/statement.ts";

/** Names in lower case. */
export interface MentionedNames {
  /** After FROM, JOIN and INSERT INTO. */
  readonly tables: ReadonlySet<string>;
  /** Before parentheses. */
  readonly functions: ReadonlySet<string>;
}

/** The names in `statements`. */
export function mentionedNames(statements: readonly Statement[]): MentionedNames {
  const [tables, functions] = [new Set<string>(), new Set<string>()];
  const pending: unknown[] = [...statements];
  // Not recursive, and without spreading: trees are deep and lists are long.
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== "object" || value === null) continue;
    if ("kind" in value) {
      if (value.kind === "table" && "name" in value) tables.add(nameOf(value.name as QualifiedName));
      if (value.kind === "insert" && "table" in value) tables.add(nameOf(value.table as QualifiedName));
      if (value.kind === "call" && "name" in value) functions.add(nameOf(value.name as QualifiedName));
    }
    for (const inner of Object.values(value)) pending.push(inner);
  }
  return { tables, functions };
}

/** Names of the tables and views that the script creates, in lower case. */
export function definedTables(statements: readonly Statement[]): ReadonlySet<string> {
  const creating = statements.filter((s) => s.kind === "create-table" || s.kind === "create-view");
  return new Set(creating.map((statement) => nameOf(statement.name)));
}

function nameOf(name: QualifiedName): string {
  return name.parts
    .map((part) => part.text)
    .join(".")
    .toLowerCase();
}
