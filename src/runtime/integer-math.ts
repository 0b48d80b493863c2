/** Overflow tests for 64-bit multiplication. */

/** True if a × b does not fit into 64 bits, unsigned. */
export function multiplyOverflowsUnsigned(a: u64, b: u64): bool {
  if ((a | b) >> 32 == 0 || a == 0) return false;
  return (a * b) / a != b;
}

/** True if a × b does not fit into 64 bits, signed. */
export function multiplyOverflows(a: i64, b: i64): bool {
  if (a == <i64>(<i32>a) && b == <i64>(<i32>b)) return false;
  if (a == 0 || b == 0) return false;
  if (a == -1) return b == i64.MIN_VALUE;
  if (b == -1) return a == i64.MIN_VALUE;
  return (a * b) / b != a;
}
