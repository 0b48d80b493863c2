/**
 * What was submitted for a run, without secrets, and what has changed since the run before.
 */
import { useMemo, useState } from "preact/hooks";
import type { SchedulerRunDetail } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Empty } from "../../components/empty.tsx";
import { Note } from "../../components/note.tsx";
import { showToast } from "../../components/toast.tsx";
import { plural } from "../../format.ts";
import { diffLines } from "./line-diff.ts";

/** The tab. */
export function SpecTab({ run }: { readonly run: SchedulerRunDetail }) {
  const { spec, previous_spec: previous } = run;
  const [compares, setCompares] = useState(false);
  if (spec === null) {
    return (
      <Empty icon="file" title="What was submitted is not known">
        It is kept for the newest runs of each pipeline, from the moment they are started.
      </Empty>
    );
  }
  const copy = () => {
    navigator.clipboard.writeText(spec.text).then(
      () => showToast("Copied the specification"),
      () => showToast("The browser does not let this page copy", "error"),
    );
  };
  return (
    <>
      <div class="filter-row">
        <label class="check">
          <input
            type="checkbox"
            checked={compares && previous !== null}
            disabled={previous === null}
            onChange={(event) => setCompares(event.currentTarget.checked)}
          />
          {previous === null ? "No earlier run to compare with" : `Changes since run ${previous.run_id}`}
        </label>
        <span class="filter-space" />
        <Button icon="copy" onClick={copy}>
          Copy
        </Button>
      </div>
      {spec.warnings.length > 0 && (
        <div class="card-body">
          <Note tone="warn">{spec.warnings.join("; ")}</Note>
        </div>
      )}
      {compares && previous !== null ? <Changes before={previous.text} after={spec.text} /> : <pre class="spec-text">{spec.text}</pre>}
    </>
  );
}

const MARKS = { added: "+", removed: "−", same: " " } as const;

function Changes({ before, after }: { readonly before: string; readonly after: string }) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  if (before === after) return <Empty icon="check" title="Nothing has changed" />;
  return (
    <pre class="spec-text">
      {lines.map((line, i) =>
        line.kind === "fold" ? (
          <div key={i} class="diff-fold">
            {plural(line.count, "unchanged line")}
          </div>
        ) : (
          <div key={i} class="diff-line" data-kind={line.kind}>
            <span aria-hidden="true">{MARKS[line.kind]} </span>
            {line.kind === "same" ? line.text : line.kind === "added" ? <ins>{line.text}</ins> : <del>{line.text}</del>}
          </div>
        ),
      )}
    </pre>
  );
}
