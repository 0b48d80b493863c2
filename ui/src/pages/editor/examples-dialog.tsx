/**
 * The choice of example queries.
 */
import { Dialog } from "../../components/dialog.tsx";
import { Note } from "../../components/note.tsx";
import { EXAMPLES } from "./examples.ts";

interface ExamplesDialogProps {
  /** Choosing throws away what is written. */
  readonly replaces: boolean;
  onChoose(query: string): void;
  onClose(): void;
}

/** The dialog. */
export function ExamplesDialog({ replaces, onChoose, onClose }: ExamplesDialogProps) {
  return (
    <Dialog title="Example queries" wide onClose={onClose}>
      <div class="dialog-body">
        {replaces && <Note tone="warn">An example replaces the query that is in the editor.</Note>}
        <ul class="choices">
          {EXAMPLES.map((example) => (
            <li key={example.title}>
              <button type="button" class="choice" onClick={() => onChoose(example.query)}>
                <strong>{example.title}</strong>
                <span class="muted small">{example.text}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </Dialog>
  );
}
