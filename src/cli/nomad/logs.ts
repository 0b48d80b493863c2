/**
 * `wadi nomad logs`: what all workers of a run wrote, each line with its worker in front; with --follow what comes, until they end. It asks Nomad,
 * so it also works without a controller; what Nomad has forgotten is in "wadi jobs logs".
 */
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { toAppError, userError } from "../../core/errors.ts";
import { type NomadAllocation, readAllocation } from "../../scheduler/nomad/answers.ts";
import { NomadClient } from "../../scheduler/nomad/client.ts";
import { readLogs } from "../../scheduler/nomad/logs.ts";
import { nomadConnection } from "../../scheduler/nomad/settings.ts";
import { WORKER_NAME } from "../../scheduler/nomad/spec.ts";
import { phaseOf } from "../../scheduler/nomad/worker-view.ts";
import { EXIT, print, say } from "../output.ts";
import { findRun } from "./find-run.ts";

type Stream = "stdout" | "stderr";

/** Between two looks at whether a worker still runs, milliseconds. */
const LOOK_MS = 1_000;

/** What the command line says. */
export interface LogsArguments {
  /** Pipeline, job, run or Nomad job, by id or name. */
  readonly target: string;
  readonly json: boolean;
  readonly follow: boolean;
  /** Bytes of each stream's end to begin with; 0: from the beginning. */
  readonly tailBytes: number;
  /** Only this one; undefined: both. */
  readonly stream: Stream | undefined;
}

/** Runs the command; 1 if no worker's output could be read. */
export async function logs(args: LogsArguments, { config }: LoadedConfig): Promise<number> {
  const client = new NomadClient(nomadConnection(config), systemClock);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const { signal } = interrupted;
    const run = await findRun(client, config["nomad.cluster-id"], args.target, signal);
    if (run === undefined)
      throw userError("not-found", `Nomad has no run of "${args.target}"`, { hint: 'See "wadi nomad status", or "wadi jobs logs".' });
    const { rows } = await client.list({ path: `/v1/job/${encodeURIComponent(run.id)}/allocations`, signal });
    const allocations = rows.map(readAllocation);
    if (allocations.length === 0) say(`no worker of ${run.id} is placed`);
    const streams: readonly Stream[] = args.stream === undefined ? ["stdout", "stderr"] : [args.stream];
    const read = await Promise.all(
      allocations.flatMap((allocation) => streams.map((stream) => copy(client, allocation, stream, args, signal))),
    );
    return read.includes(true) ? EXIT.done : EXIT.failed;
  } finally {
    client.close();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** Prints one stream of one worker; whether there was one. */
async function copy(
  client: NomadClient,
  allocation: NomadAllocation,
  stream: Stream,
  args: LogsArguments,
  interrupted: AbortSignal,
): Promise<boolean> {
  const lines = new LineSplitter((line) => print(render(allocation, stream, line, args.json)));
  const ended = new AbortController();
  const signal = AbortSignal.any([interrupted, ended.signal]);
  const state = { pieces: 0 };
  if (args.follow) void endAfter(client, allocation.ID, state, ended, signal);
  try {
    const query = { stream, tailBytes: args.tailBytes, follow: args.follow, signal };
    for await (const { data } of readLogs(client, allocation.ID, WORKER_NAME, query, signal)) {
      state.pieces++;
      lines.add(data);
    }
    return true;
  } catch (thrown) {
    if (signal.aborted) return true;
    say(`worker ${allocation.ID.slice(0, 8)} on ${allocation.NodeName}: ${toAppError(thrown).message}`);
    return false;
  } finally {
    ended.abort();
    lines.end();
  }
}

/** Nomad's client goes on to wait for output of a task that has ended: ends it once nothing has come for a while after the end. */
async function endAfter(
  client: NomadClient,
  id: string,
  state: { readonly pieces: number },
  ended: AbortController,
  signal: AbortSignal,
): Promise<void> {
  for (let over = false; !signal.aborted; ) {
    const before = state.pieces;
    await systemClock.sleep(LOOK_MS, signal);
    if (over && state.pieces === before) return ended.abort();
    const answer = await client.call({ path: `/v1/allocation/${id}`, signal }).catch(() => undefined);
    if (answer !== undefined) over = ["exited", "lost"].includes(phaseOf(readAllocation(answer.body)));
  }
}

function render({ ID, Name, NodeName }: NomadAllocation, stream: Stream, line: string, json: boolean): string {
  const index = /\[(\d+)\]$/.exec(Name)?.[1] ?? "";
  if (json) return `${JSON.stringify({ worker: ID, index: Number(index), node: NodeName, stream, line })}\n`;
  return `[${index} ${ID.slice(0, 8)}${stream === "stderr" ? " err" : ""}] ${line}\n`;
}

/** Cuts bytes into lines; a character that two chunks share stays whole. */
class LineSplitter {
  readonly #decoder = new TextDecoder();
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(chunk: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const line of parts) this.#onLine(line);
  }

  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}
