/**
 * What a worker has said about its run, as far as a controller may have to hear it again: after a broken stream, or because another one leads
 * now. Reports are kept until their epoch is complete, commits a little longer; everything names its epoch or subtask, so a double changes
 * nothing. Pure.
 */
import type { Resumption } from "../gen/controller.ts";
import type { WorkerMessage } from "../rpc/worker-client.ts";

/** Batches of preview rows that are repeated. */
const PREVIEWS_KEPT = 64;
/** Epochs whose commits are repeated: a controller never has more that are complete and not committed. */
const COMMITS_KEPT = 16;

interface EpochJournal {
  readonly started: WorkerMessage[];
  readonly reports: WorkerMessage[];
  /** By subtask. */
  readonly commits: Map<number, WorkerMessage>;
}

/** See the file's comment. */
export class RunJournal {
  readonly #worker: number;
  /** Own subtasks. */
  readonly #subtasks: readonly number[];
  readonly #epochs = new Map<number, EpochJournal>();
  readonly #ready = new Map<number, WorkerMessage>();
  readonly #ended = new Map<number, WorkerMessage>();
  readonly #closed = new Map<number, WorkerMessage>();
  readonly #previews: WorkerMessage[] = [];
  #started: number;
  #complete: number;
  #committed: number;
  running = false;
  paused = false;

  /** `restoredEpoch`: 0 on a first start. */
  constructor(worker: number, subtasks: readonly number[], restoredEpoch: number) {
    this.#worker = worker;
    this.#subtasks = subtasks;
    this.#started = restoredEpoch;
    this.#complete = restoredEpoch;
    this.#committed = restoredEpoch;
  }

  /** Newest epoch whose barrier was announced here. */
  get newestStarted(): number {
    return this.#started;
  }

  /** Newest epoch that is known to count. */
  get newestComplete(): number {
    return this.#complete;
  }

  /** Whether all own slots have said that they are ready. */
  get allReady(): boolean {
    return this.#ready.size === this.#subtasks.length;
  }

  ready(subtask: number, message: WorkerMessage): void {
    this.#ready.set(subtask, message);
  }

  ended(subtask: number, message: WorkerMessage): void {
    this.#ended.set(subtask, message);
  }

  closed(subtask: number, message: WorkerMessage): void {
    this.#closed.set(subtask, message);
  }

  /** The barrier of `epoch` was announced here. */
  triggered(epoch: number): void {
    this.#started = Math.max(this.#started, epoch);
  }

  /** Rows to look at: the newest are kept, as a stream that breaks may have lost them. */
  previewed(message: WorkerMessage): void {
    this.#previews.push(message);
    if (this.#previews.length > PREVIEWS_KEPT) this.#previews.shift();
  }

  epochStarted(epoch: number, message: WorkerMessage): void {
    this.triggered(epoch);
    this.#epoch(epoch).started.push(message);
  }

  reported(epoch: number, message: WorkerMessage): void {
    if (epoch > this.#complete) this.#epoch(epoch).reports.push(message);
  }

  committed(epoch: number, subtask: number, message: WorkerMessage): void {
    const { commits } = this.#epoch(epoch);
    commits.set(subtask, message);
    if (commits.size === this.#subtasks.length) this.#committed = Math.max(this.#committed, epoch);
  }

  /** `epoch` counts: its reports, and those before, are not asked for any more. */
  complete(epoch: number): void {
    if (epoch <= this.#complete) return;
    this.#complete = epoch;
    for (const [known, journal] of this.#epochs) {
      if (known > epoch) continue;
      journal.started.length = 0;
      journal.reports.length = 0;
      if (known <= epoch - COMMITS_KEPT) this.#epochs.delete(known);
    }
  }

  /** What was said when `epoch` was committed; undefined: not every slot has. A controller that asks again gets it again. */
  commitsOf(epoch: number): readonly WorkerMessage[] | undefined {
    const commits = this.#epochs.get(epoch)?.commits;
    return commits?.size === this.#subtasks.length ? [...commits.values()] : undefined;
  }

  /** For a registration. */
  resumption(): Resumption {
    return {
      worker: this.#worker,
      startedEpoch: BigInt(this.#started),
      completeEpoch: BigInt(this.#complete),
      committedEpoch: BigInt(this.#committed),
      readySubtasks: [...this.#ready.keys()],
      endedSubtasks: [...this.#ended.keys()],
      closedSubtasks: [...this.#closed.keys()],
      running: this.running,
      paused: this.paused,
    };
  }

  /** Everything that may not have been heard, in an order in which it can have happened. */
  repeats(): readonly WorkerMessage[] {
    const epochs = [...this.#epochs].sort(([a], [b]) => a - b).map(([, journal]) => journal);
    return [
      ...this.#ready.values(),
      ...this.#previews,
      ...epochs.flatMap(({ started, reports, commits }) => [...started, ...reports, ...commits.values()]),
      ...this.#ended.values(),
      ...this.#closed.values(),
    ];
  }

  #epoch(epoch: number): EpochJournal {
    let journal = this.#epochs.get(epoch);
    if (journal === undefined) {
      journal = { started: [], reports: [], commits: new Map() };
      this.#epochs.set(epoch, journal);
    }
    return journal;
  }
}
