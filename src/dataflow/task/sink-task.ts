/**
 * One sink vertex of one slot: a queue between the module, which makes encoded frames, and the connector, which writes them in its own time.
 * Writes, stages and commits go to the connector one after the other in the order in which the slot asked for them, so a stage covers
 * exactly the frames before its barrier. Frames stay in the module's memory until they are written; the slot looks at `pendingBytes`.
 */
import type { Sink, SinkCommit } from "../../connectors/connector.ts";
import type { Clock } from "../../core/clock.ts";
import { FRAME_HEADER, FRAME_HEADER_SIZE, FRAME_KINDS } from "../../data/frame.ts";
import type { Instance } from "../instance.ts";
import type { PhaseTiming } from "../slot-contract.ts";
import { type Timed, timed } from "./phase.ts";

const ENCODED = FRAME_KINDS.indexOf("encoded");

/** What a sink task needs from its slot. */
export interface SinkTaskOwner {
  readonly instance: Instance;
  wake(): void;
  fail(error: unknown): void;
}

type Work =
  | { readonly kind: "write"; readonly frame: number; readonly length: number }
  | { readonly kind: "call"; readonly run: () => Promise<void> };

/** See the file's comment. */
export class SinkTask {
  readonly vertex: number;
  /** Rows that the connector has taken. */
  rows = 0;
  /** Bytes that the connector has taken. */
  bytes = 0;
  /** Bytes of frames that wait for the connector. */
  pendingBytes = 0;
  readonly #sink: Sink;
  readonly #owner: SinkTaskOwner;
  readonly #view: DataView;
  readonly #work: Work[] = [];
  /** Bytes that stages so far have covered, and those of them that have been told. */
  #stagedBytes = 0;
  #toldBytes = 0;
  #running = false;
  #failed = false;

  /** `sink` is open. */
  constructor(vertex: number, sink: Sink, owner: SinkTaskOwner) {
    this.vertex = vertex;
    this.#sink = sink;
    this.#owner = owner;
    this.#view = new DataView(owner.instance.memory.buffer);
  }

  /** True while something waits for the connector. */
  get busy(): boolean {
    return this.#running;
  }

  /** Queues an encoded frame; takes ownership of it. */
  write(frame: number, length: number): void {
    this.pendingBytes += length;
    this.#enqueue({ kind: "write", frame, length });
  }

  /** Stages everything written so far. */
  stage(epoch: number): Promise<SinkCommit | undefined> {
    return this.#call(async () => {
      const bytes = this.bytes;
      const staged = await this.#sink.stage(epoch);
      this.#stagedBytes = bytes;
      return staged;
    });
  }

  /** `stage` with the time it took and the bytes that it covered. */
  timedStage(epoch: number, clock: Clock): Promise<Timed<SinkCommit | undefined>> {
    return timed(
      "stage",
      clock,
      () => this.stage(epoch),
      () => this.#takeStagedBytes(),
    );
  }

  #takeStagedBytes(): number {
    const bytes = this.#stagedBytes - this.#toldBytes;
    this.#toldBytes = this.#stagedBytes;
    return bytes;
  }

  /** Publishes what `stage` returned for `epoch`. Idempotent. */
  commit(epoch: number, staged: SinkCommit): Promise<void> {
    return this.#call(() => this.#sink.commit(epoch, staged));
  }

  /** `commit`; the time it took. */
  async timedCommit(epoch: number, staged: SinkCommit, clock: Clock): Promise<PhaseTiming> {
    return (await timed("commit", clock, () => this.commit(epoch, staged))).span;
  }

  /** Closes the connector after everything before; at once if the sink has failed. */
  close(finished: boolean): Promise<void> {
    return this.#call(() => this.#sink.close(finished));
  }

  #call<T>(operation: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#enqueue({ kind: "call", run: () => operation().then(resolve, reject) });
    });
  }

  #enqueue(work: Work): void {
    this.#work.push(work);
    if (this.#running) return;
    this.#running = true;
    this.#pump().catch((error: unknown) => {
      this.#failed = true;
      this.#running = false;
      this.#owner.fail(error);
    });
  }

  async #pump(): Promise<void> {
    for (let work = this.#work.shift(); work !== undefined; work = this.#work.shift()) {
      if (work.kind === "call") await work.run();
      else if (!this.#failed) await this.#write(work.frame, work.length);
    }
    this.#running = false;
    this.#owner.wake();
  }

  async #write(frame: number, length: number): Promise<void> {
    const { instance } = this.#owner;
    const rows = this.#view.getUint32(frame + FRAME_HEADER.rows, true);
    const encoded = this.#view.getUint8(frame + FRAME_HEADER.kind) === ENCODED;
    const from = encoded ? frame + FRAME_HEADER_SIZE : frame;
    const size = encoded ? this.#view.getUint32(frame + FRAME_HEADER.bytes, true) : length;
    await this.#sink.write(instance.memory.subarray(from, from + size), rows);
    instance.freeFrame(frame);
    this.rows += rows;
    this.bytes += size;
    this.pendingBytes -= length;
    this.#owner.wake();
  }
}
