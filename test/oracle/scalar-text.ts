/**
 * Strict text functions of the oracle, on values that are not NULL. Positions and lengths count code points from 1 as bigint. Where
 * nothing else is said they do what DataFusion (Rust's string functions) does.
 */
import { codePoints, RowError } from "./value.ts";

/** Results of `repeat`, `lpad` and `rpad` beyond this many bytes are row errors. */
const MAX_RESULT_BYTES = 1 << 20;

function limited(bytes: bigint): void {
  if (bytes > BigInt(MAX_RESULT_BYTES)) throw new RowError("result too large");
}

/**
 * LIKE by dynamic programming over code points: % any run, _ one, backslash takes the next literally (a last one stands for itself).
 * `folded`: ILIKE, letters of either case are equal.
 */
export function like(text: string, pattern: string, folded = false): boolean {
  const tokens: { readonly kind: "any" | "one" | "literal"; readonly char: string }[] = [];
  const chars = codePoints(pattern);
  for (let i = 0; i < chars.length; i++) {
    const c = chars[i] as string;
    if (c === "%") tokens.push({ kind: "any", char: c });
    else if (c === "_") tokens.push({ kind: "one", char: c });
    else if (c === "\\" && i + 1 < chars.length) tokens.push({ kind: "literal", char: chars[++i] as string });
    else tokens.push({ kind: "literal", char: c });
  }
  const subject = codePoints(text);
  const same = (a: string, b: string): boolean => a === b || (folded && a.toLowerCase() === b.toLowerCase());
  let reachable = new Set([0]);
  for (const token of tokens) {
    const next = new Set<number>();
    for (const at of reachable) {
      if (token.kind === "any") for (let end = at; end <= subject.length; end++) next.add(end);
      else if (at < subject.length && (token.kind === "one" || same(subject[at] as string, token.char))) next.add(at + 1);
    }
    reachable = next;
  }
  return reachable.has(subject.length);
}

/** The code points of `text` in [from, to), counted from 0 and cut to the text. */
function slice(text: string, from: bigint, to: bigint): string {
  const chars = codePoints(text);
  const cut = (n: bigint): number => (n < 0n ? 0 : n > BigInt(chars.length) ? chars.length : Number(n));
  return chars.slice(cut(from), Math.max(cut(from), cut(to))).join("");
}

/** substr(text, from[, count]): positions before 1 exist and are empty. */
export function substr(text: string, from: bigint, count: bigint | undefined): string {
  if (count !== undefined && count < 0n) throw new RowError("invalid argument");
  return slice(text, from - 1n, count === undefined ? BigInt(text.length) : from - 1n + count);
}

/** left(text, n). */
export function left(text: string, n: bigint): string {
  return slice(text, 0n, n >= 0n ? n : BigInt(codePoints(text).length) + n);
}

/** right(text, n). */
export function right(text: string, n: bigint): string {
  const length = BigInt(codePoints(text).length);
  return slice(text, n >= 0n ? length - n : -n, length);
}

/** Removes the characters of `set` at the start, the end or both. */
export function trim(text: string, set: string, start: boolean, end: boolean): string {
  const chars = codePoints(text);
  const trimmed = new Set(codePoints(set));
  while (start && chars.length > 0 && trimmed.has(chars[0] as string)) chars.shift();
  while (end && chars.length > 0 && trimmed.has(chars.at(-1) as string)) chars.pop();
  return chars.join("");
}

/** Position of `part` in `text` from 1, 0 if absent; an empty part is at 1. */
export function strpos(text: string, part: string): bigint {
  const at = text.indexOf(part);
  return at < 0 ? 0n : BigInt(codePoints(text.slice(0, at)).length + 1);
}

/** Every occurrence from the left; an empty `from` is found before, between and after all characters. */
export function replace(text: string, from: string, to: string): string {
  return from === ""
    ? to +
        codePoints(text)
          .map((c) => c + to)
          .join("")
    : text.split(from).join(to);
}

/** Field `n` from 1, from the end if negative, empty if there is none. An empty delimiter splits as Rust's: "", each character, "". */
export function splitPart(text: string, delimiter: string, n: bigint): string {
  if (n === 0n) throw new RowError("invalid argument");
  const parts = delimiter === "" ? ["", ...codePoints(text), ""] : text.split(delimiter);
  const index = n > 0n ? n - 1n : BigInt(parts.length) + n;
  return index >= 0n && index < BigInt(parts.length) ? (parts[Number(index)] as string) : "";
}

/** `text` n times; none for n ≤ 0. */
export function repeat(text: string, n: bigint): string {
  if (n <= 0n) return "";
  limited(BigInt(Buffer.byteLength(text)) * n);
  return text === "" ? "" : text.repeat(Number(n));
}

/** `text` filled to `length` code points at the start or the end, or cut to it at the end. An empty fill fills nothing. */
export function pad(text: string, length: bigint, fill: string, side: "left" | "right"): string {
  const chars = codePoints(text);
  if (length <= BigInt(chars.length)) return slice(text, 0n, length);
  limited(length);
  if (fill === "") return text;
  const filler = codePoints(fill);
  const padding = Array.from({ length: Number(length) - chars.length }, (_, i) => filler[i % filler.length]).join("");
  limited(BigInt(Buffer.byteLength(padding) + Buffer.byteLength(text)));
  return side === "left" ? padding + text : text + padding;
}
