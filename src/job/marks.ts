/** A set of small integers as plain immutable data: who has reported, whose slot is ready. Adding what is there changes nothing. */

/** Integers from 0; `count` of them are set. */
export interface Marks {
  readonly bits: bigint;
  readonly count: number;
}

/** The empty set. */
export const NO_MARKS: Marks = { bits: 0n, count: 0 };

/** Whether `index` is in it. */
export function isMarked(marks: Marks, index: number): boolean {
  return ((marks.bits >> BigInt(index)) & 1n) === 1n;
}

/** `marks` with `index`; the same object if it was there. */
export function mark(marks: Marks, index: number): Marks {
  const bit = 1n << BigInt(index);
  return (marks.bits & bit) === 0n ? { bits: marks.bits | bit, count: marks.count + 1 } : marks;
}

/** Numbers below `size` that are missing, ascending. */
export function unmarked(marks: Marks, size: number): readonly number[] {
  return Array.from({ length: size }, (_, index) => index).filter((index) => !isMarked(marks, index));
}
