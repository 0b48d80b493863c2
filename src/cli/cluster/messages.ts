/** What the supervisor of `wadi cluster` and its children say to each other, over the channel between parent and child. */
import type { ErrorRecord } from "../../core/errors.ts";

/** Ports that a child listens on, by the setting that chooses them. */
export type Ports = Readonly<Record<string, number>>;

/** From a child. */
export type ChildMessage =
  /** It does its work. */
  | { readonly kind: "ready"; readonly ports: Ports }
  /** It ends because of this. */
  | { readonly kind: "failed"; readonly error: ErrorRecord }
  /** All workers have stopped. */
  | { readonly kind: "drained" };

/** To a child. */
export type SupervisorMessage =
  /** Stop all workers with a checkpoint, start none; those that have not stopped after `limitMs` milliseconds at once. */
  { readonly kind: "drain"; readonly limitMs: number };
