/**
 * "Why is there no output?": what the rows wait for, the gravest first, each with the operator it is about.
 */
import type { OutputExplanation, OutputFinding, PipelineGraph } from "../../api/types.ts";
import { Note, type Tone } from "../../components/note.tsx";
import { formatClock, formatDuration, formatShort } from "../../format.ts";

const TONES: Readonly<Record<OutputFinding["severity"], Tone>> = { info: "plain", warning: "warn", error: "bad" };
const TITLE = "Why is there no output?";

interface OutputFindingsProps {
  /** `undefined` while it is not known. */
  readonly explanation: OutputExplanation | undefined;
  readonly graph: PipelineGraph;
  onSelect(nodeId: number): void;
}

/** The panel. */
export function OutputFindings({ explanation, graph, onSelect }: OutputFindingsProps) {
  const names = new Map(graph.nodes.map((node) => [node.node_id, node.description]));
  const findings = explanation?.findings ?? [];
  const sinks = explanation?.sinks ?? [];
  const flows = sinks.some((sink) => sink.rows_per_second > 0);
  return (
    <section class="panel findings" aria-label={TITLE}>
      <h2>{flows ? "Output" : TITLE}</h2>
      {flows && <Note tone="ok">Rows reach the sinks: {sinks.map(sinkText).join(", ")}.</Note>}
      {findings
        .filter((finding) => !flows || finding.severity !== "info" || !/ written to /.test(finding.message))
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
      {explanation !== undefined && <Windows explanation={explanation} />}
    </section>
  );
}

function sinkText(sink: OutputExplanation["sinks"][number]): string {
  return `${formatShort(sink.rows_per_second)} rows/s to ${sink.table}`;
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}

/** When each open window will give its rows, and who keeps it waiting. */
function Windows({ explanation }: { readonly explanation: OutputExplanation }) {
  const open = explanation.windows.filter((window) => window.next_firing !== null);
  if (open.length === 0) return null;
  return (
    <dl class="facts">
      {open.map((window) => (
        <WindowFact key={window.node_id} window={window} />
      ))}
    </dl>
  );
}

function WindowFact({ window }: { readonly window: OutputExplanation["windows"][number] }) {
  const { next_firing: firing, watermark, held_by: holder } = window;
  const wait = firing === null || watermark === null ? undefined : Math.max(0, firing - watermark);
  return (
    <>
      <dt>{window.description}</dt>
      <dd class="num">
        next rows at event time {firing === null ? "–" : formatClock(firing)}
        {wait !== undefined && `, ${formatDuration(wait)} ahead of the watermark`}
        {holder !== null && `; held by partition ${holder.partition} of ${holder.table}`}
      </dd>
    </>
  );
}
