/**
 * A Pushgateway over plain HTTP: workers put their metrics there, each into a group of its own, and the controller takes groups of runs that
 * are over away again. A group's labels are `job`, `run` and `worker`, as those of scraped workers are by `/api/v1/metrics/targets`.
 * https://github.com/prometheus/pushgateway#api
 */
import fetch, { type RequestInit, type Response } from "node-fetch";
import { externalError, toAppError, userError } from "../core/errors.ts";
import { httpAddress, withoutPassword } from "./http-credentials.ts";

/** Whose metrics a group holds. */
export interface PushGroup {
  /** "job_…". */
  readonly job: string;
  /** The run's fence. */
  readonly run: string;
  /** "wk_…". */
  readonly worker: string;
}

/** A group as the Pushgateway has it. */
export interface PushedGroup {
  readonly group: PushGroup;
  /** Seconds since 1970, by the Pushgateway's clock; 0: unknown. */
  readonly pushedAtS: number;
}

const MAX_ERROR_CHARACTERS = 200;

interface GroupMetric {
  readonly labels?: Readonly<Record<string, string>>;
  readonly push_time_seconds?: { readonly metrics?: readonly { readonly value?: string }[] };
}

/** See the file's comment. Every call throws `connection-lost` or `timeout` if it does not succeed. */
export class Pushgateway {
  readonly #base: string;
  readonly #authorization: string | undefined;
  readonly #timeoutMs: number;

  /** `url` may contain a path, and user and password; throws `invalid-config` if it is none. `timeoutMs` is of one call. */
  constructor(url: string, timeoutMs: number) {
    const address = httpAddress(url);
    if (address === undefined) {
      throw userError("invalid-config", `metrics.pushgateway is not the URL of a Pushgateway: "${withoutPassword(url)}"`);
    }
    this.#base = address.url;
    this.#authorization = address.authorization;
    this.#timeoutMs = timeoutMs;
  }

  /** Replaces what is in the group by `text`, an exposition without timestamps. Given up when `signal` is aborted. */
  async push(group: PushGroup, text: string, contentType: string, signal?: AbortSignal): Promise<void> {
    const headers = { "content-type": contentType };
    await this.#call(pathOf(group), { method: "PUT", body: text, headers, ...(signal === undefined ? {} : { signal }) });
  }

  /** Takes the group away; it need not exist. */
  async remove(group: PushGroup): Promise<void> {
    await this.#call(pathOf(group), { method: "DELETE" });
  }

  /** Groups of Wadi's workers, of every Wadi that pushes there; those of others are left out. */
  async groups(): Promise<readonly PushedGroup[]> {
    const answer = await this.#call("/api/v1/metrics", { method: "GET" });
    const text = await answer.text().catch((error: unknown) => {
      throw this.#failure(error);
    });
    return parseGroups(text);
  }

  async #call(path: string, init: RequestInit & { readonly headers?: Record<string, string> }): Promise<Response> {
    const headers = { ...init.headers, ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }) };
    const limit = AbortSignal.timeout(this.#timeoutMs);
    const signal = init.signal instanceof AbortSignal ? AbortSignal.any([limit, init.signal]) : limit;
    let answer: Response;
    try {
      answer = await fetch(this.#base + path, { ...init, headers, redirect: "error", signal });
    } catch (error) {
      throw this.#failure(error);
    }
    if (answer.ok) return answer;
    const said = (await answer.text().catch(() => "")).slice(0, MAX_ERROR_CHARACTERS).trim();
    throw externalError("connection-lost", `the Pushgateway at ${this.#base} answers with status ${answer.status}: ${said}`);
  }

  #failure(cause: unknown): Error {
    if (cause instanceof Error && cause.name === "AbortError") {
      return externalError("timeout", `the Pushgateway at ${this.#base} did not answer within ${this.#timeoutMs} ms`);
    }
    return externalError("connection-lost", `the Pushgateway at ${this.#base} is not reached: ${toAppError(cause).message}`, { cause });
  }
}

/** Groups of workers in an answer of `/api/v1/metrics`; throws `connection-lost` for what is none. */
export function parseGroups(text: string): readonly PushedGroup[] {
  let body: { readonly data?: unknown };
  try {
    body = JSON.parse(text) as { readonly data?: unknown };
  } catch (cause) {
    throw externalError("connection-lost", "the Pushgateway's list of groups is not JSON", { cause });
  }
  if (!Array.isArray(body.data)) throw externalError("connection-lost", "the Pushgateway's answer has no list of groups");
  return (body.data as readonly GroupMetric[]).flatMap(({ labels = {}, push_time_seconds: time }) => {
    const { job = "", run = "", worker = "" } = labels;
    if (!job.startsWith("job_") || !/^\d+$/.test(run) || !worker.startsWith("wk_") || Object.keys(labels).length !== 3) return [];
    return [{ group: { job, run, worker }, pushedAtS: Number(time?.metrics?.[0]?.value ?? 0) }];
  });
}

/** Ids have no character that a path cannot have; encoding makes that certain. */
function pathOf({ job, run, worker }: PushGroup): string {
  const part = encodeURIComponent;
  return `/metrics/job/${part(job)}/run/${part(run)}/worker/${part(worker)}`;
}
