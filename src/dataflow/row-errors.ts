/**
 * Rows that were not processed: what to do with them and how to say it. Bad data follows the source's `badData`, late rows the run's
 * `--late`, a row error always fails the run. The message carries the row's provenance, because the user has to find it.
 */
import { type AppError, userError } from "../core/errors.ts";
import { ERROR_REASONS, FIRST_ROW_ERROR, LATE_ROW } from "../program/abi.ts";
import type { Program } from "../program/program.ts";
import type { ErrorRow } from "./instance.ts";
import type { SkippedRows } from "./slot-contract.ts";

/** What to do with late rows: count them, or fail the run. */
export type LatePolicy = "count" | "fail";

/** How a source says where a row is; undefined if the row's origin is unknown. */
export type DescribeOrigin = (partition: number, position: bigint) => string;

/** How many of `rows` were skipped under the policy that allows it; undefined if there are none. Throws the error of the first that fails the run. */
export function skippedRows(
  program: Program,
  rows: readonly ErrorRow[],
  late: LatePolicy,
  describe: DescribeOrigin | undefined,
): SkippedRows | undefined {
  for (const row of rows) {
    const failure = rowFailure(program, row, late, describe);
    if (failure !== undefined) throw failure;
  }
  const behind = rows.filter((row) => row.reason === LATE_ROW).length;
  return rows.length === 0 ? undefined : { late: behind, bad: rows.length - behind };
}

/** The error that `row` ends the run with; undefined if its policy is to go on (the module has counted it). */
function rowFailure(program: Program, row: ErrorRow, late: LatePolicy, describe: DescribeOrigin | undefined): AppError | undefined {
  if (row.reason === LATE_ROW) return late === "fail" ? lateRow(program, row, describe) : undefined;
  if (row.reason >= FIRST_ROW_ERROR) return rowError(program, row, describe);
  const operator = program.vertices[row.vertex]?.operator;
  if (operator?.kind === "source" && operator.badData === "drop") return undefined;
  return badData(program, row, describe);
}

function badData(program: Program, row: ErrorRow, describe: DescribeOrigin | undefined): AppError {
  const operator = program.vertices[row.vertex]?.operator;
  const table = operator?.kind === "source" ? operator.table : (program.vertices[row.vertex]?.name ?? "?");
  const column = columnName(program, row);
  const what = `${ERROR_REASONS[row.reason] ?? "unreadable"}${column === undefined ? "" : ` in column "${column}"`}`;
  return userError("bad-data", `cannot read a row of table "${table}": ${what}${origin(row, describe)}`, {
    ...detailOf(row),
    hint: "Correct the row, or declare the table WITH (bad_data = 'drop') to count and skip such rows.",
  });
}

function rowError(program: Program, row: ErrorRow, describe: DescribeOrigin | undefined): AppError {
  const name = program.vertices[row.vertex]?.name ?? "?";
  const column = columnName(program, row);
  const where = column === undefined ? "" : ` computing column "${column}"`;
  return userError("row-error", `${row.note ?? ERROR_REASONS[row.reason] ?? "error"} in "${name}"${where}${origin(row, describe)}`, {
    ...detailOf(row),
    hint:
      row.note === undefined
        ? "Guard the expression, for example with CASE or NULLIF, or filter such rows first."
        : "Correct the function, or keep such rows from it with CASE or WHERE.",
  });
}

function lateRow(program: Program, row: ErrorRow, describe: DescribeOrigin | undefined): AppError {
  const name = program.vertices[row.vertex]?.name ?? "?";
  return userError("late-row", `a row came behind the watermark at "${name}"${origin(row, describe)}`, {
    ...detailOf(row),
    hint: "Declare a larger bound in WATERMARK FOR, or run with --late count to count and drop late rows.",
  });
}

function columnName(program: Program, row: ErrorRow): string | undefined {
  return row.column === undefined ? undefined : program.vertices[row.vertex]?.output.columns[row.column]?.name;
}

function origin(row: ErrorRow, describe: DescribeOrigin | undefined): string {
  if (describe === undefined || row.partition === undefined || row.position === undefined) return "";
  return `, ${describe(row.partition, row.position)}`;
}

function detailOf(row: ErrorRow): { detail?: string } {
  if (row.payload.length === 0) return {};
  const text = new TextDecoder().decode(row.payload);
  const printable = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return { detail: `The offending bytes: ${printable}` };
}
