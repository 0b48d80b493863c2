/**
 * The contract of an object store: named, immutable-by-convention byte strings. Checkpoints, artifacts and manifests live behind it, on a
 * local disk, in memory or on S3; `test/conformance/object-store.test.ts` holds every implementation to it.
 *
 * The one promise everything else rests on: `put` and a writer's `finish` are atomic and durable. Whoever reads sees the old object or the
 * new one, never a part, also after a crash. There is no rename, no append and no lock.
 */

/** Bytes to store: in one piece, or in chunks that are consumed once, in order. */
export type ObjectBody = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A stored object. `size` in bytes. */
export interface ObjectInfo {
  readonly path: string;
  readonly size: number;
}

/** What a store turned out to do when it was asked at start-up. */
export interface StoreCapabilities {
  /** Whether `putIfAbsent` really refuses to overwrite: several S3 servers ignore the condition. */
  readonly putIfAbsent: boolean;
}

/**
 * Writes one object piece by piece. Nothing is visible before `finish` has resolved. After an error only `abort` may be called.
 *
 * Ownership: a chunk belongs to the writer until the promise of its `write` resolves; then the caller may reuse the buffer.
 */
export interface ObjectWriter {
  /** Bytes accepted so far. */
  readonly size: number;
  /** Appends `chunk`. Calls must not overlap: await one before the next; that is the backpressure. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the object visible, atomically and durably, in place of an older one of the same path. */
  finish(): Promise<void>;
  /** Gives up and removes what was written. Idempotent; does nothing after `finish`. Never throws. */
  abort(): Promise<void>;
}

/**
 * A store. Paths are relative, `/`-separated, UTF-8 (see `checkObjectPath`); a path must not be used as an object and as a folder.
 *
 * Errors are `AppError`s that name the object and the store: `not-found`, `permission-denied`, `disk-full`, `connection-lost`, `timeout`,
 * `io` (domain `external`; `retry` says whether another try can help). Implementations retry on their own only what costs nothing: an HTTP
 * request, a few times. All operations but `putIfAbsent` are idempotent, so callers may retry them.
 */
export interface ObjectStore {
  /** What people see in messages: the URL it was opened by, without credentials. */
  readonly url: string;
  /** Checks once that the store can be written and read, and what it can do. Throws what a `put` throws. Later calls return the first answer. */
  probe(): Promise<StoreCapabilities>;
  /** Stores `body` under `path`, replacing an older object. */
  put(path: string, body: ObjectBody): Promise<void>;
  /**
   * Stores `bytes` unless `path` exists: then `already-exists`, and the object stays as it was. `unsupported` where `probe` found no such
   * thing. After a lost answer the store may report `already-exists` for the caller's own object: compare the bytes.
   */
  putIfAbsent(path: string, bytes: Uint8Array): Promise<void>;
  /** A writer for an object too large to hold in memory. */
  openWriter(path: string): Promise<ObjectWriter>;
  /** The whole object, in a buffer of the caller's own; `not-found` if there is none. */
  get(path: string): Promise<Uint8Array>;
  /**
   * Exactly `length` bytes from byte `offset`, in a buffer of the caller's own. `not-found` if there is no object; `checksum-mismatch` if it
   * ends before `offset + length`: ranges come from records, so the object is not the one that was recorded.
   */
  getRange(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Size of the object, `undefined` if there is none. */
  head(path: string): Promise<ObjectInfo | undefined>;
  /**
   * Every object whose path starts with the characters of `prefix`, in order of the UTF-8 bytes of their paths. `a/b` also finds `a/bc`: end
   * a folder with `/`. Objects written or deleted meanwhile may or may not appear. Nothing found is an empty sequence.
   */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Removes the object. Idempotent: no error if there is none. */
  delete(path: string): Promise<void>;
  /** Removes everything below `folder`, which ends with `/` and is not the root. Returns how many objects went. Idempotent. */
  deletePrefix(folder: string): Promise<number>;
  /**
   * Removes what writers that crashed left behind below `folder` (temporary files, multipart uploads); returns how many. Only while nobody
   * writes there.
   */
  discardUnfinished(folder: string): Promise<number>;
  /** Releases connections. The store is not used afterwards. Idempotent. */
  close(): Promise<void>;
}
