/** Routes of jobs: what they are, what happened to them, what they measure, what they write. */
import { z } from "zod";
import type { RandomSource } from "../../core/prng.ts";
import { type JobEventRecord, listCheckpoints, listJobEvents, listWorkers, readCheckpointOperators } from "../../db/job-reports.ts";
import { readMetricSamples } from "../../db/metrics.ts";
import { insertLogRequest, readLogAnswer } from "../../db/output-requests.ts";
import { listJobs, type PipelineRecord } from "../../db/pipelines.ts";
import type { ApiContext } from "../api-context.ts";
import { badRequest, notFound } from "../http-error.ts";
import { parseEventId, viewCheckpoint, viewJobEvent, viewJobLog, viewOperatorCheckpoint, viewWorker } from "../job-view.ts";
import { viewMetrics } from "../metric-view.ts";
import { explainOutput } from "../output-explanation.ts";
import { streamOutput } from "../output-stream.ts";
import { viewJob } from "../pipeline-view.ts";
import { type Call, type Route, route, streamRoute } from "../route.ts";
import { explanationShape } from "../schema/explanation-shapes.ts";
import {
  checkpointShape,
  jobEventShape,
  jobLogShape,
  logPost,
  logShape,
  metricsQuery,
  operatorCheckpointShape,
  operatorMetricsListShape,
  outputShape,
  workerShape,
} from "../schema/job-shapes.ts";
import { jobShape } from "../schema/pipeline-shapes.ts";
import { list, makePage, page, pageQuery, pageSize } from "../schema/shape.ts";
import { requirePipeline } from "./pipelines.ts";

const jobParams = z.object({ id: z.string(), job_id: z.string() });
const epochParams = jobParams.extend({
  epoch: z
    .string()
    .regex(/^\d{1,15}$/, "must be an integer")
    .transform(Number),
});
const logParams = jobParams.extend({ request_id: z.uuid("must be a UUID") });

const JOBS_MAX = 10_000;
const CHECKPOINTS_MAX = 500;
const WORKERS_MAX = 1_000;
/** Arroyo's graphs show five minutes. */
const METRICS_MINUTES = 5;
const MINUTE_MS = 60_000;
/** A sample that is older says nothing of now. */
const RECENT_MS = 30_000;
const LOG_KEPT_MS = 600_000;
const LOG_TAIL_BYTES = 65_536;
const LOG_LIMIT_BYTES = 262_144;

/** The pipeline with its job; throws 404 for either. */
export async function requireJob(api: ApiContext, params: z.output<typeof jobParams>): Promise<PipelineRecord> {
  const pipeline = await requirePipeline(api, params.id);
  if (pipeline.job.id !== params.job_id) throw notFound("job", params.job_id);
  return pipeline;
}

const listAllRoute = route({
  method: "get",
  path: "/jobs",
  operation: "listJobs",
  tag: "jobs",
  summary: "List the jobs of all pipelines; previews are left out",
  role: "viewer",
  answer: list(jobShape),
  handle: async ({ api }) => ({ data: (await listJobs(api.db, JOBS_MAX)).map(viewJob) }),
});

const listRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs",
  operation: "listPipelineJobs",
  tag: "jobs",
  summary: "List the jobs of a pipeline: there is one",
  role: "viewer",
  params: z.object({ id: z.string() }),
  answer: list(jobShape),
  refusals: [404],
  handle: async ({ api, params }) => ({ data: [viewJob((await requirePipeline(api, params.id)).job)] }),
});

/** The event id that a page starts behind; throws 400 for what is none. */
function startingAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const id = parseEventId(text);
  if (id === undefined) throw badRequest(`query parameter "starting_after" must be the id of an entry, not "${text}"`);
  return id;
}

/** A page of lines of a job's timeline, the newest first. */
async function pageOfEvents<T>(
  { api, params, query }: Pick<Call<z.output<typeof jobParams>, z.output<typeof pageQuery>, unknown>, "api" | "params" | "query">,
  problems: boolean,
  view: (event: JobEventRecord) => T,
) {
  const before = startingAfter(query.starting_after);
  await requireJob(api, params);
  const size = pageSize(query);
  const events = await listJobEvents(api.db, params.job_id, { problems, before, limit: size + 1 });
  return makePage(events.map(view), size);
}

const errorsRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/errors",
  operation: "listJobErrors",
  tag: "jobs",
  summary: "List what went wrong in a job, the newest first",
  role: "viewer",
  params: jobParams,
  query: pageQuery,
  answer: page(jobLogShape),
  refusals: [404],
  handle: (call) => pageOfEvents(call, true, viewJobLog),
});

const eventsRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/events",
  operation: "listJobEvents",
  tag: "jobs",
  summary: "List the timeline of a job, the newest first",
  role: "viewer",
  params: jobParams,
  query: pageQuery,
  answer: page(jobEventShape),
  refusals: [404],
  handle: (call) => pageOfEvents(call, false, viewJobEvent),
});

const checkpointsRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/checkpoints",
  operation: "listCheckpoints",
  tag: "jobs",
  summary: "List the checkpoints of a job, the newest first",
  role: "viewer",
  params: jobParams,
  answer: list(checkpointShape),
  refusals: [404],
  async handle({ api, params }) {
    const { stateUrl } = await requireJob(api, params);
    const backend = backendOf(stateUrl ?? api.settings["checkpoint-url"]);
    const checkpoints = await listCheckpoints(api.db, params.job_id, CHECKPOINTS_MAX);
    return { data: checkpoints.map((checkpoint) => viewCheckpoint(checkpoint, backend)) };
  },
});

/** The kind of store: "s3", "file". */
function backendOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1] ?? "file";
}

const checkpointRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/checkpoints/{epoch}/operator_checkpoint_groups",
  operation: "getCheckpoint",
  tag: "jobs",
  summary: "Get what a checkpoint did at each operator",
  role: "viewer",
  params: epochParams,
  answer: list(operatorCheckpointShape),
  refusals: [404],
  async handle({ api, params }) {
    await requireJob(api, params);
    const operators = await readCheckpointOperators(api.db, params.job_id, params.epoch);
    if (operators === undefined) throw notFound("checkpoint", String(params.epoch));
    return { data: operators.map(viewOperatorCheckpoint) };
  },
});

const metricsRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/operator_metric_groups",
  operation: "getMetrics",
  tag: "jobs",
  summary: "Get the measurements of the newest run: of Prometheus where it is set up, else of the last five minutes",
  role: "viewer",
  params: jobParams,
  query: metricsQuery,
  answer: operatorMetricsListShape,
  refusals: [404],
  async handle({ api, params, query }) {
    const { job } = await requireJob(api, params);
    const { groups, note } = (await api.prometheus?.metricGroups(job, query.minutes ?? METRICS_MINUTES)) ?? {};
    if (groups !== undefined) return { data: groups, source: "prometheus" as const, note: null };
    const samples = await readMetricSamples(api.db, params.job_id, METRICS_MINUTES * MINUTE_MS);
    return { data: viewMetrics(samples), source: "built-in" as const, note: note ?? null };
  },
});

const workersRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/workers",
  operation: "listWorkers",
  tag: "jobs",
  summary: "List the workers of a job's current and recent runs",
  role: "viewer",
  params: jobParams,
  answer: list(workerShape),
  refusals: [404],
  async handle({ api, params }) {
    await requireJob(api, params);
    return { data: (await listWorkers(api.db, params.job_id, WORKERS_MAX)).map(viewWorker) };
  },
});

const outputQuery = z.object({
  vertex: z
    .string()
    .regex(/^\d{1,6}$/, "must be the node_id of a sink")
    .transform(Number)
    .optional()
    .meta({ description: "node_id of a sink; all preview sinks by default" }),
  from: z.enum(["earliest", "latest"]).optional().meta({ description: "rows that are kept, which is the default, or new ones only" }),
});

const outputRoute = streamRoute({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/output",
  operation: "streamOutput",
  tag: "jobs",
  summary: "Read the rows of a job's outputs as they come",
  role: "viewer",
  params: jobParams,
  query: outputQuery,
  answer: outputShape,
  refusals: [404, 503],
  async handle({ api, params, query, lastEventId }) {
    const pipeline = await requireJob(api, params);
    const vertices = outputVertices(api, pipeline, query.vertex);
    const cursor = lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : undefined;
    const selection = { pipeline: params.id, job: params.job_id, vertices, from: cursor ?? query.from ?? "earliest" };
    return (stream) => streamOutput(api, selection, stream);
  },
});

/** The sinks whose rows are read. */
function outputVertices(api: ApiContext, pipeline: PipelineRecord, vertex: number | undefined): readonly number[] {
  const vertices = api.programs.decode(pipeline.id, pipeline.program)?.vertices ?? [];
  const sinks = vertices.flatMap(({ id, operator }) =>
    operator.kind === "sink" ? [{ id, preview: operator.connector === "preview" }] : [],
  );
  if (vertex !== undefined) {
    if (sinks.some(({ id }) => id === vertex)) return [vertex];
    throw badRequest(`query parameter "vertex": the pipeline has no sink with node_id ${vertex}`);
  }
  const previews = sinks.filter(({ preview }) => preview).map(({ id }) => id);
  if (previews.length > 0) return previews;
  throw badRequest("the job does not have a preview sink", { hint: `Name a sink: ?vertex=${sinks[0]?.id ?? "…"}.` });
}

const askLogRoute = route({
  method: "post",
  path: "/pipelines/{id}/jobs/{job_id}/logs",
  operation: "requestLog",
  tag: "jobs",
  summary: "Ask for a piece of a worker's log",
  role: "viewer",
  params: jobParams,
  body: logPost,
  answer: logShape,
  refusals: [404, 413, 415],
  async handle({ api, params, body }) {
    await requireJob(api, params);
    const workers = await listWorkers(api.db, params.job_id, WORKERS_MAX);
    if (!workers.some((worker) => worker.id === body.worker_id)) throw notFound("worker", body.worker_id);
    const id = makeUuid(api.random);
    await insertLogRequest(api.db, {
      id,
      job: params.job_id,
      worker: body.worker_id,
      fromOffset: body.from_offset ?? -LOG_TAIL_BYTES,
      limitBytes: body.limit_bytes ?? LOG_LIMIT_BYTES,
      keptMs: LOG_KEPT_MS,
    });
    return { id, worker_id: body.worker_id, state: "asked" as const, failure_message: null, chunks: [] };
  },
});

/** A random UUID: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4 */
function makeUuid(random: RandomSource): string {
  const bytes = Buffer.from(Array.from({ length: 16 }, () => random.below(256)));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

const readLogRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/logs/{request_id}",
  operation: "getLog",
  tag: "jobs",
  summary: "Get what has come of a request for a log; it is kept for ten minutes",
  role: "viewer",
  params: logParams,
  answer: logShape,
  refusals: [404],
  async handle({ api, params }) {
    await requireJob(api, params);
    const answer = await readLogAnswer(api.db, params.job_id, params.request_id);
    if (answer === undefined) throw notFound("log request", params.request_id);
    return {
      id: params.request_id,
      worker_id: answer.worker,
      state: answer.state,
      failure_message: answer.failure ?? null,
      chunks: answer.chunks.map((chunk) => ({ ...chunk })),
    };
  },
});

const explainRoute = route({
  method: "get",
  path: "/pipelines/{id}/jobs/{job_id}/explain_output",
  operation: "explainOutput",
  tag: "jobs",
  summary: "Say why there is output, or none: what sources have read, what windows wait for and who holds them back",
  role: "viewer",
  params: jobParams,
  answer: explanationShape,
  refusals: [404],
  async handle({ api, params }) {
    const pipeline = await requireJob(api, params);
    const samples = await readMetricSamples(api.db, params.job_id, RECENT_MS);
    const sample = samples.filter(({ runFence }) => runFence === pipeline.job.runFence).at(-1);
    return explainOutput(pipeline.job, api.programs.decode(pipeline.id, pipeline.program), sample);
  },
});

/** All routes of jobs. */
export const jobRoutes: readonly Route[] = [
  listAllRoute,
  listRoute,
  errorsRoute,
  eventsRoute,
  checkpointsRoute,
  checkpointRoute,
  metricsRoute,
  explainRoute,
  workersRoute,
  outputRoute,
  askLogRoute,
  readLogRoute,
];
