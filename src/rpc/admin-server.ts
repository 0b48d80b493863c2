/**
 * The small HTTP server that every process of the system has for its operators: is it well (/status), what is it (/name, /details), how is
 * it set (/config, secrets masked), what does it count (/metrics, Prometheus text), where are its threads (/stack). It changes nothing, but for
 * what the process lets its own machine ask for by POST. Bound beyond loopback it does not answer /config and /details, which tell strangers
 * too much, and /stack only to its own machine.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import { type Config, printConfig } from "../core/config.ts";
import { toAppError } from "../core/errors.ts";
import { type ListenAddress, listen } from "./listen.ts";

/** How a process is. */
export interface ProcessStatus {
  /** Whether it does its work: 200 or 503. */
  readonly ok: boolean;
  /** What is wrong, or worth knowing, in words; by part. */
  readonly details?: Readonly<Record<string, string>>;
}

/** What came of a request. */
export interface ActionOutcome {
  /** 200 or 409. */
  readonly ok: boolean;
  /** One line for people. */
  readonly text: string;
}

/** What the server tells. */
export interface AdminOptions {
  /** Of the process: "controller". */
  readonly name: string;
  readonly release: string;
  readonly config: Config;
  /** A prom-client `Registry`, or what answers like one. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  readonly status: () => ProcessStatus;
  /** What may be asked for by POST from the process' own machine, by path, such as "/checkpoint"; absent: nothing. */
  readonly actions?: Readonly<Record<string, () => Promise<ActionOutcome>>>;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";

/** See the file's comment. */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #server: Server;
  #private = true;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#handle(request, response));
    // A process that ends does not wait for a scraper that holds its connection.
    this.#server.keepAliveTimeout = 5_000;
  }

  /** Starts to listen; the port. Throws as `listen` does. */
  listen(address: ListenAddress): Promise<number> {
    this.#private = isLoopback(address.host);
    return listen(this.#server, address);
  }

  /** Ends all connections and stops listening. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { code, type, body } = await this.#answer(request);
    response.writeHead(code, { "content-type": type, "cache-control": "no-store", "x-content-type-options": "nosniff" });
    response.end(request.method === "HEAD" ? "" : body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    try {
      const act = this.#options.actions?.[path];
      if (act !== undefined) return await actionAnswer(request, act);
      if (request.method !== "GET" && request.method !== "HEAD") return { code: 405, type: TEXT, body: "only GET\n" };
      return await this.#page(path, request);
    } catch (error) {
      return { code: 500, type: TEXT, body: `${toAppError(error).message}\n` };
    }
  }

  async #page(path: string, request: IncomingMessage): Promise<Answer> {
    const { name, release, config, metrics, status } = this.#options;
    switch (path) {
      case "/status": {
        const { ok, details = {} } = status();
        return { code: ok ? 200 : 503, type: JSON_TYPE, body: `${JSON.stringify({ status: ok ? "ok" : "failing", ...details })}\n` };
      }
      case "/name":
        return { code: 200, type: TEXT, body: `${name}\n` };
      case "/metrics":
        return { code: 200, type: metrics.contentType, body: await metrics.metrics() };
      case "/details":
        if (!this.#private) return NOT_HERE;
        return {
          code: 200,
          type: JSON_TYPE,
          body: `${JSON.stringify({ service: name, release, node: process.version, pid: process.pid })}\n`,
        };
      case "/stack":
        return isNear(request) ? { code: 200, type: TEXT, body: stacks() } : NOT_HERE;
      case "/config":
        return this.#private ? { code: 200, type: "application/toml", body: printConfig(config) } : NOT_HERE;
      default:
        return { code: 404, type: TEXT, body: "there are /status, /name, /metrics, /details, /stack and /config\n" };
    }
  }
}

/** Browsers say where a page's request comes from: no page may ask for anything. */
async function actionAnswer(request: IncomingMessage, act: () => Promise<ActionOutcome>): Promise<Answer> {
  if (request.method !== "POST") return { code: 405, type: TEXT, body: "only POST\n" };
  if (!isNear(request) || request.headers.origin !== undefined) return NOT_HERE;
  const { ok, text } = await act();
  return { code: ok ? 200 : 409, type: TEXT, body: `${text}\n` };
}

/** Whether the caller is on this machine. */
function isNear({ socket }: IncomingMessage): boolean {
  return socket.remoteAddress !== undefined && (socket.remoteAddress === socket.localAddress || isLoopback(socket.remoteAddress));
}

interface ThreadReport {
  readonly header?: { readonly threadId?: number };
  readonly javascriptStack?: { readonly message?: string; readonly stack?: readonly string[] };
}

/** Where each thread is. Of generated code V8 knows function numbers. https://nodejs.org/docs/latest-v20.x/api/report.html */
function stacks(): string {
  const report = process.report.getReport() as ThreadReport & { readonly workers?: readonly ThreadReport[] };
  return [report, ...(report.workers ?? [])]
    .map(({ header, javascriptStack }, index) => {
      const thread = index === 0 ? "main thread" : `thread ${header?.threadId ?? index}`;
      return [thread, ...(javascriptStack?.stack ?? []).map((line) => `  ${line.trim()}`)].join("\n");
    })
    .join("\n\n")
    .concat("\n");
}

const NOT_HERE: Answer = { code: 403, type: TEXT, body: "answered on loopback only\n" };

/** Whether an address is reached from this machine only. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1" || host === "::ffff:127.0.0.1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}
