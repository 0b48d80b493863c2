/**
 * Literals of the parser's tree → `ast.ts`. Text of numbers is kept as written: what type it has is the binder's business.
 */
import type { Expr, IntervalUnit } from "../ast.ts";
import { DiagnosticCollector } from "../diagnostics.ts";
import { type Span, unionSpan } from "../source-text.ts";
import { readType } from "../type-name.ts";
import type { ConvertContext } from "./context.ts";
import { field, listOf, type Tree, textIn, variantOf } from "./tree.ts";

/** Variants of the parser's `Value` that are text, whatever their quotes. */
const STRINGS: ReadonlySet<string> = new Set([
  "SingleQuotedString",
  "EscapedStringLiteral",
  "UnicodeStringLiteral",
  "NationalStringLiteral",
]);

/** Converts a `ValueWithSpan`. */
export function convertValue(context: ConvertContext, tree: Tree): Expr {
  const span = context.ownSpan(tree) ?? context.statementSpan;
  const { name, body } = variantOf(field(tree, "value"));
  if (STRINGS.has(name)) return { kind: "string", value: String(body), span };
  switch (name) {
    case "Number":
      return { kind: "number", text: String(listOf(body)[0]).replaceAll("_", ""), span };
    case "Boolean":
      return { kind: "boolean", value: body === true, span };
    case "Null":
      return { kind: "null", span };
    case "DollarQuotedString":
      return { kind: "string", value: textIn(body, "value"), span };
    case "HexStringLiteral":
      return convertHex(context, String(body), span);
    case "Placeholder":
      return context.unsupported(span, `placeholder "${String(body)}"`, "Write parameters as $name and give them with --param name=value.");
    default:
      return context.unsupported(span, "this kind of literal");
  }
}

/** `X'…'` is bytes; the parser gives `0x1F`, a number, the same variant. */
function convertHex(context: ConvertContext, digits: string, span: Span): Expr {
  if (context.stream.at(context.indexAt(span.start))?.kind === "number") {
    return digits === ""
      ? invalid(context, span, "hexadecimal number has no digits")
      : { kind: "number", text: BigInt(`0x${digits}`).toString(), span };
  }
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(digits))
    return invalid(context, span, "hexadecimal string must have an even number of digits 0-9, a-f");
  return { kind: "bytes", hex: digits.toLowerCase(), span };
}

function invalid(context: ConvertContext, span: Span, message: string): Expr {
  context.diagnostics.error("invalid-literal", span, message);
  return { kind: "null", span };
}

/** `TIMESTAMP '…'`: the type's tokens stand before the string. */
export function convertTypedString(context: ConvertContext, body: Tree): Expr {
  const literal = convertValue(context, field(body, "value"));
  const at = context.indexAt(literal.span.start);
  if (literal.kind !== "string")
    return context.unsupported(literal.span, "a type name before something other than a string", "Use CAST(x AS type).");
  const first = firstTokenOfType(context, at);
  const type = context.typeAt(first);
  return { kind: "typed-string", type, value: literal.value, span: unionSpan(type.span, literal.span) };
}

/** Most tokens a type name has before a string: `DECIMAL ( 38 , 10 )`, `TIMESTAMP ( 3 ) WITHOUT TIME ZONE`. */
const MAX_TYPE_TOKENS = 8;

/** Index of the token where the type that ends right before token `end` begins. */
function firstTokenOfType(context: ConvertContext, end: number): number {
  // Only the last try, which is made by the caller, may speak.
  const silent = new DiagnosticCollector(context.diagnostics.source.text);
  for (let length = MAX_TYPE_TOKENS; length > 1; length--) {
    if (end - length >= 0 && readType(context.stream, end - length, silent)?.next === end) return end - length;
  }
  return end - 1;
}

const UNITS: Readonly<Record<string, IntervalUnit>> = {
  year: "year",
  quarter: "quarter",
  month: "month",
  week: "week",
  day: "day",
  hour: "hour",
  minute: "minute",
  second: "second",
  millisecond: "millisecond",
  microsecond: "microsecond",
  nanosecond: "nanosecond",
};

/** The unit that `text` names in any case, singular or plural; `undefined` if there is none. */
export function intervalUnit(text: string): IntervalUnit | undefined {
  const name = text.toLowerCase();
  const singular = Object.hasOwn(UNITS, name) ? name : name.replace(/s$/, "");
  return Object.hasOwn(UNITS, singular) ? UNITS[singular] : undefined;
}

/** `INTERVAL '…' [unit]` or `INTERVAL [-]number [unit]`. */
export function convertInterval(context: ConvertContext, body: Tree): Expr {
  const value = intervalText(context, field(body, "value"));
  const unitTree = field(body, "leading_field");
  const valueSpan = value?.span ?? context.deepSpan(body);
  const start = context.before(valueSpan);
  const hasWord = context.stream.isWord(start, "INTERVAL");
  let span = hasWord ? unionSpan(context.stream.span(start, start), valueSpan) : valueSpan;
  if (unitTree !== undefined) span = context.throughToken(span, context.after(valueSpan));
  if (value === undefined)
    return context.unsupported(span, "INTERVAL with something other than a literal", "Multiply: x * INTERVAL '1 day'.");
  if (field(body, "last_field") !== undefined || field(body, "leading_precision") !== undefined) {
    return context.unsupported(
      span,
      "INTERVAL with a range of units or a precision",
      "Write the units in the string: INTERVAL '1 year 2 months'.",
    );
  }
  const custom = textIn(variantOf(unitTree).body, "value");
  const unitName = custom === "" ? variantOf(unitTree).name : custom;
  const unit = unitTree === undefined ? undefined : intervalUnit(unitName);
  if (unitTree !== undefined && unit === undefined) return invalid(context, span, `"${unitName.toLowerCase()}" is not a unit of INTERVAL`);
  return { kind: "interval", text: value.text, unit, span };
}

/** The text of an interval's value: a string, or a number with its sign. */
function intervalText(context: ConvertContext, tree: Tree): { readonly text: string; readonly span: Span } | undefined {
  const { name, body } = variantOf(tree);
  if (name === "UnaryOp" && variantOf(field(body, "op")).name === "Minus") {
    const inner = intervalText(context, field(body, "expr"));
    if (inner === undefined || inner.text.startsWith("-")) return undefined;
    const sign = context.before(inner.span);
    return { text: `-${inner.text}`, span: unionSpan(context.stream.span(sign, sign), inner.span) };
  }
  if (name === "Nested") {
    const inner = intervalText(context, body);
    return inner === undefined ? undefined : { text: inner.text, span: context.withBrackets(inner.span) };
  }
  if (name !== "Value") return undefined;
  const literal = convertValue(context, body);
  if (literal.kind === "string") return { text: literal.value, span: literal.span };
  return literal.kind === "number" ? { text: literal.text, span: literal.span } : undefined;
}
