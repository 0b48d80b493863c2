/** Shapes of what the scheduler shows: its status, runs, workers, machines, services, a timeline, logs, targets of metrics. */
import { z } from "zod";
import { count, jsonObject, micros, optionalMicros } from "./shape.ts";

const capacity = z.object({ total: z.number(), used: z.number().meta({ description: "promised to anybody" }) });
const outsideLink = z.string().nullable().meta({ description: "page of the outside system's own UI" });
const level = z.enum(["error", "warn", "info", "debug"]);

/** The outside system. */
export const schedulerShape = z
  .object({
    scheduler: z.string().meta({ description: "process, embedded, node, nomad or kubernetes" }),
    link: z.enum(["live", "polling", "down", "unknown"]).meta({
      description:
        "polling: without the outside system's events; down: it does not answer; unknown: no controller has looked, or none leads",
    }),
    trouble: z.string().meta({ description: "why it is not live; empty: it is" }),
    version: z.string(),
    place: z.record(z.string(), z.string()).meta({ description: "address, leader, region, namespace: name and value" }),
    synced_at: optionalMicros.meta({ description: "of the last complete look" }),
    observed_at: optionalMicros.meta({ description: "when the controller wrote this" }),
    controller: z.object({ alive: z.boolean(), endpoint: z.string(), release: z.string() }).nullable(),
    nodes: count,
    draining_nodes: count.meta({ description: "draining or closed to new workers" }),
    runs: count.meta({ description: "that the outside system knows" }),
    waiting: count.meta({ description: "jobs that wait for capacity" }),
    workers: count,
    services: count,
  })
  .meta({ id: "Scheduler" });

const lastEvent = z.object({ at: micros, level, message: z.string() });

const runFields = {
  id: z.string().meta({ description: "place in the list" }),
  job_id: z.string(),
  run: z.string().meta({ description: "id of the run" }),
  run_id: count.meta({ description: "its number within the job: its fence" }),
  pipeline_id: z.string(),
  pipeline_name: z.string(),
  preview: z.boolean(),
  current: z.boolean().meta({ description: "whether it is the job's newest run" }),
  state: z
    .string()
    .meta({ description: "of the job for its newest run; Next: it comes up beside that one and is to replace it; else Over" }),
  name: z.string().meta({ description: "the outside system's name for it" }),
  status: z.string().meta({ description: "in the outside system's words; empty: it was not seen" }),
  workers: count.meta({ description: "asked for" }),
  placed: count,
  running: count,
  failed: count,
  missing: count.meta({ description: "not placed" }),
  reason: z.string().meta({ description: "why workers are missing; empty: none is" }),
  waiting_since: optionalMicros,
  submitted_at: optionalMicros,
  seen_at: micros,
  gone_at: optionalMicros.meta({ description: "when the outside system knew it no more" }),
  link: outsideLink,
  last_event: lastEvent.nullable(),
};

/** A run as the scheduler has it. */
export const schedulerRunShape = z.object(runFields).meta({ id: "SchedulerRun" });

const spec = z
  .object({
    run_id: count,
    text: z.string().meta({ description: "without secrets" }),
    format: z.string().meta({ description: "json, yaml or text" }),
    hash: z.string(),
    warnings: z.array(z.string()),
  })
  .meta({ id: "RunSpec" });

/** A line of the timeline. */
export const timelineShape = z
  .object({
    id: z.string(),
    at: micros,
    source: z.enum(["wadi", "scheduler"]).meta({ description: "scheduler: told by the outside system" }),
    job_id: z.string(),
    run_id: count,
    pipeline_id: z.string(),
    pipeline_name: z.string(),
    kind: z.string().meta({ description: "state-changed, worker-lost, …; of the outside system: evaluation, task, pod, process" }),
    level,
    message: z.string(),
    handle: z.string().nullable().meta({ description: "the worker it is about, by the outside system's name" }),
    details: jsonObject,
  })
  .meta({ id: "TimelineEntry" });

/** A worker of a run. */
export const schedulerWorkerShape = z
  .object({
    id: z.string(),
    state: z.string(),
    number: z.int().nullable(),
    handle: z.string().nullable(),
    node_id: z.string().nullable(),
    node_name: z.string().nullable(),
    zone: z.string().nullable(),
    slots: count,
    cpu_millis: count.nullable().meta({ description: "asked for, thousandths of a processor" }),
    cpu_used_millis: count.nullable().meta({ description: "used lately, thousandths of a processor" }),
    memory_bytes: count.nullable().meta({ description: "resident, as it said last" }),
    memory_limit_bytes: count.nullable(),
    release: z.string(),
    reason: z.string(),
    exit_code: z.int().nullable(),
    exit_signal: z.string().nullable(),
    out_of_memory: z.boolean(),
    started_at: micros,
    heartbeat_at: optionalMicros,
    ended_at: optionalMicros,
    link: outsideLink,
    last_event: lastEvent.extend({ about: z.string() }).nullable(),
    last_words: z.string().nullable().meta({ description: "last lines of stderr of a worker that failed" }),
  })
  .meta({ id: "SchedulerWorker" });

/** A run with everything that is known of it. */
export const schedulerRunDetailShape = z
  .object({
    ...runFields,
    spec: spec.nullable().meta({ description: "what was submitted" }),
    previous_spec: spec.nullable().meta({ description: "of the newest earlier run of which it is known" }),
    worker_list: z.array(schedulerWorkerShape).meta({ description: "workers that are known of this run" }),
    timeline: z.array(timelineShape).meta({ description: "the newest lines, the newest first" }),
  })
  .meta({ id: "SchedulerRunDetail" });

/** A machine with who runs on it. */
export const schedulerNodeShape = z
  .object({
    id: z.string(),
    name: z.string(),
    address: z.string(),
    pool: z.string(),
    zone: z.string(),
    state: z.string().meta({ description: "ready, draining, ineligible (gets nothing new) or lost" }),
    drain_deadline_at: optionalMicros,
    cpu: capacity.nullable().meta({ description: "thousandths of a processor, of MHz with Nomad" }),
    memory: capacity.nullable().meta({ description: "bytes" }),
    slots: capacity.nullable().meta({ description: "null: counted by resources" }),
    release: z.string(),
    attributes: z.record(z.string(), z.string()),
    link: outsideLink,
    heartbeat_at: micros,
    tenants: z.array(
      z.object({
        job_id: z.string(),
        run_id: count,
        pipeline_id: z.string(),
        pipeline_name: z.string(),
        workers: count,
        slots: count,
      }),
    ),
  })
  .meta({ id: "SchedulerNode" });

/** A service of Wadi itself. */
export const schedulerServiceShape = z
  .object({
    name: z.string(),
    status: z.string(),
    wanted: count,
    healthy: count,
    version: z.string(),
    deployment: z.string(),
    addresses: z.array(z.string()),
    failing: z.array(z.string()),
    link: outsideLink,
  })
  .meta({ id: "SchedulerService" });

/** Lines of a log, as one event. */
export const logLinesShape = z.object({ lines: z.array(z.string()) }).meta({ id: "LogLines" });

/** Lines of the logs of all workers of a run, as one event. */
export const runLogLinesShape = z
  .object({ lines: z.array(z.object({ worker: z.string(), number: z.int().nullable(), text: z.string() })) })
  .meta({ id: "RunLogLines" });

/** What Prometheus finds its targets by: https://prometheus.io/docs/prometheus/latest/http_sd/ */
export const metricTargetsShape = z.array(
  z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }).meta({ id: "MetricTargets" }),
);
