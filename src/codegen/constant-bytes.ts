/** Writing known bytes at the local `q`: as a few wide stores, which may overshoot by up to seven bytes. */
import type { Printer } from "./printer.ts";

/** Prints stores of `text` (UTF-8) at `q` and moves `q` behind it. */
export function emitConstant(p: Printer, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += 8) {
    let word = 0n;
    for (let i = Math.min(at + 8, bytes.length) - 1; i >= at; i--) word = (word << 8n) | BigInt(bytes[i] ?? 0);
    p.line(`store<u64>(q, 0x${word.toString(16)}${at === 0 ? "" : `, ${at}`});`);
  }
  p.line(`q += ${bytes.length};`);
}
