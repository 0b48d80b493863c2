/**
 * Finding entries of state tables, as generated code: the probe over the directory of `runtime/group-table.ts` with the key
 * comparison written out by type. A key travels as a list of arguments: the NULL bits, then per column its 64 bits (0 for
 * NULL) or the address and length of its text.
 */
import type { ScalarType } from "../data/data-type.ts";
import { isVariable } from "../data/data-type.ts";
import type { EntryLayout, KeySlot } from "./entry-layout.ts";
import { FIRST_KEY_COLUMN } from "./entry-layout.ts";
import type { Printer } from "./printer.ts";
import type { RowScope } from "./scope.ts";
import type { Value } from "./value.ts";

/** The 64 bits that stand for a fixed-width value in a key. */
export function keyBits(p: Printer, type: ScalarType, value: string): string {
  if (type.kind === "float32" || type.kind === "float64") return `${p.use("hash", "floatKey")}(<f64>${value})`;
  return type.kind === "boolean" || type.kind.startsWith("uint") ? `<u64>${value}` : `<u64>(<i64>${value})`;
}

/** Parameters of a key, as declared. */
function keyParameters(keys: readonly KeySlot[]): string {
  const columns = keys.flatMap((k, i) => (isVariable(k.type) ? [`k${i}: usize`, `l${i}: usize`] : [`k${i}: u64`]));
  return ["nulls: u32", ...columns].join(", ");
}

/** Prints what evaluates the key of the current row; returns the arguments. */
export function rowKey(scope: RowScope, keys: readonly KeySlot[], values: readonly Value[]): string {
  const p = scope.printer;
  const nulls = keys.flatMap((k, i) =>
    k.nullMask === 0 || values[i]?.valid === "true" ? [] : [`(${values[i]?.valid} ? 0 : ${k.nullMask})`],
  );
  const columns = keys.flatMap((k, i) => {
    const { valid, value, length } = values[i] as Value;
    if (isVariable(k.type)) return [value, valid === "true" ? length : `(${valid} ? ${length} : 0)`];
    const bits = keyBits(p, k.type, value);
    return [valid === "true" ? bits : `(${valid} ? ${bits} : 0)`];
  });
  return [nulls.length === 0 ? "0" : scope.bind("u32", nulls.join(" | ")), ...columns.map((c) => (/^\w+$/.test(c) ? c : c))].join(", ");
}

/** Arguments of the key of entry `e`, whose layout begins with the same keys. */
export function entryKey(layout: EntryLayout, e: string): string {
  const columns = layout.keys.flatMap((k) =>
    isVariable(k.type)
      ? [`<usize>load<u32>(${e}, ${k.offset})`, `<usize>load<u32>(${e}, ${k.offset + 4})`]
      : [`load<u64>(${e}, ${k.offset})`],
  );
  return [`load<u32>(${e}, 8) & ${layout.nullMask}`, ...columns].join(", ");
}

/** Arguments of the key in row `r` of a state frame read as `batch`. */
export function frameKey(p: Printer, layout: EntryLayout, batch: string, r: string): string {
  const values = (column: number): string => `${p.use("batch", "columnValues")}(${batch}, ${column})`;
  const columns = layout.keys.flatMap((k, i) =>
    frameValue(p, k.type, values(FIRST_KEY_COLUMN + i), `${p.use("batch", "columnBytes")}(${batch}, ${FIRST_KEY_COLUMN + i})`, r),
  );
  return [`load<u32>(${values(1)} + (${r} << 2)) & ${layout.nullMask}`, ...columns].join(", ");
}

/** A state frame's value as arguments. */
export function frameValue(_p: Printer, type: ScalarType, values: string, bytes: string, r: string): readonly string[] {
  if (!isVariable(type)) return [`load<u64>(${values} + (${r} << 3))`];
  const start = `<usize>load<u32>(${values} + (${r} << 2))`;
  return [`${bytes} + ${start}`, `<usize>load<u32>(${values} + (${r} << 2), 4) - ${start}`];
}

/** Prints the probe for `h` in `t`: a statement `found` runs with `e` at the matching entry. */
function emitProbe(p: Printer, condition: string, found: string): void {
  p.line("const slots = <usize>load<u32>(<usize>load<u32>(t) + ((<usize>(h >> 13) & <usize>load<u32>(t, 4)) << 2));");
  p.line("const mask = <usize>load<u32>(t, 8);");
  p.line("let p = <usize>h & mask;");
  p.block("while (true)", () => {
    p.line("const slot = load<u64>(slots + (p << 3));");
    p.line("if (slot == 0) break;");
    p.block("if (<u32>(slot >> 32) == <u32>h)", () => {
      p.line("const e = <usize>(<u32>slot);");
      p.line(`if (${condition}) ${found}`);
    });
    p.line("p = (p + 1) & mask;");
  });
}

/** Condition that entry `e` has the key in the parameters. */
function sameKey(p: Printer, layout: EntryLayout): string {
  const parts = layout.keys.map((k, i) =>
    isVariable(k.type)
      ? `load<u32>(e, ${k.offset + 4}) == <u32>l${i} && ${p.use("hash", "sameBytes")}(k${i}, <usize>load<u32>(e, ${k.offset}), l${i})`
      : `load<u64>(e, ${k.offset}) == k${i}`,
  );
  if (layout.nullMask !== 0) parts.unshift(`(load<u32>(e, 8) & ${layout.nullMask}) == nulls`);
  return parts.length === 0 ? "true" : parts.join(" && ");
}

/**
 * Prints `find(t, h, …key): usize`, the entry of the key, made if it was not there: then `initialise` has printed statements
 * that fill the rest of the new entry `e`.
 */
export function emitFind(p: Printer, name: string, layout: EntryLayout, initialise: () => void): void {
  p.block(`function ${name}(t: usize, h: u64, ${keyParameters(layout.keys)}): usize`, () => {
    emitProbe(p, sameKey(p, layout), "return e;");
    p.line(`return ${name}New(t, h, nulls${layout.keys.map((k, i) => (isVariable(k.type) ? `, k${i}, l${i}` : `, k${i}`)).join("")});`);
  });
  p.block(`function ${name}New(t: usize, h: u64, ${keyParameters(layout.keys)}): usize`, () => {
    p.line(`const e = ${p.use("group-table", "insertEntry")}(t, h, h);`);
    for (const [i, k] of layout.keys.entries()) {
      if (isVariable(k.type)) {
        p.line(`store<u32>(e, <u32>${p.use("group-table", "keepText")}(t, k${i}, l${i}), ${k.offset});`);
        p.line(`store<u32>(e, <u32>l${i}, ${k.offset + 4});`);
      } else p.line(`store<u64>(e, k${i}, ${k.offset});`);
    }
    if (layout.nullMask !== 0) p.line("store<u32>(e, load<u32>(e, 8) | nulls, 8);");
    initialise();
    p.line("return e;");
  });
}

/**
 * Prints `name(t, from): usize`: the entry of `t` with the key of entry `from`, or 0. For tables of groups only, where the
 * hash of an entry is its routing hash.
 */
export function emitLookup(p: Printer, name: string, layout: EntryLayout): void {
  p.block(`function ${name}At(t: usize, h: u64, ${keyParameters(layout.keys)}): usize`, () => {
    emitProbe(p, sameKey(p, layout), "return e;");
    p.line("return 0;");
  });
  p.block(`function ${name}(t: usize, from: usize): usize`, () => {
    p.line(`return ${name}At(t, load<u64>(from), ${entryKey(layout, "from")});`);
  });
}

/** Value parameter of a value table: its bits, or address and length. */
export function valueParameters(type: ScalarType): string {
  return isVariable(type) ? "v: usize, vl: usize" : "v: u64";
}

/** Condition that entry `e` belongs to group `g` and has the value in the parameters. */
function sameMember(p: Printer, groups: EntryLayout, value: KeySlot): string {
  const text = (offset: number, address: string, length: string): string =>
    `load<u32>(e, ${offset + 4}) == <u32>(${length}) && ${p.use("hash", "sameBytes")}(${address}, <usize>load<u32>(e, ${offset}), <usize>(${length}))`;
  const parts = [
    isVariable(value.type) ? text(value.offset, "v", "vl") : `load<u64>(e, ${value.offset}) == v`,
    ...groups.keys.map((k) =>
      isVariable(k.type)
        ? text(k.offset, `<usize>load<u32>(g, ${k.offset})`, `load<u32>(g, ${k.offset + 4})`)
        : `load<u64>(e, ${k.offset}) == load<u64>(g, ${k.offset})`,
    ),
  ];
  if (groups.nullMask !== 0) parts.push(`((load<u32>(e, 8) ^ load<u32>(g, 8)) & ${groups.nullMask}) == 0`);
  return parts.join(" && ");
}

/**
 * Prints `find(t, h, g, …value): usize` for a table of the values of groups: the entry of group `g` and the value, made if it
 * was not there: then `initialise` has printed statements that fill the rest of the new entry `e`.
 */
export function emitFindMember(p: Printer, name: string, groups: EntryLayout, value: KeySlot, initialise: () => void): void {
  const members = isVariable(value.type) ? "v, vl" : "v";
  p.block(`function ${name}(t: usize, h: u64, g: usize, ${valueParameters(value.type)}): usize`, () => {
    emitProbe(p, sameMember(p, groups, value), "return e;");
    p.line(`return ${name}New(t, h, g, ${members});`);
  });
  p.block(`function ${name}New(t: usize, h: u64, g: usize, ${valueParameters(value.type)}): usize`, () => {
    const keep = p.use("group-table", "keepText");
    p.line(`const e = ${p.use("group-table", "insertEntry")}(t, h, load<u64>(g));`);
    for (const k of groups.keys) {
      if (!isVariable(k.type)) p.line(`store<u64>(e, load<u64>(g, ${k.offset}), ${k.offset});`);
      else {
        p.line(`store<u32>(e, <u32>${keep}(t, <usize>load<u32>(g, ${k.offset}), <usize>load<u32>(g, ${k.offset + 4})), ${k.offset});`);
        p.line(`store<u32>(e, load<u32>(g, ${k.offset + 4}), ${k.offset + 4});`);
      }
    }
    if (groups.nullMask !== 0) p.line(`store<u32>(e, load<u32>(e, 8) | (load<u32>(g, 8) & ${groups.nullMask}), 8);`);
    if (!isVariable(value.type)) p.line(`store<u64>(e, v, ${value.offset});`);
    else {
      p.line(`store<u32>(e, <u32>${keep}(t, v, vl), ${value.offset});`);
      p.line(`store<u32>(e, <u32>vl, ${value.offset + 4});`);
    }
    initialise();
    p.line("return e;");
  });
}
