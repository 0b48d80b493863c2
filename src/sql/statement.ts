/**
 * Statements of the dialect as written; expressions and queries are in `ast.ts`. A script is a list of them, in order, and each may
 * refer only to those before it.
 */
import type { Expr, IntervalLiteral, Query, StringLiteral } from "./ast.ts";
import type { Ident, QualifiedName, TypeNode } from "./name.ts";
import type { Span } from "./source-text.ts";

/** A column of CREATE TABLE. At most one of `generated` and `metadataKey` is given. */
export interface ColumnDef {
  readonly name: Ident;
  readonly type: TypeNode;
  readonly notNull: boolean;
  readonly primaryKey: boolean;
  /** `GENERATED ALWAYS AS (expr) STORED`; the deprecated `metadata('key')` form stays a call in here. */
  readonly generated: Expr | undefined;
  /** `METADATA FROM 'key'`. */
  readonly metadataKey: StringLiteral | undefined;
  readonly span: Span;
}

/** `WATERMARK FOR column [AS expr]`; without `expr` the watermark is the column itself. */
export interface WatermarkDef {
  readonly column: Ident;
  readonly expr: Expr | undefined;
  readonly span: Span;
}

/** `key = value` of WITH (…). `key` has its quotes removed and its parts joined by points. */
export interface TableOption {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: OptionValue;
  readonly span: Span;
}

/** The value of an option. A number keeps its text with its sign. */
export type OptionValue =
  | { readonly kind: "string"; readonly value: string; readonly span: Span }
  | { readonly kind: "number"; readonly text: string; readonly span: Span }
  | { readonly kind: "boolean"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "interval"; readonly interval: IntervalLiteral; readonly span: Span }
  | { readonly kind: "identifier"; readonly name: QualifiedName; readonly span: Span }
  | { readonly kind: "list"; readonly items: readonly OptionValue[]; readonly span: Span };

/** `CREATE [TEMPORARY] TABLE`; with `query` the form CREATE TABLE … AS. `columns` is empty where the schema is inferred. */
export interface CreateTable {
  readonly kind: "create-table";
  readonly name: QualifiedName;
  readonly temporary: boolean;
  readonly ifNotExists: boolean;
  readonly orReplace: boolean;
  readonly columns: readonly ColumnDef[];
  /** Columns of a table-level PRIMARY KEY (a, b), in that order; column-level keys are on the columns. */
  readonly primaryKey: readonly Ident[];
  readonly watermark: WatermarkDef | undefined;
  readonly options: readonly TableOption[];
  /** PARTITIONED BY's transforms: column paths and calls. */
  readonly partitionedBy: readonly Expr[];
  readonly query: Query | undefined;
  readonly span: Span;
}

/** `CREATE [OR REPLACE] [TEMPORARY] VIEW name [(columns)] AS query`. */
export interface CreateView {
  readonly kind: "create-view";
  readonly name: QualifiedName;
  readonly orReplace: boolean;
  readonly ifNotExists: boolean;
  readonly columns: readonly Ident[];
  readonly query: Query;
  readonly span: Span;
}

/** `INSERT INTO table [(columns)] query`. */
export interface Insert {
  readonly kind: "insert";
  readonly table: QualifiedName;
  readonly columns: readonly Ident[];
  readonly query: Query;
  readonly span: Span;
}

/** A bare SELECT or VALUES. */
export interface QueryStatement {
  readonly kind: "select-statement";
  readonly query: Query;
  readonly span: Span;
}

/** `SET name = value`. */
export interface SetVariable {
  readonly kind: "set";
  readonly name: QualifiedName;
  readonly value: Expr;
  readonly span: Span;
}

/** `EXPLAIN [VERBOSE] statement`. */
export interface Explain {
  readonly kind: "explain";
  readonly verbose: boolean;
  readonly analyze: boolean;
  readonly statement: Statement;
  readonly span: Span;
}

/** A parameter of CREATE FUNCTION, both parts optional in TypeScript's case. */
export interface FunctionParameter {
  readonly name: Ident | undefined;
  readonly type: TypeNode;
}

/** `CREATE FUNCTION f(…) [RETURNS t] LANGUAGE TYPESCRIPT AS $$…$$`. `body` is verbatim and `bodySpan` covers it without its delimiters. */
export interface CreateFunction {
  readonly kind: "create-function";
  readonly name: QualifiedName;
  readonly orReplace: boolean;
  readonly parameters: readonly FunctionParameter[];
  readonly returns: TypeNode | undefined;
  /** In lower case; undefined where not written. */
  readonly language: string | undefined;
  readonly body: string;
  readonly bodySpan: Span;
  readonly span: Span;
}

/** `SHOW TABLES`. */
export interface ShowTables {
  readonly kind: "show-tables";
  readonly span: Span;
}

/** `DESCRIBE name`. */
export interface Describe {
  readonly kind: "describe";
  readonly name: QualifiedName;
  readonly span: Span;
}

/** Any statement. */
export type Statement = CreateTable | CreateView | Insert | QueryStatement | SetVariable | Explain | CreateFunction | ShowTables | Describe;
