/**
 * The end of a worker's log, fetched through the controller on demand.
 */
import { useEffect, useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { LogRequest, Worker } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Note } from "../../components/note.tsx";

const ASK_MS = 500;
const PATIENCE_MS = 20_000;

interface WorkerLogProps {
  readonly worker: Worker;
  readonly jobPath: string;
  onClose(): void;
}

/** The dialog. */
export function WorkerLog({ worker, jobPath, onClose }: WorkerLogProps) {
  const [text, setText] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setProblem(undefined);
    fetchLog(jobPath, worker.id, abort.signal).then(setText, (error: unknown) => {
      if (!abort.signal.aborted) setProblem(messageOf(error));
    });
    return () => abort.abort();
  }, [jobPath, worker.id, attempt]);
  return (
    <Dialog title={`Log of ${worker.id}`} wide onClose={onClose}>
      <div class="dialog-body">
        {problem !== undefined && <Note tone="bad">{problem}</Note>}
        <pre class="log-text">{text ?? (problem === undefined ? "Asking the worker…" : "")}</pre>
      </div>
      <div class="dialog-foot">
        <Button icon="restart" onClick={() => setAttempt(attempt + 1)}>
          Read again
        </Button>
      </div>
    </Dialog>
  );
}

/** Asks for the end of the log and waits for it. */
async function fetchLog(jobPath: string, workerId: string, signal: AbortSignal): Promise<string> {
  const asked = await request<LogRequest>(`${jobPath}/logs`, { method: "POST", body: { worker_id: workerId }, signal });
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    const answer = await request<LogRequest>(`${jobPath}/logs/${asked.id}`, { signal });
    if (answer.state === "failed") throw new Error(answer.failure_message ?? "the log could not be read");
    if (answer.state === "answered") return readable(answer.chunks.map((chunk) => chunk.text).join(""));
  }
  throw new Error("the worker did not answer in time");
}

/** Lines of JSON as people read them: time, level, message, and what else was said. */
function readable(log: string): string {
  return log.split("\n").map(readableLine).join("\n");
}

function readableLine(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const { time, level, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const details = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    return [time, String(level).toUpperCase().padEnd(5), message, ...details].join(" ");
  } catch {
    return line;
  }
}
