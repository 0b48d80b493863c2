/**
 * Modal dialogs on the browser's own `<dialog>`: it keeps the focus inside and closes on Esc; the focus goes back to where it was.
 */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../api/client.ts";
import { Button, type ButtonTone, IconButton } from "./button.tsx";
import { Note } from "./note.tsx";

interface DialogProps {
  readonly title: string;
  readonly wide?: boolean;
  onClose(): void;
  readonly children: ComponentChildren;
}

/** A modal dialog; it is open as long as it is rendered. */
export function Dialog({ title, wide = false, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      // By now the dialog may be out of the page, and the browser then gives the focus to nobody.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class="dialog"
      data-wide={wide}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div class="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </div>
      {children}
    </dialog>
  );
}

interface FormDialogProps extends DialogProps {
  readonly submit: string;
  readonly tone?: ButtonTone;
  /** Does the work; the dialog shows its error, or closes after it. */
  onSubmit(): Promise<void>;
  readonly disabled?: boolean;
}

/** A dialog with fields and a button that does something. */
export function FormDialog({ submit, tone = "primary", onSubmit, disabled = false, onClose, children, ...dialog }: FormDialogProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const run = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await onSubmit();
      onClose();
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog {...dialog} onClose={onClose}>
      <form onSubmit={(event) => void run(event)}>
        <div class="dialog-body">
          {children}
          {problem !== undefined && <Note tone="bad">{problem}</Note>}
        </div>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone={tone} busy={busy} disabled={disabled}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
