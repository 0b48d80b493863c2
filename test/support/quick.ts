/**
 * The quick form of long suites, for the gate before a commit (`npm run check` sets `WADI_QUICK`): fewer of the same cases. `npm test` runs
 * them all.
 */
export const QUICK = process.env["WADI_QUICK"] !== undefined;

/** Of `cases` every `n`-th when it has to be quick, the first among them; else all. */
export function some<T>(cases: readonly T[], n: number): readonly T[] {
  return QUICK ? cases.filter((_case, i) => i % n === 0) : cases;
}
