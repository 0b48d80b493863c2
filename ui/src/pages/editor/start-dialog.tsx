/**
 * Asks what a new pipeline is called and how it runs, creates it, and goes to its page.
 */
import { useState } from "preact/hooks";
import { request } from "../../api/client.ts";
import type { Pipeline } from "../../api/types.ts";
import { FormDialog } from "../../components/dialog.tsx";
import { TextField } from "../../components/field.tsx";
import { Note } from "../../components/note.tsx";
import { paths } from "../../paths.ts";
import { navigate } from "../../router.tsx";
import { type Draft, EMPTY_DRAFT, saveDraft } from "./draft.ts";
import { udfsOf } from "./validation.ts";

interface StartDialogProps {
  readonly draft: Draft;
  readonly from: string | undefined;
  readonly suggestedName: string;
  readonly hasErrors: boolean;
  onClose(): void;
}

/** The dialog. */
export function StartDialog({ draft, from, suggestedName, hasErrors, onClose }: StartDialogProps) {
  const [name, setName] = useState(suggestedName);
  const [parallelism, setParallelism] = useState("1");
  const [interval, setInterval] = useState("10");
  const parallelismError = wholeNumberError(parallelism, 1, 4096);
  const intervalError = wholeNumberError(interval, 1, 86_400);
  const create = async () => {
    const pipeline = await request<Pipeline>("/pipelines", {
      method: "POST",
      body: {
        name: name.trim(),
        query: draft.query,
        udfs: udfsOf(draft),
        parallelism: Number(parallelism),
        checkpoint_interval_micros: Number(interval) * 1_000_000,
      },
    });
    saveDraft(from, EMPTY_DRAFT);
    navigate(paths.pipeline(pipeline.id));
  };
  const isComplete = name.trim() !== "" && parallelismError === undefined && intervalError === undefined;
  return (
    <FormDialog title="Start pipeline" submit="Start" disabled={!isComplete} onClose={onClose} onSubmit={create}>
      {hasErrors && <Note tone="warn">The query has errors; the cluster will refuse it as it is.</Note>}
      <TextField label="Name" value={name} onText={setName} required maxLength={255} autoFocus placeholder="orders-by-minute" />
      <div class="field-pair">
        <TextField
          label="Parallelism"
          hint="Subtasks of every operator."
          type="number"
          min={1}
          max={4096}
          value={parallelism}
          error={parallelismError}
          onText={setParallelism}
        />
        <TextField
          label="Checkpoint every"
          hint="Seconds; what a failure can make it do again."
          type="number"
          min={1}
          max={86_400}
          value={interval}
          error={intervalError}
          onText={setInterval}
        />
      </div>
    </FormDialog>
  );
}

/** What is wrong with a number that was typed, if anything is. */
export function wholeNumberError(text: string, min: number, max: number): string | undefined {
  const value = Number(text);
  return text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max
    ? undefined
    : `A whole number from ${min} to ${max}.`;
}
