/**
 * Failures on their way between processes: `core/errors.ts` to and from the message of `proto/peer.proto`. What a newer peer says in words
 * this build does not know stays readable and never becomes retryable by accident.
 */
import { type ErrorCode, type ErrorDomain, type ErrorRecord, isErrorCode } from "../core/errors.ts";
import type { ErrorRecord as ErrorMessage } from "../gen/peer.ts";

/** The message for `record`; absent parts are empty. */
export function toErrorMessage(record: ErrorRecord): ErrorMessage {
  const { domain, code, message, detail = "", hint = "", retry, stack = "" } = record;
  return { domain, code, message, detail, hint, retry, stack };
}

/** The inverse: an unknown domain is `internal`, an unknown code `invariant` with its name before the text, an unknown retry hint `never`. */
export function fromErrorMessage(error: ErrorMessage): ErrorRecord {
  const known = isErrorCode(error.code);
  const code: ErrorCode = known ? error.code : "invariant";
  return {
    domain: domainOf(error.domain),
    code,
    message: known ? error.message : `${error.code === "" ? "unknown error" : error.code}: ${error.message}`,
    ...(error.detail === "" ? {} : { detail: error.detail }),
    ...(error.hint === "" ? {} : { hint: error.hint }),
    retry: error.retry === "backoff" ? "backoff" : "never",
    ...(error.stack === "" ? {} : { stack: error.stack }),
  };
}

function domainOf(text: string): ErrorDomain {
  return text === "user" || text === "external" ? text : "internal";
}
