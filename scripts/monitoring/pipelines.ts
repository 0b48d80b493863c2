/** Dashboards of pipelines: the fleet at a glance, one pipeline with its operators, checkpoints. */
import type { Choice, Dashboard } from "./panel.ts";

const PIPELINE: Choice = { name: "pipeline", label: "Pipeline", query: "label_values(wadi_controller_job_info, pipeline)" };
const JOB: Choice = { name: "job", label: "Job", query: 'label_values(wadi_controller_job_info{pipeline=~"$pipeline"}, job_id)' };

/** A line of each job with the name of its pipeline. */
function named(expression: string): { readonly expr: string; readonly legend: string } {
  const names = "max by (job_id, pipeline) (wadi_controller_job_info)";
  return { expr: `(${expression}) * on (job_id) group_left (pipeline) ${names}`, legend: "{{pipeline}}" };
}

/** All pipelines, and the services they need. */
export const FLEET: Dashboard = {
  uid: "wadi-fleet",
  title: "Wadi / Fleet",
  description: "All pipelines at a glance: which do not run, which are behind, what waits for capacity, how the controllers are.",
  choices: [PIPELINE, JOB],
  rows: [
    {
      title: "Now",
      panels: [
        {
          kind: "stat",
          title: "Running",
          description: "Jobs in the state running.",
          unit: "short",
          targets: [{ expr: 'sum(wadi_controller_jobs{state="running"})', legend: "" }],
        },
        {
          kind: "stat",
          title: "Failed",
          description: "Jobs that failed for good: somebody has to look.",
          unit: "short",
          thresholds: [1, 1],
          targets: [{ expr: 'sum(wadi_controller_jobs{state="failed"})', legend: "" }],
        },
        {
          kind: "stat",
          title: "Recovering",
          description: "Jobs that failed and start again.",
          unit: "short",
          thresholds: [1, 5],
          targets: [{ expr: 'sum(wadi_controller_jobs{state="recovering"})', legend: "" }],
        },
        {
          kind: "stat",
          title: "Slots that wait",
          description: "Slots of runs for which there is no room; the autoscaler acts on this.",
          unit: "short",
          thresholds: [1, 64],
          targets: [{ expr: "max(wadi_scheduler_slots_waiting)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Slots in use",
          description: "Slots of runs that have them or are about to start.",
          unit: "short",
          targets: [{ expr: "max(wadi_scheduler_slots_used)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Leaders",
          description: "One controller leads: 0 means that nobody does, 2 that two believe so.",
          unit: "short",
          thresholds: [2, 2],
          targets: [{ expr: "sum(wadi_controller_leader)", legend: "" }],
        },
      ],
    },
    {
      title: "Pipelines",
      panels: [
        {
          kind: "timeseries",
          title: "Rows read",
          description: "Rows a second that sources read.",
          unit: "rowsps",
          stacked: true,
          targets: [named('wadi:job_source_rows:rate5m{job_id=~"$job"}')],
        },
        {
          kind: "timeseries",
          title: "Lag",
          description: "Wall time less the event time that a pipeline has reached.",
          unit: "s",
          targets: [named('wadi:job_watermark_lag_seconds{job_id=~"$job"}')],
        },
        {
          kind: "timeseries",
          title: "Age of the newest checkpoint",
          description: "What a failure now would repeat. It saws between 0 and the interval.",
          unit: "s",
          targets: [named('wadi:job_checkpoint_age_seconds{job_id=~"$job"}')],
        },
        {
          kind: "timeseries",
          title: "State",
          description: "Bytes of state over all slots.",
          unit: "bytes",
          stacked: true,
          targets: [named('wadi:job_state_bytes{job_id=~"$job"}')],
        },
        {
          kind: "timeseries",
          title: "Backpressure",
          description: "Of the most held up operator, the share of time in which what is behind it had no room.",
          unit: "percentunit",
          targets: [named('wadi:job_backpressure{job_id=~"$job"}')],
        },
        {
          kind: "timeseries",
          title: "Restarts within 15 minutes",
          description: "Runs that failed and were started again.",
          unit: "short",
          targets: [named('wadi:job_restarts:increase15m{job_id=~"$job"}')],
        },
      ],
    },
    {
      title: "Services",
      panels: [
        {
          kind: "timeseries",
          title: "Jobs by state",
          description: "How many jobs are in each state.",
          unit: "short",
          stacked: true,
          targets: [{ expr: "sum by (state) (wadi_controller_jobs) > 0", legend: "{{state}}" }],
        },
        {
          kind: "timeseries",
          title: "Workers",
          description: "Workers that are connected to the leader.",
          unit: "short",
          targets: [{ expr: "sum(wadi_controller_workers)", legend: "workers" }],
        },
        {
          kind: "timeseries",
          title: "The leader's loop",
          description: "95 of 100 turns take less.",
          unit: "s",
          targets: [{ expr: "histogram_quantile(0.95, sum by (le) (rate(wadi_controller_loop_seconds_bucket[5m])))", legend: "p95" }],
        },
        {
          kind: "timeseries",
          title: "API requests",
          description: "Requests a second by class of status.",
          unit: "reqps",
          stacked: true,
          targets: [{ expr: "sum by (status) (rate(wadi_api_requests_total[5m]))", legend: "{{status}}" }],
        },
        {
          kind: "timeseries",
          title: "API latency",
          description: "95 of 100 requests take less.",
          unit: "s",
          targets: [{ expr: "histogram_quantile(0.95, sum by (le) (rate(wadi_api_request_seconds_bucket[5m])))", legend: "p95" }],
        },
        {
          kind: "timeseries",
          title: "Errors of the database",
          description: "Turns of the leader's loop that failed at the database, a second.",
          unit: "short",
          targets: [{ expr: "sum(rate(wadi_controller_database_errors_total[5m]))", legend: "errors" }],
        },
      ],
    },
  ],
};

const OF_JOB = '{job_id=~"$job"}';

/** One pipeline, or several: operators and workers. */
export const PIPELINE_DETAIL: Dashboard = {
  uid: "wadi-pipeline",
  title: "Wadi / Pipeline",
  description: "Operators and workers of the chosen jobs. A subtask that is scraped and pushed is counted once.",
  choices: [PIPELINE, JOB],
  rows: [
    {
      title: "In and out",
      panels: [
        {
          kind: "timeseries",
          title: "Sources and sinks",
          description: "Rows a second that come in and that go out.",
          unit: "rowsps",
          targets: [
            { expr: `sum by (operator_name) (wadi:subtask_source_rows:rate5m${OF_JOB})`, legend: "{{operator_name}}" },
            { expr: `sum by (operator_name) (wadi:subtask_sink_rows:rate5m${OF_JOB})`, legend: "{{operator_name}}" },
          ],
        },
        {
          kind: "timeseries",
          title: "Watermark lag",
          description: "Wall time less event time of each operator: where it jumps up, the operator before is held back.",
          unit: "s",
          targets: [{ expr: `max by (operator_name) (wadi:subtask_watermark_lag_seconds${OF_JOB})`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Unread",
          description: "Bytes that sources know to be unread.",
          unit: "bytes",
          targets: [{ expr: `sum by (operator_name) (wadi:subtask_source_lag_bytes${OF_JOB})`, legend: "{{operator_name}}" }],
        },
      ],
    },
    {
      title: "Operators",
      panels: [
        {
          kind: "timeseries",
          title: "Rows in",
          description: "Rows a second into each operator.",
          unit: "rowsps",
          targets: [{ expr: `sum by (operator_name) (wadi:subtask_rows_in:rate1m${OF_JOB})`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Rows out",
          description: "Rows a second out of each operator.",
          unit: "rowsps",
          targets: [{ expr: `sum by (operator_name) (wadi:subtask_rows_out:rate1m${OF_JOB})`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Backpressure",
          description: "Share of time in which what is behind had no room; the slow one is behind the last with much of it.",
          unit: "percentunit",
          targets: [{ expr: `max by (operator_name) (wadi:subtask_backpressure${OF_JOB})`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Bytes over channels",
          description: "Bytes a second that leave each operator over channels or to the outside.",
          unit: "Bps",
          targets: [{ expr: `sum by (operator_name) (wadi:subtask_bytes_out:rate1m${OF_JOB})`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Late and bad rows",
          description: "Rows a second that were dropped behind the watermark, and that could not be read or computed.",
          unit: "rowsps",
          targets: [
            { expr: `sum by (operator_name) (wadi:subtask_late_rows:rate5m${OF_JOB}) > 0`, legend: "late at {{operator_name}}" },
            { expr: `sum by (operator_name) (wadi:subtask_bad_rows:rate5m${OF_JOB}) > 0`, legend: "bad at {{operator_name}}" },
          ],
        },
        {
          kind: "timeseries",
          title: "Skew",
          description: "Rows into the busiest subtask of each operator, as a multiple of the average: 1 is even.",
          unit: "short",
          targets: [
            {
              expr: `max by (operator_name) (wadi:subtask_rows_in:rate1m${OF_JOB}) / (avg by (operator_name) (wadi:subtask_rows_in:rate1m${OF_JOB}) > 0)`,
              legend: "{{operator_name}}",
            },
          ],
        },
      ],
    },
    {
      title: "State and memory",
      panels: [
        {
          kind: "timeseries",
          title: "State by operator",
          description: "Bytes of state.",
          unit: "bytes",
          stacked: true,
          targets: [{ expr: `sum by (operator_name) (wadi:subtask_state_bytes${OF_JOB}) > 0`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Fullest slot",
          description: "State of the fullest slot as a share of pipeline.state-limit: at 100 % the run fails.",
          unit: "percentunit",
          thresholds: [0.6, 0.8],
          targets: [{ expr: `wadi:job_state_ratio${OF_JOB}`, legend: "{{job_id}}" }],
        },
        {
          kind: "timeseries",
          title: "Keys",
          description: "Keys of state by operator.",
          unit: "short",
          targets: [{ expr: `sum by (operator_name) (wadi:subtask_state_keys${OF_JOB}) > 0`, legend: "{{operator_name}}" }],
        },
        {
          kind: "timeseries",
          title: "Memory of workers",
          description: "Resident memory of each worker.",
          unit: "bytes",
          targets: [{ expr: `wadi:worker_memory_bytes${OF_JOB}`, legend: "{{worker}}" }],
        },
        {
          kind: "timeseries",
          title: "Memory as a share of the limit",
          description: "At 100 % the system kills the worker.",
          unit: "percentunit",
          thresholds: [0.8, 0.9],
          targets: [{ expr: `wadi:worker_memory_ratio${OF_JOB}`, legend: "{{worker}}" }],
        },
        {
          kind: "timeseries",
          title: "Bytes that wait on edges",
          description: "Rows on their way to operators that have no room.",
          unit: "bytes",
          targets: [{ expr: `max by (operator_name) (wadi_worker_tx_queue_size${OF_JOB})`, legend: "{{operator_name}}" }],
        },
      ],
    },
  ],
};

/** Checkpoints of the chosen jobs. */
export const CHECKPOINTS: Dashboard = {
  uid: "wadi-checkpoints",
  title: "Wadi / Checkpoints",
  description: "How old, how long, how large, what fails, and in which phase the time goes.",
  choices: [PIPELINE, JOB],
  rows: [
    {
      title: "Jobs",
      panels: [
        {
          kind: "timeseries",
          title: "Age in intervals",
          description: "Age of the newest checkpoint as a multiple of its interval: alerts begin at 3.",
          unit: "short",
          thresholds: [2, 3],
          targets: [named(`wadi:job_checkpoint_age_seconds${OF_JOB} / wadi:job_checkpoint_interval_seconds${OF_JOB}`)],
        },
        {
          kind: "timeseries",
          title: "Duration",
          description: "Time of the newest complete checkpoint, from the barrier to the record.",
          unit: "s",
          targets: [named(`wadi:job_checkpoint_duration_seconds${OF_JOB}`)],
        },
        {
          kind: "timeseries",
          title: "Bytes written",
          description: "Bytes a second that checkpoints write: only what has changed.",
          unit: "Bps",
          targets: [named(`sum by (job_id) (rate(wadi_controller_checkpoint_bytes_total${OF_JOB}[5m]))`)],
        },
        {
          kind: "timeseries",
          title: "Outcomes",
          description: "Checkpoints a minute by outcome.",
          unit: "short",
          stacked: true,
          targets: [{ expr: `60 * sum by (outcome) (rate(wadi_controller_checkpoints_total${OF_JOB}[5m]))`, legend: "{{outcome}}" }],
        },
        {
          kind: "timeseries",
          title: "Waiting for sinks",
          description: "How long the oldest complete checkpoint waits for its sinks to publish.",
          unit: "s",
          targets: [named(`max by (job_id) (wadi_controller_sink_commit_age_seconds${OF_JOB})`)],
        },
        {
          kind: "timeseries",
          title: "Live state",
          description: "State by the newest checkpoint, as it lies in the object store.",
          unit: "bytes",
          targets: [named(`max by (job_id) (wadi_controller_state_bytes${OF_JOB})`)],
        },
      ],
    },
    {
      title: "All jobs together",
      panels: [
        {
          kind: "timeseries",
          title: "Duration, 95 of 100",
          description: "95 of 100 checkpoints take less.",
          unit: "s",
          targets: [{ expr: "wadi:checkpoint_duration_seconds:p95", legend: "p95" }],
        },
        {
          kind: "timeseries",
          title: "Phases, 95 of 100",
          description: "Time of one phase in one subtask: alignment, snapshot, upload, stage, commit.",
          unit: "s",
          targets: [
            {
              expr: "histogram_quantile(0.95, sum by (le, phase) (rate(wadi_controller_checkpoint_phase_seconds_bucket[5m])))",
              legend: "{{phase}}",
            },
          ],
        },
        {
          kind: "timeseries",
          title: "Share of time in checkpoints",
          description: "Newest duration as a share of the interval: near 100 % one follows the other.",
          unit: "percentunit",
          thresholds: [0.5, 0.9],
          targets: [named(`wadi:job_checkpoint_duration_seconds${OF_JOB} / wadi:job_checkpoint_interval_seconds${OF_JOB}`)],
        },
      ],
    },
  ],
};
