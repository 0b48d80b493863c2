/**
 * The one error type. Everything that fails throws an `AppError`; a bare `Error` is banned by `test/tidy`.
 *
 * Messages follow PostgreSQL's manner: lower case, no full stop, the object named, values in double quotes, bounds with
 * units. `detail` and `hint` are sentences.
 */

/** Who has to act: the author of the query or request, the operator of an outside system, or the Wadi developers. */
export type ErrorDomain = "user" | "external" | "internal";

/**
 * Every code with its one cause. The list is closed: a new failure takes the code that fits or adds a line here.
 *
 * - `invalid-config`: a setting is unknown, malformed or out of range
 * - `invalid-usage`: the command line is wrong
 * - `invalid-sql`: the planner refused the SQL; the diagnostics say where
 * - `invalid-option`: a connector or format option is unknown, malformed or out of range
 * - `invalid-udf`: a user-defined function cannot be compiled or does not fit its call
 * - `bad-data`: an input row cannot be read under `bad_data = 'fail'`
 * - `row-error`: an expression failed on a row, such as an integer division by zero
 * - `late-row`: a row came behind the watermark under `--late fail`
 * - `not-found`: a named file, object or entity does not exist
 * - `already-exists`: put-if-absent met an existing object
 * - `permission-denied`: the outside system refused access
 * - `disk-full`: no space left where a file has to be written
 * - `io`: an outside system failed otherwise
 * - `timeout`: an operation ran into its time limit
 * - `state-mismatch`: a checkpoint belongs to another program
 * - `version-mismatch`: a frame, manifest, artifact or table row has a format version this build does not read
 * - `fenced`: the caller acts for a run that has been superseded
 * - `checksum-mismatch`: stored or received bytes are not those that were written
 * - `state-limit`: a slot's state reached its memory limit
 * - `ledger-imbalance`: row counts of an epoch do not balance
 * - `connection-lost`: a peer went away
 * - `slot-failed`: generated code trapped or a slot's thread ended
 * - `compile-failed`: the generated module did not compile
 * - `unsupported`: valid SQL or options that Wadi does not run yet
 * - `invariant`: an assertion failed: a defect of Wadi itself
 */
export const ERROR_CODES = [
  "invalid-config",
  "invalid-usage",
  "invalid-sql",
  "invalid-option",
  "invalid-udf",
  "bad-data",
  "row-error",
  "late-row",
  "not-found",
  "already-exists",
  "permission-denied",
  "disk-full",
  "io",
  "timeout",
  "state-mismatch",
  "version-mismatch",
  "fenced",
  "checksum-mismatch",
  "state-limit",
  "ledger-imbalance",
  "connection-lost",
  "slot-failed",
  "compile-failed",
  "unsupported",
  "invariant",
] as const;
/** One of `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Whether `text` is one of `ERROR_CODES`: what other processes and the database say is checked. */
export function isErrorCode(text: string): text is ErrorCode {
  return (ERROR_CODES as readonly string[]).includes(text);
}

/** Whether the same operation may be tried again. */
export type RetryHint = "never" | "backoff";

/** What an `AppError` is made of. */
export interface AppErrorInit {
  readonly domain: ErrorDomain;
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly retry?: RetryHint | undefined;
  readonly cause?: unknown;
}

/** A failure with its domain, code and advice. Serialisable with `toErrorRecord` across threads and processes. */
export class AppError extends Error {
  readonly domain: ErrorDomain;
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly retry: RetryHint;

  constructor(init: AppErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = "AppError";
    this.domain = init.domain;
    this.code = init.code;
    this.detail = init.detail;
    this.hint = init.hint;
    this.retry = init.retry ?? "never";
  }
}

/** The query, option or request is wrong. Never retried. */
export function userError(code: ErrorCode, message: string, advice: { detail?: string; hint?: string; cause?: unknown } = {}): AppError {
  return new AppError({ domain: "user", code, message, ...advice });
}

/** An outside system (disk, S3, Kafka, Postgres, Nomad) misbehaved. Retried with backoff unless told otherwise. */
export function externalError(
  code: ErrorCode,
  message: string,
  advice: { detail?: string; hint?: string; cause?: unknown; retry?: RetryHint } = {},
): AppError {
  return new AppError({ domain: "external", code, message, retry: "backoff", ...advice });
}

/** A defect of Wadi. */
export function internalError(code: ErrorCode, message: string, advice: { detail?: string; cause?: unknown } = {}): AppError {
  return new AppError({ domain: "internal", code, message, ...advice });
}

/** An `AppError` as plain data, for message ports, RPC and JSON. */
export interface ErrorRecord {
  readonly domain: ErrorDomain;
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly retry: RetryHint;
  readonly stack?: string;
}

/** Turns an error into plain data; the stack only for internal errors. */
export function toErrorRecord(error: unknown): ErrorRecord {
  const e = toAppError(error);
  return {
    domain: e.domain,
    code: e.code,
    message: e.message,
    retry: e.retry,
    ...(e.detail === undefined ? {} : { detail: e.detail }),
    ...(e.hint === undefined ? {} : { hint: e.hint }),
    ...(e.domain === "internal" && e.stack !== undefined ? { stack: e.stack } : {}),
  };
}

/** The inverse of `toErrorRecord`. */
export function fromErrorRecord(record: ErrorRecord): AppError {
  const error = new AppError(record);
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}

/** Node's system error codes that name a cause a user can act on. */
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EEXIST: "already-exists",
  EACCES: "permission-denied",
  EPERM: "permission-denied",
  EROFS: "permission-denied",
  ENOSPC: "disk-full",
  EDQUOT: "disk-full",
  ECONNRESET: "connection-lost",
  ECONNREFUSED: "connection-lost",
  EPIPE: "connection-lost",
};

/**
 * Any thrown value as an `AppError`: an `AppError` as it is; a Node system error as `external` with a code from its
 * errno; anything else as `internal`/`invariant` with the original as cause.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (typeof errno === "string" && /^E[A-Z]+$/.test(errno)) {
      return externalError(SYSTEM_CODES[errno] ?? "io", error.message, { cause: error });
    }
    return internalError("invariant", error.message, { cause: error });
  }
  return internalError("invariant", String(error));
}
