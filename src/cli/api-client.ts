/**
 * Calls a cluster's API for the commands that talk to one. The token is `WADI_API_TOKEN`, else that of the cluster on this machine, which is
 * sent to loopback addresses only.
 */
import { readFile } from "node:fs/promises";
import type { z } from "zod";
import type { pipelineShape } from "../api/schema/pipeline-shapes.ts";
import type { Config } from "../core/config.ts";
import { AppError, type ErrorCode, externalError, isErrorCode, toAppError, userError } from "../core/errors.ts";
import { configuredStateFolder } from "./state-folder.ts";

/** Where the API is and who calls. */
export interface ApiAccess {
  /** http:// or https:// URL without a path. */
  readonly url: string;
  readonly token: string | undefined;
}

/** An event of a stream. */
export interface ApiEvent {
  readonly event: string;
  readonly data: unknown;
}

const PREFIX = "/api/v1";
const LOOPBACK = /^https?:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;
const PAGE = 500;

/** Who to call and as whom: `url` as given on the command line, else the setting api-endpoint. */
export async function apiAccess(config: Config, url: string | undefined): Promise<ApiAccess> {
  const base = (url ?? config["api-endpoint"]).replace(/\/+$/, "");
  if (!URL.canParse(base) || !/^https?:/.test(base))
    throw userError("invalid-usage", `"${base}" is not the URL of an API`, { hint: "Write it like http://localhost:5115." });
  const given = process.env["WADI_API_TOKEN"];
  if (given !== undefined && given !== "") return { url: base, token: given };
  return { url: base, token: LOOPBACK.test(base) ? await localToken(config) : undefined };
}

/** The session's token of the cluster on this machine, `undefined` if there is none. */
async function localToken(config: Config): Promise<string | undefined> {
  const text = await readFile(configuredStateFolder(config).sessionToken, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}

/** A cluster's API. Methods throw what the API refuses, in its words. */
export class ApiClient {
  readonly #access: ApiAccess;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  /** Calls and reads the answer, which the caller knows the shape of. */
  async call<T>(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
    const answer = await this.#send(method, path, body, undefined);
    const text = await answer.text();
    return (text === "" ? {} : JSON.parse(text)) as T;
  }

  /** All entries of a list that comes in pages. */
  async all<T extends { readonly id: string }>(path: string): Promise<T[]> {
    const entries: T[] = [];
    for (;;) {
      const after = entries.at(-1);
      const query = `limit=${PAGE}${after === undefined ? "" : `&starting_after=${encodeURIComponent(after.id)}`}`;
      const page = await this.call<{ data: T[]; has_more: boolean }>("GET", `${path}?${query}`);
      entries.push(...page.data);
      if (!page.has_more) return entries;
    }
  }

  /** Events of a stream until it ends or `signal` is aborted. Throws an error that the stream says. */
  async *events(method: "GET" | "POST", path: string, signal: AbortSignal, body?: unknown): AsyncGenerator<ApiEvent> {
    const answer = await this.#send(method, path, body, signal);
    if (answer.body === null) return;
    let text = "";
    try {
      for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
        text += piece;
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const event = parseEvent(block);
          if (event?.event === "error") throw refusal(503, event.data);
          if (event !== undefined) yield event;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** The pipeline that `text` means: an id, or a name that only one pipeline has. */
  async findPipeline(text: string): Promise<z.output<typeof pipelineShape>> {
    if (/^pl_[0-9a-z]+$/.test(text)) return this.call("GET", `/pipelines/${text}`);
    const named = (await this.all<z.output<typeof pipelineShape>>("/pipelines")).filter((pipeline) => pipeline.name === text);
    const [pipeline, ...others] = named;
    if (pipeline === undefined) throw userError("not-found", `pipeline "${text}" does not exist`, { hint: 'See "wadi pipelines list".' });
    if (others.length === 0) return pipeline;
    throw userError("invalid-usage", `${named.length} pipelines have the name "${text}"`, {
      hint: `Use an id: ${named.map(({ id }) => id).join(", ")}.`,
    });
  }

  async #send(method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
    const { url, token } = this.#access;
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const init = {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await fetch(`${url}${PREFIX}${path}`, init).catch((error: unknown) => {
      throw unreachable(url, error);
    });
    if (!answer.ok) throw refusal(answer.status, await answer.json().catch(() => undefined));
    return answer;
  }
}

function unreachable(url: string, error: unknown): AppError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return externalError("connection-lost", `the API at ${url} cannot be reached: ${toAppError(cause).message}`, {
    hint: 'Start a cluster with "wadi cluster", or name another with --api-url.',
    retry: "never",
    cause: error,
  });
}

/** What the API refused, with its own words and code. */
function refusal(status: number, body: unknown): AppError {
  const said: Readonly<Record<string, unknown>> = typeof body === "object" && body !== null ? { ...body } : {};
  const textOf = (name: string): string | undefined => (typeof said[name] === "string" ? said[name] : undefined);
  const code = textOf("code") ?? "";
  const known: ErrorCode = isErrorCode(code) ? code : "io";
  const hint =
    status === 401 ? "Set WADI_API_TOKEN to an API key, or to the token of the link that was printed at start-up." : textOf("hint");
  return new AppError({
    domain: status < 500 ? "user" : "external",
    code: status === 404 ? "not-found" : known,
    message: textOf("error") ?? `the API answered with status ${status}`,
    detail: textOf("detail"),
    hint,
  });
}

function parseEvent(block: string): ApiEvent | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice("event:".length).trim();
    if (line.startsWith("data:")) data.push(line.slice("data:".length).trim());
  }
  return data.length === 0 ? undefined : { event, data: JSON.parse(data.join("\n")) as unknown };
}
