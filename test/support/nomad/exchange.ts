/**
 * One request and its answer: query parameters, bodies, blocking, paging, tokens, and errors as plain text with the servers' statuses. Routes are
 * functions of an exchange; they throw `HttpError` or answer.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Caller, callerOf } from "./acl.ts";
import type { Cluster } from "./cluster.ts";
import { isObject } from "./job-decoder.ts";
import type { Table } from "./state.ts";

/** An answer that is an error. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

/** 403 as the servers say it. */
export function denied(): HttpError {
  return new HttpError(403, "Permission denied");
}

const DEFAULT_WAIT_MS = 300_000;
const MAX_WAIT_MS = 600_000;
const BODY_LIMIT = 32 * 1024 * 1024;

/** Go's durations in a query: "60s", "1m", "500ms"; a bare number is nanoseconds. Undefined: it is none. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) / 1e6;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  let rest = text;
  while (rest !== "") {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (match === null) return undefined;
    total += Number(match[1]) * (units[match[2] ?? ""] ?? 0);
    rest = rest.slice(match[0].length);
  }
  return total;
}

/** A request with what is needed to answer it. */
export class Exchange {
  readonly cluster: Cluster;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly method: string;
  /** Of the path's pattern. */
  parameters: readonly string[] = [];
  #body: Buffer | undefined;
  #caller: Caller | undefined;

  constructor(cluster: Cluster, request: IncomingMessage, response: ServerResponse) {
    this.cluster = cluster;
    this.request = request;
    this.response = response;
    this.url = new URL(request.url ?? "/", "http://nomad");
    this.method = request.method ?? "GET";
  }

  /** Parameter of the query; empty where it is absent. */
  query(name: string): string {
    return this.url.searchParams.get(name) ?? "";
  }

  /** Whether a parameter is true. 400 where it is neither. */
  flag(name: string, absent = false): boolean {
    const text = this.query(name);
    if (text === "") return absent;
    if (["1", "t", "true", "TRUE", "True"].includes(text)) return true;
    if (["0", "f", "false", "FALSE", "False"].includes(text)) return false;
    throw new HttpError(
      400,
      `Failed to parse value of "${name}" ("${text}") as a bool: strconv.ParseBool: parsing "${text}": invalid syntax`,
    );
  }

  get namespace(): string {
    const given = this.query("namespace");
    return given === "" ? "default" : given;
  }

  /** The n-th part of the path that its pattern has left open, decoded. */
  part(index: number): string {
    return decodeURIComponent(this.parameters[index] ?? "");
  }

  /** Who asks. Throws 403 for a token that is not known. */
  get caller(): Caller {
    this.#caller ??= this.#resolve();
    return this.#caller;
  }

  #resolve(): Caller {
    const caller = callerOf(this.cluster, this.request.headers);
    if (typeof caller === "string") throw new HttpError(403, caller);
    return caller;
  }

  /** 403 unless the caller has one of the capabilities in the namespace. */
  allow(namespace: string, ...capabilities: readonly string[]): void {
    if (!capabilities.some((capability) => this.caller.may(namespace, capability))) throw denied();
  }

  async #read(): Promise<Buffer> {
    if (this.#body !== undefined) return this.#body;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.request) {
      const piece = chunk as Buffer;
      size += piece.length;
      if (size > BODY_LIMIT) throw new HttpError(413, "http: request body too large");
      chunks.push(piece);
    }
    this.#body = Buffer.concat(chunks);
    return this.#body;
  }

  /** The body as an object of JSON; 400 with Go's words where it is none. */
  async json(): Promise<Readonly<Record<string, unknown>>> {
    const text = (await this.#read()).toString();
    if (text.trim() === "") throw new HttpError(400, "EOF");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      const ended = /end of JSON input|Unterminated|after property name|Expected/.test(message) && !text.trim().endsWith("}");
      throw new HttpError(400, ended ? "unexpected EOF" : `invalid character in JSON: ${message}`);
    }
    if (!isObject(value)) throw new HttpError(400, "json: cannot unmarshal into Go value of type struct");
    return value;
  }

  #common(index: number | undefined): Record<string, string> {
    const headers: Record<string, string> = { "Content-Type": "application/json", Vary: "Accept-Encoding" };
    if (index === undefined) return headers;
    return {
      ...headers,
      "X-Nomad-Index": String(index),
      "X-Nomad-Knownleader": String(!this.cluster.faults.leaderless),
      "X-Nomad-Lastcontact": "0",
    };
  }

  /** Answers with JSON. */
  send(body: unknown, index?: number, extra: Readonly<Record<string, string>> = {}, status = 200): void {
    const pretty = this.url.searchParams.has("pretty");
    const text = JSON.stringify(body, (_key, value: unknown) => value, pretty ? 4 : undefined);
    this.response.writeHead(status, { ...this.#common(index), ...extra });
    this.response.end(pretty ? `${text}\n` : text);
  }

  /** Answers with plain text. */
  text(status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
    if (this.response.headersSent) {
      this.response.destroy();
      return;
    }
    this.response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Vary: "Accept-Encoding", ...headers });
    this.response.end(text);
  }

  /** 500 where there is no leader, as every call that needs one says. */
  needLeader(): void {
    const stale = this.url.searchParams.has("stale") && this.method === "GET";
    if (this.cluster.faults.leaderless && !stale) throw new HttpError(500, "No cluster leader");
  }

  /** The wait and the index of a blocking query; index 0: not blocking. */
  #blocking(): { index: number; waitMs: number } {
    const text = this.query("index");
    if (text !== "" && !/^\d+$/.test(text)) throw new HttpError(400, "Invalid index");
    const wait = this.query("wait");
    const waitMs = wait === "" ? DEFAULT_WAIT_MS : parseDuration(wait);
    if (waitMs === undefined) throw new HttpError(400, "Invalid wait time");
    return { index: Number(text), waitMs: Math.min(waitMs === 0 ? DEFAULT_WAIT_MS : waitMs, MAX_WAIT_MS) };
  }

  /**
   * Answers with what `read` gives, once its index is greater than the one asked for or the time is over. `tables`: a write elsewhere cannot change
   * the answer. `read` returns undefined for 404 with `missing`.
   */
  async blocking(
    tables: readonly Table[],
    read: () => { readonly index: number; readonly body: unknown } | undefined,
    missing = "",
  ): Promise<void> {
    this.needLeader();
    const { index, waitMs } = this.#blocking();
    const { state } = this.cluster;
    const tableIndex = () => Math.max(...tables.map((table) => state.tableIndex(table)));
    const jitter = index > 0 ? (waitMs / 16) * ((performance.now() * 1000) % 1) : 0;
    const deadline = performance.now() + waitMs + jitter;
    let seen = -1;
    let answer: ReturnType<typeof read>;
    for (;;) {
      if (tableIndex() !== seen) {
        seen = tableIndex();
        answer = read();
      }
      if (index === 0 || (answer?.index ?? seen) > index) break;
      const left = deadline - performance.now();
      if (left <= 0 || this.response.destroyed) break;
      await state.changed(left);
      this.needLeader();
    }
    if (answer === undefined) {
      this.text(404, missing, { ...this.#common(seen), "Content-Type": "text/plain; charset=utf-8" });
      return;
    }
    this.#page(answer.body, answer.index);
  }

  /** Lists are cut to `per_page`, beginning at `next_token`. */
  #page(body: unknown, index: number): void {
    const size = Number(this.query("per_page"));
    if (!Array.isArray(body) || !(size > 0)) {
      this.send(body, index);
      return;
    }
    const idOf = (one: unknown) => (isObject(one) ? String(one["ID"] ?? one["Path"] ?? one["ServiceName"] ?? "") : "");
    const from = this.query("next_token");
    const start = from === "" ? 0 : body.findIndex((one) => idOf(one) === from);
    const first = start < 0 ? body.length : start;
    const next = body[first + size] as unknown;
    this.send(body.slice(first, first + size), index, next === undefined ? {} : { "X-Nomad-Nexttoken": idOf(next) });
  }

  /** The namespaces that a list covers: one, or with `*` those that the caller may read. */
  namespaces(capability: string): (namespace: string) => boolean {
    if (this.namespace !== "*") {
      this.allow(this.namespace, capability);
      return (namespace) => namespace === this.namespace;
    }
    return (namespace) => this.caller.may(namespace, capability);
  }
}
