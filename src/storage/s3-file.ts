/**
 * Files in an S3 bucket whose keys say what they are: each is written once, S3 checks the bytes against their SHA-256 as they come, and nothing is
 * ever overwritten. Where the bucket may not be read, a conditional write tells that a file is there already. Unlike the object store it knows files
 * of any size, their progress and no prefix of its own.
 */
import { createReadStream } from "node:fs";
import type * as Sdk from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../core/clock.ts";
import { externalError } from "../core/errors.ts";
import { s3Error } from "./s3-error.ts";

/** A bucket. */
export interface FileBucket {
  readonly bucket: string;
  readonly region: string;
  /** URL of a server that is not AWS. */
  readonly endpoint: string | undefined;
}

/** A file and where it goes. */
export interface KeyedFile {
  readonly path: string;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

/** How to write. */
export interface WriteOptions {
  readonly clock: Clock;
  /** Takes the bytes sent so far, now and then and at the end. */
  readonly progress: (sent: number) => void;
}

const ATTEMPTS = 3;
const PAUSE_MS = 2_000;
const TELL_MS = 500;
const CHUNK = 1 << 18;

/** See the file's comment. */
export class S3Files {
  readonly #sdk: typeof Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;

  private constructor(sdk: typeof Sdk, { bucket, region, endpoint }: FileBucket) {
    this.#sdk = sdk;
    this.#bucket = bucket;
    this.#client = new sdk.S3Client({
      region,
      maxAttempts: ATTEMPTS,
      // It says on the console that a stream cannot be sent again: `#put` makes another one.
      logger: { debug: silent, info: silent, warn: silent, error: silent },
      requestHandler: { connectionTimeout: 5_000, socketTimeout: 120_000 },
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    });
  }

  /** Opens a bucket; contacts nothing. Loads the SDK, which takes long and is needed by few. */
  static async open(bucket: FileBucket): Promise<S3Files> {
    return new S3Files(await import("@aws-sdk/client-s3"), bucket);
  }

  /**
   * Stores `file` unless it is there: whether it was stored now. Idempotent. Throws `checksum-mismatch` if other bytes are under its key, and
   * `permission-denied`, `not-found` (the bucket), `connection-lost` and the like.
   */
  async store(file: KeyedFile, options: WriteOptions): Promise<boolean> {
    return (await this.#holds(file)) ? false : await this.#put(file, options);
  }

  /** Lets go of its connections. */
  close(): void {
    this.#client.destroy();
  }

  /** Whether it is there with its bytes; false where one may not look. */
  async #holds({ key, size, sha256 }: KeyedFile): Promise<boolean> {
    try {
      const head = await this.#client.send(new this.#sdk.HeadObjectCommand({ Bucket: this.#bucket, Key: key, ChecksumMode: "ENABLED" }));
      const same = head.ContentLength === size && (head.ChecksumSHA256 === undefined || head.ChecksumSHA256 === base64Of(sha256));
      if (same) return true;
    } catch (thrown) {
      if ([403, 404].includes(statusOf(thrown))) return false;
      throw this.#error(thrown, key);
    }
    throw externalError("checksum-mismatch", `the object "${key}" in bucket "${this.#bucket}" is not the file that its name says`, {
      retry: "never",
      hint: "Somebody else wrote it: find out who, and delete it.",
    });
  }

  /** Whether it was written; false: it was there. */
  async #put({ path, key, size, sha256 }: KeyedFile, { clock, progress }: WriteOptions): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const body = createReadStream(path, { highWaterMark: CHUNK });
      let [sent, toldMs] = [0, Number.NEGATIVE_INFINITY];
      body.on("data", (chunk) => {
        sent += chunk.length;
        if (clock.elapsedMs() - toldMs < TELL_MS && sent < size) return;
        toldMs = clock.elapsedMs();
        progress(sent);
      });
      try {
        const object = {
          Bucket: this.#bucket,
          Key: key,
          Body: body,
          ContentLength: size,
          ChecksumSHA256: base64Of(sha256),
          IfNoneMatch: "*",
        };
        await this.#client.send(new this.#sdk.PutObjectCommand(object));
        return true;
      } catch (thrown) {
        body.destroy();
        const status = statusOf(thrown);
        if (status === 412) return false;
        if (attempt >= ATTEMPTS || (status >= 400 && status < 500 && status !== 409)) throw this.#error(thrown, key);
        await clock.sleep(PAUSE_MS * attempt);
      }
    }
  }

  #error(thrown: unknown, key: string) {
    return s3Error(thrown, { action: "write", path: key, url: `s3://${this.#bucket}` });
  }
}

function silent(): void {
  // What matters is thrown.
}

function statusOf(thrown: unknown): number {
  return (thrown as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
}

function base64Of(sha256: string): string {
  return Buffer.from(sha256, "hex").toString("base64");
}
