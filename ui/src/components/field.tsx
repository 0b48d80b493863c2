/**
 * A labelled control of a form with its hint and its error.
 */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
  /** Renders the control with the id that the label points to. */
  children(id: string): ComponentChildren;
}

/** A label over a control. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id)}
      {error !== undefined ? <span class="field-error">{error}</span> : hint !== undefined && <span class="field-hint">{hint}</span>}
    </div>
  );
}

interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly type?: "text" | "number" | "password";
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
  readonly placeholder?: string | undefined;
  readonly required?: boolean;
  readonly autoFocus?: boolean;
  readonly maxLength?: number;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly step?: number | "any" | undefined;
  /** Id of a `datalist`. */
  readonly list?: string | undefined;
  onText(text: string): void;
}

/** A label over a line of text. */
export function TextField({ label, hint, error, onText, ...input }: TextFieldProps) {
  // Preact's types tie each type of input to its own attributes; which ones make sense is for the caller to know.
  const attributes: Record<string, unknown> = input;
  return (
    <Field label={label} hint={hint} error={error}>
      {(id) => (
        <input
          autocomplete="off"
          spellcheck={false}
          {...attributes}
          id={id}
          class="input"
          aria-invalid={error !== undefined}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
