/**
 * A form made from a JSON schema: texts, numbers, switches, choices, lists, maps, alternatives and nested objects. Values that are left empty
 * are left out; the API checks what is sent.
 */
import { useId } from "preact/hooks";
import type { JsonSchema } from "../api/json-schema.ts";
import { Button, IconButton } from "./button.tsx";
import { Field, TextField } from "./field.tsx";

/** The values of a form by property. */
export type FormValue = Readonly<Record<string, unknown>>;

interface SchemaFormProps {
  readonly schema: JsonSchema;
  readonly value: FormValue;
  /** Proposals by property. */
  readonly completions?: Readonly<Record<string, readonly string[]>>;
  onChange(value: FormValue): void;
}

/** The fields of an object's schema, the required ones first. */
export function SchemaForm({ schema, value, completions = {}, onChange }: SchemaFormProps) {
  const required = new Set(schema.required ?? []);
  const properties = Object.entries(schema.properties ?? {});
  const ordered = [...properties.filter(([name]) => required.has(name)), ...properties.filter(([name]) => !required.has(name))];
  return (
    <div class="stack">
      {ordered.map(([name, property]) => (
        <Property
          key={name}
          name={name}
          schema={property}
          required={required.has(name)}
          value={value[name]}
          completions={completions[name] ?? []}
          onChange={(next) => onChange(withProperty(value, name, next))}
        />
      ))}
    </div>
  );
}

/** Required properties without a value. */
export function missingFields(schema: JsonSchema, value: FormValue): readonly string[] {
  return (schema.required ?? []).filter((name) => {
    const property = schema.properties?.[name];
    if (property === undefined || property.default !== undefined || property.const !== undefined) return false;
    return value[name] === undefined || value[name] === "";
  });
}

function withProperty(value: FormValue, name: string, next: unknown): FormValue {
  const { [name]: _old, ...others } = value;
  return next === undefined || next === "" ? others : { ...others, [name]: next };
}

interface PropertyProps {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly required: boolean;
  readonly value: unknown;
  readonly completions: readonly string[];
  onChange(value: unknown): void;
}

function Property({ name, schema, required, value, completions, onChange }: PropertyProps) {
  const label = `${schema.title ?? name}${required ? "" : " (optional)"}`;
  const hint = schema.description;
  const variants = schema.oneOf ?? schema.anyOf;
  const values =
    schema.enum ?? (variants?.every((variant) => variant.const !== undefined) ? variants.map((variant) => variant.const) : undefined);
  if (values !== undefined)
    return <EnumProperty label={label} hint={hint} values={values} required={required} value={value} onChange={onChange} />;
  if (variants !== undefined && !variants.every(isScalar)) {
    return <VariantProperty label={label} hint={hint} variants={variants} value={value} onChange={onChange} />;
  }
  const type = scalarType(schema, variants);
  if (type === "boolean") {
    return (
      <label class="check">
        <input type="checkbox" checked={value === true} onChange={(event) => onChange(event.currentTarget.checked ? true : undefined)} />
        <span>
          {label}
          {hint !== undefined && <span class="field-hint"> {hint}</span>}
        </span>
      </label>
    );
  }
  if (type === "array") return <ListProperty label={label} hint={hint} value={value} onChange={onChange} />;
  if (type === "object" && schema.properties !== undefined) {
    return (
      <fieldset class="form-group">
        <legend>{label}</legend>
        <SchemaForm schema={schema} value={isObject(value) ? value : {}} onChange={onChange} />
      </fieldset>
    );
  }
  if (type === "object") return <MapProperty label={label} hint={hint} value={value} onChange={onChange} />;
  return <TextProperty label={label} hint={hint} schema={schema} type={type} value={value} completions={completions} onChange={onChange} />;
}

function isScalar(schema: JsonSchema): boolean {
  return schema.type !== undefined && schema.type !== "object" && schema.type !== "array";
}

function scalarType(schema: JsonSchema, variants: readonly JsonSchema[] | undefined): string {
  const own = schema.type ?? variants?.find((variant) => variant.type !== "null")?.type ?? "string";
  if (typeof own === "string") return own;
  // What may be written as a text too is still a yes or no.
  return own.includes("boolean") ? "boolean" : (own.find((name) => name !== "null") ?? "string");
}

function isObject(value: unknown): value is FormValue {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface InputProps {
  readonly label: string;
  readonly hint: string | undefined;
  readonly value: unknown;
  onChange(value: unknown): void;
}

interface TextPropertyProps extends InputProps {
  readonly schema: JsonSchema;
  readonly type: string;
  readonly completions: readonly string[];
}

function TextProperty({ label, hint, schema, type, value, completions, onChange }: TextPropertyProps) {
  const listId = useId();
  const isNumber = type === "number" || type === "integer";
  const text = value === undefined ? "" : String(value);
  const onText = (next: string) => onChange(isNumber && next !== "" && Number.isFinite(Number(next)) ? Number(next) : next);
  return (
    <>
      <TextField
        label={label}
        hint={hint}
        value={text}
        type={isNumber ? "number" : schema.format === "password" || /password|secret/i.test(label) ? "password" : "text"}
        min={schema.minimum}
        max={schema.maximum}
        step={isNumber ? (type === "integer" ? 1 : "any") : undefined}
        placeholder={schema.default === undefined ? undefined : String(schema.default)}
        list={completions.length > 0 ? listId : undefined}
        onText={onText}
      />
      {completions.length > 0 && (
        <datalist id={listId}>
          {completions.map((completion) => (
            <option key={completion} value={completion} />
          ))}
        </datalist>
      )}
    </>
  );
}

function EnumProperty({
  label,
  hint,
  values,
  required,
  value,
  onChange,
}: InputProps & { readonly values: readonly unknown[]; readonly required: boolean }) {
  return (
    <Field label={label} hint={hint}>
      {(id) => (
        <select
          id={id}
          class="input"
          value={value === undefined ? "" : String(value)}
          onChange={(event) => onChange(values.find((known) => String(known) === event.currentTarget.value))}
        >
          <option value="">{required ? "choose…" : "as the connector decides"}</option>
          {values.map((known) => (
            <option key={String(known)} value={String(known)}>
              {String(known)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function VariantProperty({ label, hint, variants, value, onChange }: InputProps & { readonly variants: readonly JsonSchema[] }) {
  const at = Math.max(
    0,
    isObject(value) ? variants.findIndex((variant) => Object.keys(value).every((name) => variant.properties?.[name])) : 0,
  );
  const chosen = variants[at];
  return (
    <fieldset class="form-group">
      <legend>{label}</legend>
      {hint !== undefined && <span class="field-hint">{hint}</span>}
      <select
        class="input"
        aria-label={label}
        value={at}
        onChange={(event) => {
          const first = Object.keys(variants[Number(event.currentTarget.value)]?.properties ?? {})[0];
          onChange(first === undefined ? {} : { [first]: {} });
        }}
      >
        {variants.map((variant, i) => (
          <option key={variant.title ?? i} value={i}>
            {variant.title ?? `Variant ${i + 1}`}
          </option>
        ))}
      </select>
      {chosen?.properties !== undefined && <SchemaForm schema={chosen} value={isObject(value) ? value : {}} onChange={onChange} />}
    </fieldset>
  );
}

function ListProperty({ label, hint, value, onChange }: InputProps) {
  const entries = Array.isArray(value) ? value.map(String) : [];
  return (
    <Field label={label} hint={hint ?? "One per line."}>
      {(id) => (
        <textarea
          id={id}
          class="input mono"
          rows={3}
          value={entries.join("\n")}
          onInput={(event) => {
            const lines = event.currentTarget.value.split("\n");
            onChange(lines.every((line) => line === "") ? undefined : lines);
          }}
        />
      )}
    </Field>
  );
}

function MapProperty({ label, hint, value, onChange }: InputProps) {
  const entries = isObject(value) ? Object.entries(value) : [];
  const replace = (next: readonly (readonly [string, unknown])[]) => onChange(next.length === 0 ? undefined : Object.fromEntries(next));
  return (
    <fieldset class="form-group">
      <legend>{label}</legend>
      {hint !== undefined && <span class="field-hint">{hint}</span>}
      {entries.map(([key, entry], i) => (
        <div key={i} class="map-row">
          <input
            class="input mono"
            aria-label="Key"
            value={key}
            onInput={(event) => replace(entries.map((old, at) => (at === i ? [event.currentTarget.value, entry] : old)))}
          />
          <input
            class="input mono"
            aria-label="Value"
            value={String(entry)}
            onInput={(event) => replace(entries.map((old, at) => (at === i ? [key, event.currentTarget.value] : old)))}
          />
          <IconButton icon="trash" label={`Remove ${key}`} onClick={() => replace(entries.filter((_, at) => at !== i))} />
        </div>
      ))}
      <div>
        <Button icon="plus" onClick={() => replace([...entries, [`key${entries.length + 1}`, ""]])}>
          Entry
        </Button>
      </div>
    </fieldset>
  );
}
