/**
 * Key hashes as generated code: XXH64 over the canonical bytes that `data/key-hash.ts` defines. One function serves a keyed
 * exchange and the state tables behind it, so rows and state meet on the same subtask.
 */

import { must } from "../core/assert.ts";
import { userError } from "../core/errors.ts";
import type { ScalarType } from "../data/data-type.ts";
import { integerShape, isInteger, isVariable } from "../data/data-type.ts";
import { storageOf } from "./value.ts";

/** A key column of a batch. */
export interface KeyColumn {
  readonly index: number;
  readonly type: ScalarType;
  readonly nullable: boolean;
}

/**
 * Expression that loads row `row` of a fixed-width column at `values` as the 64 bits that stand for it in canonical key
 * bytes; `floatKey` is the name of the runtime's function.
 */
export function loadKeyBits(type: ScalarType, values: string, row: string, floatKey: string): string {
  if (type.kind === "interval" || type.kind === "decimal")
    throw userError("unsupported", `a key of type ${type.kind} is not supported yet`);
  const { column, shift } = storageOf(type);
  const value = `load<${column}>(${values} + ${shift === 0 ? row : `(${row} << ${shift})`})`;
  if (column === "f32" || column === "f64") return `${floatKey}(<f64>${value})`;
  const signed = !isInteger(type) || integerShape(type.kind).signed;
  return signed && type.kind !== "boolean" ? `<u64>(<i64>${value})` : `<u64>${value}`;
}

/**
 * AssemblyScript of `function name(batch: usize, rows: usize, out: usize): void`, which writes the u64 hash of the key
 * columns of every row to `out`. The text brings its own imports under names derived from `name`, so it can stand anywhere at
 * the top level of a generated file. Without key columns every hash is that of no bytes.
 */
export function emitKeyHash(name: string, keys: readonly KeyColumn[]): string {
  const runtime = (f: string): string => `${f}_${name}`;
  const lines: string[] = [];
  const [first] = keys;
  if (first === undefined) lines.push("  for (let r: usize = 0; r < rows; r++) store<u64>(out + (r << 3), 0xef46db3751d8e999);");
  else if (keys.length === 1 && !isVariable(first.type)) lines.push(...hashOfOne(first, runtime));
  else lines.push(...hashOfMany(keys, runtime));
  const body = lines.join("\n");
  const imports = (file: string, names: readonly string[]): string[] => {
    const used = names.filter((n) => body.includes(`${runtime(n)}`)).map((n) => `${n} as ${runtime(n)}`);
    return used.length === 0 ? [] : [`import { ${used.join(", ")} } from "../runtime/${file}.ts";`];
  };
  return [
    ...imports("batch", ["columnValues", "columnValidity", "columnBytes"]),
    ...imports("hash", ["HASH_OF_NULL", "hashWord", "hashBytes", "floatKey", "keyRoom", "putWord", "putText"]),
    `function ${name}(batch: usize, rows: usize, out: usize): void {`,
    body,
    "}",
  ].join("\n");
}

function hashOfOne(key: KeyColumn, runtime: (f: string) => string): readonly string[] {
  const hash = `${runtime("hashWord")}(${loadKeyBits(key.type, "values", "r", runtime("floatKey"))})`;
  const loop = (value: string): string => `  for (let r: usize = 0; r < rows; r++) store<u64>(out + (r << 3), ${value});`;
  const values = `  const values = ${runtime("columnValues")}(batch, ${key.index});`;
  if (!key.nullable) return [values, loop(hash)];
  const validity = `  const validity = ${runtime("columnValidity")}(batch, ${key.index});`;
  return [values, validity, loop(`load<u8>(validity + r) != 0 ? ${hash} : ${runtime("HASH_OF_NULL")}`)];
}

/** Canonical bytes of each row into the key buffer, then their hash. */
function hashOfMany(keys: readonly KeyColumn[], runtime: (f: string) => string): readonly string[] {
  const texts = keys.filter((k) => isVariable(k.type));
  const fixedBytes = keys.length * 9;
  const lines = keys.flatMap((k, i) => [
    `  const v${i} = ${runtime("columnValues")}(batch, ${k.index});`,
    ...(k.nullable ? [`  const n${i} = ${runtime("columnValidity")}(batch, ${k.index});`] : []),
    ...(isVariable(k.type) ? [`  const b${i} = ${runtime("columnBytes")}(batch, ${k.index});`] : []),
  ]);
  lines.push(texts.length === 0 ? `  const at = ${runtime("keyRoom")}(0, ${fixedBytes});` : "  let at: usize = 0;");
  lines.push("  for (let r: usize = 0; r < rows; r++) {");
  const lengths = keys.flatMap((k, i) => (isVariable(k.type) ? [`l${i}`] : []));
  for (const i of keys.keys()) {
    if (!isVariable(must(keys[i], "key").type)) continue;
    lines.push(`    const s${i} = load<u32>(v${i} + (r << 2));`);
    lines.push(`    const l${i} = <usize>(load<u32>(v${i} + (r << 2), 4) - s${i});`);
  }
  if (texts.length > 0) lines.push(`    at = ${runtime("keyRoom")}(0, ${[String(fixedBytes), ...lengths].join(" + ")});`);
  lines.push("    let end = at;");
  for (const [i, k] of keys.entries()) {
    const put = isVariable(k.type)
      ? `end = ${runtime("putText")}(end, b${i} + <usize>s${i}, l${i});`
      : `end = ${runtime("putWord")}(end, ${loadKeyBits(k.type, `v${i}`, "r", runtime("floatKey"))});`;
    lines.push(k.nullable ? `    if (load<u8>(n${i} + r) != 0) ${put}\n    else store<u8>(end++, 0);` : `    ${put}`);
  }
  lines.push(`    store<u64>(out + (r << 3), ${runtime("hashBytes")}(at, end - at));`, "  }");
  return lines;
}
