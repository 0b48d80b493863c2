/**
 * Errors as gRPC statuses and back. The status code is for tools that know nothing of Wadi; our own peers read the whole error record out of
 * a trailer, so that code, hint and retry advice survive.
 */
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { AppError, type ErrorCode, externalError, fromErrorRecord, toAppError, toErrorRecord } from "../core/errors.ts";
import { ErrorRecord } from "../gen/peer.ts";
import { fromErrorMessage, toErrorMessage } from "./error-message.ts";

/** Trailer with an `ErrorRecord` message; gRPC wants binary values under names that end so. */
const ERROR_TRAILER = "wadi-error-bin";
/** Trailers are headers: HTTP/2 peers refuse large ones. */
const LONGEST_TRAILER = 4096;

/** A call's end, as grpc-js takes it. */
export interface CallStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

const CODES: Readonly<Partial<Record<ErrorCode, status>>> = {
  "permission-denied": status.UNAUTHENTICATED,
  "version-mismatch": status.FAILED_PRECONDITION,
  "not-found": status.NOT_FOUND,
  "already-exists": status.ALREADY_EXISTS,
  "invalid-usage": status.INVALID_ARGUMENT,
  timeout: status.DEADLINE_EXCEEDED,
  "connection-lost": status.UNAVAILABLE,
  fenced: status.FAILED_PRECONDITION,
  unsupported: status.UNIMPLEMENTED,
};

/** The status for `thrown`. Stacks stay here. */
export function toStatus(thrown: unknown): CallStatus {
  const error = toAppError(thrown);
  const { stack: _, ...record } = toErrorRecord(error);
  const metadata = new Metadata();
  const bytes = Buffer.from(ErrorRecord.encode(toErrorMessage(record)).finish());
  if (bytes.length <= LONGEST_TRAILER) metadata.set(ERROR_TRAILER, bytes);
  const fallback = error.domain === "internal" ? status.INTERNAL : error.retry === "backoff" ? status.UNAVAILABLE : status.UNKNOWN;
  return { code: CODES[error.code] ?? fallback, details: error.message, metadata };
}

/**
 * What a failed call means: the peer's own error if it sent one, otherwise what its status says. `peer` names it: "controller at host:1".
 * Statuses that tell of a network or of a peer that is starting or going are `retry: "backoff"`.
 */
export function fromStatus(peer: string, error: ServiceError): AppError {
  const [bytes] = error.metadata?.get(ERROR_TRAILER) ?? [];
  if (Buffer.isBuffer(bytes)) {
    try {
      return fromErrorRecord(fromErrorMessage(ErrorRecord.decode(bytes)));
    } catch {
      // Not ours after all: the status says enough.
    }
  }
  switch (error.code) {
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return externalError("connection-lost", `${peer} cannot be reached: ${error.details}`, { cause: error });
    case status.DEADLINE_EXCEEDED:
      return externalError("timeout", `${peer} does not answer: ${error.details}`, { cause: error });
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return externalError("permission-denied", `${peer} refused: ${error.details}`, { cause: error, retry: "never" });
    case status.UNIMPLEMENTED:
      return externalError("version-mismatch", `${peer} does not know the call: ${error.details}`, { cause: error, retry: "never" });
    case status.RESOURCE_EXHAUSTED:
      return externalError("io", `${peer} refused: ${error.details}`, { cause: error });
    default:
      return externalError("io", `${peer} ended the call with ${status[error.code] ?? error.code}: ${error.details}`, { cause: error });
  }
}

/** Whether `error` is an error of grpc-js. */
export function isServiceError(error: unknown): error is ServiceError {
  return !(error instanceof AppError) && error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
