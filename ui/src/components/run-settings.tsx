/**
 * The two numbers a pipeline runs with, as the dialogs that start and change one ask for them.
 */
import { useState } from "preact/hooks";
import { TextField } from "./field.tsx";

/** The numbers as they are typed. */
export interface RunSettings {
  readonly parallelism: string;
  readonly interval: string;
  readonly isValid: boolean;
  /** As the API takes them. */
  readonly body: { readonly parallelism: number; readonly checkpoint_interval_micros: number };
  setParallelism(text: string): void;
  setInterval(text: string): void;
}

/** Starts with `parallelism` and an interval of `seconds`. */
export function useRunSettings(parallelism: number, seconds: number): RunSettings {
  const [typedParallelism, setParallelism] = useState(String(parallelism));
  const [typedInterval, setInterval] = useState(String(seconds));
  return {
    parallelism: typedParallelism,
    interval: typedInterval,
    isValid: wholeNumberError(typedParallelism, 1, 4096) === undefined && wholeNumberError(typedInterval, 1, 86_400) === undefined,
    body: { parallelism: Number(typedParallelism), checkpoint_interval_micros: Number(typedInterval) * 1_000_000 },
    setParallelism,
    setInterval,
  };
}

/** The fields. */
export function RunSettingsFields({ settings, autoFocus = false }: { readonly settings: RunSettings; readonly autoFocus?: boolean }) {
  return (
    <div class="field-pair">
      <TextField
        label="Parallelism"
        hint="Subtasks of every operator."
        type="number"
        min={1}
        max={4096}
        value={settings.parallelism}
        error={wholeNumberError(settings.parallelism, 1, 4096)}
        onText={settings.setParallelism}
        autoFocus={autoFocus}
      />
      <TextField
        label="Checkpoint every"
        hint="Seconds; what a failure can make it do again."
        type="number"
        min={1}
        max={86_400}
        value={settings.interval}
        error={wholeNumberError(settings.interval, 1, 86_400)}
        onText={settings.setInterval}
      />
    </div>
  );
}

function wholeNumberError(text: string, min: number, max: number): string | undefined {
  const value = Number(text);
  return text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max
    ? undefined
    : `A whole number from ${min} to ${max}.`;
}
