/**
 * A table of a list that is asked for a page at a time: heads, rows that hold the place until the first answer, the pager.
 */
import type { ComponentChildren } from "preact";
import type { Page } from "../api/lists.ts";
import { SkeletonRows } from "./empty.tsx";
import { Pager, type Pages } from "./pager.tsx";

/** A column. */
export interface Column {
  readonly label: string;
  /** Classes of its head, such as `right hide-phone`. */
  readonly class?: string;
  /** Only screen readers are told the label. */
  readonly hidden?: boolean;
}

/** The column of a row's buttons. */
export const ACTIONS: Column = { label: "Actions", hidden: true };

interface TableProps<T> {
  readonly columns: readonly Column[];
  /** Undefined: they have not come yet. */
  readonly rows: readonly T[] | undefined;
  /** Rows that hold the place. */
  readonly expected?: number;
  row(entry: T): ComponentChildren;
}

/** The table alone. */
export function DataTable<T>({ columns, rows, expected = 4, row }: TableProps<T>) {
  return (
    <div class="table-wrap">
      <table class="table">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.label} class={column.class}>
                {column.hidden === true ? <span class="visually-hidden">{column.label}</span> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows === undefined ? <SkeletonRows rows={expected} columns={columns.length} /> : rows.map(row)}</tbody>
      </table>
    </div>
  );
}

interface PagedTableProps<T extends { readonly id: string }> extends Omit<TableProps<T>, "rows"> {
  readonly page: Page<T> | undefined;
  readonly pages: Pages;
}

/** The table with its pager. */
export function PagedTable<T extends { readonly id: string }>({ page, pages, ...table }: PagedTableProps<T>) {
  return (
    <>
      <DataTable {...table} rows={page?.data} />
      <Pager pages={pages} hasMore={page?.has_more ?? false} last={page?.data.at(-1)?.id} />
    </>
  );
}

/** The query of the page of `rows` rows that `pages` is at, with what else is asked. */
export function pageQuery(pages: Pages, rows: number, more: Readonly<Record<string, string>> = {}): string {
  const after = pages.after === undefined ? {} : { starting_after: pages.after };
  return new URLSearchParams({ limit: String(rows), ...after, ...more }).toString();
}
