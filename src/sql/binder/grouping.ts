/**
 * GROUP BY: the keys and the window of a SELECT, and the aggregates that its other clauses ask for. An expression equals a GROUP BY
 * expression when both bind to the same thing over the input.
 */
import {
  FLOAT64,
  INT64,
  INTERVAL,
  integerShape,
  isInteger,
  isNumeric,
  printType,
  type ScalarType,
  TIMESTAMP,
  UINT64,
} from "../../data/data-type.ts";
import type { Expression } from "../../program/expression.ts";
import { canonicalJson } from "../../program/fingerprint.ts";
import type { Aggregate, AggregateFunction, Window } from "../../program/operator.ts";
import type { CallExpr, Expr } from "../ast.ts";
import { DiagnosticCollector } from "../diagnostics.ts";
import { aggregateFunction } from "../functions/registry.ts";
import { type AggregateNode, columnAt, makeAggregate, type OutputColumn } from "../logical-plan.ts";
import { aggregateIsNullable, sameWindow, type TimeWindow, type WindowProperty } from "../streaming.ts";
import { appendColumns, type Bound, leavesOf, literal, mapLeaves, scalar, strictCall, UNKNOWN } from "./bound.ts";
import { callName, isWindowCall } from "./call.ts";
import { castTo, describeType } from "./coercion.ts";
import { type Environment, fail, type Grouping } from "./environment.ts";
import { bindExpression } from "./expression.ts";
import { requireBoolean } from "./operator.ts";
import { bindTimeWindow } from "./time-window.ts";

/** A GROUP BY expression with its value over the aggregate's output. */
interface Group {
  readonly expr: Expr;
  /** Canonical text of the value over the input; a window's is that of its sizes. */
  readonly identity: string;
  readonly output: Bound;
}

/** Binds the clauses of one grouped SELECT and builds its aggregate. */
export class GroupingBinder implements Grouping {
  readonly #input: Environment;
  readonly #groups: Group[] = [];
  readonly #keys: OutputColumn[] = [];
  readonly #aggregates: (Aggregate & { readonly name: string })[] = [];
  #window: TimeWindow | undefined;
  #windowGroup: { readonly expr: Expr; readonly identity: string } | undefined;
  /** True: a window of the GROUP BY has an error, so that its use elsewhere is not blamed. */
  #windowFailed = false;

  /** `input` binds expressions over the rows to be grouped. */
  constructor(input: Environment) {
    this.#input = input;
  }

  /** Adds the GROUP BY expressions; all of them before anything else is bound. */
  addGroups(exprs: readonly Expr[]): void {
    for (const expr of exprs) {
      if (isWindowCall(expr)) this.#addWindow(expr);
      else this.#addKey(expr);
    }
    if (this.#window === undefined || this.#windowGroup === undefined) return;
    const bounds = ["start", "end"].map((name, i) => {
      const index = this.#keys.length + i;
      return { name, value: scalar({ kind: "column", index, type: TIMESTAMP, nullable: false }) };
    });
    this.#groups.push({ ...this.#windowGroup, output: { kind: "struct", fields: bounds } });
  }

  #addKey(expr: Expr): void {
    const value = bindExpression({ ...this.#input, clause: "GROUP BY" }, expr);
    if (value.kind === "unknown") return;
    const output = appendColumns(this.#keys, expr.kind === "column" ? (expr.path[expr.path.length - 1]?.text ?? "key") : "key", value);
    this.#groups.push({ expr, identity: canonicalJson(value), output });
  }

  /** A window over rows that the same window made already means the same groups: the rows of equal event time. */
  #addWindow(call: CallExpr): void {
    const { diagnostics, scope } = this.#input;
    const window = bindTimeWindow(this.#input, call);
    this.#windowFailed = window === undefined || scope.node.schema.updating;
    if (window === undefined) return;
    if (this.#windowGroup !== undefined) {
      diagnostics.error("invalid-window", call.span, "a GROUP BY can have only one time window");
      this.#windowFailed = true;
      return;
    }
    if (scope.node.schema.updating) {
      diagnostics.error("changelog", call.span, "a time window over updating rows is not supported yet", {
        detail: "The input of this GROUP BY takes rows back; a window that has closed cannot.",
      });
      return;
    }
    const identity = canonicalJson(window);
    this.#windowGroup = { expr: call, identity };
    const upstream = scope.node.schema.window;
    if (upstream !== undefined && sameWindow(upstream.spec, window)) {
      this.#groups.push({ expr: call, identity, output: appendColumns(this.#keys, "window", this.#boundsFromTime(window)) });
    } else {
      this.#window = window;
    }
  }

  /** A window's bounds from the event time of its rows: the end is 1 ns after it, the start a width before that. */
  #boundsFromTime(window: TimeWindow): Bound {
    const { schema } = this.#input.scope.node;
    const time = columnAt(schema, schema.columns.length);
    const shifted = (ns: bigint): Bound => {
      const interval = literal({ months: 0, days: 0, ns }, INTERVAL);
      return scalar(strictCall("timestamp_add_interval", TIMESTAMP, time, interval));
    };
    return {
      kind: "struct",
      fields: [
        { name: "start", value: shifted(1n - window.widthNs) },
        { name: "end", value: shifted(1n) },
      ],
    };
  }

  match(expr: Expr): Bound | undefined {
    if (this.#windowFailed && isWindowCall(expr)) return UNKNOWN;
    const candidates = this.#groups.filter((g) => g.expr.kind === expr.kind && expr.kind !== "column");
    if (candidates.length === 0) return undefined;
    const silent = { ...this.#input, diagnostics: new DiagnosticCollector("") };
    if (isWindowCall(expr)) {
      const identity = canonicalJson(bindTimeWindow(silent, expr));
      return candidates.find((g) => g.identity === identity)?.output;
    }
    const value = bindExpression(silent, expr);
    if (value.kind === "unknown") return undefined;
    const identity = canonicalJson(value);
    return candidates.find((g) => g.identity === identity)?.output;
  }

  regroup(value: Bound): Bound | undefined {
    const identity = canonicalJson(value);
    const whole = this.#groups.find((g) => g.identity === identity);
    if (whole !== undefined) return whole.output;
    const keys = this.#keys.map((k) => canonicalJson(k.expression));
    return mapLeaves(value, (leaf) => {
      const index = keys.indexOf(canonicalJson(leaf));
      return index < 0 ? undefined : { kind: "column", index, type: leaf.type, nullable: leaf.nullable };
    });
  }

  aggregate(call: CallExpr): Bound {
    const aggregate = this.#bindAggregate(call);
    if (aggregate === undefined) return UNKNOWN;
    const identity = canonicalJson({ ...aggregate, name: undefined });
    let index = this.#aggregates.findIndex((a) => canonicalJson({ ...a, name: undefined }) === identity);
    if (index < 0) index = this.#aggregates.push(aggregate) - 1;
    const first = this.#keys.length + (this.#window === undefined ? 0 : 2);
    const hasRows = this.#windowProperty() !== undefined || this.#keys.length > 0;
    return scalar({ kind: "column", index: first + index, type: aggregate.type, nullable: aggregateIsNullable(aggregate, hasRows) });
  }

  #bindAggregate(call: CallExpr): (Aggregate & { readonly name: string }) | undefined {
    const name = callName(call);
    const fn = aggregateFunction(name) as AggregateFunction;
    const env: Environment = { ...this.#input, clause: "an aggregate function" };
    if (call.orderBy.length > 0 || call.nulls !== undefined) {
      fail(env, "unsupported-syntax", call.span, `ORDER BY and NULLS in a call of ${name} are not supported`);
      return undefined;
    }
    const filterBound = call.filter && bindExpression({ ...env, clause: "FILTER" }, call.filter);
    const filter = filterBound && requireBoolean(env, filterBound, "the condition of FILTER", call.filter?.span ?? call.span);
    if (filterBound !== undefined && filter === undefined) return undefined;
    const argument = this.#bindArgument(env, call, name, fn);
    if (argument === "error") return undefined;
    const type = resultType(fn, argument?.type);
    const distinct = call.distinct && fn !== "min" && fn !== "max";
    const counted = fn === "count" && !distinct && argument?.nullable === false ? undefined : argument;
    return { name, function: fn, ...(counted && { argument: counted }), distinct, ...(filter && { filter }), type };
  }

  /** The argument in the type that the function takes; `undefined` for count(*). */
  #bindArgument(env: Environment, call: CallExpr, name: string, fn: AggregateFunction): Expression | undefined | "error" {
    const [only] = call.args;
    if (call.star || (fn === "count" && call.args.length === 0 && !call.distinct)) {
      if (fn === "count" && !call.distinct) return undefined;
      fail(env, "invalid-argument", call.span, `${name}${call.distinct ? "(DISTINCT *)" : "(*)"} does not exist`);
      return "error";
    }
    if (only === undefined || call.args.length !== 1) {
      const code = fn === "count" && call.args.length > 1 ? "unsupported-syntax" : "invalid-argument";
      fail(env, code, call.span, `${name} takes 1 argument, not ${call.args.length}`);
      return "error";
    }
    const value = bindExpression(env, only.value);
    if (value.kind === "unknown") return "error";
    const argument = fn === "count" ? countable(value, call.distinct) : summable(fn, value);
    if (argument !== undefined) return argument;
    fail(env, "type-mismatch", only.value.span, `${name} cannot be applied to ${printType(describeType(value))}`);
    return "error";
  }

  /** The aggregate node; after everything is bound. */
  build(ttlMs: number): AggregateNode {
    const property = this.#windowProperty();
    const window: Window | undefined = this.#window ?? (property === undefined ? undefined : { kind: "instant" });
    return makeAggregate(this.#input.scope.node, { window, keys: this.#keys, aggregates: this.#aggregates, ttlMs, property });
  }

  /** The window that the groups belong to: their own, or the input's if its bounds are among the keys. */
  #windowProperty(): WindowProperty | undefined {
    if (this.#window !== undefined) return { spec: this.#window, starts: [this.#keys.length], ends: [this.#keys.length + 1] };
    const upstream = this.#input.scope.node.schema.window;
    if (upstream === undefined) return undefined;
    const own = this.#windowGroup && this.#groups.find((g) => g.identity === this.#windowGroup?.identity);
    if (own !== undefined) {
      const [start, end] = leavesOf(own.output).map((l) => (l.kind === "column" ? l.index : -1)) as [number, number];
      return { spec: upstream.spec, starts: [start], ends: [end] };
    }
    const holding = (bounds: readonly number[]): number[] =>
      this.#keys.flatMap((k, i) => (k.expression.kind === "column" && bounds.includes(k.expression.index) ? [i] : []));
    const [starts, ends] = [holding(upstream.starts), holding(upstream.ends)];
    return starts.length + ends.length === 0 ? undefined : { spec: upstream.spec, starts, ends };
  }
}

/** What count can take: any value; a struct counts where it is present. */
function countable(value: Bound, distinct: boolean): Expression | undefined {
  if (value.kind === "scalar") return value.expression;
  if (value.kind === "null") return literal(null, INT64);
  if (value.kind !== "struct" || distinct) return undefined;
  if (value.marker === undefined) return literal(true, { kind: "boolean" });
  return strictCallNullIf(value.marker);
}

/** True where the marker is, else NULL. */
function strictCallNullIf(marker: Expression): Expression {
  const boolean: ScalarType = { kind: "boolean" };
  return {
    kind: "case",
    branches: [{ condition: marker, value: literal(true, boolean) }],
    otherwise: literal(null, boolean),
    type: boolean,
    nullable: true,
  };
}

const ORDERED: ReadonlySet<string> = new Set(["text", "timestamp", "date", "time", "boolean", "json"]);

/** The argument of sum, avg, min or max in the type that it needs. */
function summable(fn: AggregateFunction, value: Bound): Expression | undefined {
  if (value.kind === "null") return literal(null, fn === "avg" ? FLOAT64 : INT64);
  if (value.kind !== "scalar") return undefined;
  const { expression } = value;
  const { type } = expression;
  if (fn === "min" || fn === "max") return isNumeric(type) || ORDERED.has(type.kind) ? expression : undefined;
  if (!isNumeric(type)) return undefined;
  return type.kind === "float32" || (fn === "avg" && type.kind === "decimal") ? castTo(expression, FLOAT64) : expression;
}

/** As the docstring of `Aggregate` says. */
function resultType(fn: AggregateFunction, argument: ScalarType | undefined): ScalarType {
  if (fn === "count" || argument === undefined) return INT64;
  if (fn === "avg") return FLOAT64;
  if (fn !== "sum") return argument;
  if (isInteger(argument)) return integerShape(argument.kind).signed ? INT64 : UINT64;
  if (argument.kind === "decimal") return { kind: "decimal", precision: Math.min(38, argument.precision + 10), scale: argument.scale };
  return FLOAT64;
}
