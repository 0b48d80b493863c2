/**
 * One SELECT block: FROM, WHERE, GROUP BY, HAVING, the select list and DISTINCT, in the order in which they are evaluated.
 */
import type { Expression } from "../../program/expression.ts";
import type { Expr, Select, SelectItem } from "../ast.ts";
import type { Relation } from "../catalog.ts";
import { identityOutputs, type LogicalNode, makeAggregate, makeCompute, makeFilter, type OutputColumn } from "../logical-plan.ts";
import { appendColumns, type Bound } from "./bound.ts";
import { isAggregateCall, isWindowCall } from "./call.ts";
import { type BindContext, sourceName } from "./context.ts";
import { candidatesFor, type Environment, foldedName, namesEqual, type Scope, type ScopeField } from "./environment.ts";
import { bindExpression } from "./expression.ts";
import { type BindQuery, bindTableRef } from "./from.ts";
import { GroupingBinder } from "./grouping.ts";
import { requireBoolean } from "./operator.ts";
import { subexpressions } from "./syntax-walk.ts";

/** An item of the select list, bound. */
interface Output {
  readonly name: string;
  readonly value: Bound;
}

/** Binds a SELECT block; `undefined` after reporting. */
export function bindSelect(context: BindContext, select: Select, bindQuery: BindQuery): Relation | undefined {
  refuseUnsupported(context, select);
  const from = bindFrom(context, select, bindQuery);
  if (from === undefined) return undefined;
  const env: Environment = {
    diagnostics: context.diagnostics,
    udfs: context.udfs,
    scope: filtered(context, select.where, from, "WHERE"),
    clause: "SELECT",
  };
  const projected = isGrouped(select) ? bindGrouped(context, select, env) : bindPlain(context, select, env);
  if (projected === undefined) return undefined;
  return select.distinct ? distinct(context, projected) : projected;
}

function refuseUnsupported(context: BindContext, select: Select): void {
  const { diagnostics } = context;
  if (select.qualify !== undefined) diagnostics.error("unsupported-syntax", select.qualify.span, "QUALIFY is not supported yet");
  if (select.groupingSets !== undefined) {
    diagnostics.error("unsupported-syntax", select.groupBy[0]?.span ?? select.span, "GROUPING SETS, ROLLUP and CUBE are not supported yet");
  }
  for (const hint of select.hints) diagnostics.warning("unsupported-syntax", hint.span, `hint "${hint.text}" is ignored`);
}

function bindFrom(context: BindContext, select: Select, bindQuery: BindQuery): Scope | undefined {
  const [first, second] = select.from;
  if (first === undefined) {
    context.diagnostics.error("unsupported-syntax", select.span, "a SELECT without FROM is not supported", {
      detail: "A stream query reads at least one table.",
    });
    return undefined;
  }
  if (second !== undefined) {
    context.diagnostics.error("unsupported-syntax", second.span, "a comma join is not supported yet", { hint: "Write JOIN … ON." });
    return undefined;
  }
  return bindTableRef(context, first, bindQuery);
}

/** The scope with only the rows for which `condition` is true. */
function filtered(context: BindContext, condition: Expr | undefined, scope: Scope, clause: string): Scope {
  if (condition === undefined) return scope;
  const env: Environment = { diagnostics: context.diagnostics, udfs: context.udfs, scope, clause };
  const predicate = requireBoolean(env, bindExpression(env, condition), `the condition of ${clause}`, condition.span);
  return predicate === undefined ? scope : { ...scope, node: makeFilter(scope.node, predicate) };
}

function isGrouped(select: Select): boolean {
  if (select.groupBy.length > 0 || select.having !== undefined) return true;
  return select.projection.some((item) => item.kind === "expr" && subexpressions(item.expr).some(isAggregateCall));
}

function bindPlain(context: BindContext, select: Select, env: Environment): Relation | undefined {
  return project(env.scope.node, undefined, bindProjection(context, select, env));
}

function bindGrouped(context: BindContext, select: Select, env: Environment): Relation | undefined {
  const grouping = new GroupingBinder(env);
  grouping.addGroups(select.groupBy.flatMap((expr) => resolveGroup(context, select, env.scope, expr)));
  const grouped: Environment = { ...env, grouping };
  const outputs = bindProjection(context, select, grouped);
  const having = select.having && bindExpression({ ...grouped, clause: "HAVING" }, withAliases(select, env.scope, select.having));
  const filter = having && select.having && requireBoolean(env, having, "the condition of HAVING", select.having.span);
  if (outputs === undefined || (having !== undefined && filter === undefined)) return undefined;
  return project(grouping.build(context.ttlMs), filter, outputs);
}

/** GROUP BY may name an item of the select list by its number or its alias. An input column of that name comes first. */
function resolveGroup(context: BindContext, select: Select, scope: Scope, expr: Expr): Expr[] {
  if (expr.kind === "number" && /^\d+$/.test(expr.text)) {
    const item = select.projection[Number(expr.text) - 1];
    if (item?.kind === "expr") return [item.expr];
    const message = `GROUP BY position ${expr.text} is not an expression of the select list`;
    context.diagnostics.error("invalid-argument", expr.span, message, { detail: `The select list has ${select.projection.length} items.` });
    return [];
  }
  return [withAliases(select, scope, expr)];
}

/** A single name that is no input column but an alias of the select list means the aliased expression. */
function withAliases(select: Select, scope: Scope, expr: Expr): Expr {
  if (expr.kind === "binary") {
    return { ...expr, left: withAliases(select, scope, expr.left), right: withAliases(select, scope, expr.right) };
  }
  if (expr.kind !== "column") return expr;
  const [name, ...rest] = expr.path;
  if (name === undefined || candidatesFor(name, scope.fields).length > 0) return expr;
  if (scope.fields.some((f) => f.qualifier !== undefined && namesEqual(name, f.qualifier))) return expr;
  const item = select.projection.find((i) => i.kind === "expr" && i.alias !== undefined && namesEqual(name, foldedName(i.alias)));
  if (item?.kind !== "expr") return expr;
  return rest.reduce<Expr>((base, field) => ({ kind: "field", base, name: field, span: expr.span }), item.expr);
}

/** The select list, wildcards expanded; `undefined` if an item has an error. */
function bindProjection(context: BindContext, select: Select, env: Environment): Output[] | undefined {
  const outputs = select.projection.flatMap((item): Output[] =>
    item.kind === "expr" ? [bindItem(context, item, env)] : bindWildcard(item, env),
  );
  return outputs.some((o) => o.value.kind === "unknown") ? undefined : outputs;
}

function bindItem(context: BindContext, item: SelectItem & { readonly kind: "expr" }, env: Environment): Output {
  const value = bindExpression({ ...env, clause: "SELECT" }, item.expr);
  return { name: item.alias === undefined ? implicitName(context, item.expr) : foldedName(item.alias), value };
}

/** A column's own name; a call's text with its function in lower case; any other expression's text. */
function implicitName(context: BindContext, expr: Expr): string {
  if (expr.kind === "column") return expr.path[expr.path.length - 1]?.text ?? "column";
  if (expr.kind === "field") return expr.name.text;
  const text = sourceName(context, expr.span);
  if (expr.kind !== "call") return text;
  return isWindowCall(expr) ? "window" : text.replace(/^\w+(?=\()/, (name) => name.toLowerCase());
}

function bindWildcard(item: SelectItem & { readonly kind: "wildcard" }, env: Environment): Output[] {
  const qualifier = item.qualifier?.parts.map((p) => p.text).join(".");
  const matches = (f: ScopeField): boolean =>
    qualifier === undefined ? f.hidden !== true : f.qualifier?.toLowerCase() === qualifier.toLowerCase();
  const fields = env.scope.fields.filter(matches);
  if (fields.length === 0) {
    env.diagnostics.error("unknown-table", item.span, `"${qualifier ?? "*"}" has no columns here`);
  }
  const excluded = (f: ScopeField): boolean => item.except.some((e) => namesEqual(e, f.name));
  for (const name of item.except) {
    if (!fields.some((f) => namesEqual(name, f.name)))
      env.diagnostics.error("unknown-column", name.span, `column "${name.text}" does not exist`);
  }
  return fields
    .filter((f) => !excluded(f))
    .map((field) => {
      const replacement = item.replace.find((r) => namesEqual(r.name, field.name));
      if (replacement !== undefined) return { name: field.name, value: bindExpression(env, replacement.expr) };
      return { name: field.name, value: groupedField(field, item, env) };
    });
}

function groupedField(field: ScopeField, item: SelectItem, env: Environment): Bound {
  if (env.grouping === undefined) return field.value;
  const value = env.grouping.regroup(field.value);
  if (value !== undefined) return value;
  env.diagnostics.error("not-grouped", item.span, `column "${field.name}" must be in the GROUP BY clause or inside an aggregate function`);
  return { kind: "unknown" };
}

/** The select list over `node`. */
function project(node: LogicalNode, filter: Expression | undefined, outputs: readonly Output[] | undefined): Relation | undefined {
  if (outputs === undefined) return undefined;
  const columns: OutputColumn[] = [];
  const fields = outputs.map((o) => ({ name: o.name, value: appendColumns(columns, o.name, o.value) }));
  return { node: makeCompute(node, filter, columns), fields };
}

/** Each row once: an aggregate whose keys are all columns. Within windows if the rows carry their window's bounds. */
export function distinct(context: BindContext, relation: Relation): Relation {
  const { schema } = relation.node;
  const { window } = schema;
  const instant = window !== undefined && window.starts.length + window.ends.length > 0;
  const node = makeAggregate(relation.node, {
    window: instant ? { kind: "instant" } : undefined,
    keys: identityOutputs(schema),
    aggregates: [],
    ttlMs: context.ttlMs,
    property: instant ? window : undefined,
  });
  return { node, fields: relation.fields };
}
