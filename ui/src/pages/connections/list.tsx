/**
 * The sources and sinks that all pipelines share.
 */
import { useState } from "preact/hooks";
import { request } from "../../api/client.ts";
import type { Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { ConnectionTable } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { ButtonLink, IconButton } from "../../components/button.tsx";
import { ACTIONS, type Column, PagedTable, pageQuery } from "../../components/data-table.tsx";
import { FormDialog } from "../../components/dialog.tsx";
import { Empty } from "../../components/empty.tsx";
import { Note } from "../../components/note.tsx";
import { usePages } from "../../components/pager.tsx";
import { useTitle } from "../../components/title.ts";
import { showToast } from "../../components/toast.tsx";
import { formatTime, plural } from "../../format.ts";
import { paths } from "../../paths.ts";
import { TableDialog } from "./table-dialog.tsx";

const LIST_MS = 5000;
const PAGE_ROWS = 20;
const COLUMNS: readonly Column[] = [
  { label: "Name" },
  { label: "Connector" },
  { label: "Use" },
  { label: "Format", class: "hide-phone" },
  { label: "Created", class: "hide-phone" },
  { label: "Pipelines", class: "right hide-phone" },
  ACTIONS,
];

/** The page. */
export function ConnectionsPage() {
  useTitle("Connections");
  const pages = usePages();
  const { data, refresh } = usePolled<Page<ConnectionTable>>(`/connection_tables?${pageQuery(pages, PAGE_ROWS)}`, LIST_MS);
  const [shown, setShown] = useState<ConnectionTable>();
  const [doomed, setDoomed] = useState<ConnectionTable>();
  const create = (
    <ButtonLink to={paths.connectionGallery} tone="primary" icon="plus">
      New connection
    </ButtonLink>
  );
  const isEmpty = data !== undefined && data.data.length === 0 && pages.isFirst;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Connections</h1>
        <div class="actions">{create}</div>
      </div>
      <section class="card" aria-label="Connections">
        {isEmpty ? (
          <Empty icon="connections" title="No connections yet" actions={create}>
            A connection is a table that every pipeline can read or write by its name: files now, streams and stores as connectors come.
          </Empty>
        ) : (
          <PagedTable
            columns={COLUMNS}
            page={data}
            pages={pages}
            row={(table) => <TableRow key={table.id} table={table} onShow={() => setShown(table)} onDelete={() => setDoomed(table)} />}
          />
        )}
      </section>
      {shown !== undefined && <TableDialog table={shown} onClose={() => setShown(undefined)} />}
      {doomed !== undefined && <DeleteDialog table={doomed} onClose={() => setDoomed(undefined)} onDeleted={refresh} />}
    </div>
  );
}

interface TableRowProps {
  readonly table: ConnectionTable;
  onShow(): void;
  onDelete(): void;
}

function TableRow({ table, onShow, onDelete }: TableRowProps) {
  return (
    <tr>
      <td class="cell-wide">
        <div class="cell-name">
          <button type="button" class="name-button truncate" onClick={onShow}>
            {table.name}
          </button>
          <span class="mono truncate hide-phone">{table.id}</span>
        </div>
      </td>
      <td class="nowrap">{table.connector}</td>
      <td>
        <Badge plain tone={table.table_type === "sink" ? "info" : "accent"}>
          {table.table_type}
        </Badge>
      </td>
      <td class="muted hide-phone">{table.schema.format?.type ?? "–"}</td>
      <td class="num muted nowrap hide-phone">{formatTime(table.created_at)}</td>
      <td class="num right hide-phone">{table.consumers}</td>
      <td>
        <div class="actions">
          <IconButton icon="info" label={`Show ${table.name}`} class="hide-phone" onClick={onShow} />
          <IconButton icon="trash" label={`Delete ${table.name}`} onClick={onDelete} />
        </div>
      </td>
    </tr>
  );
}

interface DeleteDialogProps {
  readonly table: ConnectionTable;
  onClose(): void;
  onDeleted(): void;
}

function DeleteDialog({ table, onClose, onDeleted }: DeleteDialogProps) {
  const isUsed = table.consumers > 0;
  const remove = async () => {
    await request(`/connection_tables/${table.id}`, { method: "DELETE" });
    showToast(`Deleted ${table.name}`);
    onDeleted();
  };
  return (
    <FormDialog title={`Delete ${table.name}?`} submit="Delete" tone="danger" disabled={isUsed} onClose={onClose} onSubmit={remove}>
      {isUsed ? (
        <Note tone="warn">{plural(table.consumers, "pipeline")} use this connection. It can be deleted when none does.</Note>
      ) : (
        <p class="muted">Queries can no longer name it. The data behind it stays.</p>
      )}
    </FormDialog>
  );
}
