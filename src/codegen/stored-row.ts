/**
 * Whole rows as state entries: every column a slot, NULL a flag. `store<name>` copies a batch's row into an entry; the output
 * columns read rows back from arrays of entries.
 */

import { isVariable } from "../data/data-type.ts";
import type { Column } from "../data/schema.ts";
import { storeOutput } from "./aggregate-output.ts";
import type { FlagBit } from "./entry-layout.ts";
import { EntryLayout, slotClass, slotLocal } from "./entry-layout.ts";
import type { Printer } from "./printer.ts";
import { RowScope } from "./scope.ts";

/** A column's place in the entry. */
export interface StoredColumn {
  readonly column: Column;
  readonly offset: number;
  readonly absent: FlagBit | undefined;
}

/** Layout of the entries of one side. */
export interface StoredRow {
  readonly layout: EntryLayout;
  readonly columns: readonly StoredColumn[];
}

/** Lays out rows of `columns`. */
export function storeRows(columns: readonly Column[]): StoredRow {
  const layout = new EntryLayout();
  const stored = columns.map((column) => ({
    column,
    absent: column.nullable ? layout.flag() : undefined,
    offset: layout.slot(column.type),
  }));
  return { layout, columns: stored };
}

/** Prints `name(batch, r, t, e)`, which copies row r into the new entry e of table t. */
export function emitStore(p: Printer, name: string, row: StoredRow, columns: readonly Column[]): void {
  const scope = new RowScope(p, columns, "r");
  const body = p.capture(() => {
    for (const [i, { column, offset, absent }] of row.columns.entries()) {
      const { valid, value, length } = scope.column(i);
      const statements = isVariable(column.type)
        ? [
            `store<u32>(e, <u32>${p.use("group-table", "keepText")}(t, ${value}, ${length}), ${offset});`,
            `store<u32>(e, <u32>${length}, ${offset + 4});`,
          ]
        : [storeSlot(column, value, offset)];
      if (absent === undefined) for (const s of statements) p.line(`  ${s}`);
      else {
        p.line(`  if (${valid}) {`);
        for (const s of statements) p.line(`    ${s}`);
        p.line(`  } else store<u32>(e, load<u32>(e, ${absent.offset}) | ${absent.mask}, ${absent.offset});`);
      }
    }
  });
  p.line(`function ${name}(batch: usize, r: usize, t: usize, e: usize): void {`);
  p.append(scope.hoisted("batch"));
  p.append(body);
  p.line("}");
}

function storeSlot(column: Column, value: string, offset: number): string {
  const type = slotLocal(slotClass(column.type));
  return `store<${type}>(e, <${type}>${value}, ${offset});`;
}

/** Condition that the column is present in entry `e`. */
export function isPresent({ absent }: StoredColumn, e: string): string {
  return absent === undefined ? "true" : `(load<u32>(${e}, ${absent.offset}) & ${absent.mask}) == 0`;
}

/** Condition that two entries have equal, present values in these columns. NaN equals NaN, −0 equals 0. */
export function equalValues(p: Printer, a: StoredColumn, b: StoredColumn): string {
  const kind = slotClass(a.column.type);
  if (kind === "text") {
    const length = `load<u32>(a, ${a.offset + 4})`;
    const same = p.use("hash", "sameBytes");
    return `${length} == load<u32>(b, ${b.offset + 4}) && ${same}(<usize>load<u32>(a, ${a.offset}), <usize>load<u32>(b, ${b.offset}), <usize>${length})`;
  }
  if (kind !== "float") return `load<u64>(a, ${a.offset}) == load<u64>(b, ${b.offset})`;
  const key = p.use("hash", "floatKey");
  return `${key}(load<f64>(a, ${a.offset})) == ${key}(load<f64>(b, ${b.offset}))`;
}

/**
 * Prints `column<i>(n)`: output column i of the n rows in the array `rows` of entries, NULL where the entry is 0 (`outer`).
 * Buffers as in `aggregate-output.ts`.
 */
export function emitStoredColumn(p: Printer, stored: StoredColumn, i: number, rows: string, outer: boolean): void {
  const { column, offset } = stored;
  const nullable = outer || column.nullable;
  const text = isVariable(column.type);
  p.block(`function column${i}(n: usize): void`, () => {
    if (text) p.line(`let used: usize = 0;\n  store<u32>(V${i}, 0);`);
    p.block("for (let r: usize = 0; r < n; r++)", () => {
      p.line(`const e = <usize>load<u32>(${rows} + (r << 2));`);
      if (nullable) {
        p.line(`const present = ${[...(outer ? ["e != 0"] : []), isPresent(stored, "e")].filter((c) => c !== "true").join(" && ")};`);
        p.line(`store<u8>(N${i} + r, <u8>present);`);
      }
      if (text) {
        p.line(`const length = ${nullable ? "present ? " : ""}<usize>load<u32>(e, ${offset + 4})${nullable ? " : 0" : ""};`);
        p.line(`B${i} = ${p.use("memory", "growBlock")}(B${i}, used, used + length + 64);`);
        p.line(`if (length != 0) ${p.use("selection", "copyLoose")}(B${i} + used, <usize>load<u32>(e, ${offset}), length);`);
        p.line("used += length;");
        p.line(`store<u32>(V${i} + (r << 2), <u32>used, 4);`);
      } else {
        const load = slotLocal(slotClass(column.type));
        p.line(storeOutput(column.type, `V${i}`, "r", `load<${load}>(e, ${offset})`));
      }
    });
    p.line(`${p.use("batch", "setColumn")}(OUT, ${i}, V${i}, ${nullable ? `N${i}` : "0"}, ${text ? `B${i}` : "0"});`);
  });
}

/** Sum of the text lengths of entry `e`, "" without text columns. A NULL's length is 0. */
export function storedTextLength(row: StoredRow, e: string): string {
  return row.columns.flatMap((c) => (isVariable(c.column.type) ? [`<usize>load<u32>(${e}, ${c.offset + 4})`] : [])).join(" + ");
}
