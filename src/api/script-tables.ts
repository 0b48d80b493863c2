/**
 * Which tables a parsed script mentions and which it defines, by name. A name that means a CTE or a column's alias is mentioned too: that does
 * no harm, since a name is only looked up.
 */
import type { QualifiedName } from "../sql/name.ts";
import type { Statement } from "../sql/statement.ts";

/** Names after FROM, JOIN and INSERT INTO, in lower case. */
export function mentionedTables(statements: readonly Statement[]): ReadonlySet<string> {
  const names = new Set<string>();
  const pending: unknown[] = [...statements];
  // Not recursive: trees are deep.
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== "object" || value === null) continue;
    if ("kind" in value && value.kind === "table" && "name" in value) names.add(nameOf(value.name as QualifiedName));
    if ("kind" in value && value.kind === "insert" && "table" in value) names.add(nameOf(value.table as QualifiedName));
    pending.push(...Object.values(value));
  }
  return names;
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
