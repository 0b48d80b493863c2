/**
 * Calls of Nomad's HTTP API: which agent, which token, TLS or the task API's socket, how long, and what an answer that is no success means.
 * Several addresses are tried in turn; the one that answered last is asked first. It knows the transport only: what is asked for and what
 * comes back is for its callers. Tokens never get into messages or logs.
 */
import { readFileSync, statSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import fetch, { type Response } from "node-fetch";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, toAppError, userError } from "../../core/errors.ts";
import { connectionFailure, failureOf } from "./failure.ts";
import type { NomadConnection } from "./settings.ts";

/** A call. */
export interface NomadCall {
  readonly method?: "GET" | "PUT" | "POST" | "DELETE";
  /** From "/v1/". */
  readonly path: string;
  /** Undefined values are left out; region and namespace are added. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** Statuses besides 2xx that are answers and no failures. */
  readonly accept?: readonly number[];
  /** Milliseconds; 10 s if absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Event streams of Nomad 1.11 say "HTTP/0.0 200 OK", which Node refuses without this. */
  readonly lenient?: boolean;
}

/** An answer. */
export interface NomadAnswer {
  readonly status: number;
  /** The JSON value, or text where Nomad sent some. */
  readonly body: unknown;
  /** `X-Nomad-Index`; 0: none was sent. */
  readonly index: number;
  readonly nextToken: string | undefined;
}

const TIMEOUT_MS = 10_000;
/** Rows per page: an answer of 1,000 allocations with their task states is about 3 MB. */
const PER_PAGE = 1_000;
/** A blocking query waits so long at Nomad, and at most a sixteenth longer. */
const BLOCKING_WAIT_MS = 60_000;
/** Why a wait is over; without it every call would make an exception. */
const DONE = "done";
/** Nomad's agents take 100 connections of one address. */
const MAX_SOCKETS = 16;

/** See the file's comment. */
export class NomadClient {
  readonly #connection: NomadConnection;
  /** Whose time its waits are. */
  readonly clock: Clock;
  readonly #agents: readonly { readonly url: string; readonly shown: string; readonly agent: HttpAgent | HttpsAgent }[];
  /** Of `#agents`: the one that answered last. */
  #current = 0;
  #token: { readonly text: string; readonly mtimeMs: number } | undefined;
  #requests = 0;

  /** Throws `invalid-config` if a file of the TLS settings cannot be read. */
  constructor(connection: NomadConnection, clock: Clock) {
    this.#connection = connection;
    this.clock = clock;
    this.#agents = makeAgents(connection);
  }

  /** Address that answered last. */
  get address(): string {
    return this.#agents[this.#current]?.shown ?? "";
  }

  /** Requests made so far, streams included. */
  get requests(): number {
    return this.#requests;
  }

  /** Lets go of its connections. */
  close(): void {
    for (const { agent } of this.#agents) agent.destroy();
  }

  /** Makes a call and reads its answer. Throws the failure in our words: see `failure.ts`. */
  async call(call: NomadCall): Promise<NomadAnswer> {
    return await this.#bounded(call, async (signal) => {
      const response = await this.#send(call, signal);
      const text = await response.text();
      return {
        status: response.status,
        body: parseBody(text),
        index: Number(response.headers.get("x-nomad-index") ?? 0),
        nextToken: response.headers.get("x-nomad-nexttoken") ?? undefined,
      };
    });
  }

  /** All pages of a list, and the index of the first: what changed meanwhile has a higher one. */
  async list(call: NomadCall): Promise<{ readonly rows: readonly unknown[]; readonly index: number }> {
    const rows: unknown[] = [];
    let index: number | undefined;
    let token: string | undefined;
    do {
      const answer = await this.call({ ...call, query: { ...call.query, per_page: PER_PAGE, next_token: token } });
      if (Array.isArray(answer.body)) rows.push(...(answer.body as unknown[]));
      index ??= answer.index;
      token = answer.nextToken;
    } while (token !== undefined && token !== "");
    return { rows, index: index ?? 0 };
  }

  /** A call that Nomad answers when there is something newer than `index`, or after a minute: an answer says nothing about a change. */
  async blocking(call: NomadCall, index: number): Promise<NomadAnswer> {
    const wait = `${BLOCKING_WAIT_MS / 1000}s`;
    return await this.call({ ...call, query: { ...call.query, index: Math.max(1, index), wait }, timeoutMs: BLOCKING_WAIT_MS * 1.2 });
  }

  /** Bytes of an endless answer until `signal` is aborted or the other side ends it. Throws like `call` before the first byte. */
  async stream(call: NomadCall, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#bounded({ ...call, signal }, (connecting) => this.#send(call, connecting, signal));
    return bytesOf(response, this.address);
  }

  /** Runs `work` with a signal that is aborted at the end of its time; what that comes to is a `timeout`. */
  async #bounded<T>(call: NomadCall, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const done = new AbortController();
    const timeoutMs = call.timeoutMs ?? TIMEOUT_MS;
    void this.clock.sleep(timeoutMs, done.signal).then(() => over.abort());
    try {
      return await work(call.signal === undefined ? over.signal : AbortSignal.any([over.signal, call.signal]));
    } catch (thrown) {
      if (!over.signal.aborted) throw thrown;
      throw externalError("connection-lost", `Nomad at ${this.address} has not answered ${call.path} for ${timeoutMs} ms`);
    } finally {
      done.abort(DONE);
    }
  }

  /** Tries the addresses in turn. Every call of ours may arrive twice, so a lost answer is no reason to stop. */
  async #send(call: NomadCall, connecting: AbortSignal, streaming?: AbortSignal): Promise<Response> {
    let failure: AppError | undefined;
    for (let tried = 0; tried < this.#agents.length; tried++) {
      try {
        return await this.#sendTo(this.#current, call, connecting, streaming);
      } catch (thrown) {
        failure = toAppError(thrown);
        if (connecting.aborted || failure.code !== "connection-lost") throw failure;
        this.#current = (this.#current + 1) % this.#agents.length;
      }
    }
    throw failure ?? externalError("connection-lost", "Nomad has no address");
  }

  async #sendTo(index: number, call: NomadCall, connecting: AbortSignal, streaming?: AbortSignal): Promise<Response> {
    const target = this.#agents[index];
    if (target === undefined) throw externalError("connection-lost", "Nomad has no address");
    this.#requests += 1;
    const { method = "GET", body } = call;
    const url = `${target.url}${call.path}${call.path.includes("?") ? "&" : "?"}${this.#query(call)}`;
    const token = this.#readToken();
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (token !== undefined && token !== "") headers["x-nomad-token"] = token;
    if (body !== undefined) headers["content-type"] = "application/json";
    // A stream outlives the time for connecting: from its head on only its own signal ends it.
    const either = streaming === undefined ? undefined : eitherOf(connecting, streaming);
    let response: Response;
    try {
      const signal = (either?.signal ?? connecting) as never;
      const json = body === undefined ? null : JSON.stringify(body);
      response = await fetch(url, { method, headers, body: json, agent: target.agent, signal, insecureHTTPParser: call.lenient === true });
    } catch (thrown) {
      throw connectionFailure(target.shown, thrown);
    } finally {
      either?.connected();
    }
    if (response.ok || call.accept?.includes(response.status) === true) return response;
    const text = await response.text().catch(() => "");
    throw failureOf({ status: response.status, text, call: `${method} ${call.path}`, namespace: this.#connection.namespace });
  }

  #query(call: NomadCall): string {
    const { region, namespace } = this.#connection;
    const entries = Object.entries({ region, namespace, ...call.query }).filter(([, value]) => value !== undefined && value !== "");
    return new URLSearchParams(Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))).toString();
  }

  /** The token; a file is read again when it has changed. */
  #readToken(): string | undefined {
    const { token, tokenFile } = this.#connection;
    if (tokenFile === undefined) return token;
    try {
      const { mtimeMs } = statSync(tokenFile);
      if (this.#token?.mtimeMs !== mtimeMs) this.#token = { text: readFileSync(tokenFile, "utf8").trim(), mtimeMs };
      return this.#token.text;
    } catch (thrown) {
      if (this.#token !== undefined) return this.#token.text;
      const error = toAppError(thrown);
      throw userError("invalid-config", `nomad.token-file cannot be read: ${error.message}`, { cause: error });
    }
  }
}

/** A signal of both until the connection is made, of `streaming` alone afterwards. */
function eitherOf(connecting: AbortSignal, streaming: AbortSignal) {
  const abort = new AbortController();
  const onAbort = (): void => abort.abort();
  connecting.addEventListener("abort", onAbort, { once: true });
  streaming.addEventListener("abort", onAbort, { once: true });
  if (connecting.aborted || streaming.aborted) abort.abort();
  return { signal: abort.signal, connected: () => connecting.removeEventListener("abort", onAbort) };
}

async function* bytesOf(response: Response, address: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) yield chunk as Uint8Array;
  } catch (thrown) {
    throw connectionFailure(address, thrown);
  }
}

function parseBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function makeAgents({ addresses, unixAddress, tls }: NomadConnection) {
  const keeping = { keepAlive: true, maxSockets: MAX_SOCKETS };
  if (unixAddress !== undefined) {
    const agent = new HttpAgent({ ...keeping, socketPath: unixAddress } as never);
    return [{ url: "http://localhost", shown: unixAddress, agent }];
  }
  const files = {
    ca: fileText("nomad.ca-cert", tls.ca),
    cert: fileText("nomad.client-cert", tls.cert),
    key: fileText("nomad.client-key", tls.key),
    servername: tls.serverName,
  };
  const secure = Object.fromEntries(Object.entries(files).filter(([, value]) => value !== undefined));
  return addresses.map((url) => {
    const options = { ...keeping, ...secure, rejectUnauthorized: !tls.skipVerify };
    return { url, shown: url, agent: url.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(keeping) };
  });
}

function fileText(setting: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    const error = toAppError(thrown);
    throw userError("invalid-config", `${setting} cannot be read: ${error.message}`, { cause: error });
  }
}
