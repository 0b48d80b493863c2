/**
 * The tail of a pipeline's outputs: newest rows while somebody looks.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, messageOf } from "../../api/client.ts";
import { NO_ROWS, newTail, type OutputRows, ROWS_MAX, readTail } from "../../api/output-rows.ts";
import { isTerminal } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Empty } from "../../components/empty.tsx";
import { Note } from "../../components/note.tsx";
import { RowGrid } from "../../components/row-grid.tsx";
import { formatCount } from "../../format.ts";
import type { TabProps } from "./page.tsx";

const RETRY_MS = 2000;

/** The tab. */
export function OutputsTab({ pipeline, job, jobPath }: TabProps) {
  const sinks = pipeline.graph.nodes.filter(({ kind }) => kind === "sink");
  const [vertex, setVertex] = useState(() => (sinks.find(({ connector }) => connector === "preview") ?? sinks[0])?.node_id);
  if (vertex === undefined) return <Empty icon="table" title="The pipeline has no outputs" />;
  // Another run is another tail.
  return (
    <Tail
      key={`${vertex} ${job?.run_id ?? 0}`}
      path={`${jobPath}/output?vertex=${vertex}`}
      ended={job !== undefined && isTerminal(job.state)}
      choice={
        sinks.length > 1 && (
          <select
            class="input output-choice"
            aria-label="Output"
            value={vertex}
            onChange={(event) => setVertex(Number(event.currentTarget.value))}
          >
            {sinks.map((sink) => (
              <option key={sink.node_id} value={sink.node_id}>
                {sink.description}
              </option>
            ))}
          </select>
        )
      }
    />
  );
}

interface TailProps {
  readonly path: string;
  readonly ended: boolean;
  readonly choice: ComponentChildren;
}

function Tail({ path, ended, choice }: TailProps) {
  const [rows, setRows] = useState<OutputRows>(NO_ROWS);
  const [error, setError] = useState<string>();
  const [tailing, setTailing] = useState(true);
  const tail = useRef(newTail());

  useEffect(() => {
    if (!tailing) return undefined;
    const abort = new AbortController();
    const read = async () => {
      try {
        await readTail(path, tail.current, abort.signal, (next) => {
          setRows(next);
          setError(undefined);
        });
      } catch (problem) {
        if (abort.signal.aborted) return;
        setError(messageOf(problem));
        // What the API refuses it will refuse again.
        if (problem instanceof ApiError && problem.status >= 400 && problem.status < 500) return;
      }
      if (!tail.current.ended && !abort.signal.aborted) retry = setTimeout(() => void read(), RETRY_MS);
    };
    let retry = setTimeout(() => void read());
    return () => {
      clearTimeout(retry);
      abort.abort();
    };
  }, [tailing, path]);

  return (
    <div class="outputs">
      <div class="outputs-head">
        {choice}
        <span class="muted small num">
          {formatCount(rows.count)} rows{rows.count > ROWS_MAX ? `, the last ${formatCount(ROWS_MAX)} are kept` : ""}
        </span>
        <Button icon={tailing ? "stop" : "play"} onClick={() => setTailing(!tailing)}>
          {tailing ? "Stop tail" : "Start tail"}
        </Button>
      </div>
      {error !== undefined && (
        <div class="results-note">
          <Note tone="bad">{error}</Note>
        </div>
      )}
      {rows.count === 0 ? (
        <NoRows ended={ended} tailing={tailing} failed={error !== undefined} />
      ) : (
        <RowGrid output={rows} label="Rows of the output" />
      )}
    </div>
  );
}

function NoRows({ ended, tailing, failed }: { readonly ended: boolean; readonly tailing: boolean; readonly failed: boolean }) {
  if (failed) return null;
  if (!tailing) return <Empty icon="table" title="The tail is stopped" />;
  return ended ? (
    <Empty icon="table" title="No rows are kept">
      The pipeline does not run. The rows of its sinks are where the sinks have written them.
    </Empty>
  ) : (
    <Empty icon="clock" title="Waiting for rows">
      Rows appear here as they leave the pipeline. Windows give theirs when they end; “Why is there no output?” on the first tab says more.
    </Empty>
  );
}
