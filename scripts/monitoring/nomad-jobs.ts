/** The dashboard of Nomad: Wadi's jobs as Nomad sees them, and what the nodes have. */
import type { Dashboard } from "./panel.ts";

const OF_JOB = '{exported_job=~"$nomad_job"}';

function summary(status: string): string {
  return `sum by (exported_job) (max by (exported_job, namespace, task_group) (nomad_nomad_job_summary_${status}${OF_JOB}))`;
}

/** Nomad's own label "job" is exported_job, because Prometheus' job is "nomad". */
export const NOMAD_JOBS: Dashboard = {
  uid: "wadi-nomad-jobs",
  title: "Wadi / Nomad jobs",
  description: "Runs (w-…) and services (wadi-…) as Nomad sees them, placement, and the nodes' capacity.",
  choices: [
    {
      name: "nomad_job",
      label: "Nomad job",
      query: 'label_values(nomad_nomad_job_summary_running{exported_job=~"(w|wadi)-.*"}, exported_job)',
    },
  ],
  rows: [
    {
      title: "Now",
      panels: [
        {
          kind: "stat",
          title: "Blocked evaluations",
          description: "Nomad has no room for so many evaluations.",
          unit: "short",
          thresholds: [1, 1],
          targets: [{ expr: "max(nomad_nomad_blocked_evals_total_blocked)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Slots that wait",
          description: "Wadi's own view of the same.",
          unit: "short",
          thresholds: [1, 64],
          targets: [{ expr: "max(wadi_scheduler_slots_waiting)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Clients with a heartbeat",
          description: "Nodes that Nomad hears of.",
          unit: "short",
          targets: [{ expr: "max(nomad_nomad_heartbeat_active)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Nomad answers",
          description: "1: the controller reaches Nomad.",
          unit: "short",
          targets: [{ expr: 'max(wadi_scheduler_up{scheduler="nomad"})', legend: "" }],
        },
      ],
    },
    {
      title: "Jobs",
      panels: [
        {
          kind: "timeseries",
          title: "Running",
          description: "Allocations that run.",
          unit: "short",
          stacked: true,
          targets: [{ expr: summary("running"), legend: "{{exported_job}}" }],
        },
        {
          kind: "timeseries",
          title: "Queued and starting",
          description: "Allocations that wait to be placed or come up.",
          unit: "short",
          targets: [
            { expr: `${summary("queued")} > 0`, legend: "queued {{exported_job}}" },
            { expr: `${summary("starting")} > 0`, legend: "starting {{exported_job}}" },
          ],
        },
        {
          kind: "timeseries",
          title: "Failed, lost, unknown",
          description: "Allocations in these states; failed and lost ones stay until Nomad forgets the job.",
          unit: "short",
          targets: [
            { expr: `${summary("failed")} > 0`, legend: "failed {{exported_job}}" },
            { expr: `${summary("lost")} > 0`, legend: "lost {{exported_job}}" },
            { expr: `${summary("unknown")} > 0`, legend: "unknown {{exported_job}}" },
          ],
        },
        {
          kind: "timeseries",
          title: "Memory of tasks",
          description: "Resident memory of each task.",
          unit: "bytes",
          targets: [{ expr: `sum by (exported_job, task) (nomad_client_allocs_memory_rss${OF_JOB})`, legend: "{{exported_job}} {{task}}" }],
        },
        {
          kind: "timeseries",
          title: "Memory as a share of what is reserved",
          description: "Beyond 100 % a task uses memory_max, or is killed.",
          unit: "percentunit",
          thresholds: [0.8, 0.95],
          targets: [
            {
              expr: `max by (exported_job, task) (nomad_client_allocs_memory_rss${OF_JOB} / (nomad_client_allocs_memory_allocated${OF_JOB} > 0))`,
              legend: "{{exported_job}} {{task}}",
            },
          ],
        },
        {
          kind: "timeseries",
          title: "CPU of tasks",
          description: "Per cent of one core.",
          unit: "percent",
          targets: [
            { expr: `sum by (exported_job, task) (nomad_client_allocs_cpu_total_percent${OF_JOB})`, legend: "{{exported_job}} {{task}}" },
          ],
        },
      ],
    },
    {
      title: "Nodes",
      panels: [
        {
          kind: "timeseries",
          title: "Memory that is not allocated",
          description: "MB of each node that new allocations could have.",
          unit: "decmbytes",
          targets: [{ expr: 'max by (host) (nomad_client_unallocated_memory{node_status="ready"})', legend: "{{host}}" }],
        },
        {
          kind: "timeseries",
          title: "CPU that is not allocated",
          description: "MHz of each node that new allocations could have.",
          unit: "short",
          targets: [{ expr: 'max by (host) (nomad_client_unallocated_cpu{node_status="ready"})', legend: "{{host}}" }],
        },
        {
          kind: "timeseries",
          title: "Days until TLS certificates end",
          description: "Of Nomad's agents (from Nomad 2) and of the controllers.",
          unit: "d",
          targets: [
            { expr: "min by (host) (nomad_agent_tls_cert_expiration_seconds) / 86400", legend: "Nomad {{host}}" },
            {
              expr: "(min by (name) (wadi_controller_certificate_expiry_timestamp_seconds) - time()) / 86400",
              legend: "controllers, {{name}}",
            },
          ],
        },
      ],
    },
  ],
};
