/** Routes of pipelines: Arroyo's, with its semantics of 400, 404 and 409. */
import { z } from "zod";
import {
  changeDesired,
  changeTags,
  deletePipeline,
  insertPipeline,
  listPipelines,
  type PipelineRecord,
  readPipeline,
  requestRestart,
} from "../../db/pipelines.ts";
import type { ApiContext } from "../api-context.ts";
import { badRequest, conflict, notFound } from "../http-error.ts";
import { stateName, TERMINAL_STATES } from "../job-action.ts";
import { graphOf } from "../pipeline-graph.ts";
import { newPipeline, planQuery, planToRun } from "../pipeline-requests.ts";
import { viewPipeline } from "../pipeline-view.ts";
import { showSinks } from "../preview-program.ts";
import { creatorOf, type Route, route } from "../route.ts";
import {
  pipelinePatch,
  pipelinePost,
  pipelineRestart,
  pipelineShape,
  previewPost,
  validateQueryPost,
  validationShape,
} from "../schema/pipeline-shapes.ts";
import { makePage, page, pageQuery, pageSize } from "../schema/shape.ts";

const pipelineParams = z.object({ id: z.string() });

/** A preview ends after a minute, as Arroyo's. */
const PREVIEW_TTL_US = 60_000_000;
/** A preview takes no checkpoints. */
const PREVIEW_INTERVAL_US = 24 * 3_600_000_000;
const US_PER_MS = 1_000;

/** The pipeline `id`; throws 404. */
export async function requirePipeline(api: ApiContext, id: string): Promise<PipelineRecord> {
  const pipeline = await readPipeline(api.db, id);
  if (pipeline === undefined) throw notFound("pipeline", id);
  return pipeline;
}

async function answerPipeline(api: ApiContext, id: string): Promise<z.input<typeof pipelineShape>> {
  return viewPipeline(await requirePipeline(api, id), api.programs);
}

const listRoute = route({
  method: "get",
  path: "/pipelines",
  operation: "listPipelines",
  tag: "pipelines",
  summary: "List pipelines, the newest first; previews are left out",
  role: "viewer",
  query: pageQuery,
  answer: page(pipelineShape),
  async handle({ api, query }) {
    const size = pageSize(query);
    const pipelines = await listPipelines(api.db, { after: query.starting_after, limit: size + 1 });
    return makePage(
      pipelines.map((pipeline) => viewPipeline(pipeline, api.programs)),
      size,
    );
  },
});

const createRoute = route({
  method: "post",
  path: "/pipelines",
  operation: "createPipeline",
  tag: "pipelines",
  summary: "Create a pipeline and start its job",
  role: "editor",
  body: pipelinePost,
  answer: pipelineShape,
  refusals: [413, 415],
  async handle({ api, body, caller }) {
    const planned = await planToRun(api, caller, body.query, body.udfs ?? []);
    const settings = {
      name: body.name,
      query: body.query,
      udfs: body.udfs ?? [],
      preview: false,
      stateUrl: body.state_url,
      tags: body.tags ?? {},
      createdBy: creatorOf(caller),
      parallelism: body.parallelism ?? 1,
      checkpointIntervalUs: body.checkpoint_interval_micros ?? api.settings["default-checkpoint-interval"] * US_PER_MS,
      ttlUs: undefined,
      envVars: body.env_vars ?? {},
      schedulerConfig: body.scheduler_config ?? {},
    };
    const pipeline = newPipeline(api, settings, planned, planned.program);
    await insertPipeline(api.db, pipeline);
    return answerPipeline(api, pipeline.id);
  },
});

const previewRoute = route({
  method: "post",
  path: "/pipelines/preview",
  operation: "createPreview",
  tag: "pipelines",
  summary: "Run a query for a minute to see its rows",
  role: "editor",
  body: previewPost,
  answer: pipelineShape,
  refusals: [413, 415],
  async handle({ api, body, caller }) {
    const planned = await planToRun(api, caller, body.query, body.udfs ?? []);
    const program = body.enable_sinks === true ? planned.program : showSinks(planned.program);
    const settings = {
      name: `preview_${api.clock.nowNs() / 1_000_000n}`,
      query: body.query,
      udfs: body.udfs ?? [],
      preview: true,
      stateUrl: undefined,
      tags: {},
      createdBy: creatorOf(caller),
      parallelism: 1,
      checkpointIntervalUs: PREVIEW_INTERVAL_US,
      ttlUs: PREVIEW_TTL_US,
      envVars: {},
      schedulerConfig: {},
    };
    // A preview is gone soon: it must not keep a connection table from being deleted.
    const pipeline = { ...newPipeline(api, settings, planned, program), connectionTables: [] };
    await insertPipeline(api.db, pipeline);
    return answerPipeline(api, pipeline.id);
  },
});

const validateRoute = route({
  method: "post",
  path: "/pipelines/validate_query",
  operation: "validateQuery",
  tag: "pipelines",
  summary: "Plan a query without running it; its errors are part of the answer",
  role: "viewer",
  body: validateQueryPost,
  answer: validationShape,
  refusals: [413, 415],
  async handle({ api, body }) {
    const planned = await planQuery(api, body.query, body.udfs ?? []);
    const of = (severity: string) => planned.diagnostics.filter((finding) => finding.severity === severity);
    return { graph: planned.ok ? graphOf(planned.program, 1) : null, errors: of("error"), warnings: of("warning") };
  },
});

const readRoute = route({
  method: "get",
  path: "/pipelines/{id}",
  operation: "getPipeline",
  tag: "pipelines",
  summary: "Get a pipeline",
  role: "viewer",
  params: pipelineParams,
  answer: pipelineShape,
  refusals: [404],
  handle: ({ api, params }) => answerPipeline(api, params.id),
});

/** PATCH and, as in Arroyo, PUT. */
const changeRoutes = (["patch", "put"] as const).map((method) =>
  route({
    method,
    path: "/pipelines/{id}",
    operation: method === "patch" ? "patchPipeline" : "putPipeline",
    tag: "pipelines",
    summary: "Stop, start or rescale a pipeline, or change its checkpoint interval, its workers' build or its tags",
    role: "editor",
    params: pipelineParams,
    body: pipelinePatch,
    answer: pipelineShape,
    refusals: [404, 413, 415],
    async handle({ api, params, body }) {
      const {
        parallelism,
        checkpoint_interval_micros: checkpointIntervalUs,
        stop,
        env_vars: envVars,
        scheduler_config: schedulerConfig,
        worker_build: build,
        tags,
      } = body;
      const pipeline = await requirePipeline(api, params.id);
      if (pipeline.preview && stop === "none") throw conflict("a preview cannot be started again");
      if (tags !== undefined) await changeTags(api.db, params.id, tags);
      await changeDesired(api.db, params.id, { parallelism, checkpointIntervalUs, stop, envVars, schedulerConfig, build });
      return answerPipeline(api, params.id);
    },
  }),
);

const restartRoute = route({
  method: "post",
  path: "/pipelines/{id}/restart",
  operation: "restartPipeline",
  tag: "pipelines",
  summary: "Restart a pipeline, with a checkpoint first unless forced",
  role: "editor",
  params: pipelineParams,
  body: pipelineRestart,
  answer: pipelineShape,
  refusals: [404, 409, 413, 415],
  async handle({ api, params, body }) {
    const { job, preview } = await requirePipeline(api, params.id);
    const { force = false, ignore_state: ignoreState = false } = body;
    if (preview) throw conflict("a preview cannot be restarted");
    if (job.state === "finished")
      throw conflict("the job has finished: its sources have ended", "Create a new pipeline to run the query again.");
    if (ignoreState && !["stopped", "failed"].includes(job.state)) {
      throw conflict(`the job is ${stateName(job.state)}: only a stopped or failed one can start without its state`, "Stop it first.");
    }
    await requestRestart(api.db, params.id, { force, ignoreState });
    return answerPipeline(api, params.id);
  },
});

const deleteRoute = route({
  method: "delete",
  path: "/pipelines/{id}",
  operation: "deletePipeline",
  tag: "pipelines",
  summary: "Delete a pipeline whose job has stopped, finished or failed",
  role: "editor",
  params: pipelineParams,
  refusals: [404],
  async handle({ api, params }) {
    const outcome = await deletePipeline(api.db, params.id, TERMINAL_STATES);
    if (outcome === "absent") throw notFound("pipeline", params.id);
    if (outcome === "busy") {
      const hint = "Stop it and try again.";
      throw badRequest("the job of a pipeline must have stopped, finished or failed before the pipeline can be deleted", { hint });
    }
    return {};
  },
});

/** All routes of pipelines. */
export const pipelineRoutes: readonly Route[] = [
  listRoute,
  createRoute,
  previewRoute,
  validateRoute,
  readRoute,
  ...changeRoutes,
  restartRoute,
  deleteRoute,
];
