/** Waits until submitted jobs are healthy, says on the way how they are doing, and explains the one that fails: why, its last words, the way out. */
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { NomadAllocation } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { readLogs } from "../../scheduler/nomad/logs.ts";
import { type JobHealth, type JobPlace, jobHealth } from "./job-health.ts";

/** How to wait. */
export interface Patience {
  /** Milliseconds for all jobs together. */
  readonly limitMs: number;
  /** Aborted: stop waiting. */
  readonly signal: AbortSignal;
  /** Takes a line about a job whenever something has changed. */
  readonly tell: (line: string) => void;
}

const POLL_MS = 500;
/** A look that fails is made again so often in a row: servers elect a leader now and then. */
const LOOKS = 20;
/** A task that ends so often is not about to become healthy. */
const RESTARTS = 5;
const LAST_LINES = 15;
const TAIL_BYTES = 8_192;

/** How the jobs are in the end. Throws for one that fails, or that is not healthy in time; returns early if the signal is aborted. */
export async function awaitHealthy(client: NomadClient, jobs: readonly JobPlace[], patience: Patience): Promise<readonly JobHealth[]> {
  const { clock } = client;
  const untilMs = clock.elapsedMs() + patience.limitMs;
  const told = new Map<string, string>();
  let failures = 0;
  for (;;) {
    let looks: readonly JobHealth[] = [];
    try {
      looks = await Promise.all(jobs.map((job) => jobHealth(client, job)));
      failures = 0;
    } catch (thrown) {
      failures += 1;
      if (toAppError(thrown).retry === "never" || failures >= LOOKS) throw thrown;
    }
    for (const look of looks) tellChange(look, told, patience.tell);
    const failed = looks.find(({ state }) => state === "failed" || state === "stopped" || state === "absent");
    if (failed !== undefined) throw await explain(client, failed, "failed");
    const restless = looks.find(({ state, restarts }) => state === "progressing" && restarts >= RESTARTS);
    if (restless !== undefined) throw await explain(client, restless, "does not stay up");
    if (looks.length === jobs.length && looks.every(({ state }) => state === "healthy")) return looks;
    if (patience.signal.aborted) return looks;
    const late = looks.find(({ state }) => state !== "healthy");
    if (clock.elapsedMs() > untilMs && late !== undefined)
      throw await explain(client, late, `is not healthy after ${seconds(patience.limitMs)}`);
    await clock.sleep(POLL_MS, patience.signal);
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

function tellChange(look: JobHealth, told: Map<string, string>, tell: (line: string) => void): void {
  const line = healthLine(look);
  if (told.get(look.id) === line) return;
  told.set(look.id, line);
  tell(line);
}

/** One line about a job. */
export function healthLine({ id, state, healthy, wanted, note, type }: JobHealth): string {
  if (type === "batch" && wanted === 0) return `${id}: registered`;
  const count = wanted === 0 ? "" : ` (${healthy} of ${wanted})`;
  const words = { healthy: "healthy", progressing: "not healthy yet", failed: "failed", stopped: "stopped", absent: "not there" }[state];
  return `${id}: ${words}${count}${note === "" ? "" : `: ${note}`}`;
}

/** The failure of a job in words, with the last lines that its task wrote. */
async function explain(client: NomadClient, look: JobHealth, how: string): Promise<AppError> {
  const [allocation] = look.allocations;
  const words = allocation === undefined ? undefined : await lastWords(client, allocation);
  const checks = allocation === undefined ? "" : await failingChecks(client, allocation.ID);
  const detail = [checks, words === undefined ? "" : `The last lines of task "${words.task}":\n${words.text}`].filter(
    (text) => text !== "",
  );
  return externalError("io", `the job "${look.id}" ${how}${look.note === "" ? "" : `: ${look.note}`}`, {
    retry: "never",
    ...(detail.length === 0 ? {} : { detail: detail.join("\n") }),
    hint: wayOut(look, words?.text ?? ""),
  });
}

/** Errors of our own programs carry their own hint, in the lines above. */
function wayOut({ note, id, allocations }: JobHealth, lines: string): string {
  const again = "then run `wadi deploy apply` again: what is healthy already stays as it is";
  if (/not placed|exhausted/.test(note)) return `Make room or add nodes, or lower cpu and memory of the job; ${again}.`;
  if (/Missing: nomad\.var/.test(note)) return `Write the Nomad variable that it waits for; ${again}.`;
  if (/[Ff]ailed to download|Failed Artifact/.test(note))
    return `Correct artifact and artifact_checksum, or upload the package (wadi deploy upload); ${again}.`;
  if (/ENOENT|no such file|executable file not found|command not found|: not found\s*$/m.test(`${note}\n${lines}`))
    return `The program is not on the node: correct command, programs or artifact; ${again}.`;
  if (/address already in use|EADDRINUSE|reserved port collision|free ports/.test(`${note}\n${lines}`))
    return `Another program has the port: set another (--set JOB.port=0 lets Nomad choose); ${again}.`;
  const allocation = allocations[0]?.ID.slice(0, 8);
  const look =
    allocation === undefined ? `nomad job status ${id}` : `nomad alloc status ${allocation}; nomad alloc logs -stderr ${allocation}`;
  return `Correct what the lines above say (more: ${look}), ${again}.`;
}

async function lastWords(
  client: NomadClient,
  allocation: NomadAllocation,
): Promise<{ readonly task: string; readonly text: string } | undefined> {
  const tasks = Object.entries(allocation.TaskStates);
  const [task] = tasks.find(([, { Failed }]) => Failed) ?? tasks.find(([, { State }]) => State !== "dead") ?? [];
  if (task === undefined) return undefined;
  for (const stream of ["stderr", "stdout"] as const) {
    const text = await tail(client, allocation.ID, task, stream).catch(() => "");
    if (text !== "") return { task, text };
  }
  return undefined;
}

async function tail(client: NomadClient, allocation: string, task: string, stream: "stderr" | "stdout"): Promise<string> {
  const signal = AbortSignal.timeout(5_000);
  const pieces: Uint8Array[] = [];
  for await (const { data } of readLogs(client, allocation, task, { stream, follow: false, tailBytes: TAIL_BYTES, signal }, signal))
    pieces.push(data);
  return Buffer.concat(pieces)
    .toString("utf8")
    .trim()
    .split("\n")
    .slice(-LAST_LINES)
    .map((line) => `  ${line}`)
    .join("\n")
    .trimEnd();
}

interface CheckResult {
  readonly Check?: string;
  readonly Service?: string;
  readonly Status?: string;
  readonly Output?: string;
}

/** What the failing checks of an allocation say, a line each; empty: none fails. */
export async function failingChecks(client: NomadClient, allocation: string): Promise<string> {
  const { body } = await client.call({ path: `/v1/allocation/${allocation}/checks`, accept: [404, 500] }).catch(() => ({ body: {} }));
  const results = typeof body === "object" && body !== null ? (Object.values(body) as CheckResult[]) : [];
  return results
    .filter(({ Status }) => Status === "failure")
    .map(({ Check, Service, Output }) => `The check "${Check ?? ""}" of ${Service ?? ""} says: ${(Output ?? "failed").slice(0, 200)}.`)
    .join("\n");
}
