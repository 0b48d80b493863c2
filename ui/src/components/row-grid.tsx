/**
 * A grid of many rows that draws only those in view and stays at the newest until the user scrolls up.
 */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { OutputRow, OutputRows } from "../api/output-rows.ts";

const ROW_PX = 26;
const HEAD_PX = 32;
const MARGIN_ROWS = 12;

/** Rows with a number before them; the parent gives the height. */
export function RowGrid({ output, label }: { readonly output: OutputRows; readonly label: string }) {
  const box = useRef<HTMLElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const pinned = useRef(true);
  const { rows, columns } = output;

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (pinned.current) element.scrollTop = element.scrollHeight;
    setView((last) => {
      const next = { top: element.scrollTop, height: element.clientHeight };
      return next.top === last.top && next.height === last.height ? last : next;
    });
  }, [output]);

  const onScroll = () => {
    const element = box.current;
    if (element === null) return;
    pinned.current = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW_PX;
    setView({ top: element.scrollTop, height: element.clientHeight });
  };

  const first = Math.max(0, Math.floor((view.top - HEAD_PX) / ROW_PX) - MARGIN_ROWS);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_PX) + MARGIN_ROWS);
  const numeric = numericColumns(columns, rows);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
    <section class="row-grid" ref={box} onScroll={onScroll} aria-label={label} tabIndex={0}>
      <table class="grid-rows">
        <thead>
          <tr>
            <th data-kind="number">#</th>
            {columns.map((name) => (
              <th key={name} data-kind={numeric.has(name) ? "number" : "text"}>
                {name}
              </th>
            ))}
            <th class="grid-rest" />
          </tr>
        </thead>
        <tbody>
          <Spacer rows={first} />
          {rows.slice(first, last).map((row) => (
            <GridRow key={row.number} row={row} columns={columns} />
          ))}
          <Spacer rows={rows.length - last} />
        </tbody>
      </table>
    </section>
  );
}

function GridRow({ row, columns }: { readonly row: OutputRow; readonly columns: readonly string[] }) {
  return (
    <tr>
      <td data-kind="number" class="faint">
        {row.number + 1}
      </td>
      {columns.map((name) => {
        const cell = row.cells[name];
        return (
          <td key={name} data-kind={cell?.kind ?? "null"} title={cell !== undefined && cell.text.length > 40 ? cell.text : undefined}>
            {cell?.text ?? ""}
          </td>
        );
      })}
      <td class="grid-rest" />
    </tr>
  );
}

function Spacer({ rows }: { readonly rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr>
      <td class="grid-spacer" style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  );
}

/** Columns whose newest value is a number. */
function numericColumns(columns: readonly string[], rows: readonly OutputRow[]): ReadonlySet<string> {
  const recent = rows.slice(-20);
  return new Set(columns.filter((name) => recent.some((row) => row.cells[name]?.kind === "number")));
}
