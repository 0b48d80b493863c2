/** Comparing memory with known bytes by a few wide loads: how generated scanners recognise keys. */

/** Little-endian integer of up to eight bytes, as a hexadecimal literal. */
function word(bytes: Uint8Array): string {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return `0x${value.toString(16)}`;
}

/**
 * Expression that is true if memory at `pointer` holds `bytes`. Loads of 8 bytes, the last one overlapping when there are
 * at least 8; otherwise 4, 2, 1. Reads no byte beyond `bytes`.
 */
export function matchBytes(pointer: string, bytes: Uint8Array): string {
  const tests: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const rest = bytes.length - at;
    const overlap = bytes.length >= 8 && rest < 8;
    const width = overlap || rest >= 8 ? 8 : rest >= 4 ? 4 : rest >= 2 ? 2 : 1;
    const start = overlap ? bytes.length - 8 : at;
    const literal = word(bytes.subarray(start, start + width));
    tests.push(`load<u${width * 8}>(${pointer}${start === 0 ? "" : `, ${start}`}) == ${literal}`);
    at = start + width;
  }
  return tests.length === 0 ? "true" : tests.join(" && ");
}
