/**
 * Binds function calls: special functions of the planner, then aggregates, then the scalar registry.
 */
import { printType, TEXT } from "../../data/data-type.ts";
import type { CallExpr, Expr } from "../ast.ts";
import { aggregateFunction, functionNames, missingFunction, scalarFunction } from "../functions/registry.ts";
import type { ScalarFunction } from "../functions/scalar-call.ts";
import { columnAt } from "../logical-plan.ts";
import { type Bound, scalar, UNKNOWN } from "./bound.ts";
import { accessFields, didYouMean, type Environment, fail } from "./environment.ts";
import { bindUdfCall } from "./udf-call.ts";

/** How the caller binds an expression; passed in because calls and expressions refer to each other. */
export type BindExpression = (env: Environment, expr: Expr) => Bound;

/** The name of a call in lower case; qualified names keep their dots. */
export function callName(call: CallExpr): string {
  return call.name.parts.map((p) => p.text.toLowerCase()).join(".");
}

const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set(["tumble", "hop", "session"]);

/** Whether an expression is a call of a time window function. */
export function isWindowCall(expr: Expr): expr is CallExpr {
  return expr.kind === "call" && WINDOW_FUNCTIONS.has(callName(expr));
}

/** Whether a call is an aggregate: by name, and without OVER. */
export function isAggregateCall(expr: Expr): expr is CallExpr {
  return expr.kind === "call" && expr.over === undefined && aggregateFunction(callName(expr)) !== undefined;
}

/** Binds a call of any kind. */
export function bindCall(env: Environment, call: CallExpr, bind: BindExpression): Bound {
  const name = callName(call);
  if (call.over !== undefined) {
    return fail(env, "unsupported-syntax", call.span, `window functions (${name}(…) OVER) are not supported yet`);
  }
  if (isWindowCall(call)) return misplacedWindow(env, call, name);
  if (aggregateFunction(name) !== undefined) return bindAggregateCall(env, call, name);
  const planner = bindPlannerFunction(env, call, name, bind);
  if (planner !== undefined) return planner;
  const udf = env.udfs.get(name);
  if (udf !== undefined) return refuseAggregateSyntax(env, call, name) ? UNKNOWN : bindUdfCall(env, call, udf, bind);
  const row = scalarFunction(name);
  if (row === undefined) return unknownFunction(env, call, name);
  return bindScalarCall(env, call, name, row, bind);
}

function misplacedWindow(env: Environment, call: CallExpr, name: string): Bound {
  const message = `time window function ${name} is not allowed in this context. Are you missing a GROUP BY clause?`;
  return fail(env, "aggregate-misplaced", call.span, message);
}

function bindAggregateCall(env: Environment, call: CallExpr, name: string): Bound {
  if (env.grouping !== undefined) return env.grouping.aggregate(call);
  const hint = env.clause === "WHERE" ? { hint: "Filter groups with HAVING." } : {};
  return fail(env, "aggregate-misplaced", call.span, `aggregate function ${name} is not allowed in ${env.clause}`, hint);
}

function unknownFunction(env: Environment, call: CallExpr, name: string): Bound {
  const kind = missingFunction(name);
  if (kind !== undefined) return fail(env, "unsupported-syntax", call.span, `${kind} ${name} is not supported yet`);
  return fail(
    env,
    "unknown-function",
    call.name.span,
    `function "${name}" does not exist`,
    didYouMean(name, [...functionNames(), ...env.udfs.keys()]),
  );
}

/** DISTINCT, FILTER, ORDER BY and the like belong to aggregates. */
function refuseAggregateSyntax(env: Environment, call: CallExpr, name: string): boolean {
  const extra = call.distinct ? "DISTINCT" : call.filter !== undefined ? "FILTER" : call.orderBy.length > 0 ? "ORDER BY" : call.nulls;
  if (extra === undefined && !call.star) return false;
  fail(env, "invalid-argument", call.span, `${extra ?? "*"} is not allowed in a call of ${name}, which is not an aggregate`);
  return true;
}

function bindScalarCall(env: Environment, call: CallExpr, name: string, row: ScalarFunction, bind: BindExpression): Bound {
  if (refuseAggregateSyntax(env, call, name)) return UNKNOWN;
  const args = call.args.map((a) => bind(env, a.value));
  if (args.length < row.minArgs || args.length > row.maxArgs) {
    const wanted =
      row.minArgs === row.maxArgs
        ? `${row.minArgs}`
        : row.maxArgs === Infinity
          ? `at least ${row.minArgs}`
          : `${row.minArgs} to ${row.maxArgs}`;
    const message = `${name} takes ${wanted} argument${wanted === "1" ? "" : "s"}, not ${args.length}`;
    return fail(env, "invalid-argument", call.span, message, { detail: `Its signature is ${row.signature}.` });
  }
  if (args.some((a) => a.kind === "unknown")) return UNKNOWN;
  return row.bind({ name, args, argSpans: call.args.map((a) => a.value.span), span: call.span, diagnostics: env.diagnostics });
}

/** `undefined`: not such a function. */
function bindPlannerFunction(env: Environment, call: CallExpr, name: string, bind: BindExpression): Bound | undefined {
  switch (name) {
    case "row_time":
      return bindRowTime(env, call);
    case "named_struct":
      return bindNamedStruct(env, call, bind);
    case "struct":
      return { kind: "struct", fields: call.args.map((a, i) => ({ name: `c${i}`, value: bind(env, a.value) })) };
    case "get_field":
      return bindGetField(env, call, bind);
    default:
      return undefined;
  }
}

/** The row's event time. */
function bindRowTime(env: Environment, call: CallExpr): Bound {
  if (call.args.length > 0) return fail(env, "invalid-argument", call.span, "row_time takes no arguments");
  const { schema } = env.scope.node;
  const time = scalar(columnAt(schema, schema.columns.length));
  if (env.grouping === undefined) return time;
  return (
    env.grouping.regroup(time) ??
    fail(env, "not-grouped", call.span, "row_time() must be in the GROUP BY clause or inside an aggregate function")
  );
}

function bindNamedStruct(env: Environment, call: CallExpr, bind: BindExpression): Bound {
  const fields: { name: string; value: Bound }[] = [];
  for (let i = 0; i + 1 < call.args.length; i += 2) {
    const [key, value] = [call.args[i]?.value, call.args[i + 1]?.value];
    if (key?.kind !== "string" || value === undefined)
      return fail(env, "invalid-argument", call.span, "field names of named_struct must be strings");
    fields.push({ name: key.value, value: bind(env, value) });
  }
  if (fields.length === 0 || call.args.length % 2 === 1)
    return fail(env, "invalid-argument", call.span, "named_struct takes pairs of name and value");
  return fields.some((f) => f.value.kind === "unknown") ? UNKNOWN : { kind: "struct", fields };
}

function bindGetField(env: Environment, call: CallExpr, bind: BindExpression): Bound {
  const [base, name] = call.args.map((a) => a.value);
  if (base === undefined || name?.kind !== "string" || call.args.length !== 2) {
    return fail(env, "invalid-argument", call.span, `get_field takes a struct and a field name as ${printType(TEXT)} literal`);
  }
  return accessFields(env, bind(env, base), [{ text: name.value, quoted: true, span: name.span }]);
}
