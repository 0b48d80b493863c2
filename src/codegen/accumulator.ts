/**
 * Which accumulators a list of aggregates needs and where they lie in the group's entry. Aggregates over the same argument
 * and FILTER share: a *contribution* is such a pair, evaluated once a row; avg shares its sum and count.
 *
 * Presence: over append-only input a flag bit says that a contribution has had a value; over retracting input a count does.
 * DISTINCT, and min and max over retracting input, keep a *value set*: a table of the values of every group, with a count
 * each, linked per group. The next extreme after the current one is taken back is found at the flush by a walk over the
 * group's values: O(distinct values of the group) per flush in which that happens.
 *
 * avg of integers: the exact 128-bit sum, rounded to float64, divided by the count.
 */

import { assert, must } from "../core/assert.ts";
import type { ScalarType } from "../data/data-type.ts";
import { isInteger } from "../data/data-type.ts";
import type { Expression } from "../program/expression.ts";
import type { Aggregate } from "../program/operator.ts";
import type { FlagBit, KeySlot } from "./entry-layout.ts";
import { EntryLayout, slotClass } from "./entry-layout.ts";

/** Offsets of the extremes of a contribution or value set. */
interface Extremes {
  min?: number;
  max?: number;
}

/** The values of a contribution by group, in a table of their own. */
export interface ValueSet extends Extremes {
  /** Number of the table within the vertex, from 1. */
  readonly kind: number;
  readonly layout: EntryLayout;
  readonly value: KeySlot;
  /** Count of the value, retracting input only. */
  readonly count: number | undefined;
  /** Links {u32 next, u32 previous} in the value's entry and {u32 first} in the group's; vertices that remove groups only. */
  readonly links: number | undefined;
  readonly head: number | undefined;
  /** Number of distinct values, in the group's entry. */
  readonly distinct: number;
  /** Sum of the distinct values. */
  sum?: { readonly offset: number; readonly kind: "wide" | "pair" };
  /** The extremes hold values; they must be searched anew. */
  has?: FlagBit;
  stale?: FlagBit;
}

/** What a row may add: the argument's value where the filter is true and the value present. */
export interface Contribution extends Extremes {
  readonly argument: Expression | undefined;
  readonly filter: Expression | undefined;
  /** Some rows may contribute nothing. */
  readonly conditional: boolean;
  count?: number;
  seen?: FlagBit;
  /** 64-bit sum that must not overflow. */
  sum?: number;
  /** 128-bit sum. */
  wide?: number;
  /** Compensated float sum. */
  pair?: number;
  set?: ValueSet;
}

/** What the vertex does with its groups. */
export interface AccumulatorOptions {
  /** Input carries weights. */
  readonly retracting: boolean;
  /** Single groups are removed, and with them their value sets. */
  readonly removes: boolean;
  /** Count all rows of a group. */
  readonly counted: boolean;
  /** There is one group, and it exists over no rows too: no argument can be taken to have been seen. */
  readonly keyless: boolean;
}

/** An aggregate and the accumulators it is computed from. */
export interface PlannedAggregate {
  readonly aggregate: Aggregate;
  readonly contribution: Contribution;
}

function identity(expression: Expression | undefined): string {
  return JSON.stringify(expression ?? null, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v instanceof Uint8Array ? [...v] : v));
}

function isFloat(type: ScalarType): boolean {
  return slotClass(type) === "float";
}

/** Type of a contribution's values. */
export function valueType(contribution: Contribution): ScalarType {
  return must(contribution.argument, "argument of an aggregate").type;
}

/** The accumulators of one operator; adds their slots to the group's layout. */
export class AccumulatorPlan {
  readonly contributions: Contribution[] = [];
  readonly aggregates: readonly PlannedAggregate[];
  readonly options: AccumulatorOptions;
  /** Contribution that counts all rows, if `counted`. */
  readonly rows: Contribution | undefined;
  readonly #layout: EntryLayout;
  readonly #byIdentity = new Map<string, Contribution>();

  constructor(layout: EntryLayout, aggregates: readonly Aggregate[], options: AccumulatorOptions) {
    this.#layout = layout;
    this.options = options;
    if (options.counted) {
      this.rows = this.#contribution(undefined, undefined);
      this.#count(this.rows);
    }
    this.aggregates = aggregates.map((aggregate) => ({ aggregate, contribution: this.#plan(aggregate) }));
  }

  /** Value sets by table number. */
  get valueSets(): readonly ValueSet[] {
    return this.contributions.flatMap((c) => c.set ?? []);
  }

  #plan(aggregate: Aggregate): Contribution {
    const c = this.#contribution(aggregate.argument, aggregate.filter);
    const kind = aggregate.function;
    if (kind === "min" || kind === "max") this.#extreme(c, kind);
    else if (aggregate.distinct && aggregate.argument !== undefined) this.#distinct(c, kind);
    else this.#plain(c, kind);
    return c;
  }

  #contribution(argument: Expression | undefined, filter: Expression | undefined): Contribution {
    const constant = argument?.kind === "literal" && argument.value !== null;
    const key = identity(constant ? undefined : argument) + identity(filter);
    const found = constant ? undefined : this.#byIdentity.get(key);
    if (found !== undefined) return found;
    const nullable = argument?.nullable === true || (argument?.kind === "literal" && argument.value === null);
    const conditional = filter !== undefined || nullable || this.options.keyless;
    const made: Contribution = { argument, filter, conditional };
    if (!constant) this.#byIdentity.set(key, made);
    this.contributions.push(made);
    return made;
  }

  #count(c: Contribution): void {
    c.count ??= this.#layout.words(1, "count");
  }

  /** Makes it known whether the contribution has had a value. */
  #presence(c: Contribution): void {
    if (this.options.retracting) this.#count(c);
    else if (c.conditional) c.seen ??= this.#layout.flag();
  }

  #plain(c: Contribution, kind: "count" | "sum" | "avg"): void {
    if (kind === "count") {
      this.#count(c);
      return;
    }
    const type = valueType(c);
    assert(isInteger(type) || isFloat(type), `${kind} of ${type.kind} has no accumulator`);
    if (isFloat(type)) c.pair ??= this.#layout.words(2, "float sum");
    else if (kind === "avg") c.wide ??= this.#layout.words(2, "wide sum");
    else c.sum ??= this.#layout.words(1, "sum");
    if (kind === "avg") this.#count(c);
    else this.#presence(c);
  }

  #extreme(c: Contribution, kind: "min" | "max"): void {
    const type = valueType(c);
    if (this.options.retracting) {
      const set = this.#valueSet(c);
      set[kind] ??= this.#layout.slot(type);
      set.has ??= this.#layout.flag();
      set.stale ??= this.#layout.flag();
      return;
    }
    c[kind] ??= this.#layout.slot(type);
    if (slotClass(type) === "text") c.seen ??= this.#layout.flag();
    else this.#presence(c);
  }

  #distinct(c: Contribution, kind: "count" | "sum" | "avg"): void {
    const set = this.#valueSet(c);
    if (kind === "count") return;
    const type = valueType(c);
    assert(isInteger(type) || isFloat(type), `${kind} of distinct ${type.kind} has no accumulator`);
    set.sum ??= isFloat(type)
      ? { kind: "pair", offset: this.#layout.words(2, "distinct float sum") }
      : { kind: "wide", offset: this.#layout.words(2, "distinct wide sum") };
  }

  #valueSet(c: Contribution): ValueSet {
    if (c.set !== undefined) return c.set;
    const layout = new EntryLayout();
    for (const k of this.#layout.keys) layout.key(k.type, k.nullable);
    const type = valueType(c);
    const { retracting, removes } = this.options;
    const value = layout.member(type);
    c.set = {
      kind: this.valueSets.length + 1,
      layout,
      value,
      count: retracting ? layout.words(1, "count") : undefined,
      links: removes ? layout.transient() : undefined,
      head: removes ? this.#layout.transient() : undefined,
      distinct: this.#layout.words(1, "distinct count"),
    };
    return c.set;
  }
}
