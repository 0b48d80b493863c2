/** Rows of the scheduler's projection as the API answers them. */
import type { z } from "zod";
import type { ClusterInfo } from "../db/cluster.ts";
import type { NodeRecord } from "../db/nodes.ts";
import type { MetricTarget, NodeTenant, ScheduledWorker } from "../db/scheduled-workers.ts";
import type { ServiceRow } from "../db/scheduler.ts";
import type { RunSpecRecord, SchedulerCounts, SchedulerRunDetail, SchedulerRunRecord, SchedulerStatus } from "../db/scheduler-reports.ts";
import type { TimelinePlace, TimelineRecord } from "../db/scheduler-timeline.ts";
import { stateName } from "./job-action.ts";
import type {
  metricTargetsShape,
  schedulerNodeShape,
  schedulerRunShape,
  schedulerServiceShape,
  schedulerShape,
  schedulerWorkerShape,
  timelineShape,
} from "./schema/scheduler-shapes.ts";

/** A status that is older says nothing of now, microseconds. */
const STALE_US = 20_000_000;

/** The outside system. `configured`: the scheduler of the settings, for a cluster that no controller has led yet. */
export function viewScheduler(
  status: SchedulerStatus | undefined,
  counts: SchedulerCounts,
  { controller }: ClusterInfo,
  { configured, nowUs }: { readonly configured: string; readonly nowUs: number },
): z.input<typeof schedulerShape> {
  const known = status !== undefined && controller?.alive === true && nowUs - status.observedUs < STALE_US;
  const trouble =
    controller?.alive !== true ? "no controller leads" : status === undefined ? "the controller has not looked yet" : status.trouble;
  return {
    scheduler: status?.scheduler ?? configured,
    link: known ? status.link : "unknown",
    trouble: known || trouble !== "" ? trouble : "the controller has not written for a while",
    version: status?.version ?? "",
    place: { ...status?.place },
    synced_at: status?.syncedUs ?? null,
    observed_at: status?.observedUs ?? null,
    controller: controller === undefined ? null : { alive: controller.alive, endpoint: controller.endpoint, release: controller.release },
    nodes: counts.nodes,
    draining_nodes: counts.draining,
    runs: counts.runs,
    waiting: counts.waiting,
    workers: counts.workers,
    services: counts.services,
  };
}

function levelOf(text: string): "error" | "warn" | "info" | "debug" {
  return text === "error" || text === "warn" || text === "debug" ? text : "info";
}

/** A run. */
export function viewRun(run: SchedulerRunRecord): z.input<typeof schedulerRunShape> {
  return {
    id: String(run.id),
    job_id: run.jobId,
    run: run.runId,
    run_id: run.runFence,
    pipeline_id: run.pipelineId,
    pipeline_name: run.pipelineName,
    preview: run.preview,
    current: run.current,
    state: run.current ? stateName(run.jobState) : run.next ? "Next" : "Over",
    name: run.name,
    status: run.status,
    workers: run.workers,
    placed: run.placed,
    running: run.running,
    failed: run.failed,
    missing: run.missing,
    reason: run.reason,
    waiting_since: run.waitingSinceUs ?? null,
    submitted_at: run.submittedUs ?? null,
    seen_at: run.seenUs,
    gone_at: run.goneUs ?? null,
    link: run.link ?? null,
    last_event:
      run.lastEvent === undefined
        ? null
        : { at: run.lastEvent.occurredUs, level: levelOf(run.lastEvent.level), message: run.lastEvent.message },
  };
}

/** What was submitted for a run. */
export function viewSpec(spec: RunSpecRecord | undefined) {
  if (spec === undefined) return null;
  return { run_id: spec.runFence, text: spec.text, format: spec.format, hash: spec.hash, warnings: [...spec.warnings] };
}

/** A worker of `run`. */
export function viewScheduledWorker(worker: ScheduledWorker, run: SchedulerRunDetail): z.input<typeof schedulerWorkerShape> {
  const { lastEvent } = worker;
  const asked = run.memoryBytesPerSlot === undefined ? null : run.memoryBytesPerSlot * worker.slots;
  return {
    id: worker.id,
    state: worker.state,
    number: worker.number ?? null,
    handle: worker.handle ?? null,
    node_id: worker.nodeId ?? null,
    node_name: worker.nodeName ?? null,
    zone: worker.zone ?? null,
    slots: worker.slots,
    cpu_millis: run.cpuMillisPerSlot === undefined ? null : run.cpuMillisPerSlot * worker.slots,
    cpu_used_millis: worker.cpuUsedMillis ?? null,
    memory_bytes: worker.memoryBytes ?? null,
    memory_limit_bytes: worker.memoryLimitBytes ?? asked,
    release: worker.release,
    reason: worker.reason,
    exit_code: worker.exitCode ?? null,
    exit_signal: worker.exitSignal ?? null,
    out_of_memory: worker.outOfMemory,
    started_at: worker.startedUs,
    heartbeat_at: worker.heartbeatUs ?? null,
    ended_at: worker.endedUs ?? null,
    link: worker.link ?? null,
    last_event:
      lastEvent === undefined
        ? null
        : { at: lastEvent.occurredUs, about: lastEvent.about, level: levelOf(lastEvent.level), message: lastEvent.message },
    last_words: worker.lastWords ?? null,
  };
}

/** The public id of a line: its place, so that it pages. */
function timelineId({ occurredUs, source, id }: TimelinePlace): string {
  return `${occurredUs}-${source === "wadi" ? "w" : "s"}-${id}`;
}

/** The inverse of a line's id; `undefined` for what is none. */
export function parseTimelineId(text: string): TimelinePlace | undefined {
  const match = /^(-?\d{1,16})-([ws])-(\d{1,15})$/.exec(text);
  if (match === null) return undefined;
  return { occurredUs: Number(match[1]), source: match[2] === "w" ? "wadi" : "scheduler", id: Number(match[3]) };
}

/** A line of the timeline. */
export function viewTimelineEntry(entry: TimelineRecord): z.input<typeof timelineShape> {
  return {
    id: timelineId(entry),
    at: entry.occurredUs,
    source: entry.source,
    job_id: entry.jobId,
    run_id: entry.runFence,
    pipeline_id: entry.pipelineId,
    pipeline_name: entry.pipelineName,
    kind: entry.kind,
    level: levelOf(entry.level),
    message: entry.message,
    handle: entry.handle ?? null,
    details: entry.details,
  };
}

/** A machine, with those of `tenants` that run on it. */
export function viewNode(node: NodeRecord, tenants: readonly NodeTenant[]): z.input<typeof schedulerNodeShape> {
  return {
    id: node.id,
    name: node.name,
    address: node.address,
    pool: node.pool,
    zone: node.zone,
    state: node.state,
    drain_deadline_at: node.drainDeadlineUs ?? null,
    cpu: node.cpu ?? null,
    memory: node.memory ?? null,
    slots: node.slots === 0 ? null : { total: node.slots, used: node.slots - node.freeSlots },
    release: node.release,
    attributes: { ...node.attributes },
    link: node.link ?? null,
    heartbeat_at: node.heartbeatUs,
    tenants: tenants
      .filter(({ nodeId }) => nodeId === node.id)
      .map((tenant) => ({
        job_id: tenant.jobId,
        run_id: tenant.runFence,
        pipeline_id: tenant.pipelineId,
        pipeline_name: tenant.pipelineName,
        workers: tenant.workers,
        slots: tenant.slots,
      })),
  };
}

/** A service. */
export function viewService(service: ServiceRow): z.input<typeof schedulerServiceShape> {
  return { ...service, addresses: [...service.addresses], failing: [...service.failing], link: service.link ?? null };
}

/** Where Prometheus finds a worker. */
export function viewTarget(target: MetricTarget): z.input<typeof metricTargetsShape>[number] {
  const { pipelineId, pipelineName, jobId, runFence, worker } = target;
  return {
    targets: [target.address],
    labels: { pipeline: pipelineId, pipeline_name: pipelineName, job: jobId, run: String(runFence), worker },
  };
}
