/**
 * Joins of windowed rows on the equality of their windows. The ON condition falls into three parts: the window (implied by equal event
 * times), equalities of one side's expression with the other's (keys), and the rest (a filter over pairs).
 */
import { BOOLEAN } from "../../data/data-type.ts";
import { columnsUsed, type Expression, mapColumns } from "../../program/expression.ts";
import type { WindowJoinOperator } from "../../program/operator.ts";
import type { Join } from "../ast.ts";
import { columnAt, makeWindowJoin, type PlanSchema } from "../logical-plan.ts";
import type { Ident } from "../name.ts";
import { sameWindow } from "../streaming.ts";
import { type Bound, call, conjunction, conjuncts, mapLeaves, strictCall } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { type Environment, resolvePath, type Scope, type ScopeField } from "./environment.ts";
import { bindExpression } from "./expression.ts";
import { bindBinary, requireBoolean } from "./operator.ts";

const JOIN_TYPES: ReadonlySet<string> = new Set(["inner", "left", "right", "full"]);

/** Binds a join of two scopes; `undefined` after reporting. */
export function bindJoin(context: BindContext, join: Join, left: Scope, right: Scope): Scope | undefined {
  const { diagnostics } = context;
  if (!JOIN_TYPES.has(join.type)) {
    diagnostics.error("unsupported-syntax", join.span, `${join.type.replace("-", " ").toUpperCase()} JOIN is not supported yet`);
    return undefined;
  }
  const type = join.type as WindowJoinOperator["join"];
  const pairs = pairScope(left, right);
  const condition = bindCondition(context, join, left, right, pairs);
  if (condition === undefined || !checkWindows(context, join, left, right)) return undefined;
  const parts = splitCondition(condition, left.node.schema, right.node.schema);
  if (!parts.onWindow) {
    diagnostics.error("unsupported-syntax", join.span, "a join that does not equate the windows of both sides is not supported yet", {
      hint: "Add left.window = right.window to the condition.",
    });
    return undefined;
  }
  const node = makeWindowJoin({
    left: left.node,
    right: right.node,
    join: type,
    leftKeys: parts.leftKeys,
    rightKeys: parts.rightKeys,
    ...(parts.filter && { filter: parts.filter }),
  });
  return joinedScope(join, type, left, right, node);
}

/** Both sides' columns as they are while pairs are compared: nothing is missing yet. */
function pairScope(left: Scope, right: Scope): Scope {
  const node = makeWindowJoin({ left: left.node, right: right.node, join: "inner", leftKeys: [], rightKeys: [] });
  const shift = left.node.schema.columns.length;
  const moved = right.fields.map((f) => ({ ...f, value: moveColumns(f.value, (i) => i + shift) }));
  return { fields: [...left.fields, ...moved], node };
}

function moveColumns(value: Bound, move: (index: number) => number): Bound {
  return mapLeaves(value, (leaf) => mapColumns(leaf, (c) => ({ ...c, index: move(c.index) }))) ?? value;
}

/** The condition over the pair's columns, or `undefined` after reporting. */
function bindCondition(context: BindContext, join: Join, left: Scope, right: Scope, pairs: Scope): Expression | undefined {
  const env: Environment = { diagnostics: context.diagnostics, udfs: context.udfs, scope: pairs, clause: "a join condition" };
  switch (join.condition.kind) {
    case "on":
      return requireBoolean(env, bindExpression(env, join.condition.expr), "a join condition", join.condition.expr.span);
    case "using":
      return bindUsing(env, join.condition.columns, left, right);
    case "natural":
    case "none":
      context.diagnostics.error("unsupported-syntax", join.span, "a join without ON or USING is not supported yet");
      return undefined;
  }
}

function bindUsing(env: Environment, columns: readonly Ident[], left: Scope, right: Scope): Expression | undefined {
  const shift = left.node.schema.columns.length;
  const equalities = columns.map((column) => {
    const a = resolvePath({ ...env, scope: left }, [column], column.span);
    const b = moveColumns(resolvePath({ ...env, scope: right }, [column], column.span), (i) => i + shift);
    return bindBinary(env, "=", a, b, column.span);
  });
  const expressions = equalities.flatMap((e) => (e.kind === "scalar" ? [e.expression] : []));
  return expressions.length === columns.length ? conjunction(...expressions) : undefined;
}

function checkWindows(context: BindContext, join: Join, left: Scope, right: Scope): boolean {
  const { diagnostics } = context;
  const [a, b] = [left.node.schema.window, right.node.schema.window];
  if (a !== undefined && b !== undefined) {
    if (sameWindow(a.spec, b.spec)) return true;
    diagnostics.error("invalid-join", join.span, "the two sides of a join have different windows", {
      hint: "Use the same tumble or hop on both sides.",
    });
    return false;
  }
  if (a === undefined && b === undefined) {
    diagnostics.error("unsupported-syntax", join.span, "joins without windows are not supported yet", {
      hint: "Group both sides by the same tumble or hop and join on the window.",
    });
    return false;
  }
  const side = a === undefined ? "left" : "right";
  diagnostics.error("invalid-join", join.span, `the ${side} side of the join is not windowed, the other side is`, {
    hint: "Group both sides by the same tumble or hop.",
  });
  return false;
}

interface ConditionParts {
  readonly onWindow: boolean;
  readonly leftKeys: readonly Expression[];
  readonly rightKeys: readonly Expression[];
  readonly filter: Expression | undefined;
}

/** Sorts the conjuncts of a condition over pairs. */
function splitCondition(condition: Expression, left: PlanSchema, right: PlanSchema): ConditionParts {
  const shift = left.columns.length;
  const leftKeys: Expression[] = [];
  const rightKeys: Expression[] = [];
  const rest: Expression[] = [];
  let onWindow = false;
  const isBound = (a: Expression, b: Expression, bound: "starts" | "ends"): boolean =>
    a.kind === "column" &&
    b.kind === "column" &&
    left.window?.[bound].includes(a.index) === true &&
    right.window?.[bound].includes(b.index - shift) === true;
  for (const part of conjuncts(condition)) {
    const sides = equalitySides(part, shift);
    if (sides === undefined) {
      rest.push(part);
    } else if (isBound(sides[0], sides[1], "starts") || isBound(sides[0], sides[1], "ends")) {
      onWindow = true;
    } else {
      leftKeys.push(sides[0]);
      rightKeys.push(mapColumns(sides[1], (c) => ({ ...c, index: c.index - shift })));
    }
  }
  return { onWindow, leftKeys, rightKeys, filter: conjunction(...rest) };
}

/** The left and right side of `left = right` where each reads one input only. */
function equalitySides(part: Expression, shift: number): readonly [Expression, Expression] | undefined {
  if (part.kind !== "call" || part.function !== "eq") return undefined;
  const [a, b] = part.arguments as [Expression, Expression];
  const side = (e: Expression): "left" | "right" | undefined => {
    const used = [...columnsUsed([e])];
    if (used.length === 0) return undefined;
    return used.every((i) => i < shift) ? "left" : used.every((i) => i >= shift) ? "right" : undefined;
  };
  if (side(a) === "left" && side(b) === "right") return [a, b];
  return side(a) === "right" && side(b) === "left" ? [b, a] : undefined;
}

/** The join's columns by name; under USING the side that may be missing is reached by qualified names only. */
function joinedScope(join: Join, type: WindowJoinOperator["join"], left: Scope, right: Scope, node: Scope["node"]): Scope {
  const shift = left.node.schema.columns.length;
  const using = join.condition.kind === "using" ? join.condition.columns : [];
  const isUsed = (f: ScopeField): boolean => using.some((u) => u.text.toLowerCase() === f.name.toLowerCase());
  const side = (scope: Scope, offset: number, missing: boolean, hide: boolean): ScopeField[] =>
    scope.fields.map((f) => ({
      ...f,
      value: outerValue(f.value, offset, missing, node.schema),
      ...(hide && isUsed(f) ? { hidden: true } : {}),
    }));
  const leftMissing = type === "right" || type === "full";
  const rightMissing = type === "left" || type === "full";
  return { fields: [...side(left, 0, leftMissing, type === "right"), ...side(right, shift, rightMissing, type !== "right")], node };
}

/** A value over the join's output. A struct of a side that may be missing is present where one of its NOT NULL leaves is. */
function outerValue(value: Bound, offset: number, missing: boolean, schema: PlanSchema): Bound {
  const at = (e: Expression): Expression => mapColumns(e, (c) => columnAt(schema, c.index + offset));
  if (value.kind === "scalar") return { ...value, expression: at(value.expression) };
  if (value.kind !== "struct") return value;
  const fields = value.fields.map((f) => ({ name: f.name, value: outerValue(f.value, offset, missing, schema) }));
  if (value.marker !== undefined) {
    const marker = missing ? call("is_true", BOOLEAN, false, at(value.marker)) : at(value.marker);
    return { kind: "struct", fields, marker };
  }
  if (!missing) return { kind: "struct", fields };
  const witness = value.fields.find((f) => f.value.kind === "scalar" && !f.value.expression.nullable)?.value;
  if (witness?.kind !== "scalar") return { kind: "struct", fields };
  return { kind: "struct", fields, marker: strictCall("not", BOOLEAN, call("is_null", BOOLEAN, false, at(witness.expression))) };
}
