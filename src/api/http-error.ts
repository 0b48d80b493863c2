/**
 * Errors as HTTP says them: a status and the body `{error, …}` that Arroyo's clients read. Handlers throw an `AppError` or one of the
 * refusals below; the error middleware is the only place that turns them into an answer.
 */
import { AppError, type ErrorCode, toAppError } from "../core/errors.ts";
import type { Diagnostic } from "../sql/diagnostics.ts";

/** What a refusal says besides its message. */
interface RefusalAdvice {
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly diagnostics?: readonly Diagnostic[] | undefined;
}

/** A request that is refused with a status of its own. */
export class HttpError extends AppError {
  /** 400 … 503. */
  readonly status: number;
  /** Findings in the request's SQL, if that is why. */
  readonly diagnostics: readonly Diagnostic[] | undefined;

  constructor(status: number, code: ErrorCode, message: string, advice: RefusalAdvice = {}) {
    super({ domain: status >= 500 ? "external" : "user", code, message, detail: advice.detail, hint: advice.hint });
    this.name = "HttpError";
    this.status = status;
    this.diagnostics = advice.diagnostics;
  }
}

/** 400: the request is wrong; the message names the field. */
export function badRequest(message: string, advice: RefusalAdvice = {}): HttpError {
  return new HttpError(400, "invalid-usage", message, advice);
}

/** 401: no token, or none that is known. */
export function unauthorized(message: string, hint?: string): HttpError {
  return new HttpError(401, "permission-denied", message, { hint });
}

/** 403: known, and not allowed. */
export function forbidden(message: string, hint?: string): HttpError {
  return new HttpError(403, "permission-denied", message, { hint });
}

/** 404: `what` ("pipeline") with this id does not exist. */
export function notFound(what: string, id: string): HttpError {
  return new HttpError(404, "not-found", `${what} "${id}" does not exist`);
}

/** 409: not in this state. */
export function conflict(message: string, hint?: string): HttpError {
  return new HttpError(409, "invalid-usage", message, { hint });
}

/** 503: not now. */
export function unavailable(message: string, hint?: string): HttpError {
  return new HttpError(503, "io", message, { hint });
}

/** The body of every answer that is an error. */
export interface ErrorBody {
  readonly error: string;
  readonly code: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly diagnostics?: readonly Diagnostic[];
}

const USER_STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  "not-found": 404,
  "already-exists": 409,
  "permission-denied": 403,
};

/** The status and the body of a thrown value. What an internal error says is not shown: it is in the log. */
export function answerOf(thrown: unknown): { readonly status: number; readonly body: ErrorBody; readonly error: AppError } {
  const error = toAppError(thrown);
  const status = statusOf(error);
  if (status === 500) return { status, error, body: { error: "internal error", code: error.code, hint: "The log of the API says more." } };
  return {
    status,
    error,
    body: {
      error: error.message,
      code: error.code,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error instanceof HttpError && error.diagnostics !== undefined ? { diagnostics: error.diagnostics } : {}),
    },
  };
}

function statusOf(error: AppError): number {
  if (error instanceof HttpError) return error.status;
  switch (error.domain) {
    case "user":
      return USER_STATUS[error.code] ?? 400;
    // The database does not answer: try again; anything else outside answered wrongly.
    case "external":
      return error.code === "connection-lost" || error.code === "timeout" ? 503 : 502;
    case "internal":
      return 500;
  }
}
