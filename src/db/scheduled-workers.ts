/** Workers with the machine they are on and how they ended, as the API shows and Prometheus finds them. Reading only. */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";

/** A worker of a run. */
export interface ScheduledWorker {
  readonly id: string;
  readonly state: string;
  readonly number: number | undefined;
  readonly handle: string | undefined;
  readonly nodeId: string | undefined;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
  readonly slots: number;
  readonly release: string;
  readonly reason: string;
  readonly exitCode: number | undefined;
  readonly exitSignal: string | undefined;
  readonly outOfMemory: boolean;
  readonly memoryBytes: number | undefined;
  readonly cpuUsedMillis: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly startedUs: number;
  readonly heartbeatUs: number | undefined;
  readonly endedUs: number | undefined;
  readonly link: string | undefined;
  /** Its last lines of stderr, if it has failed and they could be read. */
  readonly lastWords: string | undefined;
  readonly lastEvent: { readonly occurredUs: number; readonly about: string; readonly level: string; readonly message: string } | undefined;
}

interface WorkerColumns {
  readonly id: string;
  readonly state: string;
  readonly number: number | null;
  readonly handle: string | null;
  readonly node_id: string | null;
  readonly node_name: string | null;
  readonly zone: string | null;
  readonly slots: number;
  readonly release: string;
  readonly reason: string;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly out_of_memory: boolean;
  readonly memory_bytes: bigint | null;
  readonly cpu_used_millis: number | null;
  readonly memory_limit_bytes: bigint | null;
  readonly started_us: bigint;
  readonly heartbeat_us: bigint | null;
  readonly ended_us: bigint | null;
  readonly link: string | null;
  readonly stderr: string | null;
  readonly event_us: bigint | null;
  readonly event_about: string | null;
  readonly event_level: string | null;
  readonly event_message: string | null;
}

/** Workers of the run, those that run first; at most `limit`. */
export async function listRunWorkers(db: Database, job: string, fence: number, limit: number): Promise<ScheduledWorker[]> {
  try {
    const { rows } = await db.raw<{ rows: WorkerColumns[] }>(
      `select w.id, w.state, w.number, w.handle, w.node_id, n.name as node_name, n.zone, w.slots, w.release, w.reason, w.exit_code, w.exit_signal,
         w.out_of_memory, w.memory_bytes, w.cpu_used_millis, w.memory_limit_bytes, ${microsOf("w.started_at")} as started_us,
         ${microsOf("w.heartbeat_at")} as heartbeat_us, ${microsOf("w.ended_at")} as ended_us, w.link, l.stderr,
         ${microsOf("e.occurred_at")} as event_us, e.about as event_about, e.level as event_level, e.message as event_message
       from workers w left join nodes n on n.id = w.node_id
       left join worker_last_words l on l.job_id = w.job_id and l.handle = w.handle
       left join lateral (select occurred_at, about, level, message from scheduler_events
         where job_id = w.job_id and run_fence = w.run_fence and handle = w.handle order by occurred_at desc, id desc limit 1) e on true
       where w.job_id = ? and w.run_fence = ? order by w.ended_at is not null, w.number nulls last, w.started_at, w.id limit ?`,
      [job, fence, limit],
    );
    return rows.map(workerOf);
  } catch (error) {
    throw databaseError("reading workers", error);
  }
}

function workerOf(row: WorkerColumns): ScheduledWorker {
  return {
    id: row.id,
    state: row.state,
    number: row.number ?? undefined,
    handle: row.handle ?? undefined,
    nodeId: row.node_id ?? undefined,
    nodeName: row.node_name ?? undefined,
    zone: row.zone ?? undefined,
    slots: row.slots,
    release: row.release,
    reason: row.reason,
    exitCode: row.exit_code ?? undefined,
    exitSignal: row.exit_signal ?? undefined,
    outOfMemory: row.out_of_memory,
    memoryBytes: optionalNumber(row.memory_bytes),
    cpuUsedMillis: row.cpu_used_millis ?? undefined,
    memoryLimitBytes: optionalNumber(row.memory_limit_bytes),
    startedUs: readNumber(row.started_us),
    heartbeatUs: optionalNumber(row.heartbeat_us),
    endedUs: optionalNumber(row.ended_us),
    link: row.link ?? undefined,
    lastWords: row.stderr ?? undefined,
    lastEvent: eventOf(row),
  };
}

function eventOf(row: WorkerColumns): ScheduledWorker["lastEvent"] {
  if (row.event_us === null) return undefined;
  const { event_about: about, event_level: level, event_message: message } = row;
  return { occurredUs: readNumber(row.event_us), about: about ?? "", level: level ?? "info", message: message ?? "" };
}

/** Workers of one run on one machine. */
export interface NodeTenant {
  readonly nodeId: string;
  readonly jobId: string;
  readonly runFence: number;
  readonly pipelineId: string;
  readonly pipelineName: string;
  readonly workers: number;
  readonly slots: number;
}

interface TenantColumns {
  readonly node_id: string;
  readonly job_id: string;
  readonly run_fence: bigint;
  readonly pipeline_id: string;
  readonly pipeline_name: string;
  readonly workers: number;
  readonly slots: number;
}

/** Who runs on `nodes`, by machine and pipeline. */
export async function listNodeTenants(db: Database, nodes: readonly string[]): Promise<NodeTenant[]> {
  try {
    const { rows } = await db.raw<{ rows: TenantColumns[] }>(
      `select w.node_id, w.job_id, w.run_fence, p.id as pipeline_id, p.name as pipeline_name, count(*)::int as workers, sum(w.slots)::int as slots
       from workers w join jobs j on j.id = w.job_id join pipelines p on p.id = j.pipeline_id
       where w.ended_at is null and w.node_id = any(?) group by w.node_id, w.job_id, w.run_fence, p.id, p.name order by p.name, w.job_id`,
      [[...nodes]],
    );
    return rows.map((row) => ({
      nodeId: row.node_id,
      jobId: row.job_id,
      runFence: readNumber(row.run_fence),
      pipelineId: row.pipeline_id,
      pipelineName: row.pipeline_name,
      workers: row.workers,
      slots: row.slots,
    }));
  } catch (error) {
    throw databaseError("reading who runs where", error);
  }
}

/** Where a live worker's metrics are. */
export interface MetricTarget {
  /** host:port. */
  readonly address: string;
  readonly worker: string;
  readonly jobId: string;
  readonly runFence: number;
  readonly pipelineId: string;
  readonly pipelineName: string;
}

interface TargetColumns {
  readonly admin_address: string;
  readonly id: string;
  readonly job_id: string;
  readonly run_fence: bigint;
  readonly pipeline_id: string;
  readonly pipeline_name: string;
}

/** Workers that are registered and have not ended. */
export async function listMetricTargets(db: Database): Promise<MetricTarget[]> {
  try {
    const { rows } = await db.raw<{ rows: TargetColumns[] }>(
      `select w.admin_address, w.id, w.job_id, w.run_fence, p.id as pipeline_id, p.name as pipeline_name
       from workers w join jobs j on j.id = w.job_id join pipelines p on p.id = j.pipeline_id
       where w.ended_at is null and w.state in ('registered', 'running', 'stopping') and w.admin_address is not null order by w.id`,
    );
    return rows.map((row) => ({
      address: row.admin_address,
      worker: row.id,
      jobId: row.job_id,
      runFence: readNumber(row.run_fence),
      pipelineId: row.pipeline_id,
      pipelineName: row.pipeline_name,
    }));
  } catch (error) {
    throw databaseError("listing targets of metrics", error);
  }
}
