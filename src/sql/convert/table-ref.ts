/**
 * FROM items and joins of the parser's tree → `ast.ts`.
 */
import type { CallArgument, Join, JoinCondition, TableAlias, TableRef } from "../ast.ts";
import type { Ident } from "../name.ts";
import { type Span, unionSpan } from "../source-text.ts";
import { convertArgument, spanOfAll } from "./call.ts";
import type { ConvertContext } from "./context.ts";
import { convertExpression, convertExpressions } from "./expression.ts";
import { field, firstPresent, flagIn, listIn, listOf, type Tree, variantOf } from "./tree.ts";

/** Converts a `TableWithJoins`; joins associate to the left. */
export function convertTableWithJoins(context: ConvertContext, tree: Tree): TableRef {
  let left = convertFactor(context, field(tree, "relation"));
  for (const join of listIn(tree, "joins")) left = convertJoin(context, left, join);
  return left;
}

const JOIN_TYPES: Readonly<Record<string, Join["type"]>> = {
  Join: "inner",
  Inner: "inner",
  Left: "left",
  LeftOuter: "left",
  Right: "right",
  RightOuter: "right",
  FullOuter: "full",
  CrossJoin: "cross",
  Semi: "semi",
  LeftSemi: "semi",
  Anti: "anti",
  LeftAnti: "anti",
  RightSemi: "right-semi",
  RightAnti: "right-anti",
};

function convertJoin(context: ConvertContext, left: TableRef, tree: Tree): TableRef {
  const right = convertFactor(context, field(tree, "relation"));
  const { name, body } = variantOf(field(tree, "join_operator"));
  const type = JOIN_TYPES[name];
  const between = unionSpan(left.span, right.span);
  if (type === undefined) {
    context.unsupported(right.span, `${name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase()} join`, "Use JOIN … ON.");
    return left;
  }
  const condition = convertJoinCondition(context, body, right.span);
  const parts = condition.kind === "on" ? [condition.expr] : condition.kind === "using" ? condition.columns : [];
  let span = unionSpan(between, spanOfAll(parts, between));
  if (condition.kind === "using") span = context.throughToken(span, context.after(span));
  return { kind: "join", type, left, right, condition, span };
}

function convertJoinCondition(context: ConvertContext, tree: Tree, right: Span): JoinCondition {
  const { name, body } = variantOf(tree);
  if (name === "On") return { kind: "on", expr: convertExpression(context, body) };
  if (name === "Natural") return { kind: "natural" };
  if (name !== "Using") return { kind: "none" };
  const columns: Ident[] = [];
  for (const column of listOf(body)) {
    const { parts, span } = context.name(column);
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) columns.push(only);
    else context.unsupported(span, "a qualified name in USING", "Name the columns without their tables.");
  }
  if (columns.length === 0) context.unsupported(right, "USING without columns");
  return { kind: "using", columns };
}

/** Parts of a table's name in FROM that Wadi does not have, with how to call them. */
const TABLE_EXTRAS: readonly (readonly [string, string])[] = [
  ["with_hints", "a table hint"],
  ["version", "a table version"],
  ["partitions", "PARTITION"],
  ["json_path", "a path after a table name"],
  ["sample", "TABLESAMPLE"],
  ["index_hints", "an index hint"],
];

function convertFactor(context: ConvertContext, tree: Tree): TableRef {
  const { name, body } = variantOf(tree);
  const alias = convertAlias(context, field(body, "alias"));
  switch (name) {
    case "Table":
      return convertNamed(context, body, alias);
    case "Function": {
      const fn = context.name(field(body, "name"));
      const span = withAlias(context, context.throughPair(fn.span, context.after(fn.span)), alias);
      if (flagIn(body, "with_ordinality")) context.unsupported(span, "WITH ORDINALITY on a table function");
      return {
        kind: "table-function",
        name: fn,
        args: tableArguments(context, listIn(body, "args"), span),
        lateral: flagIn(body, "lateral"),
        alias,
        span,
      };
    }
    case "Derived":
      return convertDerived(context, body, alias);
    case "UNNEST": {
      const exprs = convertExpressions(context, listIn(body, "array_exprs"));
      const span = withAlias(context, context.enclosing(spanOfAll(exprs, context.statementSpan), 1), alias);
      if (firstPresent(body, ["with_offset"]) !== undefined) context.unsupported(span, "UNNEST with OFFSET", "Use WITH ORDINALITY.");
      return { kind: "unnest", exprs, withOrdinality: flagIn(body, "with_ordinality"), alias, span };
    }
    case "NestedJoin": {
      const inner = convertTableWithJoins(context, field(body, "table_with_joins"));
      if (alias !== undefined)
        context.unsupported(alias.name.span, "an alias of a join in parentheses", "Use a subquery: (SELECT * FROM …) AS alias.");
      return { ...inner, span: context.withBrackets(inner.span) };
    }
    default: {
      const span = context.deepSpan(tree);
      context.unsupported(span, name === "" ? "this kind of table" : `${name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase()} in FROM`);
      return { kind: "table", name: { parts: [{ text: "", quoted: false, span }], span }, alias, span };
    }
  }
}

function convertNamed(context: ConvertContext, body: Tree, alias: TableAlias | undefined): TableRef {
  const name = context.name(field(body, "name"));
  for (const [key, construct] of TABLE_EXTRAS) {
    if (firstPresent(body, [key]) !== undefined) context.unsupported(name.span, `${construct} in FROM`);
  }
  const args = field(body, "args");
  if (args === undefined) return { kind: "table", name, alias, span: withAlias(context, name.span, alias) };
  const span = withAlias(context, context.throughPair(name.span, context.after(name.span)), alias);
  if (flagIn(body, "with_ordinality")) context.unsupported(span, "WITH ORDINALITY on a table function");
  return { kind: "table-function", name, args: tableArguments(context, listIn(args, "args"), span), lateral: false, alias, span };
}

function convertDerived(context: ConvertContext, body: Tree, alias: TableAlias | undefined): TableRef {
  const query = context.query(field(body, "subquery"));
  const span = withAlias(context, context.enclosing(query.span), alias);
  if (firstPresent(body, ["sample"]) !== undefined) context.unsupported(span, "TABLESAMPLE in FROM");
  return { kind: "derived", query, lateral: flagIn(body, "lateral"), alias, span };
}

function tableArguments(context: ConvertContext, trees: readonly Tree[], span: Span): CallArgument[] {
  return trees.flatMap((tree) => {
    const argument = convertArgument(context, tree, span, convertExpression);
    if (argument !== "star") return [argument];
    context.unsupported(span, "* as an argument of a table function");
    return [];
  });
}

function convertAlias(context: ConvertContext, tree: Tree): TableAlias | undefined {
  if (tree === undefined) return undefined;
  return { name: context.ident(field(tree, "name")), columns: aliasColumns(context, tree) };
}

/** The column names of a table or CTE alias. */
export function aliasColumns(context: ConvertContext, alias: Tree): Ident[] {
  return listIn(alias, "columns").map((column) => {
    const ident = context.ident(field(column, "name"));
    if (field(column, "data_type") !== undefined) context.unsupported(ident.span, "a type in a list of column aliases");
    return ident;
  });
}

function withAlias(context: ConvertContext, span: Span, alias: TableAlias | undefined): Span {
  if (alias === undefined) return span;
  const named = unionSpan(span, alias.name.span);
  return alias.columns.length === 0 ? named : context.throughPair(named, context.after(named));
}
