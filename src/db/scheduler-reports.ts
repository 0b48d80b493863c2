/**
 * What the controller has projected of the scheduler, as the API reads it. Reading only; times are microseconds since the epoch. Timelines
 * are in scheduler-timeline.ts.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";
import type { ServiceRow } from "./scheduler.ts";

/** The outside system as the leading controller saw it last. */
export interface SchedulerStatus {
  readonly scheduler: string;
  readonly link: "live" | "polling" | "down";
  readonly trouble: string;
  readonly version: string;
  readonly place: Readonly<Record<string, string>>;
  readonly syncedUs: number | undefined;
  readonly observedUs: number;
}

/** With what it holds. */
export interface SchedulerCounts {
  readonly nodes: number;
  readonly draining: number;
  readonly runs: number;
  readonly waiting: number;
  readonly workers: number;
  readonly services: number;
}

interface StatusColumns {
  readonly scheduler: string;
  readonly link: SchedulerStatus["link"];
  readonly trouble: string;
  readonly version: string;
  readonly place: Readonly<Record<string, string>>;
  readonly synced_us: bigint | null;
  readonly observed_us: bigint;
}

/** The status; `undefined`: no controller has led yet. */
export async function readSchedulerStatus(db: Database): Promise<SchedulerStatus | undefined> {
  try {
    const { rows } = await db.raw<{ rows: StatusColumns[] }>(
      `select scheduler, link, trouble, version, place, ${microsOf("synced_at")} as synced_us, ${microsOf("observed_at")} as observed_us
       from scheduler_status`,
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const { scheduler, link, trouble, version, place } = row;
    return {
      scheduler,
      link,
      trouble,
      version,
      place,
      syncedUs: optionalNumber(row.synced_us),
      observedUs: readNumber(row.observed_us),
    };
  } catch (error) {
    throw databaseError("reading the scheduler's status", error);
  }
}

/** How much of everything there is. */
export async function countScheduled(db: Database): Promise<SchedulerCounts> {
  try {
    const { rows } = await db.raw<{ rows: SchedulerCounts[] }>(
      `select (select count(*) from nodes where state <> 'lost')::int as nodes,
         (select count(*) from nodes where state in ('draining', 'ineligible'))::int as draining,
         (select count(*) from scheduler_runs where gone_at is null)::int as runs,
         (select count(*) from jobs where state_context->'waiting'->>'for' = 'slots')::int as waiting,
         (select count(*) from workers where ended_at is null)::int as workers,
         (select count(*) from scheduler_services)::int as services`,
    );
    return rows[0] ?? { nodes: 0, draining: 0, runs: 0, waiting: 0, workers: 0, services: 0 };
  } catch (error) {
    throw databaseError("counting what is scheduled", error);
  }
}

/** A run as the scheduler holds or held it, with its job and the workers that are known of it. */
export interface SchedulerRunRecord {
  /** Place in the list. */
  readonly id: number;
  readonly jobId: string;
  readonly runId: string;
  readonly runFence: number;
  readonly pipelineId: string;
  readonly pipelineName: string;
  readonly preview: boolean;
  /** Whether it is the job's newest run. */
  readonly current: boolean;
  /** Whether it comes up beside the job's newest run and is to replace it. */
  readonly next: boolean;
  /** Of the job. */
  readonly jobState: string;
  readonly name: string;
  readonly workers: number;
  readonly missing: number;
  readonly reason: string;
  readonly waitingSinceUs: number | undefined;
  readonly status: string;
  readonly submittedUs: number | undefined;
  readonly seenUs: number;
  readonly goneUs: number | undefined;
  readonly link: string | undefined;
  readonly placed: number;
  readonly running: number;
  readonly failed: number;
  readonly lastEvent: { readonly occurredUs: number; readonly level: string; readonly message: string } | undefined;
}

interface RunColumns {
  readonly id: bigint;
  readonly job_id: string;
  readonly run_id: string;
  readonly run_fence: bigint;
  readonly pipeline_id: string;
  readonly pipeline_name: string;
  readonly preview: boolean;
  readonly current: boolean;
  readonly next: boolean;
  readonly job_state: string;
  readonly name: string;
  readonly workers: number;
  readonly missing: number;
  readonly reason: string;
  readonly waiting_us: bigint | null;
  readonly status: string;
  readonly submitted_us: bigint | null;
  readonly seen_us: bigint;
  readonly gone_us: bigint | null;
  readonly link: string | null;
  readonly placed: number;
  readonly running: number;
  readonly failed: number;
  readonly event_us: bigint | null;
  readonly event_level: string | null;
  readonly event_message: string | null;
}

/** The job's own "waits for capacity" counts where the outside system was not even asked for a place. */
const RUN_COLUMNS = `r.id, r.job_id, r.run_id, r.run_fence, j.pipeline_id, p.name as pipeline_name, p.preview, r.run_fence = j.run_fence as current, r.run_fence > j.run_fence as next,
  j.state as job_state, r.name, r.workers, r.status, ${microsOf("r.submitted_at")} as submitted_us, ${microsOf("r.seen_at")} as seen_us,
  ${microsOf("r.gone_at")} as gone_us, r.link,
  case when waits.slots and r.missing = 0 then greatest(r.workers - coalesce(w.placed, 0), 1) else r.missing end as missing,
  case when waits.slots and r.reason = '' then waits.reason else r.reason end as reason,
  case when waits.slots then coalesce(${microsOf("r.waiting_since_at")}, (waits.since * 1000)::int8) else ${microsOf("r.waiting_since_at")} end as waiting_us,
  coalesce(w.placed, 0) as placed, coalesce(w.running, 0) as running, coalesce(w.failed, 0) as failed,
  ${microsOf("e.occurred_at")} as event_us, e.level as event_level, e.message as event_message`;

const RUN_TABLES = `scheduler_runs r join jobs j on j.id = r.job_id join pipelines p on p.id = j.pipeline_id
  cross join lateral (select r.run_fence = j.run_fence and j.state_context->'waiting'->>'for' = 'slots' is true as slots,
    (j.state_context->'waiting'->>'sinceMs')::float8 as since, coalesce(j.state_context->'waiting'->>'reason', '') as reason) waits
  left join lateral (
    select (count(*) filter (where w.ended_at is null and w.state <> 'placing'))::int as placed,
      (count(*) filter (where w.state in ('registered', 'running')))::int as running,
      (count(*) filter (where w.state = 'lost' or w.out_of_memory
        or (w.state = 'exited' and w.exit_code is distinct from 0 and w.exit_signal is distinct from 'SIGTERM')))::int as failed
    from workers w where w.job_id = r.job_id and w.run_fence = r.run_fence) w on true
  left join lateral (
    select * from (
      (select occurred_at, level, message from job_events where job_id = r.job_id and run_fence = r.run_fence order by id desc limit 1)
      union all
      (select occurred_at, level, message from scheduler_events where job_id = r.job_id and run_fence = r.run_fence
       order by occurred_at desc, id desc limit 1)) newest
    order by occurred_at desc limit 1) e on true`;

function runOf(row: RunColumns): SchedulerRunRecord {
  return {
    id: readNumber(row.id),
    jobId: row.job_id,
    runId: row.run_id,
    runFence: readNumber(row.run_fence),
    pipelineId: row.pipeline_id,
    pipelineName: row.pipeline_name,
    preview: row.preview,
    current: row.current,
    next: row.next,
    jobState: row.job_state,
    name: row.name,
    workers: row.workers,
    missing: row.missing,
    reason: row.reason,
    waitingSinceUs: optionalNumber(row.waiting_us),
    status: row.status,
    submittedUs: optionalNumber(row.submitted_us),
    seenUs: readNumber(row.seen_us),
    goneUs: optionalNumber(row.gone_us),
    link: row.link ?? undefined,
    placed: row.placed,
    running: row.running,
    failed: row.failed,
    lastEvent:
      row.event_us === null
        ? undefined
        : { occurredUs: readNumber(row.event_us), level: row.event_level ?? "info", message: row.event_message ?? "" },
  };
}

/** Which runs. */
export interface RunFilter {
  /** Only those of this job. */
  readonly job: string | undefined;
  /** Only the newest run of each job. */
  readonly current: boolean;
  /** Only runs whose job is in one of these states and that are its newest. */
  readonly states: readonly string[] | undefined;
  /** Only runs that wait for places. */
  readonly waiting: boolean;
  /** Part of the pipeline's name or the beginning of an id. */
  readonly search: string | undefined;
  /** Only those before this one, by `SchedulerRunRecord.id`. */
  readonly before: number | undefined;
  readonly limit: number;
}

/** Runs, the newest first. */
export async function listSchedulerRuns(db: Database, filter: RunFilter): Promise<SchedulerRunRecord[]> {
  const conditions: string[] = ["p.deleted_at is null"];
  const bindings: (string | number | string[])[] = [];
  const add = (condition: string, ...values: (string | number | string[])[]): void => {
    conditions.push(condition);
    bindings.push(...values);
  };
  if (filter.job !== undefined) add("r.job_id = ?", filter.job);
  if (filter.current) add("r.run_fence = j.run_fence");
  if (filter.states !== undefined) add("r.run_fence = j.run_fence and j.state = any(?)", [...filter.states]);
  if (filter.waiting) add("(waits.slots or r.missing > 0)");
  if (filter.search !== undefined) {
    const { search } = filter;
    add("(strpos(lower(p.name), lower(?)) > 0 or strpos(lower(r.name), lower(?)) > 0 or starts_with(r.job_id, ?))", search, search, search);
  }
  if (filter.before !== undefined) add("r.id < ?", filter.before);
  try {
    const { rows } = await db.raw<{ rows: RunColumns[] }>(
      `select ${RUN_COLUMNS} from ${RUN_TABLES} where ${conditions.join(" and ")} order by r.id desc limit ?`,
      [...bindings, filter.limit],
    );
    return rows.map(runOf);
  } catch (error) {
    throw databaseError("listing the scheduler's runs", error);
  }
}

/** What was submitted for a run. */
export interface RunSpecRecord {
  readonly runFence: number;
  readonly text: string;
  readonly format: string;
  readonly hash: string;
  readonly warnings: readonly string[];
}

/** A run with what was submitted for it. */
export interface SchedulerRunDetail extends SchedulerRunRecord {
  readonly spec: RunSpecRecord | undefined;
  /** The newest earlier one whose specification is known. */
  readonly previous: RunSpecRecord | undefined;
  readonly cpuMillisPerSlot: number | undefined;
  readonly memoryBytesPerSlot: number | undefined;
}

interface SpecColumns {
  readonly run_fence: bigint;
  readonly spec_text: string | null;
  readonly spec_format: string | null;
  readonly spec_hash: string | null;
  readonly spec_warnings: readonly string[];
  readonly cpu_millis_per_slot: number | null;
  readonly memory_bytes_per_slot: bigint | null;
}

function specOf(row: SpecColumns | undefined): RunSpecRecord | undefined {
  if (row === undefined || row.spec_text === null) return undefined;
  const { spec_text: text, spec_format: format, spec_hash: hash, spec_warnings: warnings } = row;
  return { runFence: readNumber(row.run_fence), text, format: format ?? "text", hash: hash ?? "", warnings };
}

/** The run of `job` with the fence or id `run`; `undefined` if it is not known (any more). */
export async function readSchedulerRun(db: Database, job: string, run: string): Promise<SchedulerRunDetail | undefined> {
  const which = /^\d{1,15}$/.test(run) ? "r.run_fence = ?" : "r.run_id = ?";
  try {
    const { rows } = await db.raw<{ rows: RunColumns[] }>(
      `select ${RUN_COLUMNS} from ${RUN_TABLES} where p.deleted_at is null and r.job_id = ? and ${which}`,
      [job, run],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const specs = await db.raw<{ rows: SpecColumns[] }>(
      `(select run_fence, spec_text, spec_format, spec_hash, spec_warnings, cpu_millis_per_slot, memory_bytes_per_slot
        from scheduler_runs where job_id = ? and run_fence = ?)
       union all
       (select run_fence, spec_text, spec_format, spec_hash, spec_warnings, cpu_millis_per_slot, memory_bytes_per_slot
        from scheduler_runs where job_id = ? and run_fence < ? and spec_text is not null order by run_fence desc limit 1)`,
      [job, row.run_fence.toString(), job, row.run_fence.toString()],
    );
    const [own, previous] = specs.rows;
    return {
      ...runOf(row),
      spec: specOf(own),
      previous: specOf(previous),
      cpuMillisPerSlot: own?.cpu_millis_per_slot ?? undefined,
      memoryBytesPerSlot: optionalNumber(own?.memory_bytes_per_slot ?? null),
    };
  } catch (error) {
    throw databaseError("reading a run", error);
  }
}

/** Services of Wadi that the outside system runs, by name. */
export async function listServices(db: Database): Promise<ServiceRow[]> {
  try {
    const rows = await db("scheduler_services")
      .orderBy("name")
      .select<(Omit<ServiceRow, "link"> & { link: string | null })[]>(
        "name",
        "status",
        "wanted",
        "healthy",
        "version",
        "deployment",
        "addresses",
        "failing",
        "link",
      );
    return rows.map((row) => ({ ...row, link: row.link ?? undefined }));
  } catch (error) {
    throw databaseError("listing services", error);
  }
}
