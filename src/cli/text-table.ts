/** Tables for the terminal: columns as wide as their widest cell, two blanks between them, nothing drawn. */

/** A table with a heading. Cells are one line each; an absent one is `-`. */
export function renderTable(headings: readonly string[], rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  const cells = rows.map((row) =>
    row.map((cell) => (cell === null || cell === undefined || cell === "" ? "-" : String(cell).replace(/\s+/g, " "))),
  );
  const all = [headings.map((heading) => heading.toUpperCase()), ...cells];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? "")].length)));
  const lineOf = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - [...cell].length))
      .join("  ")
      .trimEnd();
  return `${all.map(lineOf).join("\n")}\n`;
}

/** Names and values, one a line. */
export function renderFields(fields: Readonly<Record<string, string | number | null | undefined>>): string {
  const width = Math.max(...Object.keys(fields).map((name) => name.length));
  return Object.entries(fields)
    .map(([name, value]) => `${name.padEnd(width)}  ${value === null || value === undefined || value === "" ? "-" : value}\n`)
    .join("");
}

const US_PER_MS = 1_000;

/** A time of microseconds since 1970 as UTC to the second. */
export function timeText(us: number | null): string | undefined {
  return us === null
    ? undefined
    : new Date(us / US_PER_MS)
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, "Z");
}

/** A span of microseconds: `1.2s`. */
export function spanText(us: number): string {
  const seconds = us / 1_000_000;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m${Math.round(seconds % 60)}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

/** Bytes with a binary unit: `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}
