/** Binary search in static data. */

/** True if `value` is among the `count` ascending i64 at `words`. */
export function containsI64(words: usize, count: usize, value: i64): bool {
  let low: usize = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<i64>(words + (middle << 3)) < value) low = middle + 1;
    else high = middle;
  }
  return low < count && load<i64>(words + (low << 3)) == value;
}
