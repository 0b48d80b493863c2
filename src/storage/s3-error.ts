/** What S3's and the SDK's errors mean, in our codes. S3's names: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
import { AppError, type ErrorCode, toAppError } from "../core/errors.ts";
import { type StoreTarget, storeError } from "./store-error.ts";

/** The parts of an SDK error that are looked at. */
interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const NAMES: Readonly<Record<string, ErrorCode>> = {
  NoSuchKey: "not-found",
  NotFound: "not-found",
  NoSuchBucket: "not-found",
  NoSuchUpload: "not-found",
  AccessDenied: "permission-denied",
  InvalidAccessKeyId: "permission-denied",
  SignatureDoesNotMatch: "permission-denied",
  ExpiredToken: "permission-denied",
  CredentialsProviderError: "permission-denied",
  PreconditionFailed: "already-exists",
  ConditionalRequestConflict: "already-exists",
  NotImplemented: "unsupported",
  TimeoutError: "timeout",
  RequestTimeout: "timeout",
};

const STATUSES: Readonly<Record<number, ErrorCode>> = {
  403: "permission-denied",
  404: "not-found",
  409: "already-exists",
  412: "already-exists",
  501: "unsupported",
  507: "disk-full",
};

/** An error of the S3 client as a store's. An `AppError` stays as it is. */
export function s3Error(error: unknown, target: StoreTarget): AppError {
  if (error instanceof AppError) return error;
  const e = error as SdkError;
  const system = toAppError(error);
  const code = NAMES[e.name ?? ""] ?? (system.domain === "external" ? system.code : STATUSES[e.$metadata?.httpStatusCode ?? 0]) ?? "io";
  if (e.name === "NoSuchBucket") return storeError(code, target, { reason: "the bucket does not exist", cause: error });
  if (e.name === "CredentialsProviderError") {
    const hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or give the machine a role.";
    return storeError(code, target, { reason: "no AWS credentials were found", hint, cause: error });
  }
  const plain = code === "not-found" || code === "already-exists";
  const status = e.$metadata?.httpStatusCode;
  const words = `${e.name ?? "error"}${status === undefined ? "" : ` (HTTP ${status})`}: ${(e.message ?? "").replace(/\.$/, "")}`;
  return storeError(code, target, plain ? { cause: error } : { reason: words, cause: error });
}

/** Whether `error` says that the range lies behind the object's end. */
export function isRangeFault(error: unknown): boolean {
  const e = error as SdkError;
  return e.name === "InvalidRange" || e.$metadata?.httpStatusCode === 416;
}
