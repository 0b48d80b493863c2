/**
 * Format and columns of a table: a list of columns, a schema in another language, or for sinks whatever the first INSERT brings.
 */
import { useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { ConnectionType } from "../../api/types.ts";
import { Button, IconButton } from "../../components/button.tsx";
import { CodeEditor } from "../../components/code-editor.tsx";
import { Field } from "../../components/field.tsx";
import { Note } from "../../components/note.tsx";
import type { StepProps } from "./wizard.tsx";

/** A column as it is being entered. */
export interface FieldDraft {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
}

/** A schema as it is being entered. */
export interface SchemaDraft {
  readonly format: string;
  readonly columns: "fields" | "json_schema" | "inferred";
  readonly fields: readonly FieldDraft[];
  readonly definition: string;
  readonly badData: "fail" | "drop";
  readonly timestampFormat: "rfc3339" | "unix_millis";
}

/** One empty column, JSON. */
export const EMPTY_SCHEMA: SchemaDraft = {
  format: "json",
  columns: "fields",
  fields: [{ name: "", type: "string", required: false }],
  definition: '{\n  "type": "object",\n  "properties": {\n    "id": { "type": "integer" }\n  },\n  "required": ["id"]\n}\n',
  badData: "fail",
  timestampFormat: "rfc3339",
};

const FORMATS: readonly (readonly [id: string, label: string])[] = [
  ["json", "JSON, a row per line"],
  ["debezium_json", "Debezium JSON, changes"],
  ["raw_string", "Text, a line is a value"],
];

/** Types of columns with their names in SQL. */
const TYPES: readonly (readonly [type: string, sql: string])[] = [
  ["string", "TEXT"],
  ["int64", "BIGINT"],
  ["int32", "INT"],
  ["float64", "DOUBLE"],
  ["float32", "REAL"],
  ["bool", "BOOLEAN"],
  ["timestamp", "TIMESTAMP"],
  ["date", "DATE"],
  ["time", "TIME"],
  ["uint64", "BIGINT UNSIGNED"],
  ["json", "JSON"],
  ["bytes", "BYTEA"],
];

/** The schema as the API takes it. */
export function schemaBody(draft: SchemaDraft, use: ConnectionType): unknown {
  const isJson = draft.format !== "raw_string";
  const base = {
    format: { type: draft.format, ...(isJson ? { timestamp_format: draft.timestampFormat } : {}) },
    ...(use === "source" ? { bad_data: { behavior: draft.badData } } : {}),
  };
  if (!isJson) return base;
  if (draft.columns === "inferred") return { ...base, inferred: true };
  if (draft.columns === "json_schema") return { ...base, definition: { type: "json_schema", schema: draft.definition } };
  const named = draft.fields.filter(({ name }) => name.trim() !== "");
  const fields = named.map(({ name, type, required }) => ({
    name: name.trim(),
    type,
    required,
    ...(type === "timestamp" ? { unit: "nanosecond" } : {}),
  }));
  return { ...base, fields };
}

/** The step. */
export function SchemaStep({ draft, onChange, onNext }: StepProps) {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const { schema, tableType } = draft;
  const change = (part: Partial<SchemaDraft>) => onChange({ ...draft, schema: { ...schema, ...part } });
  const next = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await request("/connection_tables/schemas/test", { method: "POST", body: schemaBody(schema, tableType) });
      onNext();
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  const isJson = schema.format !== "raw_string";
  const lacksFields = isJson && schema.columns === "fields" && schema.fields.every(({ name }) => name.trim() === "");
  return (
    <form class="stack" onSubmit={(event) => void next(event)}>
      <SchemaChoices schema={schema} tableType={tableType} onChange={change} />
      {isJson && schema.columns === "fields" && <FieldRows fields={schema.fields} onChange={(fields) => change({ fields })} />}
      {isJson && schema.columns === "json_schema" && (
        <div class="code-box">
          <CodeEditor
            label="JSON schema"
            language="typescript"
            value={schema.definition}
            onChange={(definition) => change({ definition })}
          />
        </div>
      )}
      {!isJson && <p class="muted small">The table has one column, “value”, with the text of each line.</p>}
      {problem !== undefined && <Note tone="bad">{problem}</Note>}
      <div class="row">
        <Button type="submit" tone="primary" busy={busy} disabled={lacksFields}>
          Next
        </Button>
      </div>
    </form>
  );
}

interface SchemaChoicesProps {
  readonly schema: SchemaDraft;
  readonly tableType: ConnectionType;
  onChange(part: Partial<SchemaDraft>): void;
}

/** Format, timestamps, where the columns come from, and what becomes of bad rows. */
function SchemaChoices({ schema, tableType, onChange: change }: SchemaChoicesProps) {
  const isJson = schema.format !== "raw_string";
  return (
    <>
      <div class="field-pair">
        <Choice label="Format" value={schema.format} options={FORMATS} onChoose={(format) => change({ format })} />
        {isJson && (
          <Choice
            label="Timestamps"
            value={schema.timestampFormat}
            options={[
              ["rfc3339", "Text (RFC 3339)"],
              ["unix_millis", "Milliseconds since 1970"],
            ]}
            onChoose={(value) => change({ timestampFormat: value as SchemaDraft["timestampFormat"] })}
          />
        )}
      </div>
      {isJson && (
        <div class="field-pair">
          <Choice
            label="Columns"
            value={schema.columns}
            options={[
              ["fields", "Listed here"],
              ["json_schema", "From a JSON schema"],
              ...(tableType === "sink" ? [["inferred", "From the query that writes"] as const] : []),
            ]}
            onChoose={(value) => change({ columns: value as SchemaDraft["columns"] })}
          />
          {tableType === "source" && (
            <Choice
              label="Rows that cannot be read"
              value={schema.badData}
              options={[
                ["fail", "Fail the pipeline"],
                ["drop", "Drop and count them"],
              ]}
              onChoose={(value) => change({ badData: value as SchemaDraft["badData"] })}
            />
          )}
        </div>
      )}
    </>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [id: string, label: string])[];
  onChoose(value: string): void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps) {
  return (
    <Field label={label}>
      {(id) => (
        <select id={id} class="input" value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface FieldRowsProps {
  readonly fields: readonly FieldDraft[];
  onChange(fields: readonly FieldDraft[]): void;
}

function FieldRows({ fields, onChange }: FieldRowsProps) {
  const replace = (at: number, part: Partial<FieldDraft>) => onChange(fields.map((field, i) => (i === at ? { ...field, ...part } : field)));
  return (
    <div class="field-rows">
      {fields.map((field, i) => (
        <div key={i} class="field-row">
          <input
            class="input mono"
            aria-label={`Name of column ${i + 1}`}
            placeholder="column"
            autocomplete="off"
            spellcheck={false}
            value={field.name}
            onInput={(event) => replace(i, { name: event.currentTarget.value })}
          />
          <select
            class="input"
            aria-label={`Type of column ${i + 1}`}
            value={field.type}
            onChange={(event) => replace(i, { type: event.currentTarget.value })}
          >
            {TYPES.map(([type, sql]) => (
              <option key={type} value={type}>
                {sql}
              </option>
            ))}
          </select>
          <label class="check">
            <input type="checkbox" checked={field.required} onChange={(event) => replace(i, { required: event.currentTarget.checked })} />
            never NULL
          </label>
          <IconButton icon="trash" label={`Remove column ${i + 1}`} onClick={() => onChange(fields.filter((_, at) => at !== i))} />
        </div>
      ))}
      <div>
        <Button icon="plus" onClick={() => onChange([...fields, { name: "", type: "string", required: false }])}>
          Column
        </Button>
      </div>
    </div>
  );
}
