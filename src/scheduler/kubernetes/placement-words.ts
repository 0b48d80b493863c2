/** How many workers of a Job have no place, and why. Pure. */
import type { JobSeen, PodSeen } from "./objects.ts";
import { countReasons, hasEnded, stuckReason, unplacedReason } from "./reasons.ts";
import { isFinished } from "./workers.ts";

/** Where the pods of a Job stand. */
export interface PlacementState {
  /** Workers that have no place or cannot start. */
  readonly missing: number;
  /** "2 of 4 workers not placed: …"; empty: all are placed, or nobody has said why not. */
  readonly reason: string;
}

/** `createTrouble`: why its controller cannot make pods; empty: it can. */
export function describePlacement(job: JobSeen, pods: readonly PodSeen[], createTrouble: string): PlacementState {
  if (isFinished(job) || job.metadata.deletionTimestamp !== undefined) return { missing: 0, reason: "" };
  const workers = job.spec.parallelism;
  const absent = Math.max(0, workers - Math.max(pods.length, job.status.succeeded + job.status.failed));
  const waiting = pods.filter((pod) => pod.spec.nodeName === undefined && !hasEnded(pod));
  const unplaced = [
    ...waiting.flatMap((pod) => unplacedReason(pod) ?? []),
    ...(createTrouble === "" ? [] : Array.from({ length: absent }, () => `its pod cannot be made: ${createTrouble}`)),
  ];
  const stuck = pods.flatMap((pod) => stuckReason(pod) ?? []);
  const parts = [countReasons(unplaced, workers, "not placed"), countReasons(stuck, workers, "cannot start")];
  return { missing: waiting.length + absent + stuck.length, reason: parts.filter((part) => part !== "").join("; ") };
}
