/**
 * Lays out the rings of one worker: one per ordered pair of its slots, and for every other worker one in and one out per slot, whose other
 * end is the worker's main thread. Pure apart from allocating shared memory.
 */
import { makeDoorbells } from "../dataflow/exchange/doorbell.ts";
import type { LinkMemory, SlotLinks } from "../dataflow/exchange/ports.ts";
import { makeRing, type RingMemory } from "../dataflow/exchange/ring.ts";
import { isDirect, type Program } from "../program/program.ts";

/** Bytes of all rings of a worker, shared out among its pairs. */
const RING_BUDGET = 128 << 20;
const MIN_RING = 256 << 10;
const MAX_RING = 4 << 20;

/** A ring between a slot of this worker and another worker. */
export interface RemoteRing {
  readonly subtask: number;
  readonly worker: number;
  readonly ring: RingMemory;
}

/** All links of a worker. */
export interface WorkerLinks {
  /** Subtasks of this worker; the position is the thread's number. */
  readonly subtasks: readonly number[];
  /** By position. */
  readonly slots: readonly SlotLinks[];
  /** The main thread's number. */
  readonly mainThread: number;
  /** Undefined if nothing is exchanged. */
  readonly doorbells: SharedArrayBuffer | undefined;
  /** Rings whose reader is the main thread: frames for other workers. */
  readonly outgoing: readonly RemoteRing[];
  /** Rings whose writer is the main thread: frames from other workers. */
  readonly incoming: readonly RemoteRing[];
}

/** Capacity of each ring for `pairs` rings: a power of two. */
export function ringCapacity(pairs: number): number {
  let capacity = MAX_RING;
  while (capacity > MIN_RING && capacity * pairs > RING_BUDGET) capacity /= 2;
  return capacity;
}

/** Links of `worker`, where `placement` has the worker of every subtask. */
export function makeWorkerLinks(program: Program, placement: readonly number[], worker: number): WorkerLinks {
  const parallelism = placement.length;
  const subtasks = placement.flatMap((owner, subtask) => (owner === worker ? [subtask] : []));
  const exchanges = program.edges.some((edge) => !isDirect(program, edge, parallelism));
  const mainThread = subtasks.length;
  const others = [...new Set(placement)].filter((other) => other !== worker);
  const channels = program.edges.length * parallelism;
  const capacity = ringCapacity(subtasks.length * (subtasks.length - 1 + 2 * others.length));
  const slots = subtasks.map(() => ({ outgoing: [] as LinkMemory[], incoming: [] as LinkMemory[] }));
  if (!exchanges || parallelism === 1) return { subtasks, slots, mainThread, doorbells: undefined, outgoing: [], incoming: [] };
  for (const [from, sender] of slots.entries()) {
    for (const [to, receiver] of slots.entries()) {
      if (from === to) continue;
      const ring = makeRing(capacity, channels);
      sender.outgoing.push({ ring, subtasks: [subtasks[to] ?? 0], thread: to, creditBy: "target" });
      receiver.incoming.push({ ring, subtasks: [subtasks[from] ?? 0], thread: from, creditBy: "target" });
    }
  }
  const outgoing: RemoteRing[] = [];
  const incoming: RemoteRing[] = [];
  for (const [index, slot] of slots.entries()) {
    for (const other of others) {
      const theirs = placement.flatMap((owner, subtask) => (owner === other ? [subtask] : []));
      const out = makeRing(capacity, channels);
      const into = makeRing(capacity, channels);
      slot.outgoing.push({ ring: out, subtasks: theirs, thread: mainThread, creditBy: "target" });
      slot.incoming.push({ ring: into, subtasks: theirs, thread: mainThread, creditBy: "source" });
      outgoing.push({ subtask: subtasks[index] ?? 0, worker: other, ring: out });
      incoming.push({ subtask: subtasks[index] ?? 0, worker: other, ring: into });
    }
  }
  return { subtasks, slots, mainThread, doorbells: makeDoorbells(mainThread + 1), outgoing, incoming };
}
