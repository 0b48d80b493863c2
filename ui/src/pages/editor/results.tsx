/**
 * The panel below the editor: the planned graph, the preview's rows, what is wrong with the query.
 */
import type { SqlDiagnostic } from "../../api/types.ts";
import { DataflowGraph } from "../../charts/dataflow-graph.tsx";
import { StateBadge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import { Note } from "../../components/note.tsx";
import { RowGrid } from "../../components/row-grid.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { formatCount } from "../../format.ts";
import type { Preview } from "./preview.ts";
import type { Validation } from "./validation.ts";

/** A panel of the lower half. */
export type ResultTab = "graph" | "rows" | "problems";

interface ResultsProps {
  readonly tab: ResultTab;
  onTab(tab: ResultTab): void;
  readonly validation: Validation;
  readonly preview: Preview;
  /** Problems of the open function. */
  readonly udfErrors: readonly string[];
  onFinding(finding: SqlDiagnostic): void;
}

/** The panel. */
export function Results({ tab, onTab, validation, preview, udfErrors, onFinding }: ResultsProps) {
  const { findings } = validation;
  const errors = findings.filter((finding) => finding.severity === "error").length + udfErrors.length;
  const tabs = [
    { id: "graph", label: "Graph" },
    { id: "rows", label: "Results", count: preview.rows.count },
    { id: "problems", label: "Problems", count: findings.length + udfErrors.length, alarming: errors > 0 },
  ];
  return (
    <Tabs
      label="Results"
      class="results-panel"
      tabs={tabs}
      selected={tab}
      onSelect={(id) => onTab(id as ResultTab)}
      extra={<Status validation={validation} preview={preview} errors={errors} />}
    >
      {tab === "graph" && <GraphPanel validation={validation} />}
      {tab === "rows" && <RowsPanel preview={preview} />}
      {tab === "problems" && <ProblemsPanel findings={findings} udfErrors={udfErrors} onFinding={onFinding} />}
    </Tabs>
  );
}

function Status({ validation, preview, errors }: { readonly validation: Validation; readonly preview: Preview; readonly errors: number }) {
  if (preview.phase === "starting" || preview.phase === "running") {
    return (
      <span class="results-status">
        <StateBadge state={preview.state ?? "Created"} />
        <span class="num muted hide-phone">{formatCount(preview.rows.count)} rows</span>
      </span>
    );
  }
  const text =
    validation.failure ?? (validation.pending ? "Checking…" : errors > 0 ? "Has errors" : validation.graph === undefined ? "" : "Valid");
  return <span class="results-status muted small">{text}</span>;
}

function GraphPanel({ validation }: { readonly validation: Validation }) {
  if (validation.graph === undefined) {
    return (
      <Empty icon="pipelines" title="No graph yet">
        The dataflow of the query appears as soon as it is valid.
      </Empty>
    );
  }
  return <DataflowGraph graph={validation.graph} />;
}

function RowsPanel({ preview }: { readonly preview: Preview }) {
  const failure = preview.error !== undefined && (
    <div class="results-note">
      <Note tone="bad">{preview.error}</Note>
    </div>
  );
  if (preview.rows.count > 0) {
    return (
      <>
        {failure}
        <RowGrid output={preview.rows} label="Rows of the preview" />
      </>
    );
  }
  if (preview.phase === "starting" || preview.phase === "running") {
    return (
      <Empty icon="clock" title={preview.state === "Running" ? "Waiting for rows" : "Starting the preview"}>
        {preview.state === "Running"
          ? "The query runs. Windows give their rows when they end."
          : "The query is compiled and its worker is started."}
      </Empty>
    );
  }
  if (failure !== false) return failure;
  return preview.phase === "ended" ? (
    <Empty icon="table" title="The preview ended without rows">
      A filter may keep nothing, or a window had not ended yet.
    </Empty>
  ) : (
    <Empty icon="table" title="No preview yet">
      Preview runs the query for a minute and shows its rows here; nothing is written to sinks.
    </Empty>
  );
}

interface ProblemsPanelProps {
  readonly findings: readonly SqlDiagnostic[];
  readonly udfErrors: readonly string[];
  onFinding(finding: SqlDiagnostic): void;
}

function ProblemsPanel({ findings, udfErrors, onFinding }: ProblemsPanelProps) {
  if (findings.length + udfErrors.length === 0) {
    return (
      <Empty icon="check" title="No problems">
        Mistakes and warnings are listed here while you type.
      </Empty>
    );
  }
  return (
    <ul class="problems">
      {findings.map((finding, i) => (
        <li key={`${finding.code}-${i}`}>
          <button
            type="button"
            class="problem"
            data-severity={finding.severity}
            onClick={() => onFinding(finding)}
            disabled={finding.span === undefined}
          >
            <Icon name={finding.severity === "error" ? "error" : "warning"} />
            <span class="problem-text">
              <span>{finding.message}</span>
              {(finding.hint ?? finding.detail) !== undefined && <span class="muted small">{finding.hint ?? finding.detail}</span>}
            </span>
            {finding.span !== undefined && (
              <span class="mono faint num">
                {finding.span.start.line}:{finding.span.start.column}
              </span>
            )}
          </button>
        </li>
      ))}
      {udfErrors.map((message) => (
        <li key={message} class="problem" data-severity="error">
          <Icon name="error" />
          <span class="problem-text">{message}</span>
        </li>
      ))}
    </ul>
  );
}
