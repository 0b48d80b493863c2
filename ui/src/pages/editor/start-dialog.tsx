/**
 * Asks what a new pipeline is called and how it runs, creates it, and goes to its page.
 */
import { useState } from "preact/hooks";
import { request } from "../../api/client.ts";
import type { Pipeline } from "../../api/types.ts";
import { FormDialog } from "../../components/dialog.tsx";
import { TextField } from "../../components/field.tsx";
import { Note } from "../../components/note.tsx";
import { RunSettingsFields, useRunSettings } from "../../components/run-settings.tsx";
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
  const settings = useRunSettings(1, 10);
  const create = async () => {
    const pipeline = await request<Pipeline>("/pipelines", {
      method: "POST",
      body: { name: name.trim(), query: draft.query, udfs: udfsOf(draft), ...settings.body },
    });
    saveDraft(from, EMPTY_DRAFT);
    navigate(paths.pipeline(pipeline.id));
  };
  const isComplete = name.trim() !== "" && settings.isValid;
  return (
    <FormDialog title="Start pipeline" submit="Start" disabled={!isComplete} onClose={onClose} onSubmit={create}>
      {hasErrors && <Note tone="warn">The query has errors; the cluster will refuse it as it is.</Note>}
      <TextField label="Name" value={name} onText={setName} required maxLength={255} autoFocus placeholder="orders-by-minute" />
      <RunSettingsFields settings={settings} />
    </FormDialog>
  );
}
