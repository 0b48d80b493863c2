/**
 * What the node scheduler has to remember over a change of leader: runs with the nodes of their workers, and the nodes themselves, so that a
 * leader that has just taken over neither starts a run twice nor takes a node for gone that has not found it yet. Where it is kept is an
 * argument: the controller keeps it in its database.
 */
import { z } from "zod";
import { externalError } from "../../core/errors.ts";
import { decodeJob, encodeJob, type RecordedJob } from "../process/run-records.ts";

/** A node that was registered. */
export interface RecordedNode {
  /** "nd_…". */
  readonly id: string;
  readonly name: string;
  /** "host:port" of its daemon. */
  readonly address: string;
  readonly slots: number;
  readonly memoryBytes: number;
  readonly processors: number;
  readonly release: string;
}

/** Texts by key. A write replaces; all throw with `retry: "backoff"` where the store does not answer, `fenced` where another leads. */
export interface RecordStore {
  read(): Promise<readonly { readonly key: string; readonly record: string }[]>;
  write(key: string, record: string): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

/** All that is remembered. */
export interface Memory {
  readonly jobs: readonly RecordedJob[];
  readonly nodes: readonly RecordedNode[];
}

const nodeSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  name: z.string(),
  address: z.string(),
  slots: z.number(),
  memoryBytes: z.number(),
  processors: z.number(),
  release: z.string(),
});

/** Runs and nodes in a `RecordStore`. */
export class NodeRecords {
  readonly #store: RecordStore;

  constructor(store: RecordStore) {
    this.#store = store;
  }

  /** A record that cannot be read is an error: forgetting a run could start it twice. */
  async read(): Promise<Memory> {
    const jobs: RecordedJob[] = [];
    const nodes: RecordedNode[] = [];
    for (const { key, record } of await this.#store.read()) {
      try {
        if (key.startsWith("job:")) jobs.push(decodeJob(record));
        if (key.startsWith("node:")) nodes.push(decodeNode(record));
      } catch (error) {
        throw externalError("io", `the node scheduler's record "${key}" cannot be read`, { retry: "never", cause: error });
      }
    }
    return { jobs, nodes };
  }

  async writeJob(job: RecordedJob): Promise<void> {
    await this.#store.write(`job:${job.job}`, encodeJob(job));
  }

  async writeNode(node: RecordedNode): Promise<void> {
    await this.#store.write(`node:${node.id}`, JSON.stringify({ version: 1, ...node }));
  }

  async removeJobs(jobs: readonly string[]): Promise<void> {
    await this.#store.remove(jobs.map((job) => `job:${job}`));
  }

  async removeNode(node: string): Promise<void> {
    await this.#store.remove([`node:${node}`]);
  }
}

function decodeNode(record: string): RecordedNode {
  const { version: _, ...node } = nodeSchema.parse(JSON.parse(record));
  return node;
}
