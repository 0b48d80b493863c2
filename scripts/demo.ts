/**
 * `npm run demo`: a whole cluster on this machine (embedded PostgreSQL, API, controller, worker processes), a pipeline made through the REST
 * API, its rows on the terminal as they come, and the same in the web interface. Ctrl-C takes a checkpoint and stops everything; where nobody
 * can press it (no terminal, or CI is set) the demo does so itself.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { parseArgs } from "node:util";
import { DemoCluster, pause } from "./demo/cluster.ts";
import { type ApiAccess, callApi, type JobAnswer, type PipelineAnswer, readEvents } from "./demo/rest.ts";
import { ROOT } from "./process.ts";

const HELP = `usage: npm run demo -- [--once] [--seconds N] [--state-dir DIR]
       npm run demo -- --nomad [--drain NODE] [--seconds N] [--state-dir DIR]
  --nomad          the same on Nomad: that of NOMAD_ADDR, else nomad from PATH, else the repository's simulator; ends by itself with a proof
  --drain NODE     on a Nomad of NOMAD_ADDR: the node to drain, although others have work there
  --once           ends by itself after 8 seconds of rows (so it does where there is no terminal)
  --seconds N      ends by itself after N seconds of rows (on Nomad at least 15, 35 by default)
  --state-dir DIR  where the cluster keeps its state (default: .wadi/demo); a pipeline that is there goes on
`;
const UNATTENDED_SECONDS = 8;
/** On Nomad: the drain begins after six seconds and takes some. */
const NOMAD_SECONDS = 35;
const NOMAD_SECONDS_LEAST = 15;
/** A machine that has shown no row after so long will not. */
const FIRST_ROW_LIMIT_MS = 60_000;
const POLL_MS = 100;
const NAME = "demo: auction bids";

/** Rows of an event of the output stream. */
interface OutputEvent {
  readonly batch?: string;
}

const out = (text: string): void => void process.stdout.write(text);
const stop = new AbortController();
let cluster = new DemoCluster();

/** The demo's pipeline: the one of an earlier run, else a new one. */
async function openPipeline(api: ApiAccess): Promise<PipelineAnswer> {
  const { data } = await callApi<{ data: PipelineAnswer[] }>(api, "GET", "/pipelines?limit=100");
  const earlier = data.find((pipeline) => pipeline.name === NAME);
  if (earlier !== undefined) {
    out(`\nThe pipeline of the last demo goes on where it was: ${earlier.id}\n`);
    return earlier;
  }
  const query = readFileSync(join(ROOT, "scripts", "demo", "bids.sql"), "utf8");
  out(`\nPOST ${api.url}/api/v1/pipelines\n${query.replaceAll(/^/gm, "  ")}\n`);
  return callApi<PipelineAnswer>(api, "POST", "/pipelines", { name: NAME, query, parallelism: 2, checkpoint_interval_micros: 2_000_000 });
}

/** Says the job's states until it runs. Throws if it fails. */
async function untilRunning(api: ApiAccess, pipeline: PipelineAnswer): Promise<JobAnswer> {
  let said = "";
  const beganMs = performance.now();
  while (!stop.signal.aborted) {
    const { data } = await callApi<{ data: JobAnswer[] }>(api, "GET", `/pipelines/${pipeline.id}/jobs`);
    const [job] = data;
    if (job !== undefined && job.state !== said) {
      said = job.state;
      out(`  ${((performance.now() - beganMs) / 1000).toFixed(1).padStart(5)} s  ${said}\n`);
    }
    if (job?.state === "Running") return job;
    if (job?.state === "Failed") throw new Error(`the pipeline failed: ${JSON.stringify(job.failure_reason)}`);
    await pause(POLL_MS);
  }
  throw new Error("stopped");
}

/** Shows rows until Ctrl-C, or for `seconds`; how many came. */
async function showRows(api: ApiAccess, pipeline: PipelineAnswer, job: JobAnswer, seconds: number | undefined): Promise<number> {
  const done = new AbortController();
  const end = (): void => done.abort();
  stop.signal.addEventListener("abort", end, { once: true });
  let timer = setTimeout(end, FIRST_ROW_LIMIT_MS);
  let rows = 0;
  try {
    for await (const event of readEvents(api, `/pipelines/${pipeline.id}/jobs/${job.id}/output`, done.signal)) {
      const { batch = "[]" } = event as OutputEvent;
      const lines = JSON.parse(batch) as unknown[];
      if (rows === 0 && lines.length > 0) {
        clearTimeout(timer);
        if (seconds !== undefined) timer = setTimeout(end, seconds * 1000);
      }
      rows += lines.length;
      for (const line of lines) out(`${JSON.stringify(line)}\n`);
    }
  } catch (error) {
    if (!done.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    stop.signal.removeEventListener("abort", end);
  }
  return rows;
}

async function demo(stateDir: string, seconds: number | undefined): Promise<void> {
  out("Wadi compiles SQL to WebAssembly and runs it over streams. This demo starts a whole cluster on this machine.\n\n");
  const api = await cluster.start(stateDir, stop.signal);
  const pipeline = await openPipeline(api);
  const job = await untilRunning(api, pipeline);
  const end = seconds === undefined ? "Ctrl-C takes a checkpoint and stops" : `stopped after ${seconds} s`;
  out(`\nThe same in the web interface: ${api.url}/pipelines/${pipeline.id}#token=${api.token}\nRows, as they come (${end}):\n\n`);
  const rows = await showRows(api, pipeline, job, seconds);
  if (rows === 0 && !stop.signal.aborted) throw new Error("no row came");
  out(`\n${rows} rows.\n`);
}

/** Seconds of rows; undefined: until Ctrl-C. */
function secondsOf(values: { readonly once?: boolean; readonly seconds?: string }): number | undefined {
  if (values.seconds !== undefined) return Number(values.seconds);
  const { CI: ci = "" } = process.env;
  const attended = process.stdout.isTTY && process.stdin.isTTY && ci === "";
  return values.once === true || !attended ? UNATTENDED_SECONDS : undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean" },
      nomad: { type: "boolean" },
      drain: { type: "string" },
      once: { type: "boolean" },
      seconds: { type: "string" },
      "state-dir": { type: "string" },
    },
  });
  const seconds = secondsOf(values);
  if (values.help === true || Number.isNaN(seconds)) {
    out(HELP);
    return values.help === true ? 0 : 2;
  }
  const stateDir = values["state-dir"] ?? join(".wadi", "demo");
  const folder = isAbsolute(stateDir) ? stateDir : join(ROOT, stateDir);
  mkdirSync(folder, { recursive: true });
  if (values.nomad === true) return onNomad(folder, values.drain, Math.max(NOMAD_SECONDS_LEAST, Number(values.seconds ?? NOMAD_SECONDS)));
  let failed = false;
  try {
    await demo(folder, seconds);
  } catch (error) {
    failed = !stop.signal.aborted;
    if (failed) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  const code = await cluster.stop();
  if (!failed && code === 0)
    out("Started again, the demo goes on where it was. An empty cluster: npm start. Your own SQL: see README.md.\n");
  return failed ? 1 : code;
}

/** The demo on Nomad; 0 if its proof succeeded or Ctrl-C ended it. */
async function onNomad(folder: string, drainNode: string | undefined, seconds: number): Promise<number> {
  const onCluster = (started: DemoCluster): void => {
    cluster = started;
  };
  try {
    const { nomadDemo } = await import("./demo/nomad.ts");
    return (await nomadDemo(folder, { out, signal: stop.signal, onCluster, drainNode, seconds })) ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** Ctrl-C once: stop in order. Again: at once. npm and the terminal may both deliver one. */
const SAME_KEYSTROKE_MS = 300;
let interruptedMs = 0;
function interrupt(): void {
  if (!stop.signal.aborted) {
    interruptedMs = performance.now();
    stop.abort();
  } else if (performance.now() - interruptedMs > SAME_KEYSTROKE_MS) cluster.hurry();
}
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
process.on("SIGHUP", interrupt);
process.exitCode = await main(process.argv.slice(2));
