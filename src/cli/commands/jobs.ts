/** `wadi jobs …`: what jobs of a cluster do and what happened to them. A job is named by its pipeline: each has one. */
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import type { explanationShape } from "../../api/schema/explanation-shapes.ts";
import type { jobEventShape, logShape, workerShape } from "../../api/schema/job-shapes.ts";
import type { jobShape } from "../../api/schema/pipeline-shapes.ts";
import { externalError, userError } from "../../core/errors.ts";
import { EXIT, print } from "../output.ts";
import { renderTable, timeText } from "../text-table.ts";
import { type ClientOptions, show } from "./pipelines.ts";

type Job = z.output<typeof jobShape>;
type JobEvent = z.output<typeof jobEventShape>;
type Worker = z.output<typeof workerShape>;
type LogRequest = z.output<typeof logShape>;

const POLL_MS = 200;
const LOG_WAIT_MS = 15_000;

async function pathOf({ client }: ClientOptions, name: string): Promise<string> {
  const pipeline = await client.findPipeline(name);
  return `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}`;
}

/** `jobs list`. */
export async function listJobs(options: ClientOptions): Promise<number> {
  const { data } = await options.client.call<{ data: Job[] }>("GET", "/jobs");
  return show(options, data, (jobs) =>
    renderTable(
      ["id", "pipeline", "state", "run", "tasks", "restarts", "checkpoint", "started"],
      jobs.map((job) => [job.id, job.pipeline_id, job.state, job.run_id, job.tasks, job.restarts, job.epoch, timeText(job.start_time)]),
    ),
  );
}

/** `jobs events`: the timeline, the oldest of the newest `limit` first. */
export async function listEvents(options: ClientOptions, name: string, limit: number, problems: boolean): Promise<number> {
  const path = `${await pathOf(options, name)}/events?limit=${limit}`;
  const { data } = await options.client.call<{ data: JobEvent[] }>("GET", path);
  const events = data.filter(({ level }) => !problems || level === "error" || level === "warn").reverse();
  return show(options, events, (all) =>
    renderTable(
      ["time", "level", "kind", "node", "message"],
      all.map((event) => [timeText(event.created_at), event.level, event.kind, event.node_id, event.message]),
    ),
  );
}

/** `jobs workers`. */
export async function listWorkers(options: ClientOptions, name: string): Promise<number> {
  const { data } = await options.client.call<{ data: Worker[] }>("GET", `${await pathOf(options, name)}/workers`);
  return show(options, data, (workers) =>
    renderTable(
      ["id", "run", "state", "number", "slots", "node", "handle", "heard", "reason"],
      workers.map((w) => [w.id, w.run_id, w.state, w.number, w.slots, w.node_id, w.handle, timeText(w.heartbeat_at), w.reason]),
    ),
  );
}

/** `jobs explain`: why there is output, or none. */
export async function explainJob(options: ClientOptions, name: string): Promise<number> {
  const answer = await options.client.call<z.output<typeof explanationShape>>("GET", `${await pathOf(options, name)}/explain_output`);
  return show(options, answer, ({ summary, findings }) => {
    const lines = findings.map(({ severity, message, hint }) => `${severity}: ${message}${hint === null ? "" : `\n  ${hint}`}`);
    return `${lines.length === 0 ? summary : lines.join("\n")}\n`;
  });
}

/** `jobs logs`: the end of a worker's log; of the newest worker unless one is named. */
export async function showLog(options: ClientOptions, name: string, worker: string | undefined, bytes: number): Promise<number> {
  const path = await pathOf(options, name);
  const workerId = worker ?? (await newestWorker(options, path));
  const asked = await options.client.call<LogRequest>("POST", `${path}/logs`, {
    worker_id: workerId,
    from_offset: -bytes,
    limit_bytes: bytes,
  });
  const answer = await awaitLog(options, `${path}/logs/${asked.id}`);
  if (answer.state === "failed")
    throw externalError("io", `the log of ${workerId} cannot be read: ${answer.failure_message ?? "no reason given"}`);
  if (options.json) return show(options, answer, () => "");
  print(answer.chunks.map((chunk) => chunk.text).join(""));
  return EXIT.done;
}

async function newestWorker({ client }: ClientOptions, path: string): Promise<string> {
  const { data } = await client.call<{ data: Worker[] }>("GET", `${path}/workers`);
  const [worker] = data;
  if (worker === undefined) throw userError("not-found", "the job has no workers");
  return worker.id;
}

async function awaitLog({ client }: ClientOptions, path: string): Promise<LogRequest> {
  const deadline = performance.now() + LOG_WAIT_MS;
  for (;;) {
    const answer = await client.call<LogRequest>("GET", path);
    if (answer.state !== "asked") return answer;
    if (performance.now() > deadline) throw externalError("timeout", `no controller has answered within ${LOG_WAIT_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}
