/**
 * Expressions of the parser's tree → `ast.ts`. One function per shape, chosen by the variant's name in `CONVERTERS`; a variant that is
 * not there is reported as unsupported by its name.
 */
import type { BinaryOperator, Expr, IsExpr, LikeExpr, UnaryOperator } from "../ast.ts";
import type { Ident } from "../name.ts";
import { type Span, unionSpan } from "../source-text.ts";
import { convertCall, convertSpecialForm, SPECIAL_FORMS } from "./call.ts";
import type { ConvertContext } from "./context.ts";
import { convertInterval, convertTypedString, convertValue } from "./literal.ts";
import { field, flagIn, listIn, listOf, type Tree, variantOf } from "./tree.ts";

type Converter = (context: ConvertContext, body: Tree, name: string) => Expr;

/** Converts an expression. What is unsupported is reported and replaced by NULL. */
export function convertExpression(context: ConvertContext, tree: Tree): Expr {
  const { name, body } = variantOf(tree);
  const converter = CONVERTERS.get(name);
  if (converter !== undefined) return converter(context, body, name);
  return context.unsupported(context.deepSpan(tree), readableName(name));
}

/** Converts a list of expressions. */
export function convertExpressions(context: ConvertContext, trees: readonly Tree[]): Expr[] {
  return trees.map((tree) => convertExpression(context, tree));
}

/** `IsNormalized` → `IS NORMALIZED`: the parser's names are the keywords run together. */
function readableName(name: string): string {
  return name === "" ? "this expression" : name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
}

const CONVERTERS: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ["Identifier", (context, body) => columnOf([context.ident(body)])],
  ["CompoundIdentifier", (context, body) => columnOf(listOf(body).map((part) => context.ident(part)))],
  ["CompoundFieldAccess", convertFieldAccess],
  ["Nested", convertNested],
  ["Value", (context, body) => convertValue(context, body)],
  ["TypedString", (context, body) => convertTypedString(context, body)],
  ["Interval", (context, body) => convertInterval(context, body)],
  ["BinaryOp", convertBinary],
  ["UnaryOp", convertUnary],
  ["Cast", convertCast],
  ["Case", convertCase],
  ["Between", convertBetween],
  ["InList", convertInList],
  ["InSubquery", convertInSubquery],
  ["Exists", convertExists],
  ["Subquery", convertSubquery],
  ["Like", convertLike],
  ["ILike", convertLike],
  ["SimilarTo", convertLike],
  ["IsNull", convertIs],
  ["IsNotNull", convertIs],
  ["IsTrue", convertIs],
  ["IsNotTrue", convertIs],
  ["IsFalse", convertIs],
  ["IsNotFalse", convertIs],
  ["IsUnknown", convertIs],
  ["IsNotUnknown", convertIs],
  ["IsDistinctFrom", convertIsDistinct],
  ["IsNotDistinctFrom", convertIsDistinct],
  ["AnyOp", convertAny],
  ["Array", convertArray],
  ["Tuple", convertTuple],
  ["AtTimeZone", convertAtTimeZone],
  ["Collate", (context, body) => context.unsupported(context.deepSpan(body), "COLLATE", "Text is compared by bytes.")],
  ["Function", (context, body) => convertCall(context, body, convertExpression)],
  ...SPECIAL_FORMS.map((form): [string, Converter] => [
    form,
    (context, body) => convertSpecialForm(context, form, body, convertExpression),
  ]),
]);

function columnOf(path: readonly Ident[]): Expr {
  const [first, ...rest] = path.map((part) => part.span);
  return { kind: "column", path, span: first === undefined ? { start: 0, end: 0 } : unionSpan(first, ...rest) };
}

function convertNested(context: ConvertContext, body: Tree): Expr {
  const inner = convertExpression(context, body);
  const span = context.withBrackets(inner.span);
  // A path in parentheses is a value: `(t.a).b` is a field of the column, never schema t, table a.
  return { ...inner, span };
}

function convertFieldAccess(context: ConvertContext, body: Tree): Expr {
  const root = field(body, "root");
  const isNested = variantOf(root).name === "Nested";
  let base = convertExpression(context, root);
  for (const access of listIn(body, "access_chain")) {
    const { name, body: inner } = variantOf(access);
    base = name === "Dot" ? accessField(context, base, inner, isNested) : accessElement(context, base, inner);
  }
  return base;
}

function accessField(context: ConvertContext, base: Expr, tree: Tree, isNested: boolean): Expr {
  const { name, body } = variantOf(tree);
  if (name !== "Identifier") return context.unsupported(context.deepSpan(tree), "this kind of field access");
  const ident = context.ident(body);
  const span = unionSpan(base.span, ident.span);
  if (base.kind === "column" && !isNested) return { ...base, path: [...base.path, ident], span };
  return { kind: "field", base, name: ident, span };
}

function accessElement(context: ConvertContext, base: Expr, tree: Tree): Expr {
  const { name, body } = variantOf(tree);
  const span = context.throughPair(base.span, context.after(base.span));
  if (name === "Index") return { kind: "subscript", base, index: convertExpression(context, field(body, "index")), span };
  if (name !== "Slice") return context.unsupported(span, "this kind of subscript");
  const bound = (key: string): Expr | undefined => optional(context, field(body, key));
  return { kind: "slice", base, from: bound("lower_bound"), to: bound("upper_bound"), step: bound("stride"), span };
}

/** Converts a part that may be absent. */
export function optional(context: ConvertContext, tree: Tree): Expr | undefined {
  return tree === undefined ? undefined : convertExpression(context, tree);
}

const BINARY: Readonly<Record<string, BinaryOperator>> = {
  Or: "or",
  And: "and",
  Eq: "=",
  NotEq: "<>",
  Lt: "<",
  LtEq: "<=",
  Gt: ">",
  GtEq: ">=",
  Plus: "+",
  Minus: "-",
  Multiply: "*",
  Divide: "/",
  Modulo: "%",
  StringConcat: "||",
  BitwiseAnd: "&",
  BitwiseOr: "|",
  BitwiseXor: "^",
  PGBitwiseXor: "^",
  PGExp: "^",
  PGBitwiseShiftLeft: "<<",
  PGBitwiseShiftRight: ">>",
  PGRegexMatch: "~",
  PGRegexIMatch: "~*",
  PGRegexNotMatch: "!~",
  PGRegexNotIMatch: "!~*",
  Arrow: "->",
  LongArrow: "->>",
  Question: "?",
  AtArrow: "@>",
  ArrowAt: "<@",
};

/** `~~` and its kin are LIKE under another name. */
const LIKE_OPERATORS: Readonly<Record<string, Pick<LikeExpr, "variant" | "negated">>> = {
  PGLikeMatch: { variant: "like", negated: false },
  PGILikeMatch: { variant: "ilike", negated: false },
  PGNotLikeMatch: { variant: "like", negated: true },
  PGNotILikeMatch: { variant: "ilike", negated: true },
};

function convertBinary(context: ConvertContext, body: Tree): Expr {
  const left = convertExpression(context, field(body, "left"));
  const right = convertExpression(context, field(body, "right"));
  const span = unionSpan(left.span, right.span);
  const { name } = variantOf(field(body, "op"));
  const like = LIKE_OPERATORS[name];
  if (like !== undefined) return { kind: "like", ...like, operand: left, pattern: right, escape: undefined, span };
  const op = BINARY[name];
  if (op !== undefined) return { kind: "binary", op, left, right, span };
  return context.unsupported(span, `operator ${operatorText(context, left.span, right.span)}`);
}

/** The operator as written between two operands. */
function operatorText(context: ConvertContext, left: Span, right: Span): string {
  for (let i = context.after(left); i < context.indexAt(right.start); i++) {
    const token = context.stream.at(i);
    if (token?.kind === "operator" || token?.kind === "word") return `"${token.text}"`;
  }
  return "between these operands";
}

const UNARY: Readonly<Record<string, UnaryOperator>> = { Minus: "-", Plus: "+", Not: "not", BitwiseNot: "~", PGBitwiseNot: "~" };

function convertUnary(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "expr"));
  const { name } = variantOf(field(body, "op"));
  const op = UNARY[name];
  const span = unionSpan(context.stream.span(context.before(operand.span), context.before(operand.span)), operand.span);
  if (op !== undefined) return { kind: "unary", op, operand, span };
  const hint = name === "PGAbs" ? "Write abs(x)." : name.includes("Factorial") ? "Write factorial(x)." : undefined;
  return context.unsupported(operand.span, "this prefix or postfix operator", hint);
}

function convertCast(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "expr"));
  const kind = variantOf(field(body, "kind")).name;
  if (field(body, "format") !== undefined) return context.unsupported(operand.span, "CAST with FORMAT", "Use to_timestamp or to_char.");
  if (kind === "DoubleColon") {
    let at = context.after(operand.span);
    while (at < context.stream.length && !context.stream.isSymbol(at, "::")) at++;
    const type = context.typeAt(at + 1);
    return { kind: "cast", operand, type, try: false, span: unionSpan(operand.span, type.span) };
  }
  const type = context.typeAt((context.findWord(context.after(operand.span), "AS") ?? context.stream.length) + 1);
  return { kind: "cast", operand, type, try: kind !== "Cast", span: context.enclosing(operand.span, 1) };
}

function convertCase(context: ConvertContext, body: Tree): Expr {
  const branches = listIn(body, "conditions").map((branch) => ({
    when: convertExpression(context, field(branch, "condition")),
    // biome-ignore lint/suspicious/noThenProperty: SQL's own word; the value is an object, never awaited
    then: convertExpression(context, field(branch, "result")),
  }));
  const operand = optional(context, field(body, "operand"));
  const otherwise = optional(context, field(body, "else_result"));
  const spans = [context.ownSpan(field(body, "case_token")), context.ownSpan(field(body, "end_token"))];
  const span = spans[0] === undefined ? context.deepSpan(body) : unionSpan(spans[0], spans[1] ?? spans[0]);
  return { kind: "case", operand, branches, otherwise, span };
}

function convertBetween(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "expr"));
  const low = convertExpression(context, field(body, "low"));
  const high = convertExpression(context, field(body, "high"));
  return { kind: "between", operand, low, high, negated: flagIn(body, "negated"), span: unionSpan(operand.span, high.span) };
}

/** The span of `operand [NOT] IN (…)`. */
function spanOfIn(context: ConvertContext, operand: Span): Span {
  const at = context.findWord(context.after(operand), "IN");
  return at === undefined ? operand : context.throughPair(operand, at + 1);
}

function convertInList(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "expr"));
  const list = convertExpressions(context, listIn(body, "list"));
  return { kind: "in-list", operand, list, negated: flagIn(body, "negated"), span: spanOfIn(context, operand.span) };
}

function convertInSubquery(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "expr"));
  const query = context.query(field(body, "subquery"));
  return { kind: "in-subquery", operand, query, negated: flagIn(body, "negated"), span: spanOfIn(context, operand.span) };
}

function convertExists(context: ConvertContext, body: Tree): Expr {
  const query = context.query(field(body, "subquery"));
  const negated = flagIn(body, "negated");
  return { kind: "exists", query, negated, span: context.enclosing(query.span, negated ? 2 : 1) };
}

function convertSubquery(context: ConvertContext, body: Tree): Expr {
  const query = context.query(body);
  return { kind: "subquery", query, span: context.enclosing(query.span) };
}

function convertLike(context: ConvertContext, body: Tree, name: string): Expr {
  const operand = convertExpression(context, field(body, "expr"));
  const pattern = convertExpression(context, field(body, "pattern"));
  let span = unionSpan(operand.span, pattern.span);
  if (flagIn(body, "any")) return context.unsupported(span, "LIKE ANY", "Write x LIKE a OR x LIKE b.");
  const variant = name === "Like" ? "like" : name === "ILike" ? "ilike" : "similar";
  let escapeCharacter: string | undefined;
  const escapeTree = field(body, "escape_char");
  if (escapeTree !== undefined) {
    const literal = convertValue(context, escapeTree);
    span = unionSpan(span, literal.span);
    if (literal.kind !== "string" || [...literal.value].length !== 1) {
      context.diagnostics.error("invalid-literal", literal.span, "ESCAPE must be one character");
    } else escapeCharacter = literal.value;
  }
  return { kind: "like", variant, operand, pattern, escape: escapeCharacter, negated: flagIn(body, "negated"), span };
}

const IS_TESTS: Readonly<Record<string, IsExpr["test"]>> = { Null: "null", True: "true", False: "false", Unknown: "unknown" };

function convertIs(context: ConvertContext, body: Tree, name: string): Expr {
  const operand = convertExpression(context, body);
  const negated = name.startsWith("IsNot");
  const test = IS_TESTS[name.slice(negated ? 5 : 2)] ?? "null";
  const span = context.throughWords(operand.span, "IS", "NOT", "NULL", "TRUE", "FALSE", "UNKNOWN");
  return { kind: "is", operand, test, negated, span };
}

function convertIsDistinct(context: ConvertContext, body: Tree, name: string): Expr {
  const [leftTree, rightTree] = listOf(body);
  const left = convertExpression(context, leftTree);
  const right = convertExpression(context, rightTree);
  return { kind: "is-distinct", left, right, negated: name === "IsNotDistinctFrom", span: unionSpan(left.span, right.span) };
}

/** `x = ANY(array)` is `array_has(array, x)`; with a subquery it is `x IN (…)`. */
function convertAny(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "left"));
  const right = field(body, "right");
  const { name, body: inner } = variantOf(right);
  const at = context.findWord(context.after(operand.span), "ANY", "SOME");
  const span = at === undefined ? operand.span : context.throughPair(operand.span, at + 1);
  if (variantOf(field(body, "compare_op")).name !== "Eq") {
    return context.unsupported(span, "ANY with an operator other than =", "Use EXISTS or min and max.");
  }
  if (name === "Subquery") return { kind: "in-subquery", operand, query: context.query(inner), negated: false, span };
  const array = convertExpression(context, right);
  const word = at === undefined ? span : context.stream.span(at, at);
  const fn = { parts: [{ text: "array_has", quoted: false, span: word }], span: word };
  const args = [array, operand].map((value) => ({ name: undefined, value }));
  return {
    ...{ kind: "call", name: fn, args, star: false, distinct: false, orderBy: [], withinGroup: false },
    ...{ filter: undefined, nulls: undefined, over: undefined, span },
  };
}

function convertArray(context: ConvertContext, body: Tree): Expr {
  const elements = convertExpressions(context, listIn(body, "elem"));
  const [first] = elements;
  if (first === undefined) return { kind: "array", elements, span: context.nextEmptyArray() };
  return { kind: "array", elements, span: context.enclosing(first.span, flagIn(body, "named") ? 1 : 0) };
}

function convertTuple(context: ConvertContext, body: Tree): Expr {
  const elements = convertExpressions(context, listOf(body));
  const [first] = elements;
  if (first === undefined) return context.unsupported(context.statementSpan, "an empty list in brackets");
  return { kind: "tuple", elements, span: context.enclosing(first.span) };
}

function convertAtTimeZone(context: ConvertContext, body: Tree): Expr {
  const operand = convertExpression(context, field(body, "timestamp"));
  const zone = convertExpression(context, field(body, "time_zone"));
  return { kind: "at-time-zone", operand, zone, span: unionSpan(operand.span, zone.span) };
}
