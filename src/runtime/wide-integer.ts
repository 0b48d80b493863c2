/**
 * 128-bit products of 64-bit integers, which WebAssembly has no instruction for.
 */

/** The high 64 bits of a · b; the low ones are `a * b`. */
export function highProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const cross = aHigh * bLow + ((aLow * bLow) >> 32);
  // At most (2^32 − 1)^2 + 2^32 − 1, which fits.
  const middle = aLow * bHigh + (cross & 0xffffffff);
  return aHigh * bHigh + (cross >> 32) + (middle >> 32);
}
