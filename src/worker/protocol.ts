/**
 * What a run's coordinator and its workers, and a worker and its slot threads, say to each other: plain data that survives structured
 * cloning, so that the same messages go over a call, a message port or an IPC channel.
 */
import type { SubtaskReport } from "../checkpoint/manifest.ts";
import type { RunIdentity } from "../checkpoint/paths.ts";
import type { VertexRestore } from "../checkpoint/restore.ts";
import type { PreviewBatch, SinkCommit } from "../connectors/connector.ts";
import type { SecretValues } from "../connectors/secrets.ts";
import type { ErrorRecord } from "../core/errors.ts";
import type { PhaseTiming, ReportTiming, SkippedRows, SlotProgress, SlotSettings } from "../dataflow/slot-contract.ts";
import type { Program } from "../program/program.ts";
import type { DataTls } from "./data-tls.ts";

/** The pipeline's code: WebAssembly, or (in tests) the URL of a script whose `makeModule(program)` returns the module's exports. */
export type ModuleSource =
  | { readonly kind: "wasm"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "script"; readonly url: string };

/** Everything a slot has to know, whatever its number. */
export interface RunStart {
  readonly job: string;
  readonly by: RunIdentity;
  readonly program: Program;
  readonly module: ModuleSource;
  readonly parallelism: number;
  readonly settings: SlotSettings;
  /** URL of the module that exports `createSource` and `createSink`. */
  readonly connectors: string;
  /** Object store for state; undefined: state is not kept. */
  readonly store: string | undefined;
  /** By vertex; undefined: a first start. */
  readonly restore: readonly VertexRestore[] | undefined;
  /** Bytes of state per slot at most. */
  readonly stateLimit: number;
  /** A slot that does not turn its loop for so long is ended. */
  readonly stuckMs: number;
  /** The same for a user's function; 10 s if absent. */
  readonly udfTimeoutMs?: number | undefined;
  /** Proves to the other workers that a connection belongs to this run. */
  readonly credential: string;
  /** What the tables' secrets are; absent: there are none. */
  readonly secrets?: SecretValues | undefined;
  /** How much preview sinks may show; absent: they write to standard output, and no sink can be looked at. */
  readonly preview?: PreviewLimits | undefined;
}

/** What preview sinks may send, by subtask. */
export interface PreviewLimits {
  /** Rows in all; 0: none. */
  readonly rows: number;
  readonly rowsPerSecond: number;
  /** Whether rows that come faster wait; otherwise they are left out. */
  readonly waits: boolean;
}

/** What a worker is started with. */
export interface WorkerStart {
  readonly run: RunStart;
  readonly worker: number;
  /** Number of the worker of every subtask. */
  readonly placement: readonly number[];
  /** Absent: workers speak plain text among themselves. Not for slots. */
  readonly tls?: DataTls | undefined;
}

/** A commit of one sink of one subtask. */
export interface StagedCommit {
  readonly vertex: number;
  readonly subtask: number;
  readonly commit: SinkCommit;
}

/** Where a worker listens for the others' data. */
export interface PeerAddress {
  readonly worker: number;
  readonly host: string;
  readonly port: number;
}

/** To a slot. */
export type SlotCommand =
  /** Open the connectors and run. */
  | { readonly kind: "run" }
  | { readonly kind: "trigger"; readonly epoch: number; readonly stop: boolean }
  /** Sources read no more, or go on. */
  | { readonly kind: "pause"; readonly paused: boolean }
  /** Show rows of a sink, at most so many a second; 0: no more. */
  | { readonly kind: "tail"; readonly vertex: number; readonly rowsPerSecond: number }
  | { readonly kind: "commit"; readonly epoch: number; readonly staged: readonly StagedCommit[] }
  | { readonly kind: "close"; readonly finished: boolean };

/** To a worker. */
export type WorkerCommand =
  | SlotCommand
  | { readonly kind: "start"; readonly start: WorkerStart }
  /** Connect to all other workers. */
  | { readonly kind: "connect"; readonly peers: readonly PeerAddress[] }
  /** End all threads at once. */
  | { readonly kind: "abort" };

/** From a slot. */
export type SlotEvent =
  /** State is restored, pending commits are replayed. */
  | { readonly kind: "ready"; readonly subtask: number; readonly restoreMs: number; readonly restoredBytes: number }
  | { readonly kind: "epoch-started"; readonly subtask: number; readonly epoch: number }
  | {
      readonly kind: "reported";
      readonly subtask: number;
      readonly epoch: number;
      readonly report: SubtaskReport;
      readonly timing: ReportTiming;
    }
  | { readonly kind: "committed"; readonly subtask: number; readonly epoch: number; readonly phases: readonly PhaseTiming[] }
  | { readonly kind: "ended"; readonly subtask: number }
  | { readonly kind: "closed"; readonly subtask: number }
  | { readonly kind: "skipped"; readonly subtask: number; readonly rows: SkippedRows }
  | { readonly kind: "preview"; readonly subtask: number; readonly vertex: number; readonly batch: PreviewBatch }
  | { readonly kind: "progress"; readonly subtask: number; readonly progress: SlotProgress }
  | { readonly kind: "failed"; readonly subtask: number | undefined; readonly error: ErrorRecord };

/** From a worker. */
export type WorkerEvent = SlotEvent | { readonly kind: "listening"; readonly worker: number; readonly host: string; readonly port: number };
