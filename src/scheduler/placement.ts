/**
 * How slots become workers and subtasks find their slot. Pure, deterministic and indifferent to the order in which workers registered, so that
 * a controller that takes over computes the same placement as its predecessor.
 */
import { assert } from "../core/assert.ts";
import { KEY_GROUPS } from "../data/key-group.ts";

/** A worker that offers slots. */
export interface OfferedSlots {
  /** Its id: the order of ids decides, nothing else. */
  readonly worker: string;
  /** From 1. */
  readonly slots: number;
}

/** A worker with the subtasks it runs: `count` in a row from `first`. */
export interface PlacedWorker {
  readonly worker: string;
  readonly first: number;
  readonly count: number;
}

/** Slots of each worker to be started for `slots` slots: as few workers as `perWorker` allows, none more than one slot larger than another. */
export function sizeWorkers(slots: number, perWorker: number): readonly number[] {
  assert(Number.isInteger(slots) && slots >= 1, `${slots} slots cannot be placed`);
  assert(Number.isInteger(perWorker) && perWorker >= 1, `a worker cannot have ${perWorker} slots`);
  const workers = Math.ceil(slots / perWorker);
  const [least, more] = [Math.floor(slots / workers), slots % workers];
  return Array.from({ length: workers }, (_, i) => least + (i < more ? 1 : 0));
}

/** How many slots are missing for `parallelism` subtasks; 0: enough. */
export function missingSlots(parallelism: number, offered: readonly OfferedSlots[]): number {
  return Math.max(0, parallelism - offered.reduce((sum, { slots }) => sum + slots, 0));
}

/**
 * Places `parallelism` subtasks (1 … 4096): each worker gets a contiguous range, so that most neighbours in key space share a process, and
 * the ranges are as even as the offers allow: no worker has two subtasks more than another that has a slot left. Workers in the order of
 * their ids; those for which nothing is left are not named. `undefined` if there are not enough slots.
 */
export function placeSubtasks(parallelism: number, offered: readonly OfferedSlots[]): readonly PlacedWorker[] | undefined {
  assert(Number.isInteger(parallelism) && parallelism >= 1 && parallelism <= KEY_GROUPS, `parallelism ${parallelism} cannot be placed`);
  assert(new Set(offered.map(({ worker }) => worker)).size === offered.length, "a worker offers its slots twice");
  if (missingSlots(parallelism, offered) > 0) return undefined;
  const workers = [...offered].sort((a, b) => (a.worker < b.worker ? -1 : 1));
  const level = fullLevel(parallelism, workers);
  let extra = parallelism - workers.reduce((sum, { slots }) => sum + Math.min(slots, level), 0);
  let first = 0;
  const placed: PlacedWorker[] = [];
  for (const { worker, slots } of workers) {
    const more = extra > 0 && slots > level ? 1 : 0;
    extra -= more;
    const count = Math.min(slots, level) + more;
    if (count > 0) placed.push({ worker, first, count });
    first += count;
  }
  return placed;
}

/** The most subtasks that every worker can have, if it has the slots, without more than `parallelism` in all. */
function fullLevel(parallelism: number, workers: readonly OfferedSlots[]): number {
  let level = 0;
  while (workers.reduce((sum, { slots }) => sum + Math.min(slots, level + 1), 0) <= parallelism) {
    const reached = workers.every(({ slots }) => slots <= level);
    if (reached) return level;
    level += 1;
  }
  return level;
}

/** By subtask, the number of its worker: the index in `placed`. What workers are told (`placement` of an assignment). */
export function workerOfSubtasks(placed: readonly PlacedWorker[]): readonly number[] {
  return placed.flatMap(({ count }, worker) => new Array<number>(count).fill(worker));
}
