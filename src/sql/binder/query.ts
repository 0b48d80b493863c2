/**
 * Queries: CTEs, set operations and what stands behind them. The binder's root for everything that gives rows.
 */
import { printType } from "../../data/data-type.ts";
import type { Query, QueryBody, SetOperation } from "../ast.ts";
import type { Relation } from "../catalog.ts";
import { makeCompute, makeUnion, type OutputColumn } from "../logical-plan.ts";
import { unionSchema } from "../streaming.ts";
import { appendColumns, type Bound, isNullable, typeOf } from "./bound.ts";
import { conform, mergeTypes } from "./coercion.ts";
import type { BindContext } from "./context.ts";
import { foldedName } from "./environment.ts";
import { bindSelect, distinct } from "./select.ts";

/** Binds a query; `undefined` after reporting. */
export function bindQuery(context: BindContext, query: Query): Relation | undefined {
  const inner = { ...context, ctes: bindCtes(context, query) };
  const { diagnostics } = context;
  const [order] = query.orderBy;
  if (order !== undefined) {
    diagnostics.error("unsupported-syntax", order.span, "ORDER BY is not supported yet", {
      detail: "Rows of a stream have no last one to sort by.",
    });
  }
  if (query.limit !== undefined) diagnostics.error("unsupported-syntax", query.limit.span, "LIMIT is not supported yet");
  if (query.offset !== undefined) diagnostics.error("unsupported-syntax", query.offset.span, "OFFSET is not supported yet");
  return bindBody(inner, query.body);
}

function bindCtes(context: BindContext, query: Query): BindContext["ctes"] {
  const ctes = new Map(context.ctes);
  for (const cte of query.with) {
    const relation = bindQuery({ ...context, ctes: new Map(ctes) }, cte.query);
    ctes.set(cte.name.text.toLowerCase(), relation && renamed(context, relation, cte.columns.map(foldedName), cte.name.text, cte.span));
  }
  return ctes;
}

/** A relation with other column names; fewer names than columns rename the first ones. */
export function renamed(context: BindContext, relation: Relation, names: readonly string[], what: string, span: Query["span"]): Relation {
  if (names.length > relation.fields.length) {
    const message = `"${what}" has ${relation.fields.length} columns, but ${names.length} names are given`;
    context.diagnostics.error("invalid-argument", span, message);
  }
  return { node: relation.node, fields: relation.fields.map((f, i) => ({ name: names[i] ?? f.name, value: f.value })) };
}

function bindBody(context: BindContext, body: QueryBody): Relation | undefined {
  switch (body.kind) {
    case "select":
      return bindSelect(context, body, bindQuery);
    case "query":
      return bindQuery(context, body);
    case "set-operation":
      return bindSetOperation(context, body);
    case "values":
      context.diagnostics.error("unsupported-syntax", body.span, "VALUES is not supported yet");
      return undefined;
  }
}

function bindSetOperation(context: BindContext, operation: SetOperation): Relation | undefined {
  if (operation.op !== "union") {
    context.diagnostics.error("unsupported-syntax", operation.span, `${operation.op.toUpperCase()} is not supported yet`);
    return undefined;
  }
  const branches = unionBranches(operation);
  const relations = branches.map((b) => bindBody(context, b));
  if (!relations.every((r) => r !== undefined)) return undefined;
  const united = unionAll(context, operation, branches, relations);
  return united && !operation.all ? distinct(context, united) : united;
}

/** The branches of a chain of equal unions. */
function unionBranches(operation: SetOperation): QueryBody[] {
  return [operation.left, operation.right].flatMap((side) =>
    side.kind === "set-operation" && side.op === "union" && (side.all || !operation.all) ? unionBranches(side) : [side],
  );
}

function unionAll(
  context: BindContext,
  operation: SetOperation,
  branches: readonly QueryBody[],
  relations: readonly Relation[],
): Relation | undefined {
  const { diagnostics } = context;
  const [first, ...rest] = relations as [Relation, ...Relation[]];
  for (const [i, relation] of rest.entries()) {
    if (relation.fields.length !== first.fields.length) {
      const message = `a branch of UNION has ${relation.fields.length} columns, the first has ${first.fields.length}`;
      diagnostics.error("type-mismatch", branches[i + 1]?.span ?? operation.span, message);
      return undefined;
    }
    if (relation.node.schema.updating !== first.node.schema.updating) {
      diagnostics.error("changelog", operation.span, "UNION of an updating query with one that only appends is not supported yet");
      return undefined;
    }
  }
  const conformed = first.fields.map((_, i) => conformBranches(context, operation, relations, i));
  if (!conformed.every((c) => c !== undefined)) return undefined;
  const lists: OutputColumn[][] = relations.map(() => []);
  const fields = first.fields.map((field, i) => {
    const values = lists.map((columns, branch) => appendColumns(columns, field.name, conformed[i]?.[branch] as Bound));
    return { name: field.name, value: values[0] as Bound };
  });
  const nodes = relations.map((relation, branch) => {
    const columns = (lists[branch] as OutputColumn[]).map((c, i) => ({
      ...c,
      nullable: lists.some((l) => l[i]?.expression.nullable === true),
    }));
    return makeCompute(relation.node, undefined, columns);
  });
  const { columns } = unionSchema(nodes.map((n) => n.schema));
  return { node: makeUnion(nodes), fields: fields.map((f) => ({ name: f.name, value: widenNullability(f.value, columns) })) };
}

/** Column `index` of every branch in one type. */
function conformBranches(
  context: BindContext,
  operation: SetOperation,
  relations: readonly Relation[],
  index: number,
): readonly Bound[] | undefined {
  const values = relations.map((r) => r.fields[index]?.value as Bound);
  const merged = mergeTypes(values);
  const conformed =
    merged === undefined ? [] : values.map((v) => conform(v, merged.type, merged.nullable && merged.type.kind === "struct"));
  const bounds = conformed.filter((c) => typeof c !== "string");
  if (merged !== undefined && bounds.length === values.length) return bounds;
  const types = [...new Set(values.map((v) => printType(typeOf(v))))].join(" and ");
  const name = relations[0]?.fields[index]?.name ?? "";
  context.diagnostics.error(
    "type-mismatch",
    operation.span,
    `column ${index + 1} ("${name}") of UNION has types ${types}, which have no common type`,
  );
  return undefined;
}

/** Column references with the nullability of the columns that they now refer to. */
function widenNullability(value: Bound, columns: readonly { readonly nullable: boolean }[]): Bound {
  if (value.kind === "struct") {
    return { ...value, fields: value.fields.map((f) => ({ name: f.name, value: widenNullability(f.value, columns) })) };
  }
  if (value.kind !== "scalar" || value.expression.kind !== "column") return value;
  return { ...value, expression: { ...value.expression, nullable: columns[value.expression.index]?.nullable ?? isNullable(value) } };
}
