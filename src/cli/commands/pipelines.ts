/** `wadi pipelines …`: lists, creates, stops, starts, rescales, restarts, deletes and tails pipelines of a cluster. */

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import type { outputShape } from "../../api/schema/job-shapes.ts";
import type { jobShape, pipelineShape } from "../../api/schema/pipeline-shapes.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import type { ApiClient } from "../api-client.ts";
import { EXIT, print, say } from "../output.ts";
import { readScript } from "../script.ts";
import { renderFields, renderTable, timeText } from "../text-table.ts";

type Pipeline = z.output<typeof pipelineShape>;
type Job = z.output<typeof jobShape>;

/** What all commands of a cluster have in common. */
export interface ClientOptions {
  readonly client: ApiClient;
  /** True: the API's own JSON instead of text. */
  readonly json: boolean;
}

const POLL_MS = 300;
const TERMINAL = ["Stopped", "Finished", "Failed"];

/** Prints `value` as JSON, or what `text` makes of it. */
export function show<T>({ json }: ClientOptions, value: T, text: (value: T) => string): number {
  print(json ? `${JSON.stringify(value, undefined, 2)}\n` : text(value));
  return EXIT.done;
}

/** The job of a pipeline. */
export async function jobOf(client: ApiClient, pipeline: Pick<Pipeline, "id">): Promise<Job> {
  const { data } = await client.call<{ data: Job[] }>("GET", `/pipelines/${pipeline.id}/jobs`);
  const [job] = data;
  if (job === undefined) throw externalError("io", `pipeline ${pipeline.id} has no job`);
  return job;
}

/** `pipelines list`. */
export async function listPipelines(options: ClientOptions): Promise<number> {
  const pipelines = await options.client.all<Pipeline>("/pipelines");
  return show(options, pipelines, (all) =>
    renderTable(
      ["id", "name", "state", "parallelism", "created"],
      all.map((p) => [p.id, p.name, p.state, p.parallelism, timeText(p.created_at)]),
    ),
  );
}

function describe(pipeline: Pipeline, job: Job): string {
  const fields = {
    id: pipeline.id,
    name: pipeline.name,
    job: job.id,
    state: job.state,
    wanted: pipeline.stop === "none" ? "running" : `stopped (${pipeline.stop})`,
    parallelism: pipeline.parallelism,
    "checkpoint interval": `${pipeline.checkpoint_interval_micros / 1_000_000}s`,
    "newest checkpoint": job.epoch === 0 ? undefined : job.epoch,
    restarts: job.restarts,
    created: timeText(pipeline.created_at),
    started: timeText(job.start_time),
    finished: timeText(job.finish_time),
    failure: job.failure_reason?.error,
    tags: Object.entries(pipeline.tags)
      .map(([name, value]) => `${name}=${value}`)
      .join(", "),
  };
  const operators = renderTable(
    ["node", "operator", "description", "parallelism"],
    pipeline.graph.nodes.map((node) => [node.node_id, node.operator, node.description, node.parallelism]),
  );
  return `${renderFields(fields)}\n${operators}\n${pipeline.query.trim()}\n`;
}

/** `pipelines show`. */
export async function showPipeline(options: ClientOptions, name: string): Promise<number> {
  const pipeline = await options.client.findPipeline(name);
  const job = await jobOf(options.client, pipeline);
  return show(options, { ...pipeline, job }, () => describe(pipeline, job));
}

/** Arguments of `pipelines create`. */
export interface CreateArguments {
  readonly name: string;
  /** SQL file. */
  readonly query: string;
  readonly parallelism: number | undefined;
  readonly checkpointIntervalMs: number | undefined;
  readonly stateUrl: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly env: ReadonlyMap<string, string>;
  /** TypeScript files. */
  readonly udfs: readonly string[];
  readonly wait: boolean;
}

/** `pipelines create`. */
export async function createPipeline(options: ClientOptions, args: CreateArguments): Promise<number> {
  const { sql } = await readScript(args.query);
  const body = {
    name: args.name,
    query: sql,
    parallelism: args.parallelism,
    checkpoint_interval_micros: args.checkpointIntervalMs === undefined ? undefined : args.checkpointIntervalMs * 1_000,
    state_url: args.stateUrl,
    tags: Object.fromEntries(args.tags),
    env_vars: Object.fromEntries(args.env),
    udfs: await Promise.all(args.udfs.map(readUdf)),
  };
  const pipeline = await options.client.call<Pipeline>("POST", "/pipelines", body);
  if (args.wait) await reach(options.client, pipeline.id, ["Running", "Finished"]);
  return show(options, pipeline, ({ id }) => `${id}\n`);
}

async function readUdf(path: string): Promise<{ readonly definition: string; readonly language: string }> {
  const definition = await readFile(path, "utf8").catch((error: unknown) => {
    throw userError("invalid-usage", `function file "${path}" cannot be read: ${toAppError(error).message}`);
  });
  return { definition, language: "typescript" };
}

/** Waits until the pipeline's job is in one of `states`; throws if it fails or ends elsewhere. */
async function reach(client: ApiClient, id: string, states: readonly string[]): Promise<Job> {
  for (let said = ""; ; await sleep(POLL_MS)) {
    const job = await jobOf(client, { id });
    if (job.state !== said && process.stderr.isTTY) say(`${job.id} is ${job.state}`);
    said = job.state;
    if (states.includes(job.state)) return job;
    // A stopped job that is wanted again is about to start.
    const isOver = job.state === "Failed" || (TERMINAL.includes(job.state) && !job.running_desired);
    if (isOver) throw externalError("io", `the job is ${job.state}${job.failure_reason === null ? "" : `: ${job.failure_reason.error}`}`);
  }
}

/** A change of a pipeline, and what it is to come to if somebody waits. */
interface Change {
  readonly body: Readonly<Record<string, unknown>>;
  readonly wait: boolean;
  readonly until: readonly string[];
}

async function change(options: ClientOptions, name: string, { body, wait, until }: Change): Promise<number> {
  const { id } = await options.client.findPipeline(name);
  const pipeline = await options.client.call<Pipeline>("PATCH", `/pipelines/${id}`, body);
  if (wait) await reach(options.client, id, until);
  return show(
    options,
    wait ? await options.client.findPipeline(id) : pipeline,
    (p) => `${p.id} is ${p.state}, ${p.stop === "none" ? "wanted to run" : `stopping (${p.stop})`}\n`,
  );
}

/** `pipelines stop`. */
export function stopPipeline(options: ClientOptions, name: string, mode: string, wait: boolean): Promise<number> {
  return change(options, name, { body: { stop: mode }, wait, until: TERMINAL });
}

/** `pipelines start`. */
export function startPipeline(options: ClientOptions, name: string, wait: boolean): Promise<number> {
  return change(options, name, { body: { stop: "none" }, wait, until: ["Running", "Finished"] });
}

/** `pipelines rescale`. */
export function rescalePipeline(options: ClientOptions, name: string, parallelism: number): Promise<number> {
  return change(options, name, { body: { parallelism }, wait: false, until: [] });
}

/** `pipelines restart`. */
export async function restartPipeline(options: ClientOptions, name: string, force: boolean, ignoreState: boolean): Promise<number> {
  const { id } = await options.client.findPipeline(name);
  const pipeline = await options.client.call<Pipeline>("POST", `/pipelines/${id}/restart`, { force, ignore_state: ignoreState });
  return show(options, pipeline, (p) => `${p.id} is ${p.state}, restarting\n`);
}

/** `pipelines delete`; `stop`: stops it first. */
export async function deletePipeline(options: ClientOptions, name: string, stop: boolean): Promise<number> {
  const pipeline = await options.client.findPipeline(name);
  if (stop && !TERMINAL.includes(pipeline.state)) {
    await options.client.call("PATCH", `/pipelines/${pipeline.id}`, { stop: "immediate" });
    await reach(options.client, pipeline.id, TERMINAL);
  }
  await options.client.call("DELETE", `/pipelines/${pipeline.id}`);
  return show(options, { id: pipeline.id, deleted: true }, ({ id }) => `${id} is deleted\n`);
}

/** `pipelines tail`: rows of the preview sinks as JSON lines until the job ends or Ctrl-C. */
export async function tailPipeline(options: ClientOptions, name: string, vertex: number | undefined, onlyNew: boolean): Promise<number> {
  const pipeline = await options.client.findPipeline(name);
  const stop = new AbortController();
  const interrupted = (): void => stop.abort();
  process.once("SIGINT", interrupted);
  const query = new URLSearchParams({
    ...(vertex === undefined ? {} : { vertex: String(vertex) }),
    ...(onlyNew ? { from: "latest" } : {}),
  });
  try {
    for await (const { event, data } of options.client.events(
      "GET",
      `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}/output?${query}`,
      stop.signal,
    )) {
      if (event === "message") print(rowsOf(data as z.output<typeof outputShape>));
    }
  } finally {
    process.off("SIGINT", interrupted);
  }
  return EXIT.done;
}

/** The rows of a batch as lines. They stay text where possible, because JavaScript's numbers would not be exact. */
function rowsOf({ batch }: z.output<typeof outputShape>): string {
  return splitArray(batch)
    .map((row) => `${row}\n`)
    .join("");
}

/** The elements of a JSON array of objects as they are written. */
export function splitArray(json: string): string[] {
  const elements: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 1; at < json.length - 1; at++) {
    const c = json[at];
    if (c === '"') at = endOfString(json, at);
    else if (c === "{" || c === "[") {
      if (depth === 0) start = at;
      depth++;
    } else if ((c === "}" || c === "]") && --depth === 0) elements.push(json.slice(start, at + 1));
  }
  return elements;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}
