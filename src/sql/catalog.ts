/**
 * The tables and views of one script, by name without regard to case, in the order of their definition. It does not know how they are
 * defined (`binder/table.ts`) nor run.
 */
import type { Field } from "../data/data-type.ts";
import type { Format, OptionValues } from "../program/operator.ts";
import type { Bound } from "./binder/bound.ts";
import { namesEqual } from "./binder/environment.ts";
import type { LogicalNode } from "./logical-plan.ts";
import type { Ident } from "./name.ts";
import type { Span } from "./source-text.ts";

/** Rows with names: a query's result or a table that can be read. */
export interface Relation {
  readonly node: LogicalNode;
  readonly fields: readonly { readonly name: string; readonly value: Bound }[];
}

/** A table that can be written to. */
export interface SinkTable {
  readonly kind: "sink";
  readonly name: string;
  readonly connector: string;
  readonly options: OptionValues;
  /** Undefined: json, or debezium_json where the query is updating. */
  readonly format?: Format;
  readonly writers: "one" | "each-subtask";
  /** Undefined: the first INSERT decides. */
  readonly fields: readonly Field[] | undefined;
}

/** A named stream without a connector: one INSERT writes it, then it can be read. */
export interface MemoryTable {
  readonly kind: "memory";
  readonly name: string;
  readonly fields: readonly Field[];
  readonly written: Relation | undefined;
}

/** Something with a name. `broken`: its definition has errors that are reported; whatever uses it stays silent. */
export type CatalogEntry =
  | { readonly kind: "relation"; readonly name: string; readonly what: "table" | "view"; readonly relation: Relation }
  | SinkTable
  | MemoryTable
  | { readonly kind: "broken"; readonly name: string };

/** The names defined so far. */
export class Catalog {
  readonly #entries: { entry: CatalogEntry; span: Span }[] = [];

  /** The entry that `name` means. */
  find(name: Pick<Ident, "text" | "quoted">): CatalogEntry | undefined {
    return this.#entries.find((e) => namesEqual({ text: name.text, quoted: false }, e.entry.name))?.entry;
  }

  /** Adds or replaces an entry. */
  set(entry: CatalogEntry, span: Span): void {
    const index = this.#entries.findIndex((e) => e.entry.name.toLowerCase() === entry.name.toLowerCase());
    if (index === -1) this.#entries.push({ entry, span });
    else this.#entries[index] = { entry, span };
  }

  /** Where each entry was defined, in order. */
  get definitions(): readonly { readonly entry: CatalogEntry; readonly span: Span }[] {
    return this.#entries;
  }

  /** All names, in order of definition. */
  names(): string[] {
    return this.#entries.map((e) => e.entry.name);
  }
}
