/** Routes of the scheduler, whichever it is: from what the controller has projected; nothing here talks to an outside system. */
import { z } from "zod";
import { readClusterInfo } from "../../db/cluster.ts";
import { readNodes } from "../../db/nodes.ts";
import { listMetricTargets, listNodeTenants, listRunWorkers } from "../../db/scheduled-workers.ts";
import { countScheduled, listSchedulerRuns, listServices, readSchedulerRun, readSchedulerStatus } from "../../db/scheduler-reports.ts";
import { listTimeline } from "../../db/scheduler-timeline.ts";
import { readWorkerHandle } from "../../db/workers.ts";
import { badRequest, notFound } from "../http-error.ts";
import { JOB_STATES, kebabState } from "../job-action.ts";
import { LOG_LEVELS, streamLog } from "../log-stream.ts";
import { type Route, route, streamRoute } from "../route.ts";
import { MOST_WORKERS, streamRunLog } from "../run-log-stream.ts";
import {
  parseTimelineId,
  viewNode,
  viewRun,
  viewScheduledWorker,
  viewScheduler,
  viewService,
  viewSpec,
  viewTarget,
  viewTimelineEntry,
} from "../scheduler-view.ts";
import {
  logLinesShape,
  metricTargetsShape,
  runLogLinesShape,
  schedulerNodeShape,
  schedulerRunDetailShape,
  schedulerRunShape,
  schedulerServiceShape,
  schedulerShape,
  timelineShape,
} from "../schema/scheduler-shapes.ts";
import { list, makePage, page, pageQuery, pageSize } from "../schema/shape.ts";

const WORKERS_MAX = 1_000;
const TIMELINE_OF_RUN = 200;

const yesNo = z.enum(["true", "false"]).optional();
const runNumber = z.string().regex(/^\d{1,15}$/, "must be the number of a run");

const schedulerRoute = route({
  method: "get",
  path: "/scheduler",
  operation: "getScheduler",
  tag: "scheduler",
  summary: "Get how the scheduler is, as the controller sees it",
  role: "viewer",
  answer: schedulerShape,
  async handle({ api }) {
    const [status, counts, info] = [await readSchedulerStatus(api.db), await countScheduled(api.db), await readClusterInfo(api.db)];
    const nowUs = Number(api.clock.nowNs() / 1000n);
    return viewScheduler(status, counts, info, { configured: api.settings["controller.scheduler"], nowUs });
  },
});

const runsQuery = pageQuery.extend({
  job_id: z.string().max(100).optional().meta({ description: "only runs of this job" }),
  current: yesNo.meta({ description: "only the newest run of each job" }),
  waiting: yesNo.meta({ description: "only runs that wait for capacity" }),
  state: z.string().max(200).optional().meta({ description: "states of jobs, separated by commas: their newest runs" }),
  search: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: "part of the pipeline's name or of the outside system's, or the job's id" }),
});

const runsRoute = route({
  method: "get",
  path: "/scheduler/runs",
  operation: "listSchedulerRuns",
  tag: "scheduler",
  summary: "List runs with what the scheduler has for them, the newest first",
  role: "viewer",
  query: runsQuery,
  answer: page(schedulerRunShape),
  async handle({ api, query }) {
    const size = pageSize(query);
    const runs = await listSchedulerRuns(api.db, {
      job: query.job_id,
      current: query.current === "true",
      waiting: query.waiting === "true",
      states: query.state?.split(",").map(stateOf),
      search: query.search,
      before: placeOf(query.starting_after),
      limit: size + 1,
    });
    return makePage(runs.map(viewRun), size);
  },
});

/** A job's state as rows have it; throws 400 for what is none. */
function stateOf(name: string): string {
  const state = kebabState(name.trim());
  if (state === undefined)
    throw badRequest(`query parameter "state": there is no state "${name}"`, { hint: `States are ${JOB_STATES.join(", ")}.` });
  return state;
}

function placeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(`query parameter "starting_after" must be the id of a run in this list, not "${text}"`);
}

const runRoute = route({
  method: "get",
  path: "/scheduler/runs/{job}/{run}",
  operation: "getSchedulerRun",
  tag: "scheduler",
  summary: "Get a run: workers, timeline, why not all are placed, what was submitted and what was before",
  role: "viewer",
  params: z.object({ job: z.string(), run: z.string() }),
  answer: schedulerRunDetailShape,
  refusals: [404],
  async handle({ api, params }) {
    const run = await readSchedulerRun(api.db, params.job, params.run);
    if (run === undefined) throw notFound("run", `${params.job}/${params.run}`);
    const workers = await listRunWorkers(api.db, run.jobId, run.runFence, WORKERS_MAX);
    const filter = { job: run.jobId, fence: run.runFence, before: undefined, limit: TIMELINE_OF_RUN };
    const timeline = await listTimeline(api.db, filter);
    return {
      ...viewRun(run),
      spec: viewSpec(run.spec),
      previous_spec: viewSpec(run.previous),
      worker_list: workers.map((worker) => viewScheduledWorker(worker, run)),
      timeline: timeline.map(viewTimelineEntry),
    };
  },
});

const nodesRoute = route({
  method: "get",
  path: "/scheduler/nodes",
  operation: "listSchedulerNodes",
  tag: "scheduler",
  summary: "List machines by name, with their capacity and who runs there",
  role: "viewer",
  query: pageQuery,
  answer: page(schedulerNodeShape),
  async handle({ api, query }) {
    const size = pageSize(query);
    const nodes = await readNodes(api.db, size + 1, query.starting_after);
    const tenants = await listNodeTenants(
      api.db,
      nodes.map(({ id }) => id),
    );
    return makePage(
      nodes.map((node) => viewNode(node, tenants)),
      size,
    );
  },
});

const servicesRoute = route({
  method: "get",
  path: "/scheduler/services",
  operation: "listSchedulerServices",
  tag: "scheduler",
  summary: "List the services of Wadi that the scheduler runs",
  role: "viewer",
  answer: list(schedulerServiceShape),
  handle: async ({ api }) => ({ data: (await listServices(api.db)).map(viewService) }),
});

const timelineRoute = route({
  method: "get",
  path: "/scheduler/timeline",
  operation: "listSchedulerTimeline",
  tag: "scheduler",
  summary: "List what happened to jobs, told by Wadi and by the scheduler, the newest first",
  role: "viewer",
  query: pageQuery.extend({ job_id: z.string().max(100).optional(), run_id: runNumber.optional() }),
  answer: page(timelineShape),
  async handle({ api, query }) {
    const size = pageSize(query);
    const before = query.starting_after === undefined ? undefined : parseTimelineId(query.starting_after);
    if (query.starting_after !== undefined && before === undefined) {
      throw badRequest(`query parameter "starting_after" must be the id of an entry, not "${query.starting_after}"`);
    }
    const fence = query.run_id === undefined ? undefined : Number(query.run_id);
    const entries = await listTimeline(api.db, { job: query.job_id, fence, before, limit: size + 1 });
    return makePage(entries.map(viewTimelineEntry), size);
  },
});

const logsQuery = z.object({
  stream: z.enum(["stderr", "stdout"]).optional().meta({ description: "stderr by default: workers log there" }),
  follow: yesNo.meta({ description: "true by default; false: end when nothing more is there" }),
  contains: z.string().min(1).max(200).optional().meta({ description: "only lines with this text" }),
  level: z.enum(LOG_LEVELS).optional().meta({ description: "only lines of this level or worse" }),
});

/** What both readers of logs are asked for; `lastEventId`: place to go on behind. */
function selectionOf({ stream = "stderr", follow, contains, level }: z.output<typeof logsQuery>, lastEventId: string | undefined) {
  const cursor = lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : 0;
  return { stream, follow: follow !== "false", contains, level, cursor };
}

const logsRoute = streamRoute({
  method: "get",
  path: "/scheduler/workers/{id}/logs",
  operation: "streamWorkerLog",
  tag: "scheduler",
  summary: "Read a worker's log as it grows; also after its end, for as long as something of it is kept",
  role: "viewer",
  params: z.object({ id: z.string() }),
  query: logsQuery,
  answer: logLinesShape,
  refusals: [404, 503],
  async handle({ api, params, query, lastEventId }) {
    const worker = await readWorkerHandle(api.db, params.id);
    if (worker === undefined) throw notFound("worker", params.id);
    const selection = { job: worker.job, worker: params.id, ...selectionOf(query, lastEventId) };
    return (stream) => streamLog(api, selection, stream);
  },
});

const runLogsRoute = streamRoute({
  method: "get",
  path: "/scheduler/runs/{job}/{run}/logs",
  operation: "streamRunLog",
  tag: "scheduler",
  summary: `Read the logs of all workers of a run (up to ${MOST_WORKERS}) as one, as they grow`,
  role: "viewer",
  params: z.object({ job: z.string(), run: z.string() }),
  query: logsQuery,
  answer: runLogLinesShape,
  refusals: [404, 503],
  async handle({ api, params, query, lastEventId }) {
    const run = await readSchedulerRun(api.db, params.job, params.run);
    if (run === undefined) throw notFound("run", `${params.job}/${params.run}`);
    const selection = { job: run.jobId, fence: run.runFence, ...selectionOf(query, lastEventId) };
    return (stream) => streamRunLog(api, selection, stream);
  },
});

const targetsRoute = route({
  method: "get",
  path: "/metrics/targets",
  operation: "listMetricTargets",
  tag: "scheduler",
  summary: "List live workers as targets for Prometheus (http_sd_configs)",
  role: "viewer",
  answer: metricTargetsShape,
  handle: async ({ api }) => (await listMetricTargets(api.db)).map(viewTarget),
});

/** All routes of the scheduler. */
export const schedulerRoutes: readonly Route[] = [
  schedulerRoute,
  runsRoute,
  runRoute,
  nodesRoute,
  servicesRoute,
  timelineRoute,
  logsRoute,
  runLogsRoute,
  targetsRoute,
];
