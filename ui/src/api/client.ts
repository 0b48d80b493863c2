/**
 * Requests to `/api/v1`: JSON in and out, the session's token, errors as `ApiError` with the server's own words.
 */
import { tokenStore, wantToken } from "../session.ts";
import { isGatewayFault, reportReachable, reportUnreachable } from "./connectivity.ts";

/** The API refused a request, or (status 0) did not answer. */
export class ApiError extends Error {
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** A request's method, body and how to abort it. */
export interface RequestOptions {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Goes on with a stream of events behind this one. */
  readonly lastEventId?: string | undefined;
}

/** Before every path. */
const API = "/api/v1";

/** Sends a request and answers with the response, whose status is a success. Throws `ApiError`, or the abort's error. */
export async function send(path: string, options: RequestOptions = {}): Promise<Response> {
  const headers = new Headers({ accept: "application/json" });
  const token = tokenStore.get();
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (options.lastEventId !== undefined) headers.set("last-event-id", options.lastEventId);
  if (options.body !== undefined) headers.set("content-type", "application/json");
  const response = await fetchOrFail(`${API}${path}`, {
    method: options.method ?? "GET",
    headers,
    cache: "no-store",
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (response.ok) return response;
  if (response.status === 401 && token === tokenStore.get()) wantToken();
  throw new ApiError(response.status, await errorText(response));
}

/** As `fetch`, but the connection's faults are `ApiError`s of status 0. */
async function fetchOrFail(url: string, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(url, init);
    if (!isGatewayFault(response.status)) {
      reportReachable();
      return response;
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
  }
  reportUnreachable();
  throw new ApiError(0, "the API does not answer");
}

/** The message and the hint of an error's body, or what the status says. */
async function errorText(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { readonly error?: unknown; readonly hint?: unknown };
    if (typeof body.error === "string") return typeof body.hint === "string" ? `${body.error}. ${body.hint}` : body.error;
  } catch {
    // Not JSON: the status has to do.
  }
  return `the API answered ${response.status} ${response.statusText}`.trim();
}

/** Sends a request and reads the JSON answer; `undefined` if it is empty. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(path, options);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Any error as a sentence for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
