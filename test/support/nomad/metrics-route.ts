/**
 * GET /v1/metrics?format=prometheus: the gauges of jobs, allocations and blocked evaluations under the names and labels of real agents (2.0.5 with
 * `publish_allocation_metrics`), which alert rules and dashboards are written for. What concerns the agent's own process is not there.
 */
import { type Cluster, goTime } from "./cluster.ts";
import { type Exchange, HttpError } from "./exchange.ts";
import { clientTerminal } from "./records.ts";
import { jobSummary } from "./wire.ts";

type Labels = Readonly<Record<string, string>>;

/** Samples by metric. */
class Gauges {
  readonly #lines = new Map<string, string[]>();

  add(name: string, labels: Labels, value: number): void {
    const text = Object.entries({ host: "fake", ...labels })
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, one]) => `${key.replace(/\W/g, "_")}=${JSON.stringify(one)}`)
      .join(",");
    this.#lines.set(name, [...(this.#lines.get(name) ?? []), `${name}{${text}} ${value}`]);
  }

  get text(): string {
    return [...this.#lines].map(([name, lines]) => `# HELP ${name} ${name}\n# TYPE ${name} gauge\n${lines.join("\n")}\n`).join("");
  }
}

function addJobs(gauges: Gauges, { state }: Cluster): void {
  const statuses = { dead: 0, pending: 0, running: 0 };
  for (const job of state.jobs.values()) {
    if (job.Status in statuses) statuses[job.Status as keyof typeof statuses] += 1;
    const summary = jobSummary(job, state)["Summary"] as Readonly<Record<string, Readonly<Record<string, number>>>>;
    for (const [group, counts] of Object.entries(summary)) {
      for (const [name, count] of Object.entries(counts)) {
        gauges.add(`nomad_nomad_job_summary_${name.toLowerCase()}`, { job: job.ID, namespace: job.Namespace, task_group: group }, count);
      }
    }
  }
  for (const [name, count] of Object.entries(statuses)) gauges.add(`nomad_nomad_job_status_${name}`, {}, count);
  const blocked = [...state.evaluations.values()].filter(({ Status }) => Status === "blocked").length;
  gauges.add("nomad_nomad_blocked_evals_total_blocked", {}, blocked);
}

function addClients(gauges: Gauges, { state }: Cluster): void {
  for (const node of state.nodes.values()) {
    const labels = {
      datacenter: node.Datacenter,
      node_class: node.NodeClass === "" ? "none" : node.NodeClass,
      node_id: node.ID,
      node_pool: node.NodePool,
      node_scheduling_eligibility: node.SchedulingEligibility,
      node_status: node.Status,
    };
    const all = [...state.allocations.values()].filter(({ NodeID }) => NodeID === node.ID);
    const of = (status: string) => all.filter(({ ClientStatus }) => ClientStatus === status).length;
    gauges.add("nomad_client_allocations_running", labels, of("running"));
    gauges.add("nomad_client_allocations_pending", labels, of("pending"));
    gauges.add("nomad_client_allocations_terminal", labels, all.filter(clientTerminal).length);
    for (const { ID, JobID, Namespace, TaskGroup, TaskStates } of all) {
      for (const [task, { State, Restarts }] of Object.entries(TaskStates ?? {})) {
        const own = { alloc_id: ID, job: JobID, namespace: Namespace, task, task_group: TaskGroup };
        if (State === "running") gauges.add("nomad_client_allocs_running", own, 1);
        if (Restarts > 0) gauges.add("nomad_client_allocs_restart", own, Restarts);
      }
    }
  }
}

/** Answers with text for Prometheus, or with the time alone for people. */
export async function metrics(cluster: Cluster, exchange: Exchange): Promise<void> {
  if (exchange.query("format") !== "prometheus") {
    exchange.send({ Counters: [], Gauges: [], Points: [], Samples: [], Timestamp: goTime(cluster.state.nowMs()) });
    return;
  }
  if (cluster.faults.leaderless) throw new HttpError(500, "No cluster leader");
  const gauges = new Gauges();
  addJobs(gauges, cluster);
  addClients(gauges, cluster);
  exchange.text(200, gauges.text);
}
