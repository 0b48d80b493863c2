/**
 * Requests to the Kubernetes API. Where it is, how it is trusted and who we are comes from `@kubernetes/client-node`, which knows kubeconfigs,
 * exec plugins and service accounts; the requests are made here, because they need limits, cancellation and refusals as values, which its
 * generated clients do not give. It retries nothing: every caller may be called again.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import { type ApiStatus, parseStatus } from "./objects.ts";

/** Which cluster. */
export interface KubernetesClientOptions {
  /** Kubeconfig file; undefined: where kubectl looks, or the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  /** Undefined: the current one. */
  readonly context: string | undefined;
  /** Undefined: the context's. */
  readonly namespace: string | undefined;
  readonly clock: Clock;
}

/** One request. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From "/api". */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON; with PATCH as a merge patch. */
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
}

/** What came back: a refusal is a value, because callers answer to many of them. */
export type ApiAnswer =
  | { readonly ok: true; readonly body: unknown; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly status: ApiStatus; readonly retryAfterMs: number | undefined };

/** How the API server is reached now. */
interface Connection {
  readonly server: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: HttpAgent | HttpsAgent;
  readonly madeAtMs: number;
}

/** A request without any byte for this long has failed; watches hear bookmarks every minute. */
const SILENCE_MS = 30_000;
const WATCH_SILENCE_MS = 180_000;
/** Tokens of service accounts and exec plugins change: they are asked for again this often. */
const CREDENTIALS_MS = 60_000;

/** See the file's comment. */
export class KubernetesClient {
  readonly #options: KubernetesClientOptions;
  #connection: Promise<Connection> | undefined;
  #namespace = "";
  #closed = false;
  /** Requests sent so far. */
  requests = 0;

  constructor(options: KubernetesClientOptions) {
    this.#options = options;
  }

  /** The namespace of everything of ours. */
  async namespace(): Promise<string> {
    if (this.#namespace === "") await this.#connect(false);
    return this.#namespace;
  }

  /** URL of the API server. */
  async server(): Promise<string> {
    return (await this.#connect(false)).server.href;
  }

  /** Sends a request. Rejects with `connection-lost` and `retry: "backoff"` if there is no answer. */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const response = await this.#open(request, SILENCE_MS);
    const text = await readAll(response);
    const body = parseJson(text);
    const code = response.statusCode ?? 0;
    if (code < 300) return { ok: true, body, warnings: warningsOf(response) };
    return { ok: false, status: statusOf(body, text, code), retryAfterMs: retryAfterOf(response) };
  }

  /** The body of the answer; rejects with the refusal in words. `what` names the object: `job "w-1"`. */
  async get(path: string, what: string, query: ApiRequest["query"] = {}): Promise<unknown> {
    const answer = await this.send({ method: "GET", path, query });
    if (answer.ok) return answer.body;
    throw refusal(answer.status, `reading ${what}`);
  }

  /** All items of a list, page by page, and the version at which they were so. */
  async list(path: string, what: string, query: ApiRequest["query"] = {}): Promise<{ items: readonly unknown[]; version: string }> {
    const items: unknown[] = [];
    for (let page: string | undefined = ""; page !== undefined; ) {
      const body = (await this.get(path, what, { ...query, limit: 500, ...(page === "" ? {} : { continue: page }) })) as ListBody;
      items.push(...(body.items ?? []));
      const { continue: next = "", resourceVersion = "" } = body.metadata ?? {};
      if (next === "") return { items, version: resourceVersion };
      page = next;
    }
    return { items, version: "" };
  }

  /** Opens a watch or a log: its bytes as they come. Rejects as `get` does. */
  async stream(path: string, what: string, query: ApiRequest["query"], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#open({ method: "GET", path, query: query ?? {}, signal }, WATCH_SILENCE_MS);
    const code = response.statusCode ?? 0;
    if (code < 300) return response;
    const text = await readAll(response);
    throw refusal(statusOf(parseJson(text), text, code), `reading ${what}`);
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection?.catch(() => undefined);
    connection?.agent.destroy();
  }

  async #open(request: ApiRequest, silenceMs: number): Promise<IncomingMessage> {
    if (this.#closed) throw externalError("connection-lost", "the client of Kubernetes has been closed", { retry: "never" });
    const first = await this.#exchange(request, silenceMs, await this.#connect(false));
    if (first.statusCode !== 401) return first;
    // The token may have been replaced meanwhile.
    first.resume();
    return await this.#exchange(request, silenceMs, await this.#connect(true));
  }

  #exchange(request: ApiRequest, silenceMs: number, { server, headers, agent }: Connection): Promise<IncomingMessage> {
    this.requests += 1;
    const { method, path, query = {}, body, signal } = request;
    const url = new URL(`${server.pathname.replace(/\/$/, "")}${path}`, server);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const text = body === undefined ? undefined : JSON.stringify(body);
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(lost(error));
      const options = {
        method,
        agent,
        timeout: silenceMs,
        headers: {
          ...headers,
          accept: "application/json",
          ...(text === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(text) }),
        },
        ...(signal === undefined ? {} : { signal }),
      };
      const sent = (url.protocol === "http:" ? httpRequest : httpsRequest)(url, options, resolve);
      sent.on("error", fail);
      sent.on("timeout", () => sent.destroy(externalError("timeout", `no answer for ${silenceMs / 1000} s`)));
      sent.end(text);
    });
  }

  async #connect(again: boolean): Promise<Connection> {
    const known = await this.#connection?.catch(() => undefined);
    if (known !== undefined && !again && this.#options.clock.elapsedMs() - known.madeAtMs < CREDENTIALS_MS) return known;
    this.#connection = this.#make(known);
    this.#connection.catch(() => undefined);
    return await this.#connection;
  }

  /** The library takes a third of a second and 60 MB to load: it is loaded where it is needed. */
  async #make(before: Connection | undefined): Promise<Connection> {
    const { KubeConfig } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    const { kubeconfig, context, namespace, clock } = this.#options;
    try {
      if (kubeconfig === undefined) config.loadFromDefault();
      else config.loadFromFile(kubeconfig);
      if (context !== undefined) config.setCurrentContext(context);
    } catch (thrown) {
      throw externalError("invalid-config", `the kubeconfig cannot be used: ${toAppError(thrown).message}`, {
        retry: "never",
        cause: thrown,
      });
    }
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw externalError("invalid-config", "the kubeconfig has no current cluster", { retry: "never" });
    this.#namespace = namespace ?? config.getContextObject(config.currentContext)?.namespace ?? "default";
    const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {};
    await config.applyToHTTPSOptions(options).catch((thrown: unknown) => {
      // A plugin that gives no token now may give one later.
      throw externalError("permission-denied", `the kubeconfig gives no credentials: ${toAppError(thrown).message}`, { cause: thrown });
    });
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, auth } = options;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized };
    const given = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined && value !== null));
    const named = cluster.tlsServerName === undefined ? {} : { servername: cluster.tlsServerName };
    const server = new URL(cluster.server);
    const kept = { keepAlive: true, maxSockets: 32 };
    const own = (): HttpAgent => (server.protocol === "http:" ? new HttpAgent(kept) : new HttpsAgent({ ...kept, ...given, ...named }));
    const agent = cluster.proxyUrl !== undefined && options.agent instanceof HttpAgent ? options.agent : own();
    before?.agent.destroy();
    const basic = auth === undefined || auth === null ? {} : { authorization: `Basic ${Buffer.from(auth).toString("base64")}` };
    return { server, headers: { ...basic, ...textHeaders(options.headers) }, agent, madeAtMs: clock.elapsedMs() };
  }
}

interface ListBody {
  readonly items?: readonly unknown[];
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
}

/** A refusal as an error; `doing` completes "Kubernetes refused …". */
export function refusal(status: ApiStatus, doing: string): AppError {
  const { code, reason, message } = status;
  const text = `Kubernetes refused ${doing}: ${message === "" ? reason : message}`;
  // A quota is refused as forbidden, and has room again later.
  const quota = /exceeded quota/.test(message);
  if ((code === 401 || code === 403) && !quota) return externalError("permission-denied", text, { retry: "never", hint: PERMISSION_HINT });
  if (code === 404) return externalError("not-found", text, { retry: "never" });
  if (code === 409 && reason === "AlreadyExists") return externalError("already-exists", text, { retry: "never" });
  if (code === 400 || code === 422) return externalError("invalid-config", text, { retry: "never" });
  return externalError("io", text);
}

const PERMISSION_HINT = "The Role that Wadi needs is printed by `wadi kubernetes render`.";

function lost(error: Error): AppError {
  const { message } = toAppError(error);
  return externalError("connection-lost", `Kubernetes does not answer: ${message}`, { cause: error });
}

function statusOf(body: unknown, text: string, code: number): ApiStatus {
  const status = parseStatus(body);
  return status === undefined
    ? { kind: "Status", reason: "", message: text.slice(0, 500), code }
    : { ...status, code: status.code === 0 ? code : status.code };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of response) pieces.push(piece as Buffer);
  } catch (error) {
    throw lost(error as Error);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** https://www.rfc-editor.org/rfc/rfc7234#section-5.5: `299 - "text"`. */
function warningsOf(response: IncomingMessage): string[] {
  const { warning = "" } = response.headers;
  return [...warning.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => (match[1] ?? "").replace(/\\(.)/g, "$1"));
}

function retryAfterOf(response: IncomingMessage): number | undefined {
  const seconds = Number(response.headers["retry-after"]);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

function textHeaders(headers: unknown): Record<string, string> {
  if (typeof headers !== "object" || headers === null) return {};
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === "string" ? [[name.toLowerCase(), value]] : [])),
  );
}
