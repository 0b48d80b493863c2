/**
 * Random programs as plain graphs, of shapes that SQL makes and of expressions that it never would. Column 0 of every table is its event
 * time. Aggregated integers are taken modulo a million and sums of floats are over columns, so that no sum overflows or cancels to noise.
 */
import type { Prng } from "../../src/core/prng.ts";
import { BOOLEAN, type DataType, type Field, isInteger, type ScalarType, TEXT, TIMESTAMP } from "../../src/data/data-type.ts";
import { type Column, physicalColumns } from "../../src/data/schema.ts";
import type { Expression } from "../../src/program/expression.ts";
import type { Aggregate, Window } from "../../src/program/operator.ts";
import type { Program } from "../../src/program/program.ts";
import { aggregate, type Built, call, column, literal, ProgramBuilder, type SourceTable } from "./oracle-programs.ts";
import { EXPRESSION_TYPES, ExpressionGenerator } from "./random-expression.ts";
import { type NdjsonOptions, randomNdjson } from "./random-ndjson.ts";

/** A program and its tables. */
export interface RandomProgram {
  readonly program: Program;
  readonly tables: readonly SourceTable[];
  /** Sinks whose lines are changelogs. */
  readonly updatingSinks: ReadonlySet<string>;
}

const SECOND = 1_000_000_000n;

/** Types of a table's columns: all that a reader knows, except decimals, intervals and bytes. */
export const COLUMN_TYPES: readonly ScalarType[] = [...EXPRESSION_TYPES, { kind: "json" }];

function randomType(prng: Prng, depth: number): DataType {
  if (depth > 0 && prng.chance(1, 10)) return { kind: "struct", fields: randomFields(prng, prng.between(1, 3), depth - 1) };
  return prng.chance(1, 3) ? prng.pick<ScalarType>([{ kind: "int64" }, TEXT, { kind: "float64" }]) : prng.pick(COLUMN_TYPES);
}

function randomFields(prng: Prng, count: number, depth: number): readonly Field[] {
  return Array.from({ length: count }, (_, i) => ({ name: `c${i + 1}`, type: randomType(prng, depth), nullable: prng.chance(7, 8) }));
}

/** A table with an event time, which is out of order by half the watermark's delay. */
export function randomTable(prng: Prng, name: string): SourceTable {
  const time: Field = { name: "c0", type: TIMESTAMP, nullable: false };
  const fields = [time, ...randomFields(prng, prng.between(1, 9), 2)];
  return { name, fields, eventTime: 0, delayNs: BigInt(prng.between(0, 8)) * SECOND, badData: "drop" };
}

/** Input for each table of a program. */
export function randomInputs(prng: Prng, tables: readonly SourceTable[], options: Partial<NdjsonOptions> = {}): Record<string, Uint8Array> {
  const startNs = 1_677_628_800_000_000_000n;
  const full = { rows: prng.between(0, 300), startNs, stepNs: BigInt(prng.between(1, 2000)) * 1_000_000n, ...options };
  return Object.fromEntries(tables.map((table) => [table.name, randomNdjson(prng, table, full)]));
}

/** Grows one random graph. */
class ProgramGrower {
  readonly #prng: Prng;
  readonly #builder = new ProgramBuilder();

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  grow(): RandomProgram {
    const p = this.#prng;
    const tables = Array.from({ length: p.between(1, 2) }, (_, i) => randomTable(p, `t${i}`));
    const sources = tables.map((table) => this.#builder.source(table));
    const shape = p.below(8);
    const results =
      shape === 0
        ? [this.#join(sources)]
        : shape === 1 && sources.length > 1
          ? sources.map((s) => this.#project([s]))
          : [this.#pipeline(sources)];
    const merged = new Set(results.map((r) => r.output.columns.map((c) => c.type.kind).join())).size > 1;
    const sinks = merged ? results.map((r, i) => [`out${i}`, [r]] as const) : [["out0", results] as const];
    for (const [name, inputs] of sinks) this.#builder.sink(name, inputs, inputs[0]?.output.updating ? [0] : []);
    const updatingSinks = new Set(sinks.filter(([, inputs]) => inputs.some((i) => i.output.updating)).map(([name]) => name));
    return { program: this.#builder.build(), tables, updatingSinks };
  }

  /** Filter, then nothing, windows, windows of windows, or changelogs. */
  #pipeline(sources: readonly Built[]): Built {
    const p = this.#prng;
    const projected = this.#project(sources);
    switch (p.below(6)) {
      case 0:
        return projected;
      case 1:
      case 2:
        return this.#having(this.#window(projected));
      case 3: {
        const first = this.#window(projected);
        const bounds = first.output.columns.findIndex((c) => c.name === "start");
        const keys = [bounds, bounds + 1].map((i) => column(i, TIMESTAMP, false));
        const extra = p.chance(1, 2) && bounds > 0 ? [this.#columnOf(first, p.below(bounds))] : [];
        return this.#having(this.#builder.window(first, { kind: "instant" }, [...keys, ...extra], this.#aggregates(first)));
      }
      case 4:
        return this.#having(this.#builder.updating(projected, this.#keys(projected), this.#aggregates(projected)));
      default: {
        const first = this.#builder.updating(projected, this.#keys(projected), this.#aggregates(projected));
        const middle = p.chance(1, 2) ? this.#having(first) : first;
        return this.#builder.updating(middle, this.#keys(middle), this.#aggregates(middle));
      }
    }
  }

  /** Sources with different columns meet in a projection to common types. */
  #project(sources: readonly Built[]): Built {
    const p = this.#prng;
    const types = Array.from({ length: p.between(1, 6) }, () => p.pick(EXPRESSION_TYPES));
    const sides = sources.map((source) => {
      const generator = new ExpressionGenerator(p, physicalColumns(source.output), "any");
      const filter = p.chance(1, 3) ? generator.make(BOOLEAN, p.between(1, 3)) : undefined;
      const outputs = types.map((type) => generator.make(type, p.chance(1, 3) ? p.between(1, 4) : 0));
      return this.#builder.compute([source], outputs, filter);
    });
    if (sides.length === 1) return sides[0] as Built;
    const outputs = types.map((type, i) =>
      column(
        i,
        type,
        sides.some((s) => s.output.columns[i]?.nullable ?? true),
      ),
    );
    return this.#builder.compute(sides, outputs);
  }

  #having(from: Built): Built {
    const p = this.#prng;
    if (p.chance(1, 3)) return from;
    const generator = new ExpressionGenerator(p, from.output.columns, from.output.updating ? "total" : "any");
    const outputs = from.output.columns.map((_, i) => this.#columnOf(from, i));
    return this.#builder.compute([from], outputs, p.chance(1, 2) ? generator.make(BOOLEAN, 2) : undefined);
  }

  #columnOf(from: Built, index: number): Expression {
    const { type, nullable } = from.output.columns[index] as Column;
    return column(index, type, nullable);
  }

  #keys(from: Built): readonly Expression[] {
    const count = this.#prng.chance(1, 6) ? 0 : this.#prng.between(1, Math.min(3, from.output.columns.length));
    const indexes = from.output.columns.map((_, i) => i);
    return this.#prng
      .shuffle(indexes)
      .slice(0, count)
      .map((i) => this.#columnOf(from, i));
  }

  #windowKind(): Window {
    const p = this.#prng;
    const width = BigInt(p.between(1, 60)) * SECOND;
    if (p.chance(1, 2)) return { kind: "tumble", widthNs: width };
    return { kind: "hop", slideNs: BigInt(p.between(1, 30)) * SECOND, widthNs: width };
  }

  #window(from: Built): Built {
    return this.#builder.window(from, this.#windowKind(), this.#keys(from), this.#aggregates(from));
  }

  #aggregates(from: Built): readonly Aggregate[] {
    return Array.from({ length: this.#prng.between(1, 4) }, () => this.#aggregate(from));
  }

  #aggregate(from: Built): Aggregate {
    const p = this.#prng;
    const generator = new ExpressionGenerator(p, from.output.columns, "total");
    const options = { distinct: p.chance(1, 5), ...(p.chance(1, 6) ? { filter: generator.make(BOOLEAN, 1) } : {}) };
    const argument = this.#columnOf(from, p.below(from.output.columns.length));
    const { type } = argument;
    const isNumber = isInteger(type) || type.kind.startsWith("float");
    const name = p.pick(isNumber ? (["count", "sum", "avg", "min", "max"] as const) : (["count", "min", "max"] as const));
    if (name === "count")
      return p.chance(1, 2) ? aggregate("count", undefined, { ...options, distinct: false }) : aggregate("count", argument, options);
    if (name === "min" || name === "max") return aggregate(name, argument, options);
    return aggregate(name, summable(argument), options);
  }

  /** Two windowed sides with equal windows and one or two keys of equal types. */
  #join(sources: readonly Built[]): Built {
    const p = this.#prng;
    const types = Array.from({ length: p.between(1, 2) }, () => p.pick<ScalarType>([{ kind: "int32" }, TEXT, BOOLEAN, { kind: "date" }]));
    const window = this.#windowKind();
    const side = (source: Built): Built => {
      const generator = new ExpressionGenerator(p, physicalColumns(source.output), "any");
      const projected = this.#builder.compute(
        [source],
        types.map((type) => generator.make(type, 1)),
      );
      const keys = types.map((_, i) => this.#columnOf(projected, i));
      return this.#builder.window(projected, window, keys, this.#aggregates(projected));
    };
    const [left, right] = [side(sources[0] as Built), side(sources.at(-1) as Built)];
    const keys = types.map((_, i) => i);
    const generator = new ExpressionGenerator(p, [...left.output.columns, ...right.output.columns], "total");
    const filter = p.chance(1, 3) ? generator.make(BOOLEAN, 2) : undefined;
    return this.#builder.join(left, right, p.pick(["inner", "left", "right", "full"] as const), keys, keys, filter);
  }
}

/** Integers modulo a million or their type's range; floats bounded, NaN and infinities left out. */
function summable(argument: Expression): Expression {
  const { type } = argument;
  if (isInteger(type)) {
    const wide = !type.kind.endsWith("8") && !type.kind.endsWith("16");
    return wide ? call("modulo", [argument, literal(1_000_003n, type)], type) : argument;
  }
  const bound = call("le", [call("abs", [argument], type), literal(2 ** 50, type)]);
  return { kind: "case", branches: [{ condition: bound, value: argument }], otherwise: literal(null, type), type, nullable: true };
}

/** A program from a seed. */
export function randomProgram(prng: Prng): RandomProgram {
  return new ProgramGrower(prng).grow();
}
