/**
 * "Why is there no output?": the controller's reasons, each with the operator it is about.
 */
import { usePolled } from "../../api/polling.ts";
import type { Collection, Graph, OutputFinding } from "../../api/shapes.ts";
import { Note, type Tone } from "../../components/note.tsx";

const FINDINGS_MS = 3000;
const TITLE = "Why is there no output?";
const TONES: Readonly<Record<OutputFinding["severity"], Tone>> = { ok: "ok", info: "plain", warning: "warn", error: "bad" };

interface OutputFindingsProps {
  readonly jobPath: string;
  readonly graph: Graph;
  onSelect(nodeId: number): void;
}

/** The panel. */
export function OutputFindings({ jobPath, graph, onSelect }: OutputFindingsProps) {
  const { data, error } = usePolled<Collection<OutputFinding>>(`${jobPath}/why_no_output`, FINDINGS_MS);
  if (data === undefined && error !== undefined) return null;
  const names = new Map(graph.nodes.map((node) => [node.node_id, node.description]));
  const flows = data?.data.every(({ severity }) => severity === "ok" || severity === "info") === true && data.data.length > 0;
  return (
    <section class="panel findings" aria-label={TITLE}>
      <h2>{flows ? "Output" : TITLE}</h2>
      {data?.data.map((finding, i) => (
        <Note key={`${finding.message}-${i}`} tone={TONES[finding.severity]}>
          {finding.message}
          {finding.detail ? <div class="muted">{finding.detail}</div> : null}
          {typeof finding.node_id === "number" && names.has(finding.node_id) && (
            <button type="button" class="text-button" onClick={() => onSelect(finding.node_id ?? 0)}>
              Show {names.get(finding.node_id)}
            </button>
          )}
        </Note>
      ))}
      {data !== undefined && data.data.length === 0 && <Note tone="ok">Rows flow; nothing holds them back.</Note>}
    </section>
  );
}
