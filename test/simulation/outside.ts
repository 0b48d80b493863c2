/**
 * The outside systems of a simulation with just enough of their meaning: a database with one job's row and the leader's lease, an object store
 * with manifests and the completion record, a sink that publishes transactions. They check what must hold at the moment it would be broken.
 */
import type { Job } from "../../src/job/job.ts";
import { Service, violation, type World } from "./world.ts";

/** What a subtask staged for an epoch. A row is split · 1000000 + number. */
export interface StagedRows {
  readonly subtask: number;
  readonly rows: readonly number[];
}

/** A stored checkpoint. */
export interface SimManifest {
  readonly epoch: number;
  readonly fence: number;
  /** Rows read, by split. */
  readonly positions: readonly number[];
  /** State of the program: the sum of the numbers read, by split. */
  readonly sums: readonly number[];
  readonly staged: readonly StagedRows[];
}

/** Who counts what. */
export interface SimRecord {
  readonly fence: number;
  readonly epochs: readonly SimManifest[];
}

/** Rows of one split are numbered below this. */
export const SPLIT_ROWS = 1_000_000;

/** Rows of one output are numbered below this. */
const OUTPUT_ROWS = 1_000_000_000;

/** See the file's comment. */
export class Database extends Service {
  job: Job;
  revision = 0;
  leaderEpoch = 0;
  lease = { holder: "", epoch: 0, expiresAtMs: 0 };
  /** A planted bug: anybody may write. */
  unfenced = false;
  /** Revision of `job.desired` changed: who polls will see it. */
  onDesired: () => void = () => undefined;
  /** Every job that was written. */
  onWrite: (job: Job) => void = () => undefined;

  constructor(world: World, job: Job) {
    super(world, "database", 3);
    this.job = job;
  }

  /** Keeps the lease with `epoch`, or takes it if it is free: then under a new epoch. Undefined: somebody has it. */
  takeLease(holder: string, epoch: number | undefined, durationMs: number): number | undefined {
    const { lease, world } = this;
    const free = lease.expiresAtMs < world.nowMs;
    if (!free && (lease.holder !== holder || lease.epoch !== epoch)) return undefined;
    this.lease = { holder, epoch: free ? lease.epoch + 1 : lease.epoch, expiresAtMs: world.nowMs + durationMs };
    return this.lease.epoch;
  }

  /** A new leader reads the row and makes it its own. */
  claim(leaderEpoch: number): { readonly job: Job; readonly revision: number } | undefined {
    if (this.leaderEpoch > leaderEpoch) return undefined;
    this.leaderEpoch = leaderEpoch;
    this.revision++;
    return { job: this.job, revision: this.revision };
  }

  /** Writes what belongs to the controller; false: another leader wrote in between. A repeated write is a success. */
  write(job: Job, revision: number, leaderEpoch: number): boolean {
    if (this.leaderEpoch === leaderEpoch && this.revision === revision + 1) return true;
    if ((this.leaderEpoch !== leaderEpoch || this.revision !== revision) && !this.unfenced) return false;
    this.onWrite(job);
    this.job = { ...job, desired: this.job.desired };
    this.revision++;
    return true;
  }

  /** A user changes what is wanted. */
  wish(change: Partial<Job["desired"]>): void {
    const { desired } = this.job;
    this.job = { ...this.job, desired: { ...desired, ...change, revision: desired.revision + 1 } };
    this.onDesired();
  }
}

/** See the file's comment. */
export class Store extends Service {
  record: SimRecord = { fence: 0, epochs: [] };
  /** A planted bug: runs that were superseded may still complete epochs. */
  unfenced = false;
  readonly manifests = new Map<string, SimManifest>();
  /** Every (fence, epoch) that ever counted. */
  readonly counted = new Set<string>();
  /** Newest epoch that ever counted. */
  newest = 0;
  /** Runs that started afresh because the user ignored the state begin another output. By fence; a run that restores goes on with its output. */
  readonly outputs = new Map<number, number>();

  constructor(world: World) {
    super(world, "object store", 5);
  }

  /** `fence` owns the record from now on. Undefined: a later run does. */
  takeOver(fence: number): SimRecord | undefined {
    if (this.record.fence > fence) return undefined;
    this.record = { ...this.record, fence };
    return this.record;
  }

  /** Stores the manifest and lets it count; false: another run owns the record. */
  complete(manifest: SimManifest): boolean {
    const { epoch, fence } = manifest;
    this.manifests.set(`${fence}/${epoch}`, manifest);
    if (this.record.fence !== fence && !this.unfenced) return false;
    if (this.counted.has(`${fence}/${epoch}`)) return true;
    const last = this.record.epochs.at(-1);
    if (last !== undefined && last.epoch >= epoch) throw violation(this.world, `epoch ${epoch} is recorded after epoch ${last.epoch}`);
    this.record = { fence: this.record.fence, epochs: [...this.record.epochs.slice(-7), manifest] };
    this.counted.add(`${fence}/${epoch}`);
    this.newest = epoch;
    return true;
  }
}

/** A transactional sink: each (run, epoch, subtask) publishes once, whoever asks. */
export class Sink {
  readonly #world: World;
  readonly #store: Store;
  readonly #transactions = new Map<string, readonly number[]>();
  readonly #publishedBy = new Map<number, string>();
  /** Rows published by output and split. */
  readonly #counts = new Map<number, number[]>();
  /** Transactions published. */
  published = 0;
  /** Transactions that were asked for again. */
  repeated = 0;

  constructor(world: World, store: Store) {
    this.#world = world;
    this.#store = store;
  }

  publish(fence: number, epoch: number, { subtask, rows }: StagedRows): void {
    const entry = `${fence}/${epoch}`;
    if (!this.#store.counted.has(entry)) throw violation(this.#world, `epoch ${epoch} of run ${fence} is published and was never recorded`);
    const name = `${entry}/${subtask}`;
    const before = this.#transactions.get(name);
    if (before !== undefined) {
      this.repeated++;
      if (before.length !== rows.length) throw violation(this.#world, `transaction ${name} is published again with other rows`);
      return;
    }
    this.#transactions.set(name, rows);
    this.published++;
    const output = this.#store.outputs.get(fence) ?? 0;
    for (const number of rows) {
      const row = output * OUTPUT_ROWS + number;
      const other = this.#publishedBy.get(row);
      if (other !== undefined) throw violation(this.#world, `row ${row} is published twice: by ${other} and by ${name}`);
      this.#publishedBy.set(row, name);
      const counts = this.#countsOf(output);
      const split = Math.floor(number / SPLIT_ROWS);
      counts[split] = (counts[split] ?? 0) + 1;
    }
  }

  #countsOf(output: number): number[] {
    const counts = this.#counts.get(output) ?? [];
    this.#counts.set(output, counts);
    return counts;
  }

  /** Rows of `split` that are published in the newest output. */
  count(split: number): number {
    return this.#countsOf(this.#newestOutput)[split] ?? 0;
  }

  get #newestOutput(): number {
    return Math.max(0, ...this.#store.outputs.values());
  }

  /** Rows of `split` from 0 that are all published in the newest output. */
  prefix(split: number): number {
    const first = this.#newestOutput * OUTPUT_ROWS + split * SPLIT_ROWS;
    let length = 0;
    while (this.#publishedBy.has(first + length)) length++;
    return length;
  }
}
