/**
 * What a query can name: tables of the script, tables of the cluster with their columns, shared functions. A click puts the name where the
 * cursor is.
 */
import { useState } from "preact/hooks";
import type { ConnectionTable } from "../../api/shapes.ts";
import { Icon } from "../../components/icon.tsx";
import { ButtonLink } from "../../components/button.tsx";
import { paths } from "../../paths.ts";
import type { DeclaredTable } from "./declared-tables.ts";

/** A table with its columns, from wherever it is known. */
export interface CatalogTable {
  readonly name: string;
  readonly note: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** A function that every query can call. */
export interface GlobalUdf {
  readonly id: string;
  readonly prefix: string;
  readonly name: string;
  readonly definition: string;
  readonly description: string | null;
  readonly language: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** Columns that every table of a generator has, for scripts that only name the generator. */
const GENERATED: Readonly<Record<string, readonly string[]>> = {
  impulse: ["counter BIGINT", "subtask_index BIGINT"],
  nexmark: [
    "person.id BIGINT",
    "person.name TEXT",
    "person.email_address TEXT",
    "person.city TEXT",
    "person.state TEXT",
    "auction.id BIGINT",
    "auction.item_name TEXT",
    "auction.initial_bid BIGINT",
    "auction.seller BIGINT",
    "auction.category BIGINT",
    "bid.auction BIGINT",
    "bid.bidder BIGINT",
    "bid.price BIGINT",
    "bid.channel TEXT",
    "bid.url TEXT",
    "bid.datetime TIMESTAMP",
  ],
};

/** A table of the script for the catalog. */
export function tableOfScript(table: DeclaredTable): CatalogTable {
  const generated = table.columns.length === 0 ? (GENERATED[table.connector ?? ""] ?? []) : [];
  const columns = generated.map((text) => {
    const [name = "", type = ""] = text.split(" ");
    return { name, type };
  });
  return { name: table.name, note: table.connector ?? table.kind, columns: table.columns.length === 0 ? columns : table.columns };
}

/** A table of the cluster for the catalog. */
export function tableOfCluster(table: ConnectionTable): CatalogTable {
  const columns = table.schema.fields.map((field) => ({ name: field.field_name, type: field.field_type.sql_name ?? "" }));
  return { name: table.name, note: `${table.connector} ${table.table_type}`, columns };
}

interface CatalogProps {
  readonly scriptTables: readonly CatalogTable[];
  readonly clusterTables: readonly CatalogTable[] | undefined;
  readonly udfs: readonly GlobalUdf[] | undefined;
  onInsert(text: string): void;
  onOpenUdf(udf: GlobalUdf): void;
}

/** The panel. */
export function Catalog({ scriptTables, clusterTables, udfs, onInsert, onOpenUdf }: CatalogProps) {
  return (
    <div class="catalog">
      <h2>In this query</h2>
      {scriptTables.length === 0 && <p class="catalog-none">Tables that the query creates appear here.</p>}
      {scriptTables.map((table, i) => (
        <TableEntry key={`${table.name}-${i}`} table={table} onInsert={onInsert} />
      ))}
      <h2>Connections</h2>
      {clusterTables?.length === 0 && (
        <div class="catalog-none">
          <p>Sources and sinks that all pipelines share.</p>
          <ButtonLink to={paths.connectionGallery} icon="plus">
            Connection
          </ButtonLink>
        </div>
      )}
      {clusterTables?.map((table) => (
        <TableEntry key={table.name} table={table} onInsert={onInsert} />
      ))}
      <h2>Functions</h2>
      {udfs?.length === 0 && <p class="catalog-none">Functions shared with all pipelines appear here.</p>}
      {udfs?.map((udf) => (
        <button key={udf.id} type="button" class="catalog-row" title={udf.description ?? udf.name} onClick={() => onOpenUdf(udf)}>
          <Icon name="function" />
          <span class="truncate">{udf.name}</span>
          <span class="catalog-note truncate">{udf.prefix}</span>
        </button>
      ))}
    </div>
  );
}

function TableEntry({ table, onInsert }: { readonly table: CatalogTable; onInsert(text: string): void }) {
  const [open, setOpen] = useState(false);
  return (
    <div>
      <button type="button" class="catalog-row" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="catalog-chevron" data-open={open}>
          <Icon name="chevron" />
        </span>
        <span class="truncate">{table.name}</span>
        <span class="catalog-note truncate">{table.note}</span>
      </button>
      {open && (
        <ul class="catalog-columns">
          {table.columns.length === 0 && <li class="catalog-none">Columns are known once the query is valid.</li>}
          {table.columns.map((column) => (
            <li key={column.name}>
              <button type="button" class="catalog-row" onClick={() => onInsert(column.name)} title={`Insert ${column.name}`}>
                <span class="mono truncate">{column.name}</span>
                <span class="catalog-note mono truncate">{column.type}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
