/**
 * Stores packages in an S3 bucket by their SHA-256: what is under a name is what the name says, and nothing is stored twice. Nobody but the cluster's
 * clients may read that bucket.
 */
import type { Clock } from "../../core/clock.ts";
import { externalError, toAppError } from "../../core/errors.ts";
import { type FileBucket, S3Files } from "../../storage/s3-file.ts";
import type { Package } from "./packages.ts";

/** A bucket. */
export interface Bucket extends FileBucket {
  /** Put before every key with a `/` between; "" for none. */
  readonly prefix: string;
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

/** Stores `packages`. Throws `permission-denied`, `not-found`, `connection-lost` and the like, naming the bucket. */
export async function uploadPackages(bucket: Bucket, packages: readonly Package[], options: UploadOptions): Promise<readonly Stored[]> {
  const files = await S3Files.open(bucket);
  try {
    const stored: Stored[] = [];
    for (const one of packages) {
      const progress = (sent: number): void => options.progress(one.file, sent, one.size);
      const keyed = { path: one.path, key: keyOf(bucket, one), size: one.size, sha256: one.sha256 };
      const uploaded = await files.store(keyed, { clock: options.clock, progress }).catch((thrown: unknown) => {
        throw withWayOut(thrown, bucket);
      });
      stored.push({ package: one, url: artifactUrl(bucket, one), checksum: `sha256:${one.sha256}`, uploaded });
    }
    return stored;
  } finally {
    files.close();
  }
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

function withWayOut(thrown: unknown, { bucket }: Bucket) {
  const error = toAppError(thrown);
  const hint =
    error.code === "permission-denied"
      ? `Give these credentials s3:PutObject on ${bucket}, or log in as somebody who has it (AWS_PROFILE).`
      : error.code === "not-found"
        ? "Make the bucket first (terraform -chdir=terraform/aws apply), or correct --bucket and --region."
        : (error.hint ?? "Run the command again: what is stored already is skipped.");
  return externalError(error.code, error.message, { retry: "never", hint, cause: error });
}
