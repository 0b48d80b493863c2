/** Encoded rows as texts, one per line. */

const NEWLINE = 10;
/** A longer row is not shown: its beginning alone would be no JSON. */
const LONGEST_ROW_BYTES = 64 << 10;

/** The rows in `bytes`, a copy. A row that is too long to be shown is a JSON object that says so. */
export function splitRows(bytes: Uint8Array, limit = Number.POSITIVE_INFINITY): string[] {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows: string[] = [];
  for (let from = 0; from < source.length && rows.length < limit; ) {
    const newline = source.indexOf(NEWLINE, from);
    const to = newline < 0 ? source.length : newline;
    rows.push(to - from <= LONGEST_ROW_BYTES ? source.toString("utf8", from, to) : tooLong(to - from));
    from = to + 1;
  }
  return rows;
}

function tooLong(bytes: number): string {
  return JSON.stringify({ "…": `a row of ${bytes} bytes is too long to be shown` });
}
