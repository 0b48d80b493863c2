/**
 * What surrounds an expression while it is bound: the columns in scope, the clause it stands in, and where findings go. Unquoted names match
 * exactly first, then without regard to case; quoted names exactly.
 */
import { nearestName } from "../../core/nearest.ts";
import type { UdfDefinition } from "../../program/udf.ts";
import type { Expr } from "../ast.ts";
import type { Advice, DiagnosticCode, DiagnosticCollector } from "../diagnostics.ts";
import type { LogicalNode } from "../logical-plan.ts";
import type { Ident } from "../name.ts";
import type { Span } from "../source-text.ts";
import { type Bound, UNKNOWN } from "./bound.ts";

/** A column in scope. */
export interface ScopeField {
  readonly name: string;
  /** Table name or alias. */
  readonly qualifier?: string | undefined;
  readonly value: Bound;
  /** True: only a qualified name reaches it (the second column of a USING). */
  readonly hidden?: boolean;
}

/** The columns that a clause may use, over the columns of `node`. */
export interface Scope {
  readonly fields: readonly ScopeField[];
  readonly node: LogicalNode;
}

/** How GROUP BY changes what expressions mean; implemented in `grouping.ts`. */
export interface Grouping {
  /** The value of an expression that is one of the GROUP BY expressions. */
  match(expr: Expr): Bound | undefined;
  /** A column's value in terms of the groups, or `undefined` if it is not grouped. */
  regroup(value: Bound): Bound | undefined;
  /** The value of an aggregate call. */
  aggregate(call: Expr & { readonly kind: "call" }): Bound;
}

/** The environment of one expression. */
export interface Environment {
  readonly diagnostics: DiagnosticCollector;
  /** User-defined functions by lower-case name. */
  readonly udfs: ReadonlyMap<string, UdfDefinition>;
  readonly scope: Scope;
  /** For messages: `WHERE`, `GROUP BY`, `an aggregate`. */
  readonly clause: string;
  readonly grouping?: Grouping;
}

/** Reports an error and gives the value that stands for it. */
export function fail(env: Pick<Environment, "diagnostics">, code: DiagnosticCode, span: Span, message: string, advice?: Advice): Bound {
  env.diagnostics.error(code, span, message, advice);
  return UNKNOWN;
}

/** Whether an identifier names `name`: exactly if quoted, else without regard to case. */
export function namesEqual(ident: Pick<Ident, "text" | "quoted">, name: string): boolean {
  return ident.quoted ? ident.text === name : ident.text.toLowerCase() === name.toLowerCase();
}

/** Those of `candidates` that `ident` names; an exact match beats those that differ in case. */
export function candidatesFor<T extends { readonly name: string }>(ident: Ident, candidates: readonly T[]): readonly T[] {
  const exact = candidates.filter((c) => c.name === ident.text);
  return exact.length > 0 ? exact : candidates.filter((c) => namesEqual(ident, c.name));
}

/** The name that an alias gives: unquoted ones in lower case. */
export function foldedName(ident: Ident): string {
  return ident.quoted ? ident.text : ident.text.toLowerCase();
}

/** A hint that names the nearest of `candidates`, if one is near. Names of one or two letters are near to everything: no hint. */
export function didYouMean(name: string, candidates: Iterable<string>): Advice {
  if (name.length <= 2) return {};
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? {} : { hint: `Did you mean "${nearest}"?` };
}

/** The value of `a`, `t.a`, `a.b` or `t.a.b`. Reports names that mean nothing or several columns. */
export function resolvePath(env: Environment, path: readonly Ident[], span: Span): Bound {
  const [first, second] = path as [Ident, Ident | undefined];
  const visible = env.scope.fields.filter((f) => f.hidden !== true);
  const qualified = second === undefined ? [] : env.scope.fields.filter((f) => f.qualifier !== undefined && namesEqual(first, f.qualifier));
  const asColumn = candidatesFor(first, visible);
  const asQualified = second === undefined || asColumn.length > 0 ? [] : candidatesFor(second, qualified);
  const [found, rest] = asColumn.length > 0 ? [asColumn, path.slice(1)] : [asQualified, path.slice(2)];
  const preferred = asColumn.length > 0 && second !== undefined && qualified.length > 0 ? candidatesFor(second, qualified) : [];
  if (preferred.length === 1 && preferred[0] !== undefined) return accessFields(env, preferred[0].value, path.slice(2));
  if (found.length > 1) {
    const tables = found.map((f) => `"${f.qualifier ?? "?"}"`).join(", ");
    return fail(env, "ambiguous-column", span, `column "${first.text}" is ambiguous`, {
      detail: `It is a column of ${tables}.`,
      hint: "Write the table's name or alias before it.",
    });
  }
  if (found[0] !== undefined) return accessFields(env, found[0].value, rest);
  return unknownColumn(env, path, qualified, span);
}

function unknownColumn(env: Environment, path: readonly Ident[], qualified: readonly ScopeField[], span: Span): Bound {
  const [first, second] = path as [Ident, Ident | undefined];
  if (second !== undefined && qualified.length > 0) {
    const advice = didYouMean(
      second.text,
      qualified.map((f) => f.name),
    );
    return fail(env, "unknown-column", span, `column "${second.text}" does not exist in "${first.text}"`, advice);
  }
  const names = env.scope.fields.map((f) => f.name);
  if (second !== undefined) {
    const qualifiers = env.scope.fields.flatMap((f) => (f.qualifier === undefined ? [] : [f.qualifier]));
    const advice = didYouMean(first.text, [...new Set([...qualifiers, ...names])]);
    return fail(env, "unknown-column", span, `table or column "${first.text}" does not exist here`, advice);
  }
  if (env.scope.fields.length === 0) {
    return fail(env, "unknown-column", span, `column "${first.text}" does not exist`, {
      detail: `No columns can be used in ${env.clause}.`,
    });
  }
  return fail(env, "unknown-column", span, `column "${first.text}" does not exist`, didYouMean(first.text, names));
}

/** Follows struct fields by name. */
export function accessFields(env: Pick<Environment, "diagnostics">, value: Bound, path: readonly Ident[]): Bound {
  let current = value;
  for (const name of path) {
    if (current.kind === "unknown") return UNKNOWN;
    if (current.kind !== "struct") {
      return fail(env, "unknown-field", name.span, `"${name.text}" is not a field: the value before it is not a struct`);
    }
    const found = candidatesFor(name, current.fields);
    if (found.length !== 1 || found[0] === undefined) {
      const advice = didYouMean(
        name.text,
        current.fields.map((f) => f.name),
      );
      return fail(env, "unknown-field", name.span, `field "${name.text}" does not exist in the struct`, advice);
    }
    current = found[0].value;
  }
  return current;
}
