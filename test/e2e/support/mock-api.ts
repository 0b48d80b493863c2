/**
 * A server with the built UI and an API of the product's shapes over made-up data, so that pages can be looked at and tested without a
 * cluster. It sends the product's security headers, strict about styles too.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import {
  logLine,
  type MockScheduler,
  schedulerNodes,
  schedulerRun,
  schedulerRuns,
  schedulerServices,
  schedulerStatus,
  schedulerTimeline,
} from "./mock-cluster.ts";
import { connectionTables, connectors, testMessages } from "./mock-connections.ts";
import {
  checkpoints,
  errors,
  events,
  explanation,
  GRAPH,
  initialPipelines,
  MOCK_NOW_US,
  type MockPipeline,
  metricGroups,
  operatorCheckpoints,
  workers,
} from "./mock-data.ts";

const CONTENT_SECURITY_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** How the mock behaves. */
export interface MockOptions {
  /** Folder of the built UI. */
  readonly folder: string;
  /** Requests without it get 401. */
  readonly token?: string;
  /** No pipelines and no connections. */
  readonly empty?: boolean;
  /** Nomad by default. */
  readonly scheduler?: MockScheduler;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a route answers: a status with JSON, or a stream. */
type Answer = { readonly status: number; readonly json: unknown } | { readonly stream: (response: ServerResponse) => void };

function ok(json: unknown): Answer {
  return { status: 200, json };
}

function refused(status: number, error: string): Answer {
  return { status, json: { error } };
}

/** The server. `close` ends it and its streams. */
export class MockApi {
  readonly #options: MockOptions;
  readonly #server: Server;
  readonly #pipelines: MockPipeline[];
  readonly #tables: Record<string, unknown>[];
  readonly #udfs: Record<string, unknown>[] = [];
  /** While true, every API request is refused with 502, as a proxy does when nobody is behind it. */
  down = false;
  /** While true, the scheduler's outside system does not answer. */
  schedulerDown = false;

  constructor(options: MockOptions) {
    this.#options = options;
    this.#pipelines = options.empty === true ? [] : initialPipelines();
    this.#tables = options.empty === true ? [] : connectionTables();
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  /** Listens on a free port of the loopback and answers with the UI's address. */
  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`));
    });
  }

  /** Ends connections and stops listening. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://mock");
    response.setHeader("content-security-policy", CONTENT_SECURITY_POLICY);
    if (!url.pathname.startsWith("/api/v1")) return this.#serveFile(url.pathname, response);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString();
    const path = url.pathname.slice("/api/v1".length);
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    const answer = this.#guard(request, path) ?? this.#answer({ method: request.method ?? "GET", path, query: url.searchParams, body });
    if ("stream" in answer) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      answer.stream(response);
      return;
    }
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer.json));
  }

  #guard(request: IncomingMessage, path: string): Answer | undefined {
    if (this.down) return refused(502, "nobody there");
    const { token } = this.#options;
    if (token === undefined || path === "/ping" || request.headers.authorization === `Bearer ${token}`) return undefined;
    return refused(401, "a token is needed");
  }

  async #serveFile(path: string, response: ServerResponse): Promise<void> {
    const name = extname(path) === "" ? "index.html" : path.slice(1);
    try {
      const bytes = await readFile(join(this.#options.folder, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }

  #answer(call: Call): Answer {
    const { method, path } = call;
    if (path === "/ping") return ok({ pong: "pong" });
    if (path === "/cluster")
      return ok({
        name: "laptop",
        release: "0.1.0",
        scheduler: "process",
        role: "admin",
        nodes: 1,
        workers: 6,
        jobs: {},
        controller: { alive: true, endpoint: "127.0.0.1:5116", release: "0.1.0" },
      });
    if (path === "/jobs") return ok({ data: this.#pipelines.filter((known) => !known.preview).map(viewJob) });
    if (path.startsWith("/scheduler")) return this.#scheduler(call);
    if (path === "/connectors") return ok({ data: connectors() });
    if (path === "/connection_profiles") return ok({ data: [] });
    if (path.startsWith("/connection_tables")) return this.#connectionTables(call);
    if (path.startsWith("/udfs")) return this.#answerUdfs(call);
    if (path === "/pipelines/validate_query") return ok(validate(String(call.body["query"])));
    if (path === "/pipelines/preview") return ok(viewPipeline(this.#add("preview", String(call.body["query"]), true)));
    if (path === "/pipelines") return method === "POST" ? ok(viewPipeline(this.#create(call))) : ok(this.#page(call));
    return this.#answerPipeline(call);
  }

  #scheduler({ path, query }: Call): Answer {
    const scheduler = this.#options.scheduler ?? "nomad";
    if (path === "/scheduler") return ok(schedulerStatus(scheduler, this.schedulerDown));
    if (path === "/scheduler/nodes") return ok(schedulerNodes(scheduler));
    if (path === "/scheduler/services") return ok(schedulerServices(scheduler));
    if (path === "/scheduler/timeline") return ok(schedulerTimeline());
    if (path === "/scheduler/runs")
      return ok(this.#options.empty === true ? { data: [], has_more: false } : schedulerRuns(scheduler, query));
    if (path.endsWith("/logs")) return { stream: path.startsWith("/scheduler/runs/") ? streamRunLog : streamLog };
    const [, , , job = "", fence = ""] = path.split("/");
    const run = schedulerRun(scheduler, job, Number(fence));
    return run === undefined ? refused(404, `run "${job}/${fence}" does not exist`) : ok(run);
  }

  #create({ body }: Call): MockPipeline {
    return this.#add(String(body["name"]), String(body["query"]), false, Number(body["parallelism"] ?? 1));
  }

  #add(name: string, query: string, preview: boolean, parallelism = 1): MockPipeline {
    const made: MockPipeline = {
      ...(initialPipelines()[0] as MockPipeline),
      id: `pl_new${String(this.#pipelines.length).padStart(7, "0")}`,
      name,
      query,
      preview,
      parallelism,
    };
    this.#pipelines.unshift(made);
    return made;
  }

  #page({ query }: Call): unknown {
    const listed = this.#pipelines.filter((known) => !known.preview);
    const start = listed.findIndex((known) => known.id === query.get("starting_after")) + 1;
    const limit = Number(query.get("limit") ?? 10);
    return { data: listed.slice(start, start + limit).map(viewPipeline), has_more: start + limit < listed.length };
  }

  #answerPipeline(call: Call): Answer {
    const [, , id, ...rest] = call.path.split("/");
    const found = this.#pipelines.find((known) => known.id === id);
    if (found === undefined) return refused(404, `pipeline "${id ?? ""}" does not exist`);
    const sub = rest.join("/").replace(/^jobs\/[^/]+\//, "");
    if (sub === "restart") found.state = "Restarting";
    else if (call.method === "PATCH") this.#patch(found, call.body);
    else if (call.method === "DELETE") this.#pipelines.splice(this.#pipelines.indexOf(found), 1);
    else if (sub !== "") return answerJob(found, sub, call.query);
    return ok(viewPipeline(found));
  }

  #patch(found: MockPipeline, body: Call["body"]): void {
    if (typeof body["parallelism"] === "number") found.parallelism = body["parallelism"];
    if (body["stop"] === "checkpoint") found.state = "CheckpointStopping";
    if (body["stop"] === "immediate") found.state = "Stopped";
    if (body["stop"] === "none") found.state = "Scheduling";
  }

  #connectionTables({ method, path, body }: Call): Answer {
    if (path === "/connection_tables/test") return testMessages();
    if (path === "/connection_tables/schemas/test") return ok({});
    if (method === "DELETE") {
      const at = this.#tables.findIndex((table) => table["id"] === path.split("/")[2]);
      if (Number(this.#tables[at]?.["consumers"]) > 0) return refused(400, "the table is used by pipelines");
      this.#tables.splice(at, 1);
      return ok({});
    }
    if (method === "POST") {
      const made = {
        id: "ct_new",
        created_at: MOCK_NOW_US,
        connection_profile: null,
        table_type: "source",
        consumers: 0,
        schema: { fields: [] },
        ...body,
      };
      this.#tables.unshift(made);
      return ok(made);
    }
    return ok({ data: this.#tables, has_more: false });
  }

  #answerUdfs({ method, path, body }: Call): Answer {
    if (path === "/udfs/validate") {
      const name = /export function (\w+)/.exec(String(body["definition"]))?.[1];
      return ok({
        udf_name: name ?? null,
        errors: name === undefined ? ["the file exports no function"] : [],
        problems: [],
        signature: null,
      });
    }
    if (method === "POST") this.#udfs.push({ id: `udf_${this.#udfs.length}`, name: "double_it", created_at: 0, updated_at: 0, ...body });
    if (method === "DELETE") this.#udfs.length = 0;
    return ok({ data: this.#udfs });
  }
}

const ENDED = new Set(["Stopped", "Finished", "Failed"]);
const ACTIONS: Readonly<Record<string, readonly [string, string | null, boolean]>> = {
  Running: ["Stop", "checkpoint", false],
  CheckpointStopping: ["Force Stop", "immediate", true],
  Stopped: ["Start", "none", false],
  Failed: ["Start", "none", false],
  Finished: ["Finished", null, false],
};

function viewPipeline(known: MockPipeline) {
  const [action_text, action, action_in_progress] = ACTIONS[known.state] ?? ["Stop", "checkpoint", true];
  return {
    id: known.id,
    name: known.name,
    query: known.query,
    udfs: [],
    checkpoint_interval_micros: 10_000_000,
    stop: known.stop,
    created_at: known.createdUs,
    action,
    action_text,
    action_in_progress,
    graph: GRAPH,
    preview: known.preview,
    state_url: null,
    tags: { team: "market" },
    parallelism: known.parallelism,
    state: known.state,
    job_id: known.id.replace("pl_", "job_"),
    created_by: "session",
  };
}

function viewJob(known: MockPipeline) {
  const failure_reason = known.failure === null ? null : { error: known.failure, domain: "external", code: "storage", hint: null };
  return {
    id: known.id.replace("pl_", "job_"),
    pipeline_id: known.id,
    running_desired: !ENDED.has(known.state),
    state: known.state,
    run_id: 3,
    start_time: known.startedUs,
    finish_time: known.finishedUs,
    tasks: known.parallelism * 5 + 1,
    failure_reason,
    created_at: known.createdUs,
    scheduler_config: {},
    env_vars: {},
    parallelism: known.parallelism,
    running_parallelism: known.parallelism,
    restarts: 0,
    epoch: 47,
    state_changed_at: known.createdUs,
  };
}

function answerJob(known: MockPipeline, sub: string, query: URLSearchParams): Answer {
  if (sub === "jobs") return ok({ data: [viewJob(known)] });
  if (sub === "errors" || sub === "events") {
    const all: readonly { readonly id: string }[] = sub === "errors" ? errors() : events();
    const start = all.findIndex((line) => line.id === query.get("starting_after")) + 1;
    const limit = Number(query.get("limit") ?? 10);
    return ok({ data: all.slice(start, start + limit), has_more: start + limit < all.length });
  }
  if (sub === "checkpoints") return ok({ data: checkpoints() });
  if (sub.startsWith("checkpoints/")) return ok({ data: operatorCheckpoints(Number(sub.split("/")[1])) });
  if (sub === "operator_metric_groups") return ok({ data: metricGroups(MOCK_NOW_US) });
  if (sub === "explain_output") return ok(explanation());
  if (sub === "workers") return ok({ data: workers() });
  if (sub === "output") return { stream: streamRows };
  return refused(404, `there is nothing at ${sub}`);
}

const CHANNELS = ["Google", "Facebook", "Baidu", "Apple"];

/** A batch of rows at once, then another every quarter of a second until the reader is gone. */
function streamRows(response: ServerResponse): void {
  let number = 0;
  const send = () => {
    const rows = CHANNELS.map((channel, i) => {
      const until = new Date(1_795_000_000_000 + number * 2000).toISOString();
      const bids = 180 + ((number * 37 + i * 61) % 140);
      return `{"until":"${until}","channel":"${channel}","bids":${bids},"highest":9007199254740993${i}}`;
    });
    const data = {
      operator_id: "5",
      subtask_idx: 0,
      timestamps: rows.map(() => MOCK_NOW_US),
      start_id: number * 4,
      batch: `[${rows.join(",")}]`,
    };
    response.write(`id: ${++number}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  for (let i = 0; i < 8; i++) send();
  const timer = setInterval(send, 250);
  response.on("close", () => clearInterval(timer));
}

/** Thirty lines at once, then another every quarter of a second until the reader is gone. */
function streamLog(response: ServerResponse): void {
  sendLog(response, logLine);
}

/** The same of two workers in turn. */
function streamRunLog(response: ServerResponse): void {
  sendLog(response, (number) => ({ worker: `wk_bids${number % 2}`, number: number % 2, text: logLine(number) }));
}

function sendLog(response: ServerResponse, line: (number: number) => unknown): void {
  let number = 0;
  const send = (count: number) => {
    const lines = Array.from({ length: count }, () => line(number++));
    response.write(`id: ${number}\ndata: ${JSON.stringify({ lines })}\n\n`);
  };
  send(30);
  const timer = setInterval(() => send(1), 250);
  response.on("close", () => clearInterval(timer));
}

/** The planner's part: one word is wrong, and one deprecated. */
function validate(query: string) {
  const at = query.indexOf("highst");
  const place = (offset: number) => {
    const lines = query.slice(0, offset).split("\n");
    return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1, offset };
  };
  if (at === -1) return { graph: GRAPH, errors: [], warnings: [] };
  const span = { start: place(at), end: place(at + 6) };
  const error = {
    severity: "error",
    code: "unknown-column",
    message: 'column "highst" does not exist',
    hint: 'Did you mean "highest"?',
    span,
  };
  return { graph: null, errors: [error], warnings: [] };
}
