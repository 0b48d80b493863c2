/**
 * How stores word their failures: what was attempted, the object, the store, the reason in plain words; the code decides whether another
 * try can help.
 */
import { AppError, type ErrorCode, externalError, toAppError } from "../core/errors.ts";

/** What a store was doing: the verb of the message. */
export type StoreAction = "write" | "read" | "delete" | "list" | "probe";

/** The object (or prefix) of the message and the store's URL. */
export interface StoreTarget {
  readonly action: StoreAction;
  readonly path: string;
  readonly url: string;
}

const REASONS: Partial<Record<ErrorCode, string>> = {
  "not-found": "it does not exist",
  "already-exists": "it exists already",
  "permission-denied": "permission denied",
  "disk-full": "no space left on device",
  "connection-lost": "the connection failed",
  timeout: "it took too long",
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  "permission-denied": "Check the owner and the rights of the folder or the credentials' policy for the bucket.",
  "disk-full": "Free space or choose another location.",
};

/** Trying again cannot change these. */
const FINAL: ReadonlySet<ErrorCode> = new Set(["not-found", "already-exists", "permission-denied", "unsupported", "checksum-mismatch"]);

/** A store's error with a known code. `reason` replaces the usual words, lower case and without a full stop. */
export function storeError(
  code: ErrorCode,
  target: StoreTarget,
  advice: { reason?: string; cause?: unknown; hint?: string } = {},
): AppError {
  const reason = advice.reason ?? REASONS[code] ?? "input/output error";
  const hint = advice.hint ?? HINTS[code];
  return externalError(code, `cannot ${target.action} object "${target.path}" in "${target.url}": ${reason}`, {
    retry: FINAL.has(code) ? "never" : "backoff",
    ...(hint === undefined ? {} : { hint }),
    ...(advice.cause === undefined ? {} : { cause: advice.cause }),
  });
}

/** A file system's error as a store's; an `AppError` (also one that a chunk source threw) and a non-system error stay as they are. */
export function fileSystemError(error: unknown, target: StoreTarget): AppError {
  const e = toAppError(error);
  if (error instanceof AppError || e.domain !== "external") return e;
  // A folder where an object is looked for: S3 has no folders, so there is no object.
  const code = e.code === "io" && (error as NodeJS.ErrnoException).code === "EISDIR" && target.action === "read" ? "not-found" : e.code;
  return storeError(code, target, { reason: REASONS[code] ?? e.message, cause: error });
}

/** The error of `getRange` behind the object's end. */
export function rangeError(target: StoreTarget, size: number, offset: number, length: number): AppError {
  return storeError("checksum-mismatch", target, {
    reason: `it has ${size} bytes, the range ${offset} to ${offset + length} was asked for`,
  });
}
