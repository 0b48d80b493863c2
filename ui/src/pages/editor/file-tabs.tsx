/**
 * The files of a draft: the query and the functions beside it.
 */
import { Button, IconButton } from "../../components/button.tsx";
import { type Draft, UDF_TEMPLATE } from "./draft.ts";

interface FileTabsProps {
  readonly draft: Draft;
  /** 0: the query, i: function i − 1. */
  readonly selected: number;
  /** Names that the API found in functions. */
  readonly names: Readonly<Record<number, string | undefined>>;
  onSelect(file: number): void;
  onChange(draft: Draft): void;
  onShare(): void;
}

/** The row of files. */
export function FileTabs({ draft, selected, names, onSelect, onChange, onShare }: FileTabsProps) {
  const add = () => {
    onChange({ ...draft, udfs: [...draft.udfs, { definition: UDF_TEMPLATE }] });
    onSelect(draft.udfs.length + 1);
  };
  const remove = () => {
    onChange({ ...draft, udfs: draft.udfs.filter((_, i) => i !== selected - 1) });
    onSelect(0);
  };
  const labels = [
    "query.sql",
    ...draft.udfs.map(({ definition }, i) => `${names[i + 1] ?? functionName(definition) ?? `function-${i + 1}`}.ts`),
  ];
  return (
    <div class="tabs-row files">
      <div class="tabs" role="tablist" aria-label="Files">
        {labels.map((label, i) => (
          <button
            key={`${i}-${draft.udfs.length}`}
            type="button"
            role="tab"
            class="tab mono"
            aria-selected={i === selected}
            tabIndex={i === selected ? 0 : -1}
            onClick={() => onSelect(i)}
            onKeyDown={(event) => {
              const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
              if (step !== 0) onSelect((selected + step + labels.length) % labels.length);
            }}
          >
            {label}
          </button>
        ))}
      </div>
      {selected > 0 && (
        <>
          <Button tone="quiet" onClick={onShare}>
            Share…
          </Button>
          <IconButton icon="trash" label="Remove the function" onClick={remove} />
        </>
      )}
      <Button tone="quiet" icon="plus" onClick={add}>
        Function
      </Button>
    </div>
  );
}

/** The name of the first exported function. */
function functionName(definition: string): string | undefined {
  return /export\s+(?:async\s+)?function\s+([A-Za-z_$][\w$]*)/.exec(definition)?.[1];
}
