/**
 * Tabs after the ARIA pattern: arrow keys move, the panel is named by its tab. https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
 */
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";

/** A tab. */
export interface Tab {
  readonly id: string;
  readonly label: string;
  /** Shown beside the label. */
  readonly count?: number | undefined;
  /** There are more than `count`. */
  readonly more?: boolean | undefined;
  /** Colours the count as a problem. */
  readonly alarming?: boolean;
}

interface TabsProps {
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly selected: string;
  onSelect(id: string): void;
  /** Shown at the end of the row. */
  readonly extra?: ComponentChildren;
  readonly class?: string;
  /** The panel of the selected tab. */
  readonly children: ComponentChildren;
}

/** A row of tabs and the panel of the selected one. */
export function Tabs({ label, tabs, selected, onSelect, extra, class: className = "", children }: TabsProps) {
  const base = useId();
  const row = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === selected);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    onSelect(next.id);
    row.current?.querySelector<HTMLElement>(`[id="${base}-${next.id}"]`)?.focus();
  };
  return (
    <>
      <div class="tabs-row">
        <div class="tabs" role="tablist" aria-label={label} ref={row} onKeyDown={move}>
          {tabs.map((tab) => (
            <button
              key={tab.id}
              id={`${base}-${tab.id}`}
              type="button"
              role="tab"
              class="tab"
              aria-selected={tab.id === selected}
              aria-controls={`${base}-panel`}
              tabIndex={tab.id === selected ? 0 : -1}
              onClick={() => onSelect(tab.id)}
            >
              {tab.label}
              {tab.count !== undefined && tab.count > 0 && (
                <span class="tab-count num" data-tone={tab.alarming === true ? "bad" : "plain"}>
                  {tab.count > 99 ? "99+" : `${tab.count}${tab.more === true ? "+" : ""}`}
                </span>
              )}
            </button>
          ))}
        </div>
        {extra}
      </div>
      <div id={`${base}-panel`} class={`tab-panel ${className}`} role="tabpanel" aria-labelledby={`${base}-${selected}`}>
        {children}
      </div>
    </>
  );
}
