/**
 * FROM: tables, views, CTEs and subqueries as scopes. Joins are in `join.ts`.
 */
import type { NamedTable, TableAlias, TableRef } from "../ast.ts";
import type { Relation } from "../catalog.ts";
import type { Span } from "../source-text.ts";
import type { BindContext } from "./context.ts";
import { didYouMean, foldedName, type Scope, type ScopeField } from "./environment.ts";
import { bindJoin } from "./join.ts";

/** Binds a subquery; passed in because FROM and queries refer to each other. */
export type BindQuery = (context: BindContext, query: Extract<TableRef, { kind: "derived" }>["query"]) => Relation | undefined;

/** The scope of one FROM item, or `undefined` after reporting. */
export function bindTableRef(context: BindContext, ref: TableRef, bindQuery: BindQuery): Scope | undefined {
  switch (ref.kind) {
    case "table":
      return bindNamedTable(context, ref);
    case "derived": {
      if (ref.lateral) return unsupported(context, ref.span, "LATERAL is not supported yet");
      const relation = bindQuery(context, ref.query);
      return relation && withAlias(context, relation, undefined, ref.alias);
    }
    case "join": {
      const left = bindTableRef(context, ref.left, bindQuery);
      const right = bindTableRef(context, ref.right, bindQuery);
      return left && right && bindJoin(context, ref, left, right);
    }
    case "table-function":
    case "unnest":
      return unsupported(context, ref.span, "functions in FROM are not supported yet");
  }
}

function unsupported(context: BindContext, span: Span, message: string): undefined {
  context.diagnostics.error("unsupported-syntax", span, message);
  return undefined;
}

function bindNamedTable(context: BindContext, ref: NamedTable): Scope | undefined {
  const name = ref.name.parts.map((p) => p.text).join(".");
  const cte = context.ctes.get(name.toLowerCase());
  if (context.ctes.has(name.toLowerCase())) return cte && withAlias(context, cte, name, ref.alias);
  const relation = readTable(context, name, ref.name.span);
  return relation && withAlias(context, relation, name, ref.alias);
}

/** The rows of a table or view by name. */
function readTable(context: BindContext, name: string, span: Span): Relation | undefined {
  const entry = context.catalog.find({ text: name, quoted: false });
  switch (entry?.kind) {
    case undefined: {
      const advice = didYouMean(name, [...context.catalog.names(), ...context.ctes.keys()]);
      context.diagnostics.error("unknown-table", span, `table "${name}" does not exist`, advice);
      return undefined;
    }
    case "broken":
      return undefined;
    case "relation":
      return entry.relation;
    case "sink":
      context.diagnostics.error("invalid-table", span, `table "${entry.name}" is a sink and cannot be read`, {
        hint: "Define a second table with type = 'source' to read what it writes.",
      });
      return undefined;
    case "memory":
      if (entry.written === undefined) {
        context.diagnostics.error("invalid-table", span, `memory table "${entry.name}" is read before anything is inserted into it`, {
          hint: `Put INSERT INTO ${entry.name} before this query, or give the table a connector.`,
        });
      }
      return entry.written;
  }
}

/** A relation's columns under a qualifier, renamed by the alias's column list. */
function withAlias(context: BindContext, relation: Relation, name: string | undefined, alias: TableAlias | undefined): Scope {
  const qualifier = alias === undefined ? name : foldedName(alias.name);
  const names = alias?.columns ?? [];
  if (names.length > relation.fields.length) {
    const message = `"${qualifier ?? ""}" has ${relation.fields.length} columns, but ${names.length} names are given`;
    context.diagnostics.error("invalid-argument", names[0]?.span, message);
  }
  const fields = relation.fields.map((f, i): ScopeField => {
    const renamed = names[i];
    return { name: renamed === undefined ? f.name : foldedName(renamed), qualifier, value: f.value };
  });
  return { fields, node: relation.node };
}
