/**
 * Queries of the parser's tree → `ast.ts`.
 */
import type { Cte, Expr, Hint, OrderItem, Query, QueryBody, Select, SelectItem, SetOperation } from "../ast.ts";
import { type Span, unionSpan } from "../source-text.ts";
import { convertOrderItem, spanOfAll } from "./call.ts";
import type { ConvertContext } from "./context.ts";
import { convertExpression, convertExpressions, optional } from "./expression.ts";
import { convertGroupBy } from "./group-by.ts";
import { aliasColumns, convertTableWithJoins } from "./table-ref.ts";
import { field, firstPresent, flagIn, listIn, listOf, type Tree, textIn, variantOf } from "./tree.ts";

/** Parts of a query that Wadi does not have, with how to call them. */
const QUERY_EXTRAS: readonly (readonly [string, string])[] = [
  ["locks", "FOR UPDATE"],
  ["for_clause", "FOR XML or FOR JSON"],
  ["settings", "SETTINGS"],
  ["format_clause", "FORMAT"],
  ["pipe_operators", "|>"],
];

/** Parts of a SELECT that Wadi does not have, with how to call them. */
const SELECT_EXTRAS: readonly (readonly [string, string])[] = [
  ["top", "TOP"],
  ["exclude", "EXCLUDE"],
  ["into", "SELECT INTO"],
  ["lateral_views", "LATERAL VIEW"],
  ["prewhere", "PREWHERE"],
  ["connect_by", "CONNECT BY"],
  ["cluster_by", "CLUSTER BY"],
  ["distribute_by", "DISTRIBUTE BY"],
  ["sort_by", "SORT BY"],
  ["value_table_mode", "SELECT AS STRUCT or AS VALUE"],
  ["select_modifiers", "this modifier of SELECT"],
];

/** Converts a `Query`, wherever it stands. */
export function convertQuery(context: ConvertContext, tree: Tree): Query {
  const span = spanOfQuery(context, tree);
  refuseExtras(context, tree, span, QUERY_EXTRAS);
  const withTree = field(tree, "with");
  if (flagIn(withTree, "recursive")) context.unsupported(context.ownSpan(field(withTree, "with_token")) ?? span, "WITH RECURSIVE");
  const ctes = listIn(withTree, "cte_tables").map((cte) => convertCte(context, cte));
  const body = convertBody(context, field(tree, "body"));
  const { limit, offset } = convertLimit(context, tree, span);
  return { kind: "query", with: ctes, body, orderBy: convertOrderBy(context, field(tree, "order_by"), span), limit, offset, span };
}

/** From the query's first word to the bracket around it, or to the statement's end. */
function spanOfQuery(context: ConvertContext, tree: Tree): Span {
  const found = context.deepSpan(tree);
  let first = context.indexAt(found.start);
  // VALUES and the opening brackets of (SELECT …) UNION … have no span of their own.
  while (
    context.stream.isWord(first - 1, "VALUES") ||
    (context.stream.isSymbol(first - 1, "(") && isInsideQuery(context, first - 1, found))
  )
    first--;
  const open = context.stream.enclosing(first);
  const close = open === undefined ? undefined : context.stream.partner(open);
  return context.stream.span(first, close === undefined ? context.stream.length - 1 : close - 1);
}

/** True if the bracket at `open` closes before the query's last part, and so belongs to it. */
function isInsideQuery(context: ConvertContext, open: number, found: Span): boolean {
  const close = context.stream.partner(open);
  const end = close === undefined ? undefined : context.stream.at(close)?.end;
  return end !== undefined && end < found.end;
}

function refuseExtras(context: ConvertContext, tree: Tree, span: Span, extras: readonly (readonly [string, string])[]): void {
  for (const [key, construct] of extras) {
    if (firstPresent(tree, [key]) === undefined) continue;
    const place = context.deepSpan(field(tree, key));
    context.unsupported(place === context.statementSpan ? span : place, construct);
  }
}

function convertCte(context: ConvertContext, tree: Tree): Cte {
  const alias = field(tree, "alias");
  const name = context.ident(field(alias, "name"));
  const query = context.query(field(tree, "query"));
  if (field(tree, "from") !== undefined) context.unsupported(name.span, "FROM in a common table expression");
  return { name, columns: aliasColumns(context, alias), query, span: unionSpan(name.span, context.enclosing(query.span)) };
}

function convertBody(context: ConvertContext, tree: Tree): QueryBody {
  const { name, body } = variantOf(tree);
  switch (name) {
    case "Select":
      return convertSelect(context, body);
    case "Query": {
      const query = convertQuery(context, body);
      return { ...query, span: context.withBrackets(query.span) };
    }
    case "SetOperation":
      return convertSetOperation(context, body);
    case "Values": {
      const rows = listIn(body, "rows").map((row) => convertExpressions(context, listOf(field(row, "content") ?? row)));
      const span = spanOfAll(rows.flat(), context.statementSpan);
      return { kind: "values", rows, span: rows.length === 0 ? span : context.withBrackets(span) };
    }
    default: {
      const span = context.deepSpan(tree);
      context.unsupported(span, name === "Table" ? "TABLE name as a query" : `${name.toUpperCase()} inside a query`, "Use SELECT.");
      return { kind: "values", rows: [], span };
    }
  }
}

const SET_OPERATORS: Readonly<Record<string, SetOperation["op"]>> = {
  Union: "union",
  Except: "except",
  Minus: "except",
  Intersect: "intersect",
};

function convertSetOperation(context: ConvertContext, body: Tree): SetOperation {
  const left = convertBody(context, field(body, "left"));
  const right = convertBody(context, field(body, "right"));
  const span = unionSpan(left.span, right.span);
  const quantifier = variantOf(field(body, "set_quantifier")).name;
  if (quantifier.endsWith("ByName")) context.unsupported(span, "UNION BY NAME", "List the columns in the same order on both sides.");
  return {
    kind: "set-operation",
    op: SET_OPERATORS[variantOf(field(body, "op")).name] ?? "union",
    all: quantifier.startsWith("All"),
    left,
    right,
    span,
  };
}

function convertSelect(context: ConvertContext, tree: Tree): Select {
  const select = context.ownSpan(field(tree, "select_token")) ?? context.statementSpan;
  const windows = new Map(listIn(tree, "named_window").map((pair) => [textIn(listOf(pair)[0], "value"), listOf(pair)[1]]));
  refuseExtras(context, tree, select, SELECT_EXTRAS);
  if (field(tree, "flavor") !== "Standard") context.unsupported(select, "FROM before SELECT");
  const { name: distinct } = variantOf(field(tree, "distinct"));
  if (distinct === "On") context.unsupported(select, "DISTINCT ON", "Use row_number() OVER (PARTITION BY … ORDER BY …) and keep row 1.");
  return context.withNamedWindows(windows, () => {
    const projection = listIn(tree, "projection").map((item) => convertSelectItem(context, item));
    if (projection.length === 0) context.diagnostics.error("syntax", select, "SELECT needs at least one column");
    const parts = {
      projection,
      from: listIn(tree, "from").map((table) => convertTableWithJoins(context, table)),
      where: optional(context, field(tree, "selection")),
      ...convertGroupBy(context, field(tree, "group_by"), select),
      having: optional(context, field(tree, "having")),
      qualify: optional(context, field(tree, "qualify")),
    };
    const end = spanOfAll([...projection, ...parts.from, ...compact(parts.where, ...parts.groupBy, parts.having, parts.qualify)], select);
    const hints = convertHints(context, listIn(tree, "optimizer_hints"), select);
    return { kind: "select", distinct: distinct === "Distinct", ...parts, hints, span: unionSpan(select, end) };
  });
}

function compact(...parts: readonly (Expr | undefined)[]): Expr[] {
  return parts.filter((part) => part !== undefined);
}

/** Hints have no spans: they are searched for in the text after SELECT, in order. */
function convertHints(context: ConvertContext, trees: readonly Tree[], select: Span): Hint[] {
  const { text } = context.diagnostics.source;
  let from = select.end;
  return trees.map((tree) => {
    const hint = textIn(tree, "text");
    const at = text.indexOf(hint, from);
    const start = at === -1 ? select.start : at;
    from = Math.max(from, start + hint.length);
    return { text: hint.trim(), span: at === -1 ? select : { start, end: start + hint.length } };
  });
}

function convertSelectItem(context: ConvertContext, tree: Tree): SelectItem {
  const { name, body } = variantOf(tree);
  if (name === "UnnamedExpr") {
    const expr = convertExpression(context, body);
    return { kind: "expr", expr, alias: undefined, span: expr.span };
  }
  if (name === "ExprWithAlias") {
    const expr = convertExpression(context, field(body, "expr"));
    const alias = context.ident(field(body, "alias"));
    return { kind: "expr", expr, alias, span: unionSpan(expr.span, alias.span) };
  }
  if (name === "Wildcard") return wildcard(context, body, undefined);
  if (name === "QualifiedWildcard") {
    const [qualifier, options] = listOf(body);
    return wildcard(context, options, variantOf(qualifier));
  }
  const expr = context.unsupported(context.deepSpan(tree), "several aliases of one expression");
  return { kind: "expr", expr, alias: undefined, span: expr.span };
}

function wildcard(
  context: ConvertContext,
  options: Tree,
  qualified: { readonly name: string; readonly body: Tree } | undefined,
): SelectItem {
  const star = context.ownSpan(field(options, "wildcard_token")) ?? context.statementSpan;
  if (qualified !== undefined && qualified.name !== "ObjectName") {
    const expr = context.unsupported(star, "* of an expression", "Name the fields.");
    return { kind: "expr", expr, alias: undefined, span: star };
  }
  const qualifier = qualified === undefined ? undefined : context.name(qualified.body);
  const span = qualifier === undefined ? star : unionSpan(qualifier.span, star);
  return { kind: "wildcard", qualifier, except: context.prepared.wildcardExcept.get(star.start) ?? [], replace: [], span };
}

function convertOrderBy(context: ConvertContext, tree: Tree, span: Span): OrderItem[] {
  if (tree === undefined) return [];
  if (field(tree, "interpolate") !== undefined) context.unsupported(span, "INTERPOLATE");
  const { name, body } = variantOf(field(tree, "kind"));
  if (name === "Expressions") return listOf(body).map((item) => convertOrderItem(context, item, convertExpression));
  context.unsupported(span, "ORDER BY ALL", "List the columns.");
  return [];
}

function convertLimit(
  context: ConvertContext,
  tree: Tree,
  span: Span,
): { readonly limit: Expr | undefined; readonly offset: Expr | undefined } {
  const { name, body } = variantOf(field(tree, "limit_clause"));
  const fetch = field(tree, "fetch");
  if (name === "OffsetCommaLimit") context.unsupported(span, "LIMIT offset, count", "Write LIMIT count OFFSET offset.");
  if (listIn(body, "limit_by").length > 0) context.unsupported(span, "LIMIT … BY", "Use row_number() OVER (PARTITION BY …).");
  if (flagIn(fetch, "percent") || flagIn(fetch, "with_ties")) context.unsupported(span, "FETCH … PERCENT or WITH TIES", "Use LIMIT.");
  return {
    limit: optional(context, field(body, "limit") ?? field(fetch, "quantity")),
    offset: optional(context, field(field(body, "offset"), "value")),
  };
}
