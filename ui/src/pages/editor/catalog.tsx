/**
 * What a query can name: tables of the script, tables of the cluster with their columns, shared functions. A click puts the name where the
 * cursor is.
 */
import { useState } from "preact/hooks";
import type { ConnectionTable, Connector, GlobalUdf, SourceField } from "../../api/types.ts";
import { ButtonLink } from "../../components/button.tsx";
import { Icon } from "../../components/icon.tsx";
import { paths } from "../../paths.ts";
import type { DeclaredTable } from "./declared-tables.ts";

/** A table with its columns, from wherever it is known. */
export interface CatalogTable {
  readonly name: string;
  readonly note: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** Columns with the fields of structs under their full names. */
function columnsOf(fields: readonly SourceField[], prefix = ""): CatalogTable["columns"] {
  return fields.flatMap((field) =>
    field.fields && field.fields.length > 0
      ? columnsOf(field.fields, `${prefix}${field.name}.`)
      : [{ name: `${prefix}${field.name}`, type: field.sql_name ?? field.type }],
  );
}

/** A table of the script for the catalog; generators bring columns that no script declares. */
export function tableOfScript(table: DeclaredTable, connectors: readonly Connector[]): CatalogTable {
  const fixed = connectors.find(({ id }) => id === table.connector)?.fixed_fields ?? [];
  return {
    name: table.name,
    note: table.connector ?? table.kind,
    columns: table.columns.length === 0 ? columnsOf(fixed) : table.columns,
  };
}

/** A table of the cluster for the catalog. */
export function tableOfCluster(table: ConnectionTable): CatalogTable {
  return { name: table.name, note: `${table.connector} ${table.table_type}`, columns: columnsOf(table.schema.fields ?? []) };
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
        <button
          key={udf.id}
          type="button"
          class="catalog-row"
          title={udf.description === "" ? udf.name : udf.description}
          onClick={() => onOpenUdf(udf)}
        >
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
