/**
 * Shows a connection: its options, its columns, and the statement that it stands for.
 */
import type { ConnectionTable, SourceField } from "../../api/types.ts";
import { CodeEditor } from "../../components/code-editor.tsx";
import { Dialog } from "../../components/dialog.tsx";

/** The dialog. */
export function TableDialog({ table, onClose }: { readonly table: ConnectionTable; onClose(): void }) {
  const options = Object.entries(table.config);
  const fields = table.schema.fields ?? [];
  return (
    <Dialog title={table.name} wide onClose={onClose}>
      <div class="dialog-body">
        <dl class="facts">
          <dt>Connector</dt>
          <dd>
            {table.connector}, {table.table_type}
          </dd>
          {table.connection_profile !== null && (
            <>
              <dt>Profile</dt>
              <dd>{table.connection_profile.name}</dd>
            </>
          )}
          {options.map(([name, value]) => (
            <Option key={name} name={name} value={value} />
          ))}
        </dl>
        {fields.length > 0 && <Fields fields={fields} />}
        <div class="code-box code-box-small">
          <CodeEditor label="Statement" language="sql" value={table.create_sql ?? ""} readOnly />
        </div>
      </div>
    </Dialog>
  );
}

function Option({ name, value }: { readonly name: string; readonly value: unknown }) {
  return (
    <>
      <dt class="mono">{name}</dt>
      <dd class="mono">{typeof value === "string" ? value : JSON.stringify(value)}</dd>
    </>
  );
}

function Fields({ fields }: { readonly fields: readonly SourceField[] }) {
  return (
    <div class="table-wrap field-list">
      <table class="table">
        <thead>
          <tr>
            <th>Column</th>
            <th>Type</th>
            <th>May be NULL</th>
          </tr>
        </thead>
        <tbody>
          {fields.map((field) => (
            <tr key={field.name}>
              <td class="mono">{field.name}</td>
              <td class="mono">{field.sql_name ?? field.type}</td>
              <td>{field.required === true ? "no" : "yes"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
