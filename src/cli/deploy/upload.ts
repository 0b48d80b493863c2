/**
 * Stores packages in an S3 bucket by their SHA-256. S3 checks the bytes against the checksum as they come, and nothing is ever overwritten: what is
 * under a name is what the name says. Nobody but the cluster's clients may read the bucket, so a package that is there already is learned from a
 * conditional write where it may not be looked at.
 */
import { createReadStream } from "node:fs";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../../core/clock.ts";
import { externalError } from "../../core/errors.ts";
import { s3Error } from "../../storage/s3-error.ts";
import type { Package } from "./packages.ts";

/** A bucket. */
export interface Bucket {
  readonly bucket: string;
  readonly region: string;
  /** Put before every key with a `/` between; "" for none. */
  readonly prefix: string;
  /** URL of a server that is not AWS. */
  readonly endpoint: string | undefined;
}

/** A package in its bucket. */
export interface Stored {
  readonly package: Package;
  /** As Nomad's clients download it. */
  readonly url: string;
  /** `sha256:…`. */
  readonly checksum: string;
  /** False: it was there already. */
  readonly uploaded: boolean;
}

/** How to upload. */
export interface UploadOptions {
  readonly clock: Clock;
  /** Takes the progress of a package, in bytes. */
  readonly progress: (file: string, sent: number, size: number) => void;
}

const ATTEMPTS = 3;
const PAUSE_MS = 2_000;
const TELL_MS = 500;

/** Stores `packages`. Throws `permission-denied`, `not-found`, `connection-lost` and the like, naming the bucket. */
export async function uploadPackages(bucket: Bucket, packages: readonly Package[], options: UploadOptions): Promise<readonly Stored[]> {
  const sdk = await import("@aws-sdk/client-s3");
  const { endpoint, region } = bucket;
  const client = new sdk.S3Client({
    region,
    maxAttempts: ATTEMPTS,
    // It says on the console that a stream cannot be sent again: `put` makes another one.
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 120_000 },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
  });
  try {
    const stored: Stored[] = [];
    for (const one of packages) {
      const uploaded = !(await isThere(sdk, client, bucket, one)) && (await put(sdk, client, bucket, one, options));
      stored.push({ package: one, url: artifactUrl(bucket, one), checksum: `sha256:${one.sha256}`, uploaded });
    }
    return stored;
  } finally {
    client.destroy();
  }
}

function silent(): void {
  // What matters is thrown.
}

/** Where a package lies in the bucket. */
export function keyOf({ prefix }: Pick<Bucket, "prefix">, { sha256, file }: Pick<Package, "sha256" | "file">): string {
  return `${prefix === "" ? "" : `${prefix}/`}${sha256}/${file}`;
}

/** The URL by which Nomad's clients download it: https://developer.hashicorp.com/nomad/docs/job-specification/artifact#download-from-an-s3-compatible-bucket */
export function artifactUrl(bucket: Bucket, one: Pick<Package, "sha256" | "file">): string {
  const china = bucket.region.startsWith("cn-") ? ".cn" : "";
  const server = bucket.endpoint?.replace(/\/+$/, "") ?? `https://s3.${bucket.region}.amazonaws.com${china}`;
  return `s3::${server}/${bucket.bucket}/${keyOf(bucket, one)}`;
}

type Sdk = typeof import("@aws-sdk/client-s3");

/** Whether it is there with its checksum; false where one may not look. Throws `checksum-mismatch` for other bytes under the name. */
async function isThere(sdk: Sdk, client: S3Client, bucket: Bucket, one: Package): Promise<boolean> {
  const Key = keyOf(bucket, one);
  try {
    const head = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket.bucket, Key, ChecksumMode: "ENABLED" }));
    const other = head.ContentLength !== one.size || (head.ChecksumSHA256 !== undefined && head.ChecksumSHA256 !== base64Of(one.sha256));
    if (!other) return true;
    throw externalError("checksum-mismatch", `the object "${Key}" in bucket "${bucket.bucket}" is not the package that its name says`, {
      retry: "never",
      hint: "Somebody else wrote it: find out who, and delete it.",
    });
  } catch (thrown) {
    const status = (thrown as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === 403 || status === 404) return false;
    throw asStoreError(thrown, bucket, Key);
  }
}

/** Whether it was written; false: it was there. */
async function put(sdk: Sdk, client: S3Client, bucket: Bucket, one: Package, { clock, progress }: UploadOptions): Promise<boolean> {
  const Key = keyOf(bucket, one);
  for (let attempt = 1; ; attempt++) {
    const Body = createReadStream(one.path, { highWaterMark: 1 << 18 });
    let [sent, toldMs] = [0, Number.NEGATIVE_INFINITY];
    Body.on("data", (chunk) => {
      sent += chunk.length;
      if (clock.elapsedMs() - toldMs < TELL_MS && sent < one.size) return;
      toldMs = clock.elapsedMs();
      progress(one.file, sent, one.size);
    });
    try {
      const object = { Bucket: bucket.bucket, Key, Body, ContentLength: one.size, ChecksumSHA256: base64Of(one.sha256), IfNoneMatch: "*" };
      await client.send(new sdk.PutObjectCommand(object));
      return true;
    } catch (thrown) {
      Body.destroy();
      const status = (thrown as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
      if (status === 412) return false;
      if (attempt >= ATTEMPTS || (status >= 400 && status < 500 && status !== 409)) throw asStoreError(thrown, bucket, Key);
      await clock.sleep(PAUSE_MS * attempt);
    }
  }
}

function base64Of(sha256: string): string {
  return Buffer.from(sha256, "hex").toString("base64");
}

function asStoreError(thrown: unknown, bucket: Bucket, path: string) {
  if (thrown instanceof Error && thrown.name === "AppError") return thrown;
  const error = s3Error(thrown, { action: "write", path, url: `s3://${bucket.bucket}` });
  const hint =
    error.code === "permission-denied"
      ? `Give these credentials s3:PutObject on ${bucket.bucket}, or log in as somebody who has it (AWS_PROFILE).`
      : error.code === "not-found"
        ? "Make the bucket first (terraform -chdir=terraform/aws apply), or correct --bucket and --region."
        : (error.hint ?? "Run the command again: what is stored already is skipped.");
  return externalError(error.code, error.message, { retry: "never", hint, cause: error });
}
