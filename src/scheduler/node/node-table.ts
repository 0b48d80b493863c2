/** The nodes as the scheduler knows them: who is there, how full, who is being emptied, who has not been heard of. Times are arguments. */
import type { HeartbeatNodeRequest } from "../../gen/node.ts";
import type { NodeView } from "../view.ts";
import type { RecordedNode } from "./records.ts";

/** A node with what it said last. */
export interface KnownNode {
  readonly record: RecordedNode;
  /** Elapsed milliseconds. */
  heardMs: number;
  /** It has been heard by this leader, and not only been remembered. */
  heard: boolean;
  lost: boolean;
  draining: boolean;
  /** Elapsed milliseconds; undefined: no limit is known. */
  drainByMs: number | undefined;
  /** Content hashes of the artifacts it has. */
  artifacts: ReadonlySet<string>;
}

/** Nodes that are lost and have no worker are forgotten after so long, milliseconds. */
const FORGET_MS = 60 * 60 * 1000;

/** See the file's comment. */
export class NodeTable {
  readonly #nodes = new Map<string, KnownNode>();
  readonly #leaseMs: number;

  /** A node that is silent for `leaseMs` is lost. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** A node of which an earlier leader knew: it has the time of one lease to say that it is there. */
  remember(record: RecordedNode, nowMs: number): void {
    this.#nodes.set(record.id, { ...fresh(record, nowMs), heard: false });
  }

  /** A node registers; whether it was lost. */
  register(record: RecordedNode, nowMs: number): boolean {
    const known = this.#nodes.get(record.id);
    const { draining, drainByMs, artifacts } = known ?? fresh(record, nowMs);
    this.#nodes.set(record.id, { ...fresh(record, nowMs), draining, drainByMs, artifacts });
    return known?.lost === true;
  }

  /** What a heartbeat says of the node itself; undefined: it is unknown. `drains`: it has begun to drain, or has another deadline. */
  hear(beat: HeartbeatNodeRequest, nowMs: number): { readonly wasLost: boolean; readonly drains: boolean } | undefined {
    const node = this.#nodes.get(beat.nodeId);
    if (node === undefined || !node.heard) return undefined;
    const wasLost = node.lost;
    const drains = beat.draining && !node.draining;
    const byMs = beat.draining && beat.drainDeadlineMs > 0 ? nowMs + beat.drainDeadlineMs : undefined;
    // The deadline is told as what is left: it trembles with every heartbeat.
    const moved = byMs !== undefined && Math.abs(byMs - (node.drainByMs ?? byMs)) > this.#leaseMs;
    Object.assign(node, { heardMs: nowMs, lost: false, draining: beat.draining, artifacts: new Set(beat.artifacts) });
    if (!beat.draining || drains || moved) node.drainByMs = byMs;
    return { wasLost, drains: drains || moved };
  }

  /** Nodes whose lease has run out by now, each once. */
  expire(nowMs: number): readonly KnownNode[] {
    const silent = [...this.#nodes.values()].filter((node) => !node.lost && nowMs - node.heardMs > this.#leaseMs);
    for (const node of silent) node.lost = true;
    return silent;
  }

  /** Forgets nodes that have been lost for long and are not `needed`; which. */
  forget(nowMs: number, needed: (node: string) => boolean): readonly string[] {
    const old = [...this.#nodes.values()].filter(({ lost, heardMs, record }) => lost && nowMs - heardMs > FORGET_MS && !needed(record.id));
    for (const { record } of old) this.#nodes.delete(record.id);
    return old.map(({ record }) => record.id);
  }

  get(id: string): KnownNode | undefined {
    return this.#nodes.get(id);
  }

  /** Those that take workers. */
  get ready(): readonly KnownNode[] {
    return [...this.#nodes.values()].filter(({ lost, draining }) => !lost && !draining);
  }

  get all(): readonly KnownNode[] {
    return [...this.#nodes.values()];
  }

  /** For people; `used`: slots of a node that workers have. `wallMs` is the wall time of `nowMs`. */
  views(used: ReadonlyMap<string, number>, nowMs: number, wallMs: number): readonly NodeView[] {
    return this.all.map(({ record, lost, draining, drainByMs, heardMs, artifacts }): NodeView => {
      const { id, name, address, slots, memoryBytes, processors, release } = record;
      const taken = used.get(id) ?? 0;
      const silentMs = Math.round(nowMs - heardMs);
      return {
        id,
        name,
        address,
        pool: "",
        zone: "",
        state: lost ? "lost" : draining ? "draining" : "ready",
        drainDeadlineMs: drainByMs === undefined ? undefined : Math.round(wallMs + drainByMs - nowMs),
        cpu: { total: processors * 1_000, used: taken * 1_000 },
        // Nobody reserves memory here: what is used is not known.
        memory: undefined,
        slots: { total: slots, used: taken },
        release,
        attributes: {
          artifacts: String(artifacts.size),
          memory: `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
          ...(lost ? { silent: `${Math.round(silentMs / 1_000)} s` } : {}),
        },
        link: undefined,
      };
    });
  }
}

function fresh(record: RecordedNode, nowMs: number): KnownNode {
  const nothing = { lost: false, draining: false, drainByMs: undefined, artifacts: new Set<string>() };
  return { record, heardMs: nowMs, heard: true, ...nothing };
}
