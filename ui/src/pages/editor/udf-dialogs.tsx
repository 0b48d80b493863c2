/**
 * Functions that all pipelines share: sharing one of the draft, looking at one, deleting one.
 */
import { useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { GlobalUdf } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { CodeEditor } from "../../components/code-editor.tsx";
import { Dialog, FormDialog } from "../../components/dialog.tsx";
import { TextField } from "../../components/field.tsx";
import { showToast } from "../../components/toast.tsx";

interface ShareUdfDialogProps {
  readonly definition: string;
  onClose(): void;
  onShared(): void;
}

/** Makes a function of the draft one that every pipeline can call. */
export function ShareUdfDialog({ definition, onClose, onShared }: ShareUdfDialogProps) {
  const [prefix, setPrefix] = useState("shared");
  const [description, setDescription] = useState("");
  const share = async () => {
    await request("/udfs", { method: "POST", body: { prefix, language: "typescript", definition, description } });
    showToast("The function is shared with all pipelines");
    onShared();
  };
  return (
    <FormDialog title="Share function" submit="Share" disabled={prefix.trim() === ""} onClose={onClose} onSubmit={share}>
      <p class="muted small">A shared function is known to every query by its name. It can be removed from this pipeline afterwards.</p>
      <TextField label="Group" hint="Functions are listed under it." value={prefix} onText={setPrefix} required />
      <TextField label="Description" value={description} onText={setDescription} />
    </FormDialog>
  );
}

interface ShowUdfDialogProps {
  readonly udf: GlobalUdf;
  onClose(): void;
  onDeleted(): void;
  onInsert(text: string): void;
}

/** Shows a shared function. */
export function ShowUdfDialog({ udf, onClose, onDeleted, onInsert }: ShowUdfDialogProps) {
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    try {
      await request(`/udfs/${udf.id}`, { method: "DELETE" });
      onDeleted();
      onClose();
    } catch (error) {
      showToast(messageOf(error), "error");
      setBusy(false);
    }
  };
  return (
    <Dialog title={udf.name} wide onClose={onClose}>
      <div class="dialog-body">
        {udf.description !== "" && <p class="muted small">{udf.description}</p>}
        <div class="code-box">
          <CodeEditor label={`Definition of ${udf.name}`} language="typescript" value={udf.definition} readOnly />
        </div>
      </div>
      <div class="dialog-foot">
        <Button tone="danger" busy={busy} onClick={() => void remove()}>
          Delete
        </Button>
        <Button
          tone="primary"
          onClick={() => {
            onClose();
            onInsert(`${udf.name}()`);
          }}
        >
          Insert call
        </Button>
      </div>
    </Dialog>
  );
}
