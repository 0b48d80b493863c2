/**
 * Random Wadi scripts: tables, one query of a random shape, one sink whose columns are inferred. Expressions come from the same generator
 * as those of random programs and are printed as SQL, so the planner's coercion, folding and push-down are part of what is tested.
 */
import type { Prng } from "../../src/core/prng.ts";
import { BOOLEAN, isInteger, printType, type ScalarType } from "../../src/data/data-type.ts";
import { type Column, flatten } from "../../src/data/schema.ts";
import type { SourceTable } from "./oracle-programs.ts";
import { EXPRESSION_TYPES, ExpressionGenerator } from "./random-expression.ts";
import { expressionSql } from "./random-expression-sql.ts";
import { randomTable } from "./random-program.ts";

/** A script and its tables. Paths are `$<table>` and `$output`. */
export interface RandomScript {
  readonly sql: string;
  readonly tables: readonly SourceTable[];
  readonly updating: boolean;
}

/** A relation of the script: SQL that can stand in FROM, and its columns by name. */
interface Relation {
  readonly sql: string;
  readonly columns: readonly Column[];
}

function tableSql(table: SourceTable): string {
  const columns = table.fields.map((f) => `  ${f.name} ${declaredType(printType(f.type))}${f.nullable ? "" : " NOT NULL"}`);
  const watermark = `  WATERMARK FOR c0 AS c0 - INTERVAL '${(table.delayNs ?? 0n) / 1_000_000_000n} seconds'`;
  const options = `connector = 'single_file', path = '$${table.name}', format = 'json', type = 'source', bad_data = 'drop'`;
  return `CREATE TABLE ${table.name} (\n${[...columns, watermark].join(",\n")}\n) WITH (${options});\n`;
}

/** Fields of a struct are nullable or not by the engine's types, but SQL's STRUCT has no NOT NULL. */
function declaredType(type: string): string {
  return type.replaceAll(" NOT NULL", "");
}

/** The table's columns that an expression can name: not the markers of structs, and all nullable inside one. */
function accessible(table: SourceTable): readonly Column[] {
  const { columns, shape } = flatten(table.fields);
  const markers = new Set<number>();
  const visit = (fields: typeof shape): void => {
    for (const field of fields) {
      if (field.marker !== undefined) markers.add(field.marker);
      visit(field.fields ?? []);
    }
  };
  visit(shape);
  return columns.filter((_, i) => !markers.has(i));
}

class ScriptGrower {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  grow(): RandomScript {
    const p = this.#prng;
    const tables = Array.from({ length: p.between(1, 2) }, (_, i) => randomTable(p, `t${i}`));
    const input = this.#input(tables);
    const shape = p.below(6);
    const query =
      shape === 0 ? input : shape <= 2 ? this.#windows(input) : shape === 3 ? this.#nested(input) : this.#groups(input, shape === 5);
    const updating = shape >= 4;
    const format = updating ? "debezium_json', json.timestamp_format = 'rfc3339" : "json";
    const sink = `CREATE TABLE output WITH (connector = 'single_file', path = '$output', format = '${format}', type = 'sink');\n`;
    return { sql: `${tables.map(tableSql).join("\n")}\n${sink}\nINSERT INTO output\n${query.sql};\n`, tables, updating };
  }

  /** Each table projected to common types, united. */
  #input(tables: readonly SourceTable[]): Relation {
    const p = this.#prng;
    const types = Array.from({ length: p.between(1, 6) }, () => p.pick(EXPRESSION_TYPES));
    const selects = tables.map((table) => {
      const columns = accessible(table);
      const names = columns.map((c) => c.name);
      const generator = new ExpressionGenerator(p, columns, "sql");
      const outputs = types.map((type, i) => `${expressionSql(generator.make(type, p.below(4)), names, "wadi")} AS k${i}`);
      const filter = p.chance(1, 3) ? `\nWHERE ${expressionSql(generator.make(BOOLEAN, p.between(1, 3)), names, "wadi")}` : "";
      return `SELECT ${outputs.join(", ")} FROM ${table.name}${filter}`;
    });
    return { sql: selects.join("\nUNION ALL\n"), columns: types.map((type, i) => ({ name: `k${i}`, type, nullable: true })) };
  }

  #aggregates(columns: readonly Column[]): readonly Column[] {
    return Array.from({ length: this.#prng.between(1, 3) }, () => this.#aggregate(this.#prng.pick(columns)));
  }

  /** An aggregate: its SQL as the name, its type. */
  #aggregate(column: Column): Column {
    const p = this.#prng;
    const { type, name } = column;
    const isNumber = isInteger(type) || type.kind.startsWith("float");
    const f = p.pick(isNumber ? (["count", "sum", "avg", "min", "max"] as const) : (["count", "min", "max"] as const));
    const distinct = p.chance(1, 5) ? "DISTINCT " : "";
    const filter = p.chance(1, 8) ? ` FILTER (WHERE ${name} IS NOT NULL)` : "";
    if (f === "count")
      return {
        name: p.chance(1, 2) ? `count(*)${filter}` : `count(${distinct}${name})${filter}`,
        type: { kind: "int64" },
        nullable: false,
      };
    if (f === "min" || f === "max") return { name: `${f}(${distinct}${name})${filter}`, type, nullable: true };
    const bounded = isInteger(type) ? `CAST(${name} % 101 AS BIGINT)` : `CASE WHEN abs(${name}) < 1e15 THEN CAST(${name} AS DOUBLE) END`;
    const result: ScalarType = f === "sum" && isInteger(type) ? { kind: "int64" } : { kind: "float64" };
    return { name: `${f}(${distinct}${bounded})${filter}`, type: result, nullable: true };
  }

  #keys(columns: readonly Column[]): readonly Column[] {
    return this.#prng.shuffle(columns).slice(0, this.#prng.below(Math.min(3, columns.length) + 1));
  }

  #window(): string {
    const p = this.#prng;
    const width = p.between(1, 60);
    return p.chance(1, 2)
      ? `tumble(INTERVAL '${width} seconds')`
      : `hop(INTERVAL '${p.between(1, width)} seconds', INTERVAL '${width} seconds')`;
  }

  #windowed(input: Relation): { readonly sql: string; readonly keys: readonly Column[]; readonly aggregates: readonly Column[] } {
    const keys = this.#keys(input.columns);
    const aggregates = this.#aggregates(input.columns);
    const outputs = [`${this.#window()} AS window`, ...keys.map((k) => k.name), ...aggregates.map((a, i) => `${a.name} AS a${i}`)];
    const having = this.#prng.chance(1, 4) ? "\nHAVING count(*) > 1" : "";
    const groups = ["window", ...keys.map((k) => k.name)].join(", ");
    const sql = `SELECT ${outputs.join(", ")} FROM (\n${input.sql}\n) AS input\nGROUP BY ${groups}${having}`;
    return { sql, keys, aggregates: aggregates.map((a, i) => ({ ...a, name: `a${i}` })) };
  }

  #windows(input: Relation): Relation {
    const { sql, keys, aggregates } = this.#windowed(input);
    const columns = [...keys, ...aggregates];
    const outputs = ["window.start AS ws", "window.end AS we", ...columns.map((c) => c.name)];
    return { sql: `SELECT ${outputs.join(", ")} FROM (\n${sql}\n) AS windows`, columns };
  }

  #nested(input: Relation): Relation {
    const inner = this.#windowed(input);
    const columns = [...inner.keys, ...inner.aggregates];
    const aggregates = this.#aggregates(columns);
    const outputs = ["window", ...aggregates.map((a, i) => `${a.name} AS b${i}`)];
    const sql = `SELECT ${outputs.join(", ")} FROM (\n${inner.sql}\n) AS windows\nGROUP BY window`;
    const names = ["window.start AS ws", ...aggregates.map((_, i) => `b${i}`)];
    return { sql: `SELECT ${names.join(", ")} FROM (\n${sql}\n) AS outermost`, columns };
  }

  #groups(input: Relation, twice: boolean): Relation {
    const keys = this.#keys(input.columns);
    const aggregates = this.#aggregates(input.columns);
    const outputs = [...keys.map((k) => k.name), ...aggregates.map((a, i) => `${a.name} AS a${i}`)];
    const grouping = keys.length === 0 ? "" : `\nGROUP BY ${keys.map((k) => k.name).join(", ")}`;
    const sql = `SELECT ${outputs.join(", ")} FROM (\n${input.sql}\n) AS input${grouping}`;
    const columns = [...keys, ...aggregates.map((a, i) => ({ ...a, name: `a${i}` }))];
    if (!twice) return { sql, columns };
    const outer = this.#aggregates(columns);
    const key = this.#prng.pick(columns).name;
    return {
      sql: `SELECT ${[key, ...outer.map((a, i) => `${a.name} AS b${i}`)].join(", ")} FROM (\n${sql}\n) AS middle\nGROUP BY ${key}`,
      columns,
    };
  }
}

/** A script from a seed. */
export function randomScript(prng: Prng): RandomScript {
  return new ScriptGrower(prng).grow();
}
