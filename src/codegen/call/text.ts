/**
 * Text functions. Three kinds: tests and measures give a number; parts point into their argument; made text goes to the
 * scratch area, with room asked for beforehand: none left is the fault "result too large".
 */

import { must } from "../../core/assert.ts";
import type { ScalarType } from "../../data/data-type.ts";
import type { RowScope } from "../scope.ts";
import { bothValid } from "../scope.ts";
import type { Value } from "../value.ts";
import { localType } from "../value.ts";

const NAMES = [
  "like",
  "ilike",
  "concat",
  "concat_operator",
  "lower",
  "upper",
  "char_length",
  "octet_length",
  "substr",
  "left",
  "right",
  "btrim",
  "ltrim",
  "rtrim",
  "starts_with",
  "ends_with",
  "contains",
  "strpos",
  "replace",
  "split_part",
  "reverse",
  "repeat",
  "lpad",
  "rpad",
] as const;
type TextFunction = (typeof NAMES)[number];

/** Most bytes that `repeat`, `lpad` and `rpad` make. */
const RESULT_MAX = 1 << 20;
const BACKSLASH = 92;

export function isTextFunction(name: string): name is TextFunction {
  return (NAMES as readonly string[]).includes(name);
}

/** Prints a text function. */
export function emitText(scope: RowScope, name: TextFunction, type: ScalarType, values: readonly Value[]): Value {
  if (name === "concat") return emitConcat(scope, type, values);
  const measure = measureText(scope, name, values);
  const valid = values.map((v) => v.valid).reduce(bothValid, "true");
  if (measure !== undefined) return { type, valid, value: scope.bind(localType(type), measure), length: "" };
  const slot = scope.slot(type, false);
  const compute = (): void => emitMade(scope, name, values, slot);
  if (valid === "true") compute();
  else scope.printer.block(`if (${valid})`, compute);
  return { ...slot.value, valid };
}

function pair(v: Value | undefined): string {
  const value = must(v, "text argument");
  return `${value.value}, ${value.length}`;
}

/** Expression of the tests and measures; undefined for the others. */
function measureText(scope: RowScope, name: TextFunction, values: readonly Value[]): string | undefined {
  const p = scope.printer;
  const [a, b] = [pair(values[0]), values[1]];
  switch (name) {
    case "like":
      return `${p.use("text-like", "likeText")}(${a}, ${pair(b)}, ${BACKSLASH})`;
    case "ilike":
      return `${p.use("text-like", "ilikeText")}(${a}, ${pair(b)}, ${BACKSLASH})`;
    case "char_length":
      return `<i64>${p.use("utf8", "countCodePoints")}(${a})`;
    case "octet_length":
      return `<i64>${must(values[0], "text").length}`;
    case "starts_with":
      return `${p.use("text", "startsWith")}(${a}, ${pair(b)})`;
    case "ends_with":
      return `${p.use("text", "endsWith")}(${a}, ${pair(b)})`;
    case "contains":
      return `${p.use("text", "containsText")}(${a}, ${pair(b)})`;
    case "strpos":
      return `${p.use("text", "positionOf")}(${a}, ${pair(b)})`;
    default:
      return undefined;
  }
}

type Slot = ReturnType<RowScope["slot"]>;

/** Parts and made text, on present arguments. */
function emitMade(scope: RowScope, name: TextFunction, values: readonly Value[], slot: Slot): void {
  const part = partText(scope, name, values);
  if (part !== undefined) {
    const start = scope.bind("usize", part);
    return slot.assign({ ...slot.value, valid: "true", value: start, length: scope.printer.use("text", "partLength") });
  }
  const [a, b, c] = values;
  const text = pair(a);
  const length = must(a, "text").length;
  const p = scope.printer;
  const make = (room: string, call: (dst: string) => string): void => emitMake(scope, slot, room, call, false);
  const limited = (room: string, call: (dst: string) => string): void => emitMake(scope, slot, room, call, true);
  switch (name) {
    case "lower":
    case "upper":
      return make(`<u64>${length} * 3`, (dst) => `${p.use("text-case", name === "lower" ? "lowerText" : "upperText")}(${dst}, ${text})`);
    case "reverse":
      return make(`<u64>${length}`, (dst) => `${p.use("text-build", "reverseText")}(${dst}, ${text})`);
    case "concat_operator": {
      const append = p.use("text-build", "appendBytes");
      return make(`<u64>${length} + <u64>${must(b, "right").length}`, (dst) => `${append}(${append}(${dst}, ${text}), ${pair(b)})`);
    }
    case "replace": {
      const size = `<u64>${p.use("text-build", "replacedLength")}(${text}, ${pair(b)}, ${must(c, "to").length})`;
      return make(size, (dst) => `${p.use("text-build", "replaceText")}(${dst}, ${text}, ${pair(b)}, ${pair(c)})`);
    }
    case "repeat": {
      const n = must(b, "count").value;
      const size = `(${n} <= 0 || ${length} == 0 ? 0 : ${n} > ${RESULT_MAX} ? u64.MAX_VALUE : <u64>${length} * <u64>${n})`;
      return limited(size, (dst) => `${p.use("text-build", "repeatText")}(${dst}, ${text}, ${n})`);
    }
    default: {
      const n = must(b, "length").value;
      const size = `(${n} > ${RESULT_MAX} ? u64.MAX_VALUE : <u64>${length} + 4 * <u64>(${n} < 0 ? 0 : ${n}))`;
      const pad = p.use("text-build", name === "lpad" ? "padStart" : "padEnd");
      return limited(size, (dst) => `${pad}(${dst}, ${text}, ${n}, ${pair(c)})`);
    }
  }
}

/** Call that returns a part of its argument and leaves the length in `partLength`; undefined for made text. */
function partText(scope: RowScope, name: TextFunction, values: readonly Value[]): string | undefined {
  const p = scope.printer;
  const a = pair(values[0]);
  const n = values[1]?.value ?? "0";
  const trim = { btrim: ["trimSpaces", "trimBoth"], ltrim: ["trimSpacesStart", "trimStart"], rtrim: ["trimSpacesEnd", "trimEnd"] } as const;
  const faultIf = (condition: string): void => p.line(`if (${condition}) ${scope.fault("INVALID_ARGUMENT")}`);
  switch (name) {
    case "btrim":
    case "ltrim":
    case "rtrim":
      return values.length === 1 ? `${p.use("text", trim[name][0])}(${a})` : `${p.use("text", trim[name][1])}(${a}, ${pair(values[1])})`;
    case "left":
      return `${p.use("text", "leftPart")}(${a}, ${n})`;
    case "right":
      return `${p.use("text", "rightPart")}(${a}, ${n})`;
    case "substr": {
      const count = values[2];
      if (count === undefined) return `${p.use("text", "substringFrom")}(${a}, ${n})`;
      faultIf(`${count.value} < 0`);
      return `${p.use("text", "substring")}(${a}, ${n}, ${count.value})`;
    }
    case "split_part": {
      const index = must(values[2], "index").value;
      faultIf(`${index} == 0`);
      return `${p.use("text", "splitPart")}(${a}, ${pair(values[1])}, ${index})`;
    }
    default:
      return undefined;
  }
}

/** Asks for room, makes the text there, keeps it. */
function emitMake(scope: RowScope, slot: Slot, room: string, call: (dst: string) => string, limited: boolean): void {
  const p = scope.printer;
  scope.scratch = true;
  const size = scope.bind("u64", room);
  const start = scope.bind("usize", `${size} > u64.MAX_VALUE - 64 ? 0 : ${p.use("scratch", "scratchRoom")}(${size} + 64)`);
  p.branch(
    `${start} == 0`,
    () => p.line(scope.fault("RESULT_TOO_LARGE")),
    () => {
      const end = scope.bind("usize", call(start));
      p.line(`${p.use("scratch", "scratchKeep")}(${end});`);
      if (limited) p.line(`if (${end} - ${start} > ${RESULT_MAX}) ${scope.fault("RESULT_TOO_LARGE")}`);
      slot.assign({ ...slot.value, valid: "true", value: start, length: `${end} - ${start}` });
    },
  );
}

/** concat leaves NULLs out; its result is never NULL. */
function emitConcat(scope: RowScope, type: ScalarType, values: readonly Value[]): Value {
  const p = scope.printer;
  const slot = scope.slot(type, false);
  const length = (v: Value): string => (v.valid === "true" ? `<u64>${v.length}` : `(${v.valid} ? <u64>${v.length} : 0)`);
  scope.scratch = true;
  const start = scope.bind("usize", `${p.use("scratch", "scratchRoom")}(${["64", ...values.map(length)].join(" + ")})`);
  p.branch(
    `${start} == 0`,
    () => p.line(scope.fault("RESULT_TOO_LARGE")),
    () => {
      const end = scope.variable("usize", start);
      for (const value of values) {
        const append = `${end} = ${p.use("text-build", "appendBytes")}(${end}, ${pair(value)});`;
        p.line(value.valid === "true" ? append : `if (${value.valid}) ${append}`);
      }
      p.line(`${p.use("scratch", "scratchKeep")}(${end});`);
      slot.assign({ ...slot.value, valid: "true", value: start, length: `${end} - ${start}` });
    },
  );
  return { ...slot.value, type };
}
