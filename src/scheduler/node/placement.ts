/** On which nodes the workers of a run go. Pure and deterministic. */
import { assert } from "../../core/assert.ts";
import { sizeWorkers } from "../placement.ts";

/** A node that takes workers. */
export interface NodeOffer {
  readonly node: string;
  /** Slots that no worker has; from 0. */
  readonly free: number;
  /** It has the artifact: preferred among equals. */
  readonly hasArtifact: boolean;
}

/** A worker to be started. */
export interface NodePlacement {
  readonly node: string;
  readonly slots: number;
}

/**
 * Workers with `slots` slots together, `perWorker` each at most, spread over the nodes: each goes where most slots are free, so that the loss
 * of a node costs as little as may be. Where no node has room for a worker of the wanted size it is split. `undefined`: there are not enough
 * slots.
 */
export function placeWorkers(slots: number, perWorker: number, offers: readonly NodeOffer[]): readonly NodePlacement[] | undefined {
  const free = offers.map((offer) => ({ ...offer }));
  if (slots > free.reduce((sum, offer) => sum + offer.free, 0)) return undefined;
  const sizes = [...sizeWorkers(slots, perWorker)].sort((a, b) => b - a);
  const placed: NodePlacement[] = [];
  while (sizes.length > 0) {
    const size = sizes.shift() ?? 0;
    const best = free.reduce((a, b) => (isBetter(b, a) ? b : a));
    assert(best.free > 0, "free slots have vanished");
    const given = Math.min(size, best.free);
    best.free -= given;
    placed.push({ node: best.node, slots: given });
    if (given < size) sizes.unshift(size - given);
  }
  return placed;
}

function isBetter(a: NodeOffer, b: NodeOffer): boolean {
  if (a.free !== b.free) return a.free > b.free;
  if (a.hasArtifact !== b.hasArtifact) return a.hasArtifact;
  return a.node < b.node;
}
