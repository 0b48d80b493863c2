/**
 * A log that grows while one looks, a worker's or that of all workers of a run: found by text, by level, followed or held. Of a failed worker,
 * the last words that were kept stand there at once.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, messageOf } from "../api/client.ts";
import { readEvents } from "../api/event-stream.ts";
import { isLineWanted, LOG_LEVELS, type LogLevel, type LogLine, type RawLine, readLogLine, readRawLine } from "../log-lines.ts";
import { Dialog } from "./dialog.tsx";
import { Note } from "./note.tsx";

/** Lines that are kept; the oldest go. */
const MOST_LINES = 5_000;
const AGAIN_MS = 2_000;

type Stream = "stderr" | "stdout";

interface LiveLogProps {
  readonly title: string;
  /** Of the API, without a query. */
  readonly path: string;
  /** Last lines of a worker that has failed. */
  readonly lastWords?: string | null;
  /** What is said when it is at its end. */
  readonly endNote: string;
  onClose(): void;
}

/** The dialog for one worker. */
export function WorkerLog({ worker, onClose }: { readonly worker: Readonly<{ id: string; last_words: string | null }>; onClose(): void }) {
  const path = `/scheduler/workers/${encodeURIComponent(worker.id)}/logs`;
  return (
    <LiveLog title={`Log of ${worker.id}`} path={path} lastWords={worker.last_words} endNote="the worker has ended" onClose={onClose} />
  );
}

/** The dialog for all workers of a run. */
export function RunLog({ run, onClose }: { readonly run: Readonly<{ job_id: string; run_id: number }>; onClose(): void }) {
  const path = `/scheduler/runs/${encodeURIComponent(run.job_id)}/${run.run_id}/logs`;
  return <LiveLog title={`Log of run ${run.run_id}`} path={path} endNote="all its workers have ended" onClose={onClose} />;
}

function LiveLog({ title, path, lastWords = null, endNote, onClose }: LiveLogProps) {
  const [stream, setStream] = useState<Stream>("stderr");
  const [wanted, setWanted] = useState("");
  const [least, setLeast] = useState<LogLevel>();
  const [follow, setFollow] = useState(true);
  const { lines, problem, ended } = useLog(path, stream);
  const words = stream === "stderr" ? lastWords : null;
  const known = useMemo(() => (lines.length === 0 && words !== null ? words.split("\n").map(readLogLine) : lines), [lines, words]);
  const shown = useMemo(() => known.filter((line) => isLineWanted(line, wanted, least)), [known, wanted, least]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (follow && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [shown, follow]);
  return (
    <Dialog title={title} wide onClose={onClose}>
      <div class="dialog-body log-dialog">
        <Filters
          wanted={wanted}
          least={least}
          stream={stream}
          follow={follow}
          onWanted={setWanted}
          onLeast={setLeast}
          onStream={setStream}
          onFollow={setFollow}
        />
        {problem !== undefined && <Note tone={words === null ? "bad" : "warn"}>{problem}</Note>}
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
        <div class="log-text log-lines" ref={box} role="log" aria-label="Lines" aria-live="off" tabIndex={0}>
          {shown.map((line, i) => (
            <div key={i} data-level={line.level}>
              {line.who !== undefined && <span class="log-who">{line.who}</span>}
              {line.text}
            </div>
          ))}
          {shown.length === 0 && (
            <span class="muted">
              {known.length > 0 ? "No line is like that" : ended || problem !== undefined ? "No lines" : "Asking for the log…"}
            </span>
          )}
        </div>
        <div class="muted small num log-foot">
          {shown.length === known.length ? `${known.length} lines` : `${shown.length} of ${known.length} lines`}
          {ended ? `, ${endNote}` : ""}
        </div>
      </div>
    </Dialog>
  );
}

interface FiltersProps {
  readonly wanted: string;
  readonly least: LogLevel | undefined;
  readonly stream: Stream;
  readonly follow: boolean;
  onWanted(text: string): void;
  onLeast(level: LogLevel | undefined): void;
  onStream(stream: Stream): void;
  onFollow(follow: boolean): void;
}

const LEVEL_LABELS: Readonly<Record<LogLevel, string>> = {
  error: "Errors",
  warn: "Warnings and worse",
  info: "Info and worse",
  debug: "All with a level",
};

/** Which lines are shown. */
function Filters({ wanted, least, stream, follow, onWanted, onLeast, onStream, onFollow }: FiltersProps) {
  return (
    <div class="filter-row log-filters">
      <input
        class="input"
        type="search"
        aria-label="Find lines"
        placeholder="Find lines"
        value={wanted}
        onInput={(event) => onWanted(event.currentTarget.value)}
      />
      <select
        class="input"
        aria-label="Level"
        value={least ?? ""}
        onChange={(event) => onLeast(LOG_LEVELS.find((level) => level === event.currentTarget.value))}
      >
        <option value="">All levels</option>
        {LOG_LEVELS.map((level) => (
          <option key={level} value={level}>
            {LEVEL_LABELS[level]}
          </option>
        ))}
      </select>
      <select
        class="input"
        aria-label="Stream"
        value={stream}
        onChange={(event) => onStream(event.currentTarget.value === "stdout" ? "stdout" : "stderr")}
      >
        <option value="stderr">stderr</option>
        <option value="stdout">stdout</option>
      </select>
      <label class="check">
        <input type="checkbox" checked={follow} onChange={(event) => onFollow(event.currentTarget.checked)} />
        Follow
      </label>
    </div>
  );
}

/** Lines of the stream as they come. One that breaks is taken up behind its last event. */
function useLog(log: string, stream: Stream) {
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [problem, setProblem] = useState<string>();
  const [ended, setEnded] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    let last: string | undefined;
    setLines([]);
    setProblem(undefined);
    setEnded(false);
    const read = async (): Promise<boolean> => {
      let over = false;
      await readEvents(`${log}?stream=${stream}`, { signal: abort.signal, lastEventId: last }, ({ id, event, data }) => {
        last = id ?? last;
        if (event === "message") {
          const fresh = (JSON.parse(data) as { readonly lines: readonly RawLine[] }).lines.map(readRawLine);
          setLines((old) => [...old, ...fresh].slice(-MOST_LINES));
          return;
        }
        over = true;
        const { message, error } = JSON.parse(data) as { readonly message?: string; readonly error?: string };
        setProblem(message || error || undefined);
        setEnded(event === "end");
      });
      return over;
    };
    const run = async () => {
      while (!abort.signal.aborted) {
        try {
          if (await read()) return;
        } catch (error) {
          if (abort.signal.aborted) return;
          setProblem(messageOf(error));
          if (error instanceof ApiError && error.status >= 400 && error.status < 500) return;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void run();
    return () => abort.abort();
  }, [log, stream]);
  return { lines, problem, ended };
}
