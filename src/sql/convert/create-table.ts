/**
 * CREATE TABLE of the parser's tree and what the pre-pass took out of it → `statement.ts`.
 */
import type { Expr } from "../ast.ts";
import type { Ident } from "../name.ts";
import { type Span, unionSpan } from "../source-text.ts";
import type { ColumnDef, CreateTable, OptionValue, TableOption } from "../statement.ts";
import type { ConvertContext } from "./context.ts";
import { convertExpression } from "./expression.ts";
import { convertInterval } from "./literal.ts";
import { convertQuery } from "./query.ts";
import { field, firstPresent, flagIn, listIn, listOf, type Tree, textIn, variantOf } from "./tree.ts";

/** The expressions that the pre-pass took out, parsed on their own. */
export interface TableExpressions {
  readonly watermark: Expr | undefined;
  readonly partitionedBy: readonly Expr[];
}

const TABLE_EXTRAS: readonly (readonly [string, string])[] = [
  ["external", "CREATE EXTERNAL TABLE"],
  ["transient", "CREATE TRANSIENT TABLE"],
  ["like", "CREATE TABLE … LIKE"],
  ["clone", "CREATE TABLE … CLONE"],
  ["file_format", "STORED AS"],
  ["location", "LOCATION"],
  ["without_rowid", "WITHOUT ROWID"],
  ["comment", "COMMENT"],
  ["on_commit", "ON COMMIT"],
  ["on_cluster", "ON CLUSTER"],
  ["order_by", "ORDER BY in CREATE TABLE"],
  ["partition_by", "PARTITION BY in CREATE TABLE"],
  ["cluster_by", "CLUSTER BY"],
  ["clustered_by", "CLUSTERED BY"],
  ["inherits", "INHERITS"],
  ["partition_of", "PARTITION OF"],
  ["strict", "STRICT"],
];

/** Converts a `CreateTable`. */
export function convertCreateTable(context: ConvertContext, body: Tree, expressions: TableExpressions): CreateTable {
  const { prepared } = context;
  const name = context.name(field(body, "name"));
  for (const [key, construct] of TABLE_EXTRAS) {
    if (firstPresent(body, [key]) !== undefined) context.unsupported(name.span, construct);
  }
  const query = field(body, "query");
  return {
    kind: "create-table",
    name,
    temporary: flagIn(body, "temporary"),
    ifNotExists: flagIn(body, "if_not_exists"),
    orReplace: flagIn(body, "or_replace"),
    columns: listIn(body, "columns").map((column) => convertColumn(context, column)),
    primaryKey: listIn(body, "constraints").flatMap((constraint) => convertConstraint(context, constraint)),
    watermark: prepared.watermark === undefined ? undefined : { ...prepared.watermark, expr: expressions.watermark },
    options: convertOptions(context, field(body, "table_options")),
    partitionedBy: expressions.partitionedBy,
    query: query === undefined ? undefined : convertQuery(context, query),
    span: context.statementSpan,
  };
}

function convertColumn(context: ConvertContext, tree: Tree): ColumnDef {
  const name = context.ident(field(tree, "name"));
  const at = context.after(name.span);
  const type = context.typeAt(at);
  let notNull = false;
  let primaryKey = false;
  let generated: Expr | undefined;
  for (const option of listIn(tree, "options")) {
    const { name: kind, body } = variantOf(field(option, "option"));
    if (kind === "NotNull") notNull = true;
    else if (kind === "PrimaryKey" || (kind === "Unique" && flagIn(body, "is_primary"))) primaryKey = true;
    else if (kind === "Generated" && field(body, "generation_expr") !== undefined) {
      generated = convertExpression(context, field(body, "generation_expr"));
    } else if (kind !== "Null") {
      const found = context.deepSpan(body);
      const construct = kind === "Generated" ? "GENERATED … AS IDENTITY" : kind.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
      context.unsupported(found === context.statementSpan ? name.span : found, `${construct} on a column`);
    }
  }
  const key = context.prepared.metadata.get(name.span.start);
  if (key !== undefined && generated !== undefined) {
    context.diagnostics.error("invalid-table", name.span, `column "${name.text}" is both generated and METADATA`, {
      hint: "Keep one of them.",
    });
  }
  const metadataKey = key === undefined ? undefined : ({ kind: "string", value: key.key, span: key.span } as const);
  return {
    name,
    type,
    notNull,
    primaryKey,
    generated,
    metadataKey,
    span: unionSpan(name.span, endOfElement(context, Math.max(at, context.after(type.span) - 1))),
  };
}

/** The span from token `at` to the end of its element: up to the next comma or the closing bracket. */
function endOfElement(context: ConvertContext, at: number): Span {
  const { stream } = context;
  let i = at + 1;
  while (i < stream.length && !stream.isSymbol(i, ",") && !stream.isSymbol(i, ")")) i = (stream.partner(i) ?? i) + 1;
  return stream.span(at, i - 1);
}

function convertConstraint(context: ConvertContext, tree: Tree): Ident[] {
  const { name, body } = variantOf(tree);
  if (name !== "PrimaryKey") {
    const construct = name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
    context.unsupported(
      context.deepSpan(tree),
      `table constraint ${construct}`,
      "Only PRIMARY KEY and WATERMARK FOR are table constraints here.",
    );
    return [];
  }
  return listIn(body, "columns").flatMap((column): Ident[] => {
    const expr = convertExpression(context, field(field(column, "column"), "expr"));
    if (expr.kind === "column" && expr.path.length === 1) return [...expr.path];
    context.unsupported(expr.span, "an expression in PRIMARY KEY");
    return [];
  });
}

// ---------------------------------------------------------------------------------------------------------------- options

function convertOptions(context: ConvertContext, tree: Tree): TableOption[] {
  const { name, body } = variantOf(tree);
  if (name !== "With") {
    if (name !== "None" && name !== "")
      context.unsupported(context.deepSpan(tree), "this form of table options", "Write WITH (name = value, …).");
    return [];
  }
  const options: TableOption[] = [];
  for (const option of listOf(body)) {
    const { name: kind, body: pair } = variantOf(option);
    if (kind !== "KeyValue") {
      context.unsupported(context.deepSpan(option), "an option without a value", "Write name = value.");
      continue;
    }
    const keyTree = field(pair, "key");
    const key = textIn(keyTree, "value");
    const keySpan = context.ownSpan(keyTree) ?? context.statementSpan;
    const value = convertOptionValue(context, field(pair, "value"));
    if (value === undefined) continue;
    // Arroyo takes the last one without a word.
    const earlier = options.findIndex((other) => other.key === key);
    if (earlier !== -1) {
      options.splice(earlier, 1);
      context.diagnostics.warning("duplicate-option", keySpan, `option "${key}" is given twice`, { detail: "The last one counts." });
    }
    options.push({ key, keySpan, value, span: unionSpan(keySpan, value.span) });
  }
  return options;
}

function convertOptionValue(context: ConvertContext, tree: Tree): OptionValue | undefined {
  const { name, body } = variantOf(tree);
  if (name === "Interval") {
    const interval = convertInterval(context, body);
    return interval.kind === "interval" ? { kind: "interval", interval, span: interval.span } : undefined;
  }
  if (name === "Array") {
    const items = listIn(body, "elem").map((item) => convertOptionValue(context, item));
    const present = items.filter((item) => item !== undefined);
    const [first] = present;
    return { kind: "list", items: present, span: first === undefined ? context.statementSpan : context.enclosing(first.span) };
  }
  const expr = convertExpression(context, tree);
  const value = simpleOption(expr);
  if (value === undefined && expr.kind !== "null") {
    context.diagnostics.error("invalid-option", expr.span, "option value is not a literal, an identifier or a list of them", {
      hint: "Write a string, a number, TRUE or FALSE, an INTERVAL, a column name or [a, b].",
    });
  } else if (value === undefined && name === "Value") {
    context.diagnostics.error("invalid-option", expr.span, "option value is NULL", { hint: "Leave the option out." });
  }
  return value;
}

function simpleOption(expr: Expr): OptionValue | undefined {
  const { span } = expr;
  switch (expr.kind) {
    case "string":
      return { kind: "string", value: expr.value, span };
    case "number":
      return { kind: "number", text: expr.text, span };
    case "boolean":
      return { kind: "boolean", value: expr.value, span };
    case "column":
      return { kind: "identifier", name: { parts: expr.path, span }, span };
    case "unary":
      return expr.op === "-" && expr.operand.kind === "number" ? { kind: "number", text: `-${expr.operand.text}`, span } : undefined;
    default:
      return undefined;
  }
}
