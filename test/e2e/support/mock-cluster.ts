/** Made-up data of a scheduler for the mock: a Nomad with three clients of which one drains, or this machine. */

/** Which scheduler the mock shows. */
export type MockScheduler = "nomad" | "process";

const SECOND = 1_000_000;

function nowUs(): number {
  return Date.now() * 1000;
}

function uiLink(scheduler: MockScheduler, path: string): string | null {
  return scheduler === "nomad" ? `http://nomad.example:4646/ui/${path}` : null;
}

/** Answer of GET /scheduler. */
export function schedulerStatus(scheduler: MockScheduler, down: boolean) {
  const now = nowUs();
  const nomad = scheduler === "nomad";
  return {
    scheduler,
    link: down ? "down" : "live",
    trouble: down ? "no Nomad server answers: connection refused at 10.0.0.5:4646" : "",
    version: nomad ? "2.0.5" : "",
    place: nomad ? { leader: "10.0.0.5:4647", region: "global", namespace: "streams" } : { host: "laptop", slots: "16" },
    synced_at: now - (down ? 95 : 1) * SECOND,
    observed_at: now,
    controller: { alive: true, endpoint: "10.0.0.9:5116", release: "0.1.0" },
    nodes: nomad ? 3 : 1,
    draining_nodes: nomad ? 1 : 0,
    runs: 4,
    waiting: 1,
    workers: 9,
    services: nomad ? 3 : 0,
  };
}

interface MockRun {
  readonly job: string;
  readonly pipeline: string;
  readonly name: string;
  readonly fence: number;
  readonly state: string;
  readonly workers: number;
  readonly placed: number;
  readonly running: number;
  readonly failed: number;
  readonly reason?: string;
  readonly event: string;
  readonly level?: string;
}

const RUNS: readonly MockRun[] = [
  {
    job: "job_bids",
    pipeline: "pl_bidsbychan",
    name: "bids-by-channel",
    fence: 7,
    state: "Running",
    workers: 4,
    placed: 4,
    running: 4,
    failed: 0,
    event: "checkpoint 418 is complete",
  },
  {
    job: "job_fraud",
    pipeline: "pl_fraud",
    name: "fraud-score-by-card",
    fence: 2,
    state: "Scheduling",
    workers: 4,
    placed: 2,
    running: 0,
    failed: 0,
    reason: "2 of 4 workers not placed: memory exhausted on 2 nodes (needs 2048 MiB, 1212 MiB free at most), 1 node is draining",
    event: "2 of 4 workers not placed: memory exhausted on 2 nodes",
    level: "warn",
  },
  {
    job: "job_orders",
    pipeline: "pl_orders",
    name: "orders-enriched",
    fence: 12,
    state: "Recovering",
    workers: 3,
    placed: 2,
    running: 2,
    failed: 1,
    event: "Exit Code: 137, Exit Message: OOM Killed",
    level: "error",
  },
  {
    job: "job_campaign",
    pipeline: "pl_campaign",
    name: "campaign-attribution-with-a-name-that-is-longer-than-most",
    fence: 1,
    state: "Running",
    workers: 24,
    placed: 24,
    running: 24,
    failed: 0,
    event: "the job is running",
  },
];

function viewRun(scheduler: MockScheduler, run: MockRun, fence = run.fence) {
  const now = nowUs();
  const current = fence === run.fence;
  const missing = current ? run.workers - run.placed - run.failed : 0;
  const name = `w-${run.name.slice(0, 24)}-${run.job.slice(4)}-${fence}`;
  return {
    id: `${fence}${run.job.length}`,
    job_id: run.job,
    run: `run_${fence}`,
    run_id: fence,
    pipeline_id: run.pipeline,
    pipeline_name: run.name,
    preview: false,
    current,
    state: current ? run.state : "Over",
    name,
    status: current ? (missing > 0 ? "pending" : "running") : "dead",
    workers: run.workers,
    placed: current ? run.placed : 0,
    running: current ? run.running : 0,
    failed: current ? run.failed : 1,
    missing,
    reason: current ? (run.reason ?? "") : "",
    waiting_since: missing > 0 ? now - 260 * SECOND : null,
    submitted_at: now - (current ? 5_400 : 90_000) * SECOND,
    seen_at: now - 5_400 * SECOND,
    gone_at: current ? null : now - 5_500 * SECOND,
    link: uiLink(scheduler, `jobs/${name}@streams`),
    last_event: { at: now - 12 * SECOND, level: run.level ?? "info", message: current ? run.event : "the job is recovering" },
  };
}

/** Answer of GET /scheduler/runs. */
export function schedulerRuns(scheduler: MockScheduler, query: URLSearchParams) {
  const job = query.get("job_id");
  if (job !== null) {
    const run = RUNS.find((known) => known.job === job);
    const fences = run === undefined ? [] : Array.from({ length: Math.min(4, run.fence) }, (_, i) => run.fence - i);
    return { data: run === undefined ? [] : fences.map((fence) => viewRun(scheduler, run, fence)), has_more: false };
  }
  const search = (query.get("search") ?? "").toLowerCase();
  const states = query.get("state")?.split(",");
  const found = RUNS.filter((run) => run.name.includes(search) && (states === undefined || states.includes(run.state)));
  const shown = query.get("waiting") === "true" ? found.filter(({ state }) => state === "Scheduling") : found;
  return { data: shown.map((run) => viewRun(scheduler, run)), has_more: false };
}

function worker(scheduler: MockScheduler, run: MockRun, number: number) {
  const now = nowUs();
  const failed = number >= run.workers - run.failed;
  const placed = number < run.placed || failed;
  const state = failed ? "exited" : number < run.running ? "running" : placed ? "starting" : "placing";
  const handle = `8b2f1c${number}e-77aa-4d1c-9be2-0c5d3e1f9a0${number}`;
  return {
    id: `wk_${run.job.slice(4)}${number}`,
    state,
    number: state === "running" ? number : null,
    handle: placed ? handle : null,
    node_id: placed ? `client-${"abc"[number % 3]}` : null,
    node_name: placed ? (scheduler === "nomad" ? `client-${"abc"[number % 3]}` : "laptop") : null,
    zone: scheduler === "nomad" && placed ? `eu-central-1${"abc"[number % 3]}` : null,
    slots: 2,
    cpu_millis: 2000,
    cpu_used_millis: failed || !placed ? null : 640 + number * 210,
    memory_bytes: failed ? 2_147_000_000 : placed ? 712_000_000 + number * 31_000_000 : null,
    memory_limit_bytes: 2 ** 31,
    release: "0.1.0",
    reason: failed ? "OOM Killed" : placed ? "" : "no node has 2048 MiB of memory left",
    exit_code: failed ? 137 : null,
    exit_signal: null,
    out_of_memory: failed,
    started_at: now - 5_400 * SECOND,
    heartbeat_at: placed ? now - SECOND : null,
    ended_at: failed ? now - 12 * SECOND : null,
    link: placed ? uiLink(scheduler, `allocations/${handle}`) : null,
    last_event: failed
      ? { at: now - 12 * SECOND, about: "task", level: "error", message: "Exit Code: 137, Exit Message: OOM Killed" }
      : placed
        ? { at: now - 5_390 * SECOND, about: "task", level: "info", message: "Task started by client" }
        : null,
    last_words: failed ? '{"time":"12:31:07","level":"warn","message":"state grows","bytes":1932735283}\nFATAL ERROR: out of memory' : null,
  };
}

function spec(run: MockRun, fence: number): string {
  const memory = fence === run.fence ? 2048 : 1024;
  const job = {
    ID: `w-${run.name}-${fence}`,
    Type: "batch",
    Priority: 50,
    Meta: { managed_by: "wadi", pipeline_id: run.pipeline, run_fence: String(fence) },
    TaskGroups: [
      {
        Name: "worker",
        Count: run.workers,
        Tasks: [{ Name: "worker", Driver: "docker", Resources: { CPU: 2000, MemoryMB: memory }, KillTimeout: 60_000_000_000 }],
      },
    ],
  };
  return JSON.stringify(job, undefined, 2);
}

function entry(run: MockRun, at: number, source: "wadi" | "scheduler", kind: string, level: string, message: string) {
  return {
    id: `${at}-${source}`,
    at,
    source,
    job_id: run.job,
    run_id: run.fence,
    pipeline_id: run.pipeline,
    pipeline_name: run.name,
    kind,
    level,
    message,
    handle: kind === "task" ? "8b2f1c0e-77aa-4d1c-9be2-0c5d3e1f9a00" : null,
    details: kind === "worker-registered" ? { worker: "wk_bids0", slots: 2, machine: "client-a" } : {},
  };
}

function timelineOf(run: MockRun) {
  const now = nowUs();
  const lines = [
    ["wadi", "state-changed", run.level ?? "info", run.event],
    ["scheduler", "task", "info", "Task started by client"],
    ["wadi", "worker-registered", "info", `worker wk_${run.job.slice(4)}0 has registered with 2 slots`],
    ["scheduler", "task", "info", "Downloading image registry.example/wadi:0.1.0"],
    ["scheduler", "allocation", "info", "placed on client-a (eu-central-1a)"],
    ["scheduler", "evaluation", "info", `${run.placed} of ${run.workers} workers placed`],
    ["wadi", "state-changed", "info", "compiling → scheduling"],
  ] as const;
  return lines.map(([source, kind, level, message], i) => entry(run, now - (12 + i * 3) * SECOND, source, kind, level, message));
}

/** Answer of GET /scheduler/timeline. */
export function schedulerTimeline() {
  const data = RUNS.flatMap(timelineOf).sort((a, b) => b.at - a.at);
  return { data: data.map((line, i) => ({ ...line, id: `${line.id}-${i}` })), has_more: false };
}

/** Answer of GET /scheduler/runs/{job}/{run}; undefined: there is none. */
export function schedulerRun(scheduler: MockScheduler, job: string, fence: number) {
  const run = RUNS.find((known) => known.job === job);
  if (run === undefined || fence > run.fence) return undefined;
  const of = (number: number) => ({ run_id: number, text: spec(run, number), format: "json", hash: String(number), warnings: [] });
  return {
    ...viewRun(scheduler, run, fence),
    spec: of(fence),
    previous_spec: fence > 1 ? of(fence - 1) : null,
    worker_list: Array.from({ length: Math.min(run.workers, 6) }, (_, i) => worker(scheduler, run, i)),
    timeline: timelineOf(run).map((line, i) => ({ ...line, id: `${line.id}-${i}` })),
  };
}

/** Answer of GET /scheduler/nodes. */
export function schedulerNodes(scheduler: MockScheduler) {
  const tenant = (run: MockRun, workers: number) => ({
    job_id: run.job,
    run_id: run.fence,
    pipeline_id: run.pipeline,
    pipeline_name: run.name,
    workers,
    slots: workers * 2,
  });
  const node = (name: string, zone: string, state: string, used: number, runs: readonly MockRun[]) => ({
    id: name,
    name,
    address: "10.0.1.4",
    pool: "streams",
    zone,
    state,
    drain_deadline_at: state === "draining" ? nowUs() + 540 * SECOND : null,
    cpu: { total: 16_000, used: 16_000 * used },
    memory: { total: 2 ** 35, used: 2 ** 35 * Math.min(1, used * 1.15) },
    slots: scheduler === "nomad" ? null : { total: 16, used: 9 },
    release: "2.0.5",
    attributes: { drivers: "docker, exec" },
    link: uiLink(scheduler, `clients/${name}`),
    heartbeat_at: nowUs(),
    tenants: runs.map((run, i) => tenant(run, i + 1)),
  });
  const [bids, , orders, campaign] = RUNS as [MockRun, MockRun, MockRun, MockRun];
  const data =
    scheduler === "nomad"
      ? [
          node("client-a", "eu-central-1a", "ready", 0.84, [bids, orders, campaign]),
          node("client-b", "eu-central-1b", "draining", 0.52, [bids, campaign]),
          node("client-c", "eu-central-1c", "ready", 0.31, [orders]),
        ]
      : [node("laptop", "", "ready", 0.56, [bids, orders, campaign])];
  return { data, has_more: false };
}

/** Answer of GET /scheduler/services. */
export function schedulerServices(scheduler: MockScheduler) {
  const service = (name: string, wanted: number, healthy: number, deployment: string, failing: readonly string[]) => ({
    name,
    status: "running",
    wanted,
    healthy,
    version: "job version 4",
    deployment,
    addresses: Array.from({ length: wanted }, (_, i) => `10.0.1.${4 + i}:5115`),
    failing,
    link: uiLink(scheduler, `jobs/${name}`),
  });
  const data =
    scheduler === "nomad"
      ? [
          service("wadi-api", 2, 2, "successful", []),
          service("wadi-controller", 2, 1, "running: 1 of 2 healthy", ["http on 10.0.1.5:5115: connection refused"]),
          service("prometheus", 1, 1, "", []),
        ]
      : [];
  return { data };
}

/** Lines of a worker's log, by number. */
export function logLine(number: number): string {
  const level = number % 9 === 4 ? "warn" : number % 13 === 7 ? "error" : "info";
  const message = level === "error" ? "a row could not be read" : level === "warn" ? "checkpoint is slow" : "checkpoint is complete";
  return JSON.stringify({ time: new Date(Date.now() + number).toISOString(), level, message, epoch: 400 + number });
}
