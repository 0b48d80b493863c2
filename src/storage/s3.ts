/**
 * The object store on S3 and servers that speak its protocol (MinIO, Ceph, R2, …). `PutObject` and a completed multipart upload are atomic
 * and durable by S3's contract; keys are listed in byte order.
 *
 * Credentials come from the SDK's default chain only (environment, profile, container or instance role): never from a URL or a config file,
 * which end in logs and job specs.
 */
import { randomUUID } from "node:crypto";
import type * as Sdk from "@aws-sdk/client-s3";
import type { ListMultipartUploadsCommandInput, ListMultipartUploadsCommandOutput, S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { AppError } from "../core/errors.ts";
import { chunksOf } from "./object-body.ts";
import { checkFolder, checkObjectPath, checkPrefix } from "./object-path.ts";
import type { ObjectBody, ObjectInfo, ObjectStore, ObjectWriter, StoreCapabilities } from "./object-store.ts";
import { isRangeFault, s3Error } from "./s3-error.ts";
import { S3Writer } from "./s3-writer.ts";
import { rangeError, type StoreAction, type StoreTarget, storeError } from "./store-error.ts";

/** Where a bucket is. */
export interface S3Location {
  readonly bucket: string;
  /** Put before every path with a `/` between; "" for none. */
  readonly prefix: string;
  /** `http(s)://host[:port]` of a server that is not AWS. */
  readonly endpoint?: string | undefined;
  /** The SDK's chain decides without it; `us-east-1` with an endpoint. */
  readonly region?: string | undefined;
  /** Bucket in the path instead of the host name; by default with an endpoint. */
  readonly pathStyle?: boolean | undefined;
  /** Size of a multipart upload's parts in bytes, at least 5 MiB (S3's limit); 8 MiB by default. Smaller bodies are sent in one request. */
  readonly partBytes?: number | undefined;
}

const DEFAULT_PART_BYTES = 8 << 20;
/** Tries per request, with the SDK's backoff and jitter. All requests here may be repeated. */
const MAX_ATTEMPTS = 4;
/** S3 removes this many objects at most in one request. */
const DELETE_BATCH = 1000;

/** See the file's comment. */
export class S3Store implements ObjectStore {
  readonly url: string;
  readonly #sdk: typeof Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #keyPrefix: string;
  readonly #partBytes: number;
  #capabilities: Promise<StoreCapabilities> | undefined;

  private constructor(sdk: typeof Sdk, location: S3Location) {
    this.#sdk = sdk;
    this.#bucket = location.bucket;
    this.#keyPrefix = location.prefix === "" ? "" : `${location.prefix}/`;
    this.#partBytes = location.partBytes ?? DEFAULT_PART_BYTES;
    this.url = `s3://${location.bucket}${location.prefix === "" ? "" : `/${location.prefix}`}`;
    this.#client = new sdk.S3Client(clientConfig(location));
  }

  /** Makes a store; contacts nothing. Loads the SDK, which takes long and is needed by few. */
  static async open(location: S3Location): Promise<S3Store> {
    return new S3Store(await import("@aws-sdk/client-s3"), location);
  }

  probe(): Promise<StoreCapabilities> {
    this.#capabilities ??= this.#probe().catch((error: unknown) => {
      // A failed probe is no answer: the next caller asks again.
      this.#capabilities = undefined;
      throw error;
    });
    return this.#capabilities;
  }

  async put(path: string, body: ObjectBody): Promise<void> {
    checkObjectPath(path);
    if (body instanceof Uint8Array && body.length <= this.#partBytes) {
      await this.#run("write", path, () =>
        this.#client.send(new this.#sdk.PutObjectCommand({ ...this.#object(path), Body: unshared(body) })),
      );
      return;
    }
    const writer = await this.openWriter(path);
    try {
      for await (const chunk of chunksOf(body)) await writer.write(chunk);
      await writer.finish();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<void> {
    checkObjectPath(path);
    if (!(await this.probe()).putIfAbsent) {
      throw storeError("unsupported", this.#target("write", path), { reason: "this server does not honour If-None-Match on writes" });
    }
    await this.#putConditionally(path, bytes);
  }

  async openWriter(path: string): Promise<ObjectWriter> {
    checkObjectPath(path);
    return new S3Writer(this.#sdk, this.#client, this.#object(path), this.#partBytes, this.#target("write", path));
  }

  async get(path: string): Promise<Uint8Array> {
    checkObjectPath(path);
    return this.#run("read", path, () => this.#read(path, {}));
  }

  async getRange(path: string, offset: number, length: number): Promise<Uint8Array> {
    checkObjectPath(path);
    let bytes = new Uint8Array(0);
    if (length > 0) {
      const range = { Range: `bytes=${offset}-${offset + length - 1}` };
      bytes = await this.#run("read", path, () =>
        this.#read(path, range).catch((error: unknown) => {
          if (isRangeFault(error)) return new Uint8Array(0);
          throw error;
        }),
      );
    }
    if (bytes.length === length && length > 0) return bytes;
    const info = await this.head(path);
    if (info === undefined) throw storeError("not-found", this.#target("read", path));
    if (offset + length > info.size) throw rangeError(this.#target("read", path), info.size, offset, length);
    if (bytes.length !== length) throw storeError("io", this.#target("read", path), { reason: "the server sent another range" });
    return bytes;
  }

  async head(path: string): Promise<ObjectInfo | undefined> {
    checkObjectPath(path);
    try {
      const answer = await this.#run("read", path, () => this.#client.send(new this.#sdk.HeadObjectCommand(this.#object(path))));
      return { path, size: answer.ContentLength ?? 0 };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    let token: string | undefined;
    do {
      const page = { Bucket: this.#bucket, Prefix: this.#keyPrefix + prefix, ...(token === undefined ? {} : { ContinuationToken: token }) };
      const answer = await this.#run("list", prefix, () => this.#client.send(new this.#sdk.ListObjectsV2Command(page)));
      for (const { Key, Size } of answer.Contents ?? []) {
        // Consoles make empty "folder" objects; they are no objects of ours.
        if (Key !== undefined && !Key.endsWith("/")) yield { path: Key.slice(this.#keyPrefix.length), size: Size ?? 0 };
      }
      token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(path: string): Promise<void> {
    checkObjectPath(path);
    await this.#run("delete", path, () => this.#client.send(new this.#sdk.DeleteObjectCommand(this.#object(path))));
  }

  async deletePrefix(folder: string): Promise<number> {
    checkFolder(folder);
    let count = 0;
    let batch: string[] = [];
    for await (const { path } of this.list(folder)) {
      count++;
      batch.push(path);
      if (batch.length === DELETE_BATCH) {
        await this.#deleteBatch(folder, batch);
        batch = [];
      }
    }
    if (batch.length > 0) await this.#deleteBatch(folder, batch);
    return count;
  }

  async discardUnfinished(folder: string): Promise<number> {
    checkFolder(folder);
    let count = 0;
    let marker: UploadMarker | undefined = {};
    while (marker !== undefined) {
      const page: ListMultipartUploadsCommandInput = { Bucket: this.#bucket, Prefix: this.#keyPrefix + folder, ...marker };
      const answer: ListMultipartUploadsCommandOutput = await this.#run("list", folder, () =>
        this.#client.send(new this.#sdk.ListMultipartUploadsCommand(page)),
      );
      for (const { Key, UploadId } of answer.Uploads ?? []) {
        // Servers differ in how they treat the prefix of this request.
        if (Key === undefined || !Key.startsWith(this.#keyPrefix + folder)) continue;
        await this.#run("delete", Key, () =>
          this.#client.send(new this.#sdk.AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId })),
        );
        count++;
      }
      marker = answer.IsTruncated === true ? nextMarker(answer.NextKeyMarker, answer.NextUploadIdMarker) : undefined;
    }
    return count;
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  /** Writes one object twice under a condition: the second must be refused. A server that ignores the condition accepts it. */
  async #probe(): Promise<StoreCapabilities> {
    const path = `probe-${randomUUID()}`;
    const bytes = new Uint8Array([1]);
    try {
      await this.#putConditionally(path, bytes);
      await this.#putConditionally(path, bytes);
      return { putIfAbsent: false };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === "already-exists") return { putIfAbsent: true };
      if (error.code !== "unsupported") throw error;
      await this.put(path, bytes);
      return { putIfAbsent: false };
    } finally {
      await this.delete(path).catch(() => undefined);
    }
  }

  async #putConditionally(path: string, bytes: Uint8Array): Promise<void> {
    const request = { ...this.#object(path), Body: unshared(bytes), IfNoneMatch: "*" };
    await this.#run("write", path, () => this.#client.send(new this.#sdk.PutObjectCommand(request)));
  }

  async #read(path: string, range: { readonly Range?: string }): Promise<Uint8Array<ArrayBuffer>> {
    const answer = await this.#client.send(new this.#sdk.GetObjectCommand({ ...this.#object(path), ...range }));
    const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0);
    return new Uint8Array(bytes);
  }

  async #deleteBatch(folder: string, paths: readonly string[]): Promise<void> {
    const Objects = paths.map((path) => ({ Key: this.#keyPrefix + path }));
    const request = new this.#sdk.DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } });
    const answer = await this.#run("delete", folder, () => this.#client.send(request));
    const fault = answer.Errors?.[0];
    if (fault === undefined) return;
    const target = this.#target("delete", (fault.Key ?? folder).slice(this.#keyPrefix.length));
    throw s3Error({ name: fault.Code ?? "error", message: fault.Message ?? "" }, target);
  }

  #object(path: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#keyPrefix + path };
  }

  #target(action: StoreAction, path: string): StoreTarget {
    return { action, path, url: this.url };
  }

  async #run<T>(action: StoreAction, path: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw s3Error(error, this.#target(action, path));
    }
  }
}

/** Where the next page of unfinished uploads begins. */
interface UploadMarker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

function clientConfig(location: S3Location): S3ClientConfig {
  const { endpoint } = location;
  const region = location.region ?? (endpoint === undefined ? undefined : "us-east-1");
  return {
    maxAttempts: MAX_ATTEMPTS,
    retryMode: "standard",
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 60_000, throwOnRequestTimeout: true },
    forcePathStyle: location.pathStyle ?? endpoint !== undefined,
    // Other servers often do not know the checksum trailers that the SDK adds to every request for AWS.
    ...(endpoint === undefined
      ? {}
      : { endpoint, requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" }),
    ...(region === undefined ? {} : { region }),
  };
}

function nextMarker(key: string | undefined, upload: string | undefined): UploadMarker | undefined {
  if (key === undefined) return undefined;
  return { KeyMarker: key, ...(upload === undefined ? {} : { UploadIdMarker: upload }) };
}

function isNotFound(error: unknown): boolean {
  return error instanceof AppError && error.code === "not-found";
}

/** The SDK hashes and sends only unshared memory. */
function unshared(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
}
