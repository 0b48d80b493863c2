/**
 * The syntax tree the binder reads: what was written, with a span on every node, and nothing resolved. Statements are in `statement.ts`.
 *
 * Nodes are immutable plain data (tagged unions on `kind`), so a tree can cross a thread boundary. Spans are UTF-16 offsets
 * into the original script. Special syntactic forms that mean a function call are already calls (see `CallExpr`), so that
 * there is one place to bind functions. Names are as written: folding the case of unquoted names is the binder's business.
 */
import type { Ident, QualifiedName, TypeNode } from "./name.ts";
import type { Span } from "./source-text.ts";

/** Binary operators by their one spelling here: `!=` is `<>`, `==` is `=`, `#` is `^` (bitwise XOR, as DataFusion). */
export type BinaryOperator =
  | "or"
  | "and"
  | "="
  | "<>"
  | "<"
  | "<="
  | ">"
  | ">="
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "||"
  | "&"
  | "|"
  | "^"
  | "<<"
  | ">>"
  | "~"
  | "~*"
  | "!~"
  | "!~*"
  | "->"
  | "->>"
  | "?"
  | "@>"
  | "<@";

/** Prefix operators; `~` is bitwise NOT. */
export type UnaryOperator = "-" | "+" | "not" | "~";

/** Units of an interval with a trailing unit and fields of EXTRACT, in the singular and lower case. */
export type IntervalUnit =
  | "year"
  | "quarter"
  | "month"
  | "week"
  | "day"
  | "hour"
  | "minute"
  | "second"
  | "millisecond"
  | "microsecond"
  | "nanosecond";

/** A number as written: digits, at most one point, an optional exponent; no sign. */
export interface NumberLiteral {
  readonly kind: "number";
  readonly text: string;
  readonly span: Span;
}

/** A string literal with its escapes resolved. */
export interface StringLiteral {
  readonly kind: "string";
  readonly value: string;
  readonly span: Span;
}

/** `TRUE` or `FALSE`. */
export interface BooleanLiteral {
  readonly kind: "boolean";
  readonly value: boolean;
  readonly span: Span;
}

/** `NULL`. */
export interface NullLiteral {
  readonly kind: "null";
  readonly span: Span;
}

/** `X'…'`: bytes as lower-case hex digits, an even number of them. */
export interface BytesLiteral {
  readonly kind: "bytes";
  readonly hex: string;
  readonly span: Span;
}

/** `INTERVAL '5' SECOND`, `INTERVAL '1 day 2 hours'`, `INTERVAL 5 MINUTE`. `text` is the quoted or bare value, unparsed, with `-` if negative. */
export interface IntervalLiteral {
  readonly kind: "interval";
  readonly text: string;
  readonly unit: IntervalUnit | undefined;
  readonly span: Span;
}

/** `TIMESTAMP '…'`, `DATE '…'`, `DECIMAL(5,2) '…'`: means CAST of the string. */
export interface TypedStringLiteral {
  readonly kind: "typed-string";
  readonly type: TypeNode;
  readonly value: string;
  readonly span: Span;
}

/** `a`, `t.a` or `t.a.b`: which parts are table, column and struct fields is the binder's question. */
export interface ColumnExpr {
  readonly kind: "column";
  readonly path: readonly Ident[];
  readonly span: Span;
}

/** `(expr).name`: a struct field of something that is not itself a name path. */
export interface FieldExpr {
  readonly kind: "field";
  readonly base: Expr;
  readonly name: Ident;
  readonly span: Span;
}

/** `base[index]`: array element (1-based) or struct field by string. */
export interface SubscriptExpr {
  readonly kind: "subscript";
  readonly base: Expr;
  readonly index: Expr;
  readonly span: Span;
}

/** `base[from:to]` or `base[from:to:step]`. */
export interface SliceExpr {
  readonly kind: "slice";
  readonly base: Expr;
  readonly from: Expr | undefined;
  readonly to: Expr | undefined;
  readonly step: Expr | undefined;
  readonly span: Span;
}

/** A prefix operator with its operand. */
export interface UnaryExpr {
  readonly kind: "unary";
  readonly op: UnaryOperator;
  readonly operand: Expr;
  readonly span: Span;
}

/** An infix operator with its operands. */
export interface BinaryExpr {
  readonly kind: "binary";
  readonly op: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}

/**
 * A function call; whether scalar, aggregate, window or unknown is the binder's question.
 *
 * Special forms arrive as calls with these names and argument orders (DataFusion's):
 * `EXTRACT(f FROM x)` → `date_part('f', x)`; `POSITION(a IN b)` → `strpos(b, a)`; `SUBSTRING(x FROM a FOR n)` → `substr(x, a, n)`
 * (`FOR` alone: a = 1); `TRIM([BOTH] c FROM x)` → `btrim(x, c)`, LEADING `ltrim`, TRAILING `rtrim`; `OVERLAY(x PLACING y FROM a FOR n)`
 * → `overlay(x, y, a, n)`; `CEIL(x)`/`FLOOR(x)` → `ceil`/`floor`, `CEIL(x TO f)` is refused; `x = ANY(array)` → `array_has(array, x)`;
 * `STRUCT(1 AS a)` and `{'a': 1}` → `named_struct('a', 1)`, `STRUCT(1)` → `struct(1)`; `MAP {k: v}` → `make_map(k, v)`;
 * `CURRENT_DATE`, `CURRENT_TIMESTAMP` and the like → calls without arguments.
 */
export interface CallExpr {
  readonly kind: "call";
  readonly name: QualifiedName;
  readonly args: readonly CallArgument[];
  /** `f(*)`: then `args` is empty. */
  readonly star: boolean;
  readonly distinct: boolean;
  /** ORDER BY inside the parentheses or by `WITHIN GROUP (ORDER BY …)`. */
  readonly orderBy: readonly OrderItem[];
  readonly withinGroup: boolean;
  readonly filter: Expr | undefined;
  readonly nulls: "ignore" | "respect" | undefined;
  readonly over: WindowSpec | undefined;
  readonly span: Span;
}

/** An argument, `name => value` when `name` is given. */
export interface CallArgument {
  readonly name: Ident | undefined;
  readonly value: Expr;
}

/** `OVER (…)`. Named windows (`WINDOW w AS …`) are already put in their place. */
export interface WindowSpec {
  readonly partitionBy: readonly Expr[];
  readonly orderBy: readonly OrderItem[];
  readonly frame: WindowFrame | undefined;
  readonly span: Span;
}

/** A window frame; a missing end is CURRENT ROW. */
export interface WindowFrame {
  readonly units: "rows" | "range" | "groups";
  readonly start: FrameBound;
  readonly end: FrameBound;
}

/** One bound of a frame; without `offset` a `preceding`/`following` bound is UNBOUNDED. */
export type FrameBound =
  | { readonly kind: "current-row" }
  | { readonly kind: "preceding"; readonly offset: Expr | undefined }
  | { readonly kind: "following"; readonly offset: Expr | undefined };

/** One item of ORDER BY; `nullsFirst` is undefined where not written (PostgreSQL's default: last for ASC, first for DESC). */
export interface OrderItem {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nullsFirst: boolean | undefined;
  readonly span: Span;
}

/** `CASE [operand] WHEN … THEN … [ELSE …] END`. */
export interface CaseExpr {
  readonly kind: "case";
  readonly operand: Expr | undefined;
  readonly branches: readonly { readonly when: Expr; readonly then: Expr }[];
  readonly otherwise: Expr | undefined;
  readonly span: Span;
}

/** `CAST(x AS t)`, `x::t`; `TRY_CAST` gives NULL instead of a row error. */
export interface CastExpr {
  readonly kind: "cast";
  readonly operand: Expr;
  readonly type: TypeNode;
  readonly try: boolean;
  readonly span: Span;
}

/** `x [NOT] BETWEEN low AND high`. */
export interface BetweenExpr {
  readonly kind: "between";
  readonly operand: Expr;
  readonly low: Expr;
  readonly high: Expr;
  readonly negated: boolean;
  readonly span: Span;
}

/** `x [NOT] IN (a, b, …)`; the list is not empty. */
export interface InListExpr {
  readonly kind: "in-list";
  readonly operand: Expr;
  readonly list: readonly Expr[];
  readonly negated: boolean;
  readonly span: Span;
}

/** `x [NOT] IN (SELECT …)`. */
export interface InSubqueryExpr {
  readonly kind: "in-subquery";
  readonly operand: Expr;
  readonly query: Query;
  readonly negated: boolean;
  readonly span: Span;
}

/** `[NOT] EXISTS (SELECT …)`. */
export interface ExistsExpr {
  readonly kind: "exists";
  readonly query: Query;
  readonly negated: boolean;
  readonly span: Span;
}

/** `(SELECT …)` used as a value. */
export interface ScalarSubqueryExpr {
  readonly kind: "subquery";
  readonly query: Query;
  readonly span: Span;
}

/** `x [NOT] LIKE | ILIKE | SIMILAR TO pattern [ESCAPE 'c']`; `escape` is one character. */
export interface LikeExpr {
  readonly kind: "like";
  readonly variant: "like" | "ilike" | "similar";
  readonly operand: Expr;
  readonly pattern: Expr;
  readonly escape: string | undefined;
  readonly negated: boolean;
  readonly span: Span;
}

/** `x IS [NOT] NULL | TRUE | FALSE | UNKNOWN`. */
export interface IsExpr {
  readonly kind: "is";
  readonly operand: Expr;
  readonly test: "null" | "true" | "false" | "unknown";
  readonly negated: boolean;
  readonly span: Span;
}

/** `a IS [NOT] DISTINCT FROM b`; `negated` is IS NOT DISTINCT FROM, null-safe equality. */
export interface IsDistinctExpr {
  readonly kind: "is-distinct";
  readonly left: Expr;
  readonly right: Expr;
  readonly negated: boolean;
  readonly span: Span;
}

/** `ARRAY[…]` or `[…]`. */
export interface ArrayExpr {
  readonly kind: "array";
  readonly elements: readonly Expr[];
  readonly span: Span;
}

/** `(a, b)` of two elements or more, as in `(a, b) = (1, 2)`. */
export interface TupleExpr {
  readonly kind: "tuple";
  readonly elements: readonly Expr[];
  readonly span: Span;
}

/** `x AT TIME ZONE zone`. */
export interface AtTimeZoneExpr {
  readonly kind: "at-time-zone";
  readonly operand: Expr;
  readonly zone: Expr;
  readonly span: Span;
}

/** Any expression. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | BooleanLiteral
  | NullLiteral
  | BytesLiteral
  | IntervalLiteral
  | TypedStringLiteral
  | ColumnExpr
  | FieldExpr
  | SubscriptExpr
  | SliceExpr
  | UnaryExpr
  | BinaryExpr
  | CallExpr
  | CaseExpr
  | CastExpr
  | BetweenExpr
  | InListExpr
  | InSubqueryExpr
  | ExistsExpr
  | ScalarSubqueryExpr
  | LikeExpr
  | IsExpr
  | IsDistinctExpr
  | ArrayExpr
  | TupleExpr
  | AtTimeZoneExpr;

// -------------------------------------------------------------------------------------------------------------- queries

/** A query with what surrounds its body. `WITH RECURSIVE` is refused. */
export interface Query {
  readonly kind: "query";
  readonly with: readonly Cte[];
  readonly body: QueryBody;
  readonly orderBy: readonly OrderItem[];
  readonly limit: Expr | undefined;
  readonly offset: Expr | undefined;
  readonly span: Span;
}

/** `name [(columns)] AS (query)`. */
export interface Cte {
  readonly name: Ident;
  readonly columns: readonly Ident[];
  readonly query: Query;
  readonly span: Span;
}

/** What stands between WITH and ORDER BY. A nested `query` is one in parentheses. */
export type QueryBody = Select | SetOperation | Values | Query;

/** `left UNION [ALL] right` and the like; EXCEPT and INTERSECT bind as the parser's precedence says. */
export interface SetOperation {
  readonly kind: "set-operation";
  readonly op: "union" | "except" | "intersect";
  readonly all: boolean;
  readonly left: QueryBody;
  readonly right: QueryBody;
  readonly span: Span;
}

/** `VALUES (…), (…)`; rows may still differ in length. */
export interface Values {
  readonly kind: "values";
  readonly rows: readonly (readonly Expr[])[];
  readonly span: Span;
}

/** One SELECT block. */
export interface Select {
  readonly kind: "select";
  readonly distinct: boolean;
  readonly projection: readonly SelectItem[];
  /** Comma-separated FROM items; empty without FROM. */
  readonly from: readonly TableRef[];
  readonly where: Expr | undefined;
  /** Expressions, aliases or ordinals, as written; with `groupingSets` every expression that occurs in them, once. */
  readonly groupBy: readonly Expr[];
  /** ROLLUP, CUBE and GROUPING SETS expanded: each set is a list of indexes into `groupBy`. */
  readonly groupingSets: readonly (readonly number[])[] | undefined;
  readonly having: Expr | undefined;
  readonly qualify: Expr | undefined;
  /** Texts of `/*+ … *\/` comments right after SELECT, trimmed. */
  readonly hints: readonly Hint[];
  readonly span: Span;
}

/** A hint comment's text without its delimiters. */
export interface Hint {
  readonly text: string;
  readonly span: Span;
}

/** One item of the select list. */
export type SelectItem =
  | { readonly kind: "expr"; readonly expr: Expr; readonly alias: Ident | undefined; readonly span: Span }
  /** `*` or `t.*`, less the columns of EXCEPT/EXCLUDE, with those of REPLACE computed anew (which the parser does not read: empty). */
  | {
      readonly kind: "wildcard";
      readonly qualifier: QualifiedName | undefined;
      readonly except: readonly Ident[];
      readonly replace: readonly { readonly name: Ident; readonly expr: Expr }[];
      readonly span: Span;
    };

/** `AS alias [(columns)]`. */
export interface TableAlias {
  readonly name: Ident;
  readonly columns: readonly Ident[];
}

/** One FROM item. */
export type TableRef = NamedTable | DerivedTable | TableFunction | UnnestTable | Join;

/** A table, view or CTE by name. */
export interface NamedTable {
  readonly kind: "table";
  readonly name: QualifiedName;
  readonly alias: TableAlias | undefined;
  readonly span: Span;
}

/** A subquery in FROM. */
export interface DerivedTable {
  readonly kind: "derived";
  readonly query: Query;
  readonly lateral: boolean;
  readonly alias: TableAlias | undefined;
  readonly span: Span;
}

/** `f(args)` in FROM, such as `generate_series(1, 5)`. */
export interface TableFunction {
  readonly kind: "table-function";
  readonly name: QualifiedName;
  readonly args: readonly CallArgument[];
  readonly lateral: boolean;
  readonly alias: TableAlias | undefined;
  readonly span: Span;
}

/** `UNNEST(a, …) [WITH ORDINALITY]` in FROM. */
export interface UnnestTable {
  readonly kind: "unnest";
  readonly exprs: readonly Expr[];
  readonly withOrdinality: boolean;
  readonly alias: TableAlias | undefined;
  readonly span: Span;
}

/** Joins associate to the left. `semi` and `anti` keep the left side's columns; RIGHT SEMI/ANTI are `right-semi`, `right-anti`. */
export interface Join {
  readonly kind: "join";
  readonly type: "inner" | "left" | "right" | "full" | "cross" | "semi" | "anti" | "right-semi" | "right-anti";
  readonly left: TableRef;
  readonly right: TableRef;
  readonly condition: JoinCondition;
  readonly span: Span;
}

/** `none` only for CROSS JOIN and for a join written without a condition. */
export type JoinCondition =
  | { readonly kind: "on"; readonly expr: Expr }
  | { readonly kind: "using"; readonly columns: readonly Ident[] }
  | { readonly kind: "natural" }
  | { readonly kind: "none" };
