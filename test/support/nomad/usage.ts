/** What allocations hold on each node, added up once and kept until something about the node's allocations changes. */
import { resourcesOf } from "./cluster.ts";
import type { Allocation } from "./records.ts";
import type { State } from "./state.ts";

/** Sums of a node. */
export interface Usage {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly cores: ReadonlySet<number>;
  readonly ports: ReadonlySet<number>;
}

/** Sums of `allocations`. */
export function sumUsage(allocations: readonly Allocation[]): Usage {
  let [cpu, memoryMb, diskMb] = [0, 0, 0];
  const cores = new Set<number>();
  const ports = new Set<number>();
  for (const allocation of allocations) {
    const held = resourcesOf(allocation);
    cpu += held.cpu;
    memoryMb += held.memoryMb;
    diskMb += held.diskMb;
    for (const core of held.cores) cores.add(core);
    for (const { Value } of allocation.placement.ports) ports.add(Value);
  }
  return { cpu, memoryMb, diskMb, cores, ports };
}

/** Allocations that hold something on a node: an allocation holds it until its client says that it has ended. */
export function holders(state: State, node: string): Allocation[] {
  return state
    .allocationsOfNode(node)
    .filter(({ ClientStatus }) => ClientStatus !== "complete" && ClientStatus !== "failed" && ClientStatus !== "lost");
}

const known = new WeakMap<State, Map<string, { readonly stamp: number; readonly usage: Usage }>>();

/** What is held on a node now. */
export function usageOf(state: State, node: string): Usage {
  const nodes = known.get(state) ?? new Map<string, { readonly stamp: number; readonly usage: Usage }>();
  known.set(state, nodes);
  const stamp = state.stampOfNode(node);
  const cached = nodes.get(node);
  if (cached !== undefined && cached.stamp === stamp) return cached.usage;
  const usage = sumUsage(holders(state, node));
  nodes.set(node, { stamp, usage });
  return usage;
}
