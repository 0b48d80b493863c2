/**
 * What PostgreSQL says when it fails, as an `AppError`: SQLSTATE classes by who has to act. Codes:
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
import { AppError, type ErrorCode, externalError, internalError, toAppError } from "../core/errors.ts";

/** SQLSTATE codes or their two-digit classes, and what they mean here. Others of class 08, 40, 53, 55 and 57 may be tried again. */
const OPERATOR_CODES: readonly (readonly [prefix: string, code: ErrorCode, retry: "never" | "backoff"])[] = [
  ["28", "permission-denied", "never"],
  ["42501", "permission-denied", "never"],
  ["3D000", "not-found", "never"],
  ["3F000", "not-found", "never"],
  ["53100", "disk-full", "backoff"],
  ["57014", "timeout", "backoff"],
  ["08", "connection-lost", "backoff"],
  ["57P", "connection-lost", "backoff"],
  ["40", "io", "backoff"],
  ["53", "io", "backoff"],
  ["55", "io", "backoff"],
];

/** The SQLSTATE of a thrown value, such as "23505"; `undefined` if the database did not say one. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/**
 * A thrown value of a query as an `AppError` that says `what` failed: "reading jobs". What an operator can mend is `external`; a statement
 * the server does not take is a defect.
 */
export function databaseError(what: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const state = sqlState(error);
  const text = error instanceof Error ? error.message : String(error);
  if (state === undefined || /^E[A-Z]{4}$/.test(state)) {
    if (/^Connection terminated|timeout exceeded when trying to connect|Timeout acquiring a connection/.test(text)) {
      return externalError("connection-lost", `database: ${what}: ${text}`, { cause: error });
    }
    // The socket of a server that is not running.
    if (error instanceof Error && "syscall" in error && error.syscall === "connect") {
      return externalError("connection-lost", `database: ${what}: ${text}`, { cause: error });
    }
    const { domain, code, retry } = toAppError(error);
    return new AppError({ domain, code, retry, message: `database: ${what}: ${text}`, cause: error });
  }
  const known = OPERATOR_CODES.find(([prefix]) => state.startsWith(prefix));
  const message = `database: ${what}: ${text} (SQLSTATE ${state})`;
  if (known === undefined) return internalError("invariant", message, { cause: error });
  return externalError(known[1], message, { cause: error, retry: known[2] });
}
