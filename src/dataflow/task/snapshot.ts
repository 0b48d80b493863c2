/**
 * Copies frozen state out of the module in slices and stores it in the background. At a barrier the slot *freezes* a vertex; afterwards it
 * calls `slice` between batches, which copies state frames into buffers of a bounded pool; the pool's buffers are written to a table file
 * while the slot goes on. Memory for a checkpoint is the pool, never the state.
 *
 * Invariant: all frames of a vertex are copied before it is frozen again; files of one vertex are finished in the order of their epochs.
 */
import { adviseCompaction } from "../../checkpoint/compaction.ts";
import { referencedFiles, SegmentDirectory } from "../../checkpoint/directory.ts";
import { type RunIdentity, tableFilePath } from "../../checkpoint/paths.ts";
import { type FileRef, type SegmentRef, segmentOfFrame } from "../../checkpoint/segment.ts";
import { TableFileWriter } from "../../checkpoint/table-file.ts";
import { must } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { Instance, LiveSegment } from "../instance.ts";
import type { PhaseTiming } from "../slot-contract.ts";
import { type Moment, momentOf, phaseSince } from "./phase.ts";

/** The contract's smallest buffer for `snapshot`. */
const FRAME_CAPACITY = (1 << 20) + 64;
/** Host bytes that copied frames may take until they are stored. */
const POOL_BYTES = 64 << 20;
/** Frames at least this long are copied into recycled buffers. */
const RECYCLED_FROM = 64 << 10;

/** Where a slot stores its state. */
export interface SnapshotStore {
  readonly store: ObjectStore;
  readonly job: string;
  readonly by: RunIdentity;
  readonly subtask: number;
  readonly parallelism: number;
}

/** The state of a vertex at a barrier, stored durably. */
export interface StoredState {
  readonly segments: readonly SegmentRef[];
  readonly files: readonly FileRef[];
  /** Where the time went: copying, then storing; empty if there was nothing to store. */
  readonly phases: readonly PhaseTiming[];
  /** Bytes of the file that was written; 0: nothing had changed. */
  readonly writtenBytes: number;
}

const NO_STATE: StoredState = { segments: [], files: [], phases: [], writtenBytes: 0 };

/** A vertex whose frozen state is being copied. */
interface OpenSnapshot {
  readonly vertex: number;
  readonly epoch: number;
  readonly live: readonly LiveSegment[];
  readonly frames: Uint8Array[];
  /** Resolves when frames have come, or all have. */
  more: () => void;
  copied: boolean;
  readonly timer: SnapshotTimer;
}

/** Takes the time of one snapshot: copying begins when it is made, storing when the first frame is there. */
class SnapshotTimer {
  readonly #clock: Clock;
  readonly #begin: Moment;
  #copiedMs: number | undefined;
  #storing: Moment | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begin = momentOf(clock);
  }

  copied(): void {
    this.#copiedMs = this.#clock.elapsedMs();
  }

  storing(): void {
    this.#storing = momentOf(this.#clock);
  }

  /** All is stored. */
  phases(bytes: number): readonly PhaseTiming[] {
    if (this.#storing === undefined) return [];
    const endMs = this.#clock.elapsedMs();
    return [phaseSince("snapshot", this.#begin, this.#copiedMs ?? endMs, bytes), phaseSince("upload", this.#storing, endMs, bytes)];
  }
}

/** See the file's comment. */
export class Snapshots {
  readonly #instance: Instance;
  readonly #target: SnapshotStore | undefined;
  readonly #wake: () => void;
  readonly #clock: Clock;
  readonly #open: OpenSnapshot[] = [];
  readonly #directories = new Map<number, SegmentDirectory>();
  readonly #files = new Map<number, readonly FileRef[]>();
  readonly #last = new Map<number, Promise<unknown>>();
  readonly #free: Uint8Array[] = [];
  #scratch = 0;
  #pooled = 0;

  /** `target` undefined: state is not kept, `freeze` does nothing. `wake` is called when `slice` may go on. */
  constructor(instance: Instance, target: SnapshotStore | undefined, clock: Clock, wake: () => void) {
    this.#instance = instance;
    this.#clock = clock;
    this.#target = target;
    this.#wake = wake;
  }

  /** True while frozen state waits to be copied and the pool has room. */
  get ready(): boolean {
    return this.#open.length > 0 && this.#pooled < POOL_BYTES;
  }

  /** True while anything is not stored yet. */
  get copying(): boolean {
    return this.#open.length > 0;
  }

  /** Freezes `vertex` at the barrier of `epoch`. Resolves when its state is stored. */
  freeze(vertex: number, epoch: number): Promise<StoredState> {
    if (this.#target === undefined) return Promise.resolve(NO_STATE);
    this.#finishCopy(vertex);
    this.#compact(vertex);
    this.#instance.barrier(vertex, epoch);
    const timer = new SnapshotTimer(this.#clock);
    const live = this.#instance.liveSegments(vertex);
    const snapshot: OpenSnapshot = { vertex, epoch, live, frames: [], more: () => undefined, copied: false, timer };
    this.#copyOne(snapshot);
    if (!snapshot.copied) this.#open.push(snapshot);
    const before = this.#last.get(vertex) ?? Promise.resolve();
    const stored = before.then(() => this.#store(snapshot));
    const settled = stored.catch(() => undefined);
    this.#last.set(vertex, settled);
    return stored;
  }

  /** Copies one frame. */
  slice(): void {
    const snapshot = this.#open[0];
    if (snapshot === undefined) return;
    this.#copyOne(snapshot);
    if (snapshot.copied) this.#open.shift();
  }

  #finishCopy(vertex: number): void {
    const at = this.#open.findIndex((snapshot) => snapshot.vertex === vertex);
    const snapshot = this.#open[at];
    if (snapshot === undefined) return;
    while (!snapshot.copied) this.#copyOne(snapshot);
    this.#open.splice(at, 1);
  }

  #copyOne(snapshot: OpenSnapshot): void {
    if (this.#scratch === 0) this.#scratch = this.#instance.frameBuffer(FRAME_CAPACITY);
    const length = this.#instance.snapshot(snapshot.vertex, this.#scratch, FRAME_CAPACITY);
    if (length === 0) {
      snapshot.copied = true;
      snapshot.timer.copied();
    } else {
      const buffer =
        length < RECYCLED_FROM ? new Uint8Array(length) : (this.#free.pop() ?? new Uint8Array(FRAME_CAPACITY)).subarray(0, length);
      buffer.set(this.#instance.memory.subarray(this.#scratch, this.#scratch + length));
      snapshot.frames.push(buffer);
      this.#pooled += buffer.length;
    }
    snapshot.more();
  }

  /** Large buffers are used again: touching fresh pages costs 3 ms per MB on a virtual machine. */
  #recycle(frame: Uint8Array): void {
    this.#pooled -= frame.length;
    if (frame.length >= RECYCLED_FROM) this.#free.push(new Uint8Array(frame.buffer as ArrayBuffer));
  }

  /** Segments that keep old files alive are written again with the next checkpoint. */
  #compact(vertex: number): void {
    const directory = this.#directories.get(vertex);
    if (directory === undefined) return;
    for (const segment of adviseCompaction(directory.refs(), this.#files.get(vertex) ?? [])) this.#instance.touchSegment(vertex, segment);
  }

  async #store(snapshot: OpenSnapshot): Promise<StoredState> {
    const { store, job, by, subtask, parallelism } = must(this.#target, "the store of snapshots");
    const { vertex, epoch } = snapshot;
    const written: SegmentRef[] = [];
    let file: TableFileWriter | undefined;
    try {
      for (;;) {
        const frame = snapshot.frames.shift();
        if (frame === undefined) {
          if (snapshot.copied) break;
          await new Promise<void>((resolve) => {
            snapshot.more = resolve;
          });
          continue;
        }
        const header = { vertex, subtask, parallelism, epoch, fence: by.fence };
        if (file === undefined) {
          snapshot.timer.storing();
          file = await TableFileWriter.open(store, tableFilePath(job, epoch, by, vertex, subtask), header);
        }
        written.push(await file.append(segmentOfFrame(frame), frame));
        this.#recycle(frame);
        this.#wake();
      }
      const finished = await file?.finish();
      return this.#advance(snapshot, written, finished);
    } catch (error) {
      await file?.abort();
      throw error;
    }
  }

  #advance(snapshot: OpenSnapshot, written: readonly SegmentRef[], file: FileRef | undefined): StoredState {
    const { vertex, live, timer } = snapshot;
    const writtenBytes = file?.size ?? 0;
    const directory = (this.#directories.get(vertex) ?? new SegmentDirectory()).advance(written, live);
    const known = [...(this.#files.get(vertex) ?? []), ...(file === undefined ? [] : [file])];
    const segments = directory.refs();
    const files = referencedFiles(segments, known);
    this.#directories.set(vertex, directory);
    this.#files.set(vertex, files);
    return { segments, files, writtenBytes, phases: timer.phases(writtenBytes) };
  }
}
