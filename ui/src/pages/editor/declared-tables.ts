/**
 * The tables a script declares, found by reading only as much SQL as is needed, so that the catalog and completion work while the script
 * is still wrong. The planner's own answer counts; this is a convenience.
 */

/** A table or view of the script. */
export interface DeclaredTable {
  readonly name: string;
  readonly kind: "table" | "view";
  readonly connector: string | undefined;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Where its name stands, UTF-16 offset. */
  readonly offset: number;
}

const HEAD = /\bcreate\s+(?:temporary\s+)?(table|view)\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|[a-z_][\w$]*)/gi;
const NOT_COLUMNS = /^(watermark|primary|unique|constraint|check|foreign)\b/i;

/** The declarations of `sql` in their order. */
export function declaredTables(sql: string): readonly DeclaredTable[] {
  const text = blankComments(sql);
  return [...text.matchAll(HEAD)].map((match) => {
    const written = match[2] ?? "";
    const after = (match.index ?? 0) + match[0].length;
    const statement = text.slice(after, statementEnd(text, after));
    const body = /^\s*\(/.test(statement) ? balanced(statement, statement.indexOf("(")) : undefined;
    return {
      name: written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written,
      kind: match[1]?.toLowerCase() === "view" ? "view" : "table",
      connector: /\bconnector\s*=\s*'([^']*)'/i.exec(statement)?.[1],
      columns: body === undefined || match[1]?.toLowerCase() === "view" ? [] : splitColumns(body),
      offset: after - written.length,
    };
  });
}

/** Comments as blanks of the same length. */
function blankComments(sql: string): string {
  return sql.replace(/'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g, (part) => (part.startsWith("'") ? part : part.replace(/[^\n]/g, " ")));
}

function statementEnd(text: string, from: number): number {
  const quoted = /'(?:[^']|'')*'|;/g;
  quoted.lastIndex = from;
  for (let match = quoted.exec(text); match !== null; match = quoted.exec(text)) if (match[0] === ";") return match.index;
  return text.length;
}

/** What stands between the parenthesis at `open` and the one that closes it. */
function balanced(text: string, open: number): string {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return text.slice(open + 1, i);
  }
  return text.slice(open + 1);
}

function splitColumns(body: string): { name: string; type: string }[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let quoted = false;
  for (let i = 0; i < body.length; i++) {
    const char = body[i];
    if (char === '"') quoted = !quoted;
    if (quoted) continue;
    if (char === "(" || char === "<") depth++;
    else if (char === ")" || char === ">") depth--;
    else if (char === "," && depth === 0) {
      parts.push(body.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(body.slice(start));
  return parts.flatMap((part) => {
    const match = /^\s*("(?:[^"]|"")+"|[a-z_][\w$]*)\s+([\s\S]+?)\s*$/i.exec(part);
    if (match === null || NOT_COLUMNS.test(part.trim())) return [];
    const type = (match[2] ?? "").replace(/\s+/g, " ").replace(/ (not null|primary key|generated always as.*|metadata from.*|null)/gi, "");
    return [{ name: (match[1] ?? "").replace(/^"|"$/g, ""), type }];
  });
}
