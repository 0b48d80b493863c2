/**
 * Syntax trees as short text for the golden files: `(kind field=value …)`, what is absent or empty left out, names without their wrapping.
 */

/** Prints any part of the tree. With `spans` every node is followed by `@` and the piece of `sql` that it stands for. */
export function printSyntax(node: unknown, sql: string, spans: boolean): string {
  if (Array.isArray(node)) return `[${node.map((item) => printSyntax(item, sql, spans)).join(" ")}]`;
  if (typeof node !== "object" || node === null) return typeof node === "string" ? JSON.stringify(node) : String(node);
  const fields = new Map(Object.entries(node));
  const span = fields.get("span") as { start: number; end: number } | undefined;
  const place = spans && span !== undefined ? ` @${JSON.stringify(sql.slice(span.start, span.end))}` : "";
  if (fields.has("text") && fields.has("quoted"))
    return fields.get("quoted") === true ? `"${String(fields.get("text"))}"` : String(fields.get("text"));
  if (fields.has("parts")) return (fields.get("parts") as unknown[]).map((part) => printSyntax(part, sql, spans)).join(".");
  const kind = fields.get("kind");
  if (kind === "number") return String(fields.get("text"));
  if (kind === "string") return `'${String(fields.get("value"))}'`;
  if (kind === "column" && !spans) return (fields.get("path") as unknown[]).map((part) => printSyntax(part, sql, spans)).join(".");
  const shown = [...fields]
    .filter(([key, value]) => key !== "kind" && key !== "span" && key !== "keySpan" && key !== "bodySpan" && !isEmpty(value))
    .map(([key, value]) => (value === true ? key : `${key}=${printSyntax(value, sql, spans)}`));
  return `(${[...(typeof kind === "string" ? [kind] : []), ...shown].join(" ")})${place}`;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === false || (Array.isArray(value) && value.length === 0);
}
