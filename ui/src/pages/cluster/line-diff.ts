/**
 * What has changed between two texts, line by line: the longest common subsequence, with long stretches of unchanged lines folded. Texts are
 * specifications of a few hundred lines; what is longer than that is shown as replaced as a whole.
 */

/** A line of a comparison; `fold`: so many unchanged lines are left out. */
export type DiffLine =
  | { readonly kind: "same" | "added" | "removed"; readonly text: string }
  | { readonly kind: "fold"; readonly count: number };

/** Lines of one text that are compared at most. */
const MOST_LINES = 3_000;
const CONTEXT = 3;

/** The comparison of two texts. */
export function diffLines(before: string, after: string): readonly DiffLine[] {
  const old = before.split("\n");
  const fresh = after.split("\n");
  const start = commonStart(old, fresh);
  const end = commonEnd(old, fresh, start);
  const changed = middle(old.slice(start, old.length - end), fresh.slice(start, fresh.length - end));
  const same = (text: string): DiffLine => ({ kind: "same", text });
  return fold([...fresh.slice(0, start).map(same), ...changed, ...fresh.slice(fresh.length - end).map(same)]);
}

function commonStart(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < a.length && count < b.length && a[count] === b[count]) count++;
  return count;
}

function commonEnd(a: readonly string[], b: readonly string[], start: number): number {
  let count = 0;
  while (count < a.length - start && count < b.length - start && a[a.length - 1 - count] === b[b.length - 1 - count]) count++;
  return count;
}

/** https://en.wikipedia.org/wiki/Longest_common_subsequence */
function middle(a: readonly string[], b: readonly string[]): readonly DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: "removed", text });
  const added = (text: string): DiffLine => ({ kind: "added", text });
  if (a.length > MOST_LINES || b.length > MOST_LINES) return [...a.map(removed), ...b.map(added)];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const both = (lengths[(i + 1) * width + j + 1] ?? 0) + 1;
      const one = Math.max(lengths[(i + 1) * width + j] ?? 0, lengths[i * width + j + 1] ?? 0);
      lengths[i * width + j] = a[i] === b[j] ? both : one;
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    const skipsOld = (lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0);
    if (left !== undefined && left === right) {
      lines.push({ kind: "same", text: left });
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || skipsOld)) {
      lines.push(removed(left));
      i++;
    } else if (right !== undefined) {
      lines.push(added(right));
      j++;
    }
  }
  return lines;
}

function fold(lines: readonly DiffLine[]): readonly DiffLine[] {
  const near = (at: number): boolean =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ kind }) => kind === "added" || kind === "removed");
  const folded: DiffLine[] = [];
  for (const [at, line] of lines.entries()) {
    const last = folded.at(-1);
    if (near(at)) folded.push(line);
    else if (last?.kind === "fold") folded[folded.length - 1] = { kind: "fold", count: last.count + 1 };
    else folded.push({ kind: "fold", count: 1 });
  }
  return folded;
}
