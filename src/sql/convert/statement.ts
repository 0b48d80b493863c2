/**
 * Statements of the parser's tree → `statement.ts`. A statement that Wadi does not have is reported by its first words.
 */
import type { Expr } from "../ast.ts";
import type { Ident } from "../name.ts";
import type { CreateFunction, Explain, FunctionParameter, Insert, Statement } from "../statement.ts";
import type { ConvertContext } from "./context.ts";
import { convertCreateTable, type TableExpressions } from "./create-table.ts";
import { convertExpression } from "./expression.ts";
import { convertQuery } from "./query.ts";
import { field, firstPresent, flagIn, listIn, type Tree, textIn, variantOf } from "./tree.ts";

/** Converts a statement; `undefined` if it is one that Wadi does not have, which is then reported. */
export function convertStatement(context: ConvertContext, tree: Tree, expressions: TableExpressions): Statement | undefined {
  const { name, body } = variantOf(tree);
  const span = context.statementSpan;
  switch (name) {
    case "Query":
      return { kind: "select-statement", query: convertQuery(context, body), span };
    case "Insert":
      return convertInsert(context, body);
    case "CreateTable":
      return convertCreateTable(context, body, expressions);
    case "CreateView":
      return convertCreateView(context, body);
    case "CreateFunction":
      return convertCreateFunction(context, body);
    case "Set":
      return convertSet(context, body);
    case "Explain":
      return convertExplain(context, body, expressions);
    case "ExplainTable":
      return { kind: "describe", name: context.name(field(body, "table_name")), span };
    case "ShowTables":
      if (firstPresent(field(body, "show_options"), ["show_in", "starts_with", "limit", "limit_from", "filter_position"]) !== undefined) {
        context.unsupported(span, "SHOW TABLES with a filter");
      }
      return { kind: "show-tables", span };
    default:
      return refuse(context);
  }
}

/** Statements that other systems have, with what to do here. */
const STATEMENT_HINTS: Readonly<Record<string, string>> = {
  UPDATE: "Streams are not updated in place: write a query whose result is an updating stream.",
  DELETE: "Streams are not updated in place: filter rows with WHERE.",
  DROP: "A script starts from nothing: leave the definition out.",
  ALTER: "A script starts from nothing: change the definition.",
  COPY: "Use a table with a connector, and INSERT INTO … SELECT.",
  MERGE: "Use INSERT INTO … SELECT into a sink with a primary key.",
};

function refuse(context: ConvertContext): undefined {
  const words: string[] = [];
  for (let i = 0; i < 2 && context.stream.at(i)?.kind === "word"; i++) words.push(context.stream.at(i)?.text ?? "");
  const [first = ""] = words;
  const shown = first === "CREATE" || first === "DROP" || first === "ALTER" || first === "SHOW" ? words : words.slice(0, 1);
  const span = context.stream.span(0, Math.max(shown.length - 1, 0));
  const hint =
    STATEMENT_HINTS[first] ??
    "Statements are CREATE TABLE, CREATE VIEW, CREATE FUNCTION, INSERT, SELECT, SET, EXPLAIN, DESCRIBE and SHOW TABLES.";
  context.diagnostics.error("unsupported-statement", span, `statement ${shown.join(" ")} is not supported`, { hint });
  return undefined;
}

const INSERT_EXTRAS: readonly (readonly [string, string])[] = [
  ["or", "INSERT OR"],
  ["ignore", "INSERT IGNORE"],
  ["table_alias", "an alias of the target of INSERT"],
  ["overwrite", "INSERT OVERWRITE"],
  ["assignments", "INSERT … SET"],
  ["partitioned", "PARTITION in INSERT"],
  ["after_columns", "PARTITION in INSERT"],
  ["on", "ON CONFLICT"],
  ["returning", "RETURNING"],
  ["replace_into", "REPLACE INTO"],
  ["insert_alias", "an alias of the rows of INSERT"],
];

function convertInsert(context: ConvertContext, body: Tree): Insert | undefined {
  const span = context.statementSpan;
  refuseExtras(context, body, INSERT_EXTRAS);
  const target = variantOf(field(body, "table"));
  const source = field(body, "source");
  if (target.name !== "TableName" || source === undefined) {
    context.unsupported(
      span,
      source === undefined ? "INSERT without a query" : "this target of INSERT",
      "Write INSERT INTO table SELECT ….",
    );
    return undefined;
  }
  const columns = listIn(body, "columns").flatMap((column): Ident[] => {
    const { parts, span: place } = context.name(column);
    if (parts.length === 1) return [...parts];
    context.unsupported(place, "a qualified column name in INSERT");
    return [];
  });
  return { kind: "insert", table: context.name(target.body), columns, query: convertQuery(context, source), span };
}

/** Reports each of `extras` that is present in `tree`, by its construct's name. */
function refuseExtras(context: ConvertContext, tree: Tree, extras: readonly (readonly [string, string])[]): void {
  for (const [key, construct] of extras) {
    if (firstPresent(tree, [key]) !== undefined) context.unsupported(context.deepSpan(field(tree, key)), construct);
  }
}

function convertCreateView(context: ConvertContext, body: Tree): Statement {
  refuseExtras(context, body, [
    ["materialized", "CREATE MATERIALIZED VIEW"],
    ["cluster_by", "CLUSTER BY"],
    ["to", "TO in CREATE VIEW"],
    ["comment", "COMMENT in CREATE VIEW"],
    ["with_no_schema_binding", "WITH NO SCHEMA BINDING"],
    ["or_alter", "CREATE OR ALTER VIEW"],
  ]);
  if (variantOf(field(body, "options")).name !== "None")
    context.unsupported(context.deepSpan(field(body, "options")), "an option of CREATE VIEW");
  return {
    kind: "create-view",
    name: context.name(field(body, "name")),
    orReplace: flagIn(body, "or_replace"),
    ifNotExists: flagIn(body, "if_not_exists"),
    columns: listIn(body, "columns").map((column) => context.ident(field(column, "name"))),
    query: convertQuery(context, field(body, "query")),
    span: context.statementSpan,
  };
}

function convertSet(context: ConvertContext, body: Tree): Statement | undefined {
  const { name, body: inner } = variantOf(body);
  const values = listIn(inner, "values");
  const [value] = values;
  if (name !== "SingleAssignment" || values.length !== 1 || firstPresent(inner, ["scope", "hivevar"]) !== undefined) {
    context.unsupported(context.statementSpan, "this form of SET", "Write SET name = value.");
    return undefined;
  }
  const converted: Expr = convertExpression(context, value);
  return { kind: "set", name: context.name(field(inner, "variable")), value: converted, span: context.statementSpan };
}

function convertExplain(context: ConvertContext, body: Tree, expressions: TableExpressions): Explain | undefined {
  refuseExtras(context, body, [
    ["query_plan", "EXPLAIN QUERY PLAN"],
    ["estimate", "EXPLAIN ESTIMATE"],
    ["format", "EXPLAIN with a format"],
    ["options", "EXPLAIN with options"],
  ]);
  const statement = convertStatement(context, field(body, "statement"), expressions);
  if (statement === undefined) return undefined;
  return { kind: "explain", verbose: flagIn(body, "verbose"), analyze: flagIn(body, "analyze"), statement, span: context.statementSpan };
}

function convertCreateFunction(context: ConvertContext, body: Tree): CreateFunction | undefined {
  refuseExtras(context, body, [
    ["temporary", "CREATE TEMPORARY FUNCTION"],
    ["using", "USING in CREATE FUNCTION"],
    ["options", "OPTIONS in CREATE FUNCTION"],
    ["if_not_exists", "IF NOT EXISTS in CREATE FUNCTION"],
    ["remote_connection", "REMOTE in CREATE FUNCTION"],
  ]);
  const name = context.name(field(body, "name"));
  const { body: code } = variantOf(field(body, "function_body"));
  const literal = variantOf(field(code, "body") ?? code);
  const value = literal.name === "Value" ? convertExpression(context, field(code, "body") ?? code) : undefined;
  if (value?.kind !== "string") {
    context.unsupported(name.span, "CREATE FUNCTION without a quoted body", "Write CREATE FUNCTION name() LANGUAGE TYPESCRIPT AS $$ … $$.");
    return undefined;
  }
  const language = field(body, "language");
  return {
    kind: "create-function",
    name,
    orReplace: flagIn(body, "or_replace"),
    parameters: convertParameters(context, listIn(body, "args"), context.after(name.span)),
    returns: field(body, "return_type") === undefined ? undefined : returnType(context, context.after(name.span)),
    language: language === undefined ? undefined : textIn(language, "value").toLowerCase(),
    body: value.value,
    bodySpan: bodySpan(context, value.span),
    span: context.statementSpan,
  };
}

function convertParameters(context: ConvertContext, trees: readonly Tree[], open: number): FunctionParameter[] {
  const items = context.stream.items(open);
  return trees.map((tree, i) => {
    const nameTree = field(tree, "name");
    const first = items[i]?.[0] ?? open + 1;
    // The parser gives parameters' names no place: it is the first token.
    const name = nameTree === undefined ? undefined : { ...context.ident(nameTree), span: context.stream.span(first, first) };
    const type = context.typeAt(name === undefined ? first : first + 1);
    if (field(tree, "default_expr") !== undefined || field(tree, "mode") !== undefined) {
      context.unsupported(type.span, "a parameter with a mode or a default");
    }
    return { name, type };
  });
}

function returnType(context: ConvertContext, open: number) {
  const at = context.findWord((context.stream.partner(open) ?? open) + 1, "RETURNS");
  return at === undefined ? undefined : context.typeAt(at + 1);
}

/** The place of a quoted body without its quotes. */
function bodySpan(context: ConvertContext, literal: { readonly start: number; readonly end: number }) {
  const token = context.stream.at(context.indexAt(literal.start));
  if (token?.kind === "dollar-string") {
    const quote = token.text.indexOf("$", 1) + 1;
    return { start: token.start + quote, end: token.end - quote };
  }
  return token === undefined ? literal : { start: token.start + token.text.indexOf("'") + 1, end: token.end - 1 };
}
