/** What a simulated worker and a controller say to each other: the protocol of proto/controller.proto as far as the machines know it. */
import type { PlacedWorker } from "../../src/job/job.ts";
import type { CloseMode, WorkerMessage } from "../../src/job/run-event.ts";
import type { StagedRows } from "./outside.ts";

/** A vertex' part of an epoch. The source (vertex 0) reports positions and sums by split, the sink (vertex 1) rows. */
export interface SimReport {
  readonly epoch: number;
  readonly vertex: number;
  readonly subtask: number;
  readonly positions: readonly (readonly [split: number, position: number, sum: number])[];
  readonly rows: readonly number[];
}

/** From a worker. A report comes with its contents. */
export type ToController = { readonly message: WorkerMessage; readonly report: SimReport | undefined };

/** From a controller. `leader`: its leader epoch. */
export type ToWorker = { readonly leader: number } & (
  | { readonly kind: "welcome" }
  | {
      readonly kind: "assign";
      readonly placement: readonly PlacedWorker[];
      readonly number: number;
      readonly restored: number;
      readonly base: number;
    }
  | { readonly kind: "run" }
  | { readonly kind: "trigger"; readonly epoch: number; readonly stop: boolean }
  | { readonly kind: "commit"; readonly epoch: number; readonly staged: readonly StagedRows[] }
  | { readonly kind: "close"; readonly mode: CloseMode }
  | { readonly kind: "renew"; readonly epoch: number }
  /** Not here, or not yet: try elsewhere. */
  | { readonly kind: "moved" }
  | { readonly kind: "fenced" }
);
