/** Medians and spreads of repeated measurements. Pure. */

/** Repeated measurements of one figure. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly largest: number;
}

/** Rounds to 4 significant digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Median and extremes of `values`, of which there is at least one. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
  return { median: rounded(median), least: rounded(sorted[0] ?? 0), largest: rounded(sorted.at(-1) ?? 0) };
}
