/** What allocations hold on each node, kept up to date with every write: an allocation holds it until its client says that it has ended. */
import type { Allocation } from "./records.ts";

/** Sums of a node. */
export interface Usage {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly cores: ReadonlySet<number>;
  readonly ports: ReadonlySet<number>;
}

const NOTHING: Usage = { cpu: 0, memoryMb: 0, diskMb: 0, cores: new Set(), ports: new Set() };

/** Resources that an allocation was promised. */
export function resourcesOf(allocation: Allocation): { cpu: number; memoryMb: number; diskMb: number; cores: number[] } {
  const group = (allocation.Job.TaskGroups ?? []).find(({ Name }) => Name === allocation.TaskGroup);
  let cpu = 0;
  let memoryMb = 0;
  for (const task of group?.Tasks ?? []) {
    cpu += allocation.placement.cpuShares[task.Name] ?? 0;
    memoryMb += task.Resources.MemoryMB;
  }
  return { cpu, memoryMb, diskMb: group?.EphemeralDisk.SizeMB ?? 0, cores: Object.values(allocation.placement.cores).flat() };
}

/** Whether an allocation still holds what it was given. */
export function holds({ ClientStatus }: Allocation): boolean {
  return ClientStatus !== "complete" && ClientStatus !== "failed" && ClientStatus !== "lost";
}

/** Sums that change. */
export class NodeUsage implements Usage {
  cpu: number;
  memoryMb: number;
  diskMb: number;
  readonly cores: Set<number>;
  readonly ports: Set<number>;

  constructor(from: Usage = NOTHING) {
    this.cpu = from.cpu;
    this.memoryMb = from.memoryMb;
    this.diskMb = from.diskMb;
    this.cores = new Set(from.cores);
    this.ports = new Set(from.ports);
  }

  /** Counts an allocation in (1) or out (-1). */
  count(allocation: Allocation, sign: 1 | -1): void {
    const held = resourcesOf(allocation);
    this.cpu += sign * held.cpu;
    this.memoryMb += sign * held.memoryMb;
    this.diskMb += sign * held.diskMb;
    const change = <T>(set: Set<T>, one: T) => (sign === 1 ? set.add(one) : set.delete(one));
    for (const core of held.cores) change(this.cores, core);
    for (const { Value } of allocation.placement.ports) change(this.ports, Value);
  }
}

/** Sums of all nodes. */
export class UsageBook {
  readonly #nodes = new Map<string, NodeUsage>();

  /** An allocation has become another record; undefined: it is new, or it is gone. */
  replace(old: Allocation | undefined, now: Allocation | undefined): void {
    const before = old !== undefined && holds(old) ? old : undefined;
    const after = now !== undefined && holds(now) ? now : undefined;
    if (before !== undefined && after !== undefined && before.placement === after.placement && before.Job === after.Job) return;
    if (before !== undefined) this.#node(before.NodeID).count(before, -1);
    if (after !== undefined) this.#node(after.NodeID).count(after, 1);
  }

  #node(id: string): NodeUsage {
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    const made = new NodeUsage();
    this.#nodes.set(id, made);
    return made;
  }

  /** What is held on a node now. */
  of(node: string): Usage {
    return this.#nodes.get(node) ?? NOTHING;
  }
}
