/**
 * Function calls and the special forms that mean one. Names and argument orders of special forms are DataFusion's; see `CallExpr`.
 */
import type { CallArgument, CallExpr, Expr, FrameBound, OrderItem, WindowFrame, WindowSpec } from "../ast.ts";
import type { Ident, QualifiedName } from "../name.ts";
import { type Span, unionSpan } from "../source-text.ts";
import type { ConvertContext } from "./context.ts";
import { field, firstPresent, listIn, listOf, type Tree, textIn, variantOf } from "./tree.ts";

/** Converts an expression; passed in because expressions contain calls. */
export type ExpressionConverter = (context: ConvertContext, tree: Tree) => Expr;

const PLAIN: Omit<CallExpr, "name" | "args" | "span"> = {
  kind: "call",
  star: false,
  distinct: false,
  orderBy: [],
  withinGroup: false,
  filter: undefined,
  nulls: undefined,
  over: undefined,
};

/** Functions that SQL calls without brackets. The parser takes USER and some more for one too: those are column names here. */
const CALLED_WITHOUT_BRACKETS: ReadonlySet<string> = new Set([
  ...["CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"],
]);

/** Converts a `Function`, with everything that may follow its arguments. */
export function convertCall(context: ConvertContext, body: Tree, convert: ExpressionConverter): Expr {
  const name = context.name(field(body, "name"));
  const [only] = name.parts;
  if (field(body, "args") === "None" && only !== undefined && !CALLED_WITHOUT_BRACKETS.has(only.text.toUpperCase())) {
    return { kind: "column", path: name.parts, span: name.span };
  }
  const span = spanOfCall(context, name.span);
  const args = convertArguments(context, field(body, "args"), span, convert);
  const names = context.prepared.structNames.get(name.span.start);
  if (names !== undefined) return namedStruct(context, args.list, names, name, span);
  const over = field(body, "over");
  const within = listIn(body, "within_group");
  const nulls = args.nulls ?? nullTreatment(field(body, "null_treatment"));
  const filter = field(body, "filter");
  return {
    ...PLAIN,
    name,
    args: args.list,
    star: args.star,
    distinct: args.distinct,
    orderBy: within.length > 0 ? within.map((item) => convertOrderItem(context, item, convert)) : args.orderBy,
    withinGroup: within.length > 0,
    filter: filter === undefined ? undefined : convert(context, filter),
    nulls,
    over: over === undefined ? undefined : convertOver(context, over, span, convert),
    span,
  };
}

/** The call's span: name, arguments, and the FILTER, WITHIN GROUP, IGNORE NULLS and OVER parts that the tokens show after them. */
function spanOfCall(context: ConvertContext, name: Span): Span {
  const { stream } = context;
  let span = name;
  let at = context.after(name);
  const takePair = (open: number): void => {
    span = context.throughPair(span, open);
    at = context.after(span);
  };
  if (!stream.isSymbol(at, "(")) return span;
  takePair(at);
  for (let more = true; more; ) {
    const pair = stream.isWord(at, "WITHIN") && stream.isWord(at + 1, "GROUP") ? at + 2 : at + 1;
    if (stream.isWord(at, "FILTER", "WITHIN", "OVER") && stream.isSymbol(pair, "(")) takePair(pair);
    else if (stream.isWord(at, "IGNORE", "RESPECT") && stream.isWord(at + 1, "NULLS")) {
      span = context.throughToken(span, at + 1);
      at += 2;
    } else {
      if (stream.isWord(at, "OVER") && stream.isName(at + 1)) span = context.throughToken(span, at + 1);
      more = false;
    }
  }
  return span;
}

interface Arguments {
  readonly list: readonly CallArgument[];
  readonly star: boolean;
  readonly distinct: boolean;
  readonly orderBy: readonly OrderItem[];
  readonly nulls: CallExpr["nulls"];
}

const NO_ARGUMENTS: Arguments = { list: [], star: false, distinct: false, orderBy: [], nulls: undefined };

function convertArguments(context: ConvertContext, tree: Tree, span: Span, convert: ExpressionConverter): Arguments {
  const { name, body } = variantOf(tree);
  if (name === "Subquery") {
    context.unsupported(span, "a subquery as the argument of a function", "Put the subquery into its own parentheses: f((SELECT …)).");
    return NO_ARGUMENTS;
  }
  let orderBy: readonly OrderItem[] = [];
  let nulls: CallExpr["nulls"];
  for (const clause of listIn(body, "clauses")) {
    const part = variantOf(clause);
    if (part.name === "OrderBy") orderBy = listOf(part.body).map((item) => convertOrderItem(context, item, convert));
    else if (part.name === "IgnoreOrRespectNulls") nulls = nullTreatment(part.body);
    else context.unsupported(span, `${part.name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase()} inside a call`);
  }
  const list: CallArgument[] = [];
  let star = false;
  for (const argument of listIn(body, "args")) {
    const converted = convertArgument(context, argument, span, convert);
    if (converted === "star") star = true;
    else list.push(converted);
  }
  if (star && list.length > 0) context.unsupported(span, "* next to other arguments");
  return { list, star, distinct: field(body, "duplicate_treatment") === "Distinct", orderBy, nulls };
}

/** Converts an argument of a function or table function; `span` is the call's. */
export function convertArgument(context: ConvertContext, tree: Tree, span: Span, convert: ExpressionConverter): CallArgument | "star" {
  const { name, body } = variantOf(tree);
  const value = variantOf(name === "Unnamed" ? body : field(body, "arg"));
  if (name === "Unnamed" && value.name === "Wildcard") return "star";
  if (value.name !== "Expr") return { name: undefined, value: context.unsupported(span, "* of a table as an argument") };
  return { name: argumentName(context, name, body, span), value: convert(context, value.body) };
}

function argumentName(context: ConvertContext, kind: string, body: Tree, span: Span): Ident | undefined {
  if (kind === "Unnamed") return undefined;
  const named = field(body, "name");
  if (kind === "Named") return context.ident(named);
  const { name, body: inner } = variantOf(named);
  if (name === "Identifier") return context.ident(inner);
  context.unsupported(span, "an argument with a computed name");
  return undefined;
}

function nullTreatment(tree: Tree): CallExpr["nulls"] {
  if (tree === "IgnoreNulls") return "ignore";
  return tree === "RespectNulls" ? "respect" : undefined;
}

/** `STRUCT(1 AS a, 2)` → `named_struct('a', 1, 'c1', 2)`: unnamed fields are named by place, as `struct` does. */
function namedStruct(
  context: ConvertContext,
  args: readonly CallArgument[],
  names: readonly ({ readonly text: string; readonly span: Span } | undefined)[],
  name: QualifiedName,
  span: Span,
): CallExpr {
  const pairs = args.flatMap((argument, i): CallArgument[] => {
    const fieldName = names[i];
    const key: Expr = { kind: "string", value: fieldName?.text ?? `c${i}`, span: fieldName?.span ?? argument.value.span };
    return [{ name: undefined, value: key }, argument];
  });
  if (names.length !== args.length) context.unsupported(span, "this form of STRUCT(…)");
  return { ...PLAIN, name: synthetic("named_struct", name.span), args: pairs, span };
}

/** One item of ORDER BY, in a query, a call or a window. */
export function convertOrderItem(context: ConvertContext, tree: Tree, convert: ExpressionConverter): OrderItem {
  const expr = convert(context, field(tree, "expr"));
  const options = field(tree, "options");
  if (field(tree, "with_fill") !== undefined) context.unsupported(expr.span, "WITH FILL");
  const nullsFirst = field(options, "nulls_first");
  return {
    expr,
    descending: field(options, "asc") === false,
    nullsFirst: typeof nullsFirst === "boolean" ? nullsFirst : undefined,
    span: context.throughWords(expr.span, "ASC", "DESC", "NULLS", "FIRST", "LAST"),
  };
}

// ---------------------------------------------------------------------------------------------------------------- windows

/** `OVER (…)` or `OVER name`. A name is looked up in the query's WINDOW clause. */
function convertOver(context: ConvertContext, tree: Tree, call: Span, convert: ExpressionConverter): WindowSpec {
  const { name, body } = variantOf(tree);
  const over = context.findWord(context.indexAt(call.start), "OVER") ?? 0;
  if (name === "NamedWindow") {
    const ident = context.ident(body);
    return namedWindow(context, textIn(body, "value"), ident.span, convert);
  }
  const last = context.after(call) - 1;
  const open = context.stream.partner(last) ?? over;
  return convertWindowSpec(context, body, context.stream.span(open, last), convert);
}

function convertWindowSpec(context: ConvertContext, tree: Tree, span: Span, convert: ExpressionConverter): WindowSpec {
  const base = field(tree, "window_name");
  const inherited = base === undefined ? undefined : namedWindow(context, textIn(base, "value"), context.ident(base).span, convert);
  const partitionBy = listIn(tree, "partition_by").map((item) => convert(context, item));
  const orderBy = listIn(tree, "order_by").map((item) => convertOrderItem(context, item, convert));
  const frame = field(tree, "window_frame");
  return {
    partitionBy: partitionBy.length > 0 ? partitionBy : (inherited?.partitionBy ?? []),
    orderBy: orderBy.length > 0 ? orderBy : (inherited?.orderBy ?? []),
    frame: frame === undefined ? inherited?.frame : convertFrame(context, frame, span, convert),
    span,
  };
}

/** The definition of `name` in the WINDOW clause of the SELECT that is being converted. */
function namedWindow(context: ConvertContext, name: string, span: Span, convert: ExpressionConverter): WindowSpec {
  const definition = context.takeNamedWindow(name);
  if (definition === undefined) {
    context.diagnostics.error("syntax", span, `window "${name}" does not exist`, {
      hint: "Define it in the WINDOW clause, without a cycle.",
    });
    return { partitionBy: [], orderBy: [], frame: undefined, span };
  }
  const spec = variantOf(definition);
  const result =
    spec.name === "NamedWindow"
      ? namedWindow(context, textIn(spec.body, "value"), span, convert)
      : convertWindowSpec(context, spec.body, span, convert);
  context.putNamedWindow(name, definition);
  return result;
}

function convertFrame(context: ConvertContext, tree: Tree, span: Span, convert: ExpressionConverter): WindowFrame {
  const end = field(tree, "end_bound");
  const units = textIn(tree, "units").toLowerCase();
  return {
    units: units === "range" || units === "groups" ? units : "rows",
    start: convertBound(context, field(tree, "start_bound"), span, convert),
    end: end === undefined ? { kind: "current-row" } : convertBound(context, end, span, convert),
  };
}

function convertBound(context: ConvertContext, tree: Tree, span: Span, convert: ExpressionConverter): FrameBound {
  const { name, body } = variantOf(tree);
  const offset = body === undefined || body === null ? undefined : convert(context, body);
  if (name === "Preceding") return { kind: "preceding", offset };
  if (name === "Following") return { kind: "following", offset };
  if (name !== "CurrentRow") context.unsupported(span, "this window frame");
  return { kind: "current-row" };
}

// ---------------------------------------------------------------------------------------------------------- special forms

/** Variants of the parser's tree that are calls in disguise. */
export const SPECIAL_FORMS = ["Extract", "Position", "Substring", "Trim", "Ceil", "Floor", "Overlay"] as const;

/** Converts one of `SPECIAL_FORMS`. */
export function convertSpecialForm(
  context: ConvertContext,
  form: (typeof SPECIAL_FORMS)[number],
  body: Tree,
  convert: ExpressionConverter,
): Expr {
  const operand = convert(context, field(body, "expr"));
  const span = context.enclosing(operand.span, 1);
  const part = (key: string): Expr[] => (field(body, key) === undefined ? [] : [convert(context, field(body, key))]);
  const call = (name: string, ...args: readonly Expr[]): CallExpr => {
    const at = context.indexAt(span.start);
    const word = context.stream.span(at, at);
    return { ...PLAIN, name: synthetic(name, word), args: args.map((value) => ({ name: undefined, value })), span };
  };
  switch (form) {
    case "Extract":
      return call("date_part", dateField(context, field(body, "field"), span), operand);
    case "Position":
      return call("strpos", ...part("in"), operand);
    case "Substring":
      return call("substr", operand, ...substringBounds(part("substring_from"), part("substring_for"), span));
    case "Overlay":
      return call("overlay", operand, ...part("overlay_what"), ...part("overlay_from"), ...part("overlay_for"));
    case "Trim": {
      const side = variantOf(field(body, "trim_where")).name;
      const name = side === "Leading" ? "ltrim" : side === "Trailing" ? "rtrim" : "btrim";
      const characters = listIn(body, "trim_characters").map((c) => convert(context, c));
      return call(name, operand, ...part("trim_what"), ...characters);
    }
    case "Ceil":
    case "Floor": {
      const unit = variantOf(field(body, "field"));
      if (unit.name === "DateTimeField" && variantOf(unit.body).name === "NoDateTime") return call(form.toLowerCase(), operand);
      return context.unsupported(span, `${form.toUpperCase()} with a unit or scale`, "Use date_trunc, or round(x, n).");
    }
  }
}

/** `FOR` without `FROM` counts from 1. */
function substringBounds(from: readonly Expr[], length: readonly Expr[], span: Span): Expr[] {
  const start: readonly Expr[] = from.length > 0 || length.length === 0 ? from : [{ kind: "number", text: "1", span }];
  return [...start, ...length];
}

/** The field of EXTRACT as a string in lower case. */
function dateField(context: ConvertContext, tree: Tree, span: Span): Expr {
  const { name, body } = variantOf(tree);
  const custom = textIn(body, "value");
  if (firstPresent({ body }, ["body"]) !== undefined && custom === "") context.unsupported(span, "this field of EXTRACT");
  const value = (custom === "" ? name : custom).toLowerCase();
  const at = context.indexAt(span.start) + 2;
  return { kind: "string", value, span: context.stream.span(at, at) };
}

function synthetic(text: string, span: Span): QualifiedName {
  return { parts: [{ text, quoted: false, span }], span };
}

/** The smallest span over all of `parts`, or `otherwise` if there are none. */
export function spanOfAll(parts: readonly { readonly span: Span }[], otherwise: Span): Span {
  const [first, ...rest] = parts;
  return first === undefined ? otherwise : unionSpan(first.span, ...rest.map((p) => p.span));
}
