/**
 * Two panes over each other with a bar between them that is dragged or moved by arrow keys; the place is remembered.
 */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { readStored, writeStored } from "../storage.ts";

const SHARE_MIN = 15;
const SHARE_MAX = 85;
const SHARE_DEFAULT = 55;

interface SplitPaneProps {
  readonly storageKey: string;
  readonly top: ComponentChildren;
  readonly bottom: ComponentChildren;
}

/** The panes; the parent gives the height. */
export function SplitPane({ storageKey, top, bottom }: SplitPaneProps) {
  const box = useRef<HTMLDivElement>(null);
  const [share, setShare] = useState(() => bounded(Number(readStored(storageKey) ?? SHARE_DEFAULT)));
  const move = (next: number) => {
    setShare(bounded(next));
    writeStored(storageKey, String(Math.round(bounded(next))));
  };
  const drag = (event: PointerEvent) => {
    const bounds = box.current?.getBoundingClientRect();
    if (bounds !== undefined && event.buttons === 1) move(((event.clientY - bounds.top) / bounds.height) * 100);
  };
  return (
    <div class="split-pane" ref={box} style={{ gridTemplateRows: `minmax(0, ${share}fr) 7px minmax(0, ${100 - share}fr)` }}>
      {top}
      {/* biome-ignore lint/a11y/useSemanticElements: hr cannot be dragged or hold a value */}
      <div
        class="split-bar"
        role="separator"
        aria-label="Height of the editor"
        aria-orientation="horizontal"
        aria-valuenow={Math.round(share)}
        aria-valuemin={SHARE_MIN}
        aria-valuemax={SHARE_MAX}
        tabIndex={0}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onKeyDown={(event) => {
          const step = event.key === "ArrowUp" ? -4 : event.key === "ArrowDown" ? 4 : 0;
          if (step !== 0) {
            event.preventDefault();
            move(share + step);
          }
        }}
      />
      <div class="split-bottom">{bottom}</div>
    </div>
  );
}

function bounded(share: number): number {
  return Number.isFinite(share) ? Math.min(SHARE_MAX, Math.max(SHARE_MIN, share)) : SHARE_DEFAULT;
}
