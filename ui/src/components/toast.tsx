/**
 * Messages that come and go in the corner: what an action led to, when it has no place of its own on the page.
 */
import { createStore, useStore } from "../store.ts";
import { IconButton } from "./button.tsx";

interface Toast {
  readonly id: number;
  readonly kind: "done" | "error";
  readonly text: string;
}

const SHOWN_MS = { done: 4000, error: 12_000 } as const;
const toasts = createStore<readonly Toast[]>([]);
let lastId = 0;

/** Shows a message for a while; errors stay longer. */
export function showToast(text: string, kind: Toast["kind"] = "done"): void {
  const id = ++lastId;
  toasts.set([...toasts.get(), { id, kind, text }].slice(-4));
  setTimeout(() => dismiss(id), SHOWN_MS[kind]);
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

/** The corner in which messages appear. */
export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.id} class="toast" data-kind={toast.kind}>
          <span>{toast.text}</span>
          <IconButton icon="close" label="Dismiss" onClick={() => dismiss(toast.id)} />
        </div>
      ))}
    </div>
  );
}
