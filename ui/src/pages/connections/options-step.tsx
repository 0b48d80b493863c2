/**
 * Whether the table is read or written, and the connector's own options, from its schema.
 */

import type { JsonSchema } from "../../api/json-schema.ts";
import { usePolled } from "../../api/polling.ts";
import type { ConnectionType } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { missingFields, SchemaForm } from "../../components/schema-form.tsx";
import type { StepProps, WizardDraft } from "./wizard.tsx";

/** The step. */
export function OptionsStep({ connector, draft, onChange, onNext }: StepProps) {
  const uses = (["source", "sink", "lookup"] as const).filter((use) => connector[use]);
  const table = JSON.parse(connector.table_config) as JsonSchema;
  const schema = optionsFor(table, draft.tableType);
  const { data } = usePolled<{ readonly values: Readonly<Record<string, readonly string[]>> }>(
    draft.profileId === undefined ? undefined : `/connection_profiles/${draft.profileId}/autocomplete`,
    0,
  );
  const isComplete = missingFields(schema, draft.config).length === 0;
  const next = (event: Event) => {
    event.preventDefault();
    if (isComplete) onNext();
  };
  return (
    <form class="stack" onSubmit={next}>
      {uses.length > 1 && (
        <fieldset class="segments">
          <legend class="visually-hidden">Use</legend>
          {uses.map((use) => (
            <label key={use} class="segment" data-checked={draft.tableType === use}>
              <input
                type="radio"
                name="use"
                class="visually-hidden"
                checked={draft.tableType === use}
                onChange={() => onChange(withUse(draft, table, use))}
              />
              {USES[use]}
            </label>
          ))}
        </fieldset>
      )}
      {Object.keys(schema.properties ?? {}).length === 0 ? (
        <p class="muted">This connector has no options.</p>
      ) : (
        <SchemaForm
          schema={schema}
          value={draft.config}
          completions={data?.values ?? {}}
          onChange={(config) => onChange({ ...draft, config })}
        />
      )}
      <div class="row">
        <Button type="submit" tone="primary" disabled={!isComplete}>
          Next
        </Button>
      </div>
    </form>
  );
}

const USES: Readonly<Record<ConnectionType, string>> = { source: "Read from it", sink: "Write to it", lookup: "Look up in it" };

/** The draft for another use: without options and kinds of columns that the use does not have. */
function withUse(draft: WizardDraft, table: JsonSchema, tableType: ConnectionType): WizardDraft {
  const known = optionsFor(table, tableType).properties ?? {};
  const config = Object.fromEntries(Object.entries(draft.config).filter(([name]) => name in known));
  const columns = draft.schema.columns === "inferred" && tableType !== "sink" ? "fields" : draft.schema.columns;
  return { ...draft, tableType, config, schema: { ...draft.schema, columns } };
}

/** Options of every source that say when its rows happened. */
const TIME_OPTIONS = ["event_time_field", "watermark_field", "idle_micros"];

/** The schema without options that make no sense for this use, and without the use itself, which is chosen above the form. */
export function optionsFor(schema: JsonSchema, use: ConnectionType): JsonSchema {
  const fits = ([name, option]: readonly [string, JsonSchema]) => {
    if (name === "type") return false;
    if (option.uses !== undefined) return option.uses.includes(use);
    return use === "source" ? !name.startsWith("sink.") : !name.startsWith("source.") && !TIME_OPTIONS.includes(name);
  };
  const properties = Object.fromEntries(Object.entries(schema.properties ?? {}).filter(fits));
  return { ...schema, properties, required: (schema.required ?? []).filter((name) => name in properties) };
}
