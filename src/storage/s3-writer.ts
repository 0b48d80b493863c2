/**
 * Writes an object to S3: up to one part's size in one request, above that as a multipart upload whose parts all have the same size (R2 asks
 * for that). A few parts are under way at a time; memory is that many parts.
 */
import type * as Sdk from "@aws-sdk/client-s3";
import type { ObjectWriter } from "./object-store.ts";
import { s3Error } from "./s3-error.ts";
import { type StoreTarget, storeError } from "./store-error.ts";

/** Parts under way at a time. */
const PARALLEL_PARTS = 3;
/** S3's limit: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000;

/** One uploaded part, as the completing request names it. */
interface Part {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

/** See the file's comment; the contract is `ObjectWriter`'s. */
export class S3Writer implements ObjectWriter {
  size = 0;
  readonly #sdk: typeof Sdk;
  readonly #client: Sdk.S3Client;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #partBytes: number;
  readonly #target: StoreTarget;
  #part: Uint8Array<ArrayBuffer>;
  #filled = 0;
  #uploadId: string | undefined;
  #parts: Part[] = [];
  #partCount = 0;
  #underWay = new Set<Promise<void>>();
  #failure: unknown;
  #done = false;

  /** `partBytes`: 5 MiB at least on AWS; `target` is named in errors. */
  constructor(
    sdk: typeof Sdk,
    client: Sdk.S3Client,
    object: { readonly Bucket: string; readonly Key: string },
    partBytes: number,
    target: StoreTarget,
  ) {
    this.#sdk = sdk;
    this.#client = client;
    this.#object = object;
    this.#partBytes = partBytes;
    this.#target = target;
    this.#part = new Uint8Array(Math.min(partBytes, 1 << 16));
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.length; ) {
      // A full part is sent only when more follows: an object of exactly one part needs no multipart upload.
      if (this.#filled === this.#partBytes) await this.#run(() => this.#sendPart());
      const count = Math.min(this.#partBytes - this.#filled, chunk.length - offset);
      this.#reserve(this.#filled + count);
      this.#part.set(chunk.subarray(offset, offset + count), this.#filled);
      this.#filled += count;
      offset += count;
    }
    this.size += chunk.length;
  }

  async finish(): Promise<void> {
    await this.#run(async () => {
      if (this.#uploadId === undefined) {
        await this.#client.send(new this.#sdk.PutObjectCommand({ ...this.#object, Body: this.#part.subarray(0, this.#filled) }));
      } else {
        await this.#sendPart();
        await Promise.all(this.#underWay);
        if (this.#failure !== undefined) throw this.#failure;
        const Parts = this.#parts.sort((a, b) => a.PartNumber - b.PartNumber);
        const request = { ...this.#object, UploadId: this.#uploadId, MultipartUpload: { Parts } };
        await this.#client.send(new this.#sdk.CompleteMultipartUploadCommand(request));
      }
    });
    this.#done = true;
  }

  async abort(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    await Promise.all(this.#underWay);
    if (this.#uploadId === undefined) return;
    const request = new this.#sdk.AbortMultipartUploadCommand({ ...this.#object, UploadId: this.#uploadId });
    // What cannot be removed now is found by `discardUnfinished`; the error that led here matters more.
    await this.#client.send(request).catch(() => undefined);
  }

  /** Grows the part's buffer by doubling, so that small objects do not cost a whole part's memory. */
  #reserve(bytes: number): void {
    if (bytes <= this.#part.length) return;
    const grown = new Uint8Array(Math.min(this.#partBytes, Math.max(bytes, this.#part.length * 2)));
    grown.set(this.#part.subarray(0, this.#filled));
    this.#part = grown;
  }

  async #sendPart(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#partCount === MAX_PARTS) {
      throw storeError("unsupported", this.#target, { reason: `it is larger than ${MAX_PARTS} parts of ${this.#partBytes} bytes` });
    }
    this.#uploadId ??= (await this.#client.send(new this.#sdk.CreateMultipartUploadCommand(this.#object))).UploadId;
    while (this.#underWay.size >= PARALLEL_PARTS) await Promise.race(this.#underWay);
    const PartNumber = ++this.#partCount;
    const Body = this.#part.subarray(0, this.#filled);
    this.#part = new Uint8Array(this.#partBytes);
    this.#filled = 0;
    const request = new this.#sdk.UploadPartCommand({ ...this.#object, UploadId: this.#uploadId, PartNumber, Body });
    const sending = this.#client
      .send(request)
      .then((answer) => void this.#parts.push({ PartNumber, ETag: answer.ETag }))
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #run(operation: () => Promise<void>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      throw s3Error(error, this.#target);
    }
  }
}
