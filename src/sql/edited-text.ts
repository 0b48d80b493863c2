/**
 * A part of the script with small changes, and the way back: the parser reads the changed text, the user sees places in the original.
 */

/** Replaces the original offsets `start` to `end` (half-open) by `text`; an insertion when they are equal. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A run of edited text; in a kept run offsets correspond one to one, a changed run stands for the whole original range. */
interface Run {
  readonly editedStart: number;
  readonly editedEnd: number;
  readonly start: number;
  readonly end: number;
  readonly kept: boolean;
}

/** An edit that blanks the range: the same length in spaces, with line ends kept. */
export function blank(sql: string, start: number, end: number): Edit {
  return { start, end, text: sql.slice(start, end).replace(/[^\n]/g, " ") };
}

/** `prefix` and then the original from `start` to `end` with `edits` applied. */
export class EditedText {
  readonly text: string;
  readonly #runs: readonly Run[];

  /** `edits` may come in any order and must lie within the range; one that overlaps an earlier one is dropped. */
  constructor(sql: string, start: number, end: number, edits: readonly Edit[] = [], prefix = "") {
    const runs: Run[] = [];
    let text = "";
    const append = (part: string, from: number, to: number, kept: boolean): void => {
      runs.push({ editedStart: text.length, editedEnd: text.length + part.length, start: from, end: to, kept });
      text += part;
    };
    if (prefix !== "") append(prefix, start, start, false);
    let at = start;
    for (const edit of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
      if (edit.start < at || edit.end > end) continue;
      append(sql.slice(at, edit.start), at, edit.start, true);
      append(edit.text, edit.start, edit.end, edit.text.length === edit.end - edit.start);
      at = edit.end;
    }
    append(sql.slice(at, end), at, end, true);
    this.text = text;
    this.#runs = runs.filter((run) => run.editedEnd > run.editedStart);
  }

  /**
   * The original offset of an offset in `text`. Inside a changed run: its original start for the start of a span, its original end for
   * the end of one.
   */
  original(offset: number, side: "start" | "end"): number {
    const inside = side === "start" ? (run: Run) => offset < run.editedEnd : (run: Run) => offset <= run.editedEnd;
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const run = this.#runs[middle];
      if (run !== undefined && inside(run)) high = middle;
      else low = middle + 1;
    }
    const run = this.#runs[low];
    if (run === undefined) return 0;
    if (run.kept) return Math.min(run.start + Math.max(offset - run.editedStart, 0), run.end);
    return side === "start" ? run.start : run.end;
  }
}
