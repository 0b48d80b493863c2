/**
 * "Why is there no output?": what the rows wait for, the gravest first, each with the operator it is about.
 */
import type { OutputExplanation, OutputFinding, PipelineGraph } from "../../api/types.ts";
import { Note, type Tone } from "../../components/note.tsx";

const TONES: Readonly<Record<OutputFinding["severity"], Tone>> = { info: "plain", warning: "warn", error: "bad" };
const TITLE = "Why is there no output?";

interface OutputFindingsProps {
  /** `undefined` while it is not known. */
  readonly explanation: OutputExplanation | undefined;
  readonly graph: PipelineGraph;
  /** Rows reach sinks, such as "430 rows/s to preview"; empty: none do. */
  readonly flow: string;
  onSelect(nodeId: number): void;
}

/** The panel. */
export function OutputFindings({ explanation, graph, flow, onSelect }: OutputFindingsProps) {
  const names = new Map(graph.nodes.map((node) => [node.node_id, node.description]));
  const findings = explanation?.findings ?? [];
  return (
    <section class="panel findings" aria-label={TITLE}>
      <h2>{flow === "" ? TITLE : "Output"}</h2>
      {flow !== "" && <Note tone="ok">Rows reach the sinks: {flow}.</Note>}
      {findings
        .filter((finding) => flow === "" || !/ written to /.test(finding.message))
        .map((finding) => (
          <Note key={finding.message} tone={TONES[finding.severity]}>
            {sentence(finding.message)}
            {finding.hint !== null && <div class="muted">{finding.hint}</div>}
            {finding.node_id !== null && names.has(finding.node_id) && (
              <button type="button" class="text-button" onClick={() => onSelect(finding.node_id ?? 0)}>
                Show {names.get(finding.node_id)}
              </button>
            )}
          </Note>
        ))}
    </section>
  );
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
