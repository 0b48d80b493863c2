/**
 * The row ledger: at every checkpoint the rows that went into each operator and over each edge must be accounted for. An imbalance means
 * that rows were lost or doubled, and is found in the epoch in which it happened. Pure.
 */
import { type AppError, internalError } from "../core/errors.ts";

/** Rows of one vertex in one epoch. */
export interface RowCounts {
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** Dropped by a filter. */
  readonly filtered: number;
  /** Dropped behind the watermark. */
  readonly late: number;
  /** Dropped because they could not be read or computed. */
  readonly bad: number;
}

/** Rows over one edge in one epoch, summed over subtasks. */
export interface EdgeLedger {
  readonly edge: number;
  readonly source: number;
  readonly target: number;
  /** Counted by the sending subtasks. */
  readonly sent: number;
  /** Counted by the receiving subtasks. */
  readonly received: number;
}

/** What `checkLedger` looks at: a manifest has it. */
export interface Ledger {
  readonly vertices: readonly {
    readonly vertex: number;
    readonly name: string;
    readonly rowWise: boolean;
    readonly counts: RowCounts;
  }[];
  readonly edges: readonly EdgeLedger[];
}

/** A vertex or an edge whose rows do not balance. */
export type Imbalance =
  | { readonly kind: "vertex"; readonly vertex: number; readonly name: string; readonly counts: RowCounts; readonly missing: number }
  | { readonly kind: "edge"; readonly edge: EdgeLedger; readonly missing: number };

/** No rows. */
export const NO_ROWS: RowCounts = { rowsIn: 0, rowsOut: 0, filtered: 0, late: 0, bad: 0 };

/** Sums over subtasks. */
export function sumCounts(parts: readonly RowCounts[]): RowCounts {
  return parts.reduce((sum, part) => combine(sum, part, 1), NO_ROWS);
}

/** Rows since `before`, from counters that only grow. */
export function countsSince(now: RowCounts, before: RowCounts): RowCounts {
  return combine(now, before, -1);
}

/** All imbalances, vertices first. `missing`: rows that went in and are not accounted for; negative if there are too many. */
export function checkLedger(ledger: Ledger): readonly Imbalance[] {
  const found: Imbalance[] = [];
  for (const { vertex, name, rowWise, counts } of ledger.vertices) {
    const missing = counts.rowsIn - counts.rowsOut - counts.filtered - counts.late - counts.bad;
    if (rowWise && missing !== 0) found.push({ kind: "vertex", vertex, name, counts, missing });
  }
  for (const edge of ledger.edges) {
    const missing = edge.sent - edge.received;
    if (missing !== 0) found.push({ kind: "edge", edge, missing });
  }
  return found;
}

/** The alarm for imbalances of `epoch`; `imbalances` is not empty. */
export function ledgerError(epoch: number, imbalances: readonly Imbalance[]): AppError {
  const detail = imbalances.map((imbalance) => `${describe(imbalance)}.`).join(" ");
  const first = imbalances[0];
  return internalError("ledger-imbalance", `rows do not balance in epoch ${epoch}: ${first === undefined ? "" : describe(first)}`, {
    detail,
  });
}

function describe(imbalance: Imbalance): string {
  const verdict = imbalance.missing > 0 ? `${imbalance.missing} lost` : `${-imbalance.missing} too many`;
  if (imbalance.kind === "edge") {
    const { edge, source, target, sent, received } = imbalance.edge;
    return `edge ${edge} from vertex ${source} to vertex ${target} sent ${sent} rows and received ${received} (${verdict})`;
  }
  const { rowsIn, rowsOut, filtered, late, bad } = imbalance.counts;
  const parts = `${rowsOut} out, ${filtered} filtered, ${late} late, ${bad} bad`;
  return `vertex ${imbalance.vertex} "${imbalance.name}" has ${rowsIn} rows in but ${parts} (${verdict})`;
}

function combine(a: RowCounts, b: RowCounts, sign: 1 | -1): RowCounts {
  return {
    rowsIn: a.rowsIn + sign * b.rowsIn,
    rowsOut: a.rowsOut + sign * b.rowsOut,
    filtered: a.filtered + sign * b.filtered,
    late: a.late + sign * b.late,
    bad: a.bad + sign * b.bad,
  };
}
