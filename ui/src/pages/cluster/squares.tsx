/**
 * The workers of a run as squares: which run, which are placed and come up, which wait for a place, which have failed.
 */
import { describeWorkers, type WorkerCounts } from "./words.ts";

const MOST = 8;

type Kind = "running" | "placed" | "missing" | "failed";

function kindsOf({ workers, placed, running, failed, missing }: WorkerCounts): readonly Kind[] {
  const coming = Math.max(0, placed - running);
  const waiting = Math.min(missing, Math.max(0, workers - placed));
  const of = (kind: Kind, count: number): readonly Kind[] => Array.from({ length: count }, () => kind);
  return [...of("failed", failed), ...of("running", running), ...of("placed", coming), ...of("missing", waiting)];
}

/** The squares with the count beside them; `over`: of a run that is history, where nothing is alarming any more. */
export function WorkerSquares({ counts, over = false }: { readonly counts: WorkerCounts; readonly over?: boolean }) {
  const kinds = over ? Array.from({ length: counts.workers }, () => "placed" as const) : kindsOf(counts);
  const words = describeWorkers(counts);
  return (
    <span class="squares" role="img" aria-label={words} title={words} data-over={over}>
      {kinds.slice(0, MOST).map((kind, i) => (
        <span key={i} class="square" data-kind={kind} />
      ))}
      {kinds.length > MOST && <span class="num small muted">+{kinds.length - MOST}</span>}
      <span class="num small muted squares-count">{over ? counts.workers : `${counts.running}/${counts.workers}`}</span>
    </span>
  );
}
