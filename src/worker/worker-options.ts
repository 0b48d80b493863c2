/** What a worker process is told by whoever started it. */
import type { Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import type { RunFence } from "../gen/peer.ts";
import type { LogFile } from "./log-file.ts";
import type { ModuleSource } from "./protocol.ts";

/** Exit codes of a worker process: done (told to stop, or all sources ended), the run failed, not wanted (wrong token or build, or fenced), left alone. */
export const WORKER_EXIT = { done: 0, failed: 1, refused: 3, orphaned: 4 } as const;

/** See the file's comment. */
export interface RemoteWorkerOptions {
  readonly fence: RunFence;
  /** "pl_…", for metrics; "" if nobody told it. */
  readonly pipelineId: string;
  /** "wk_…". */
  readonly workerId: string;
  /** Slots it offers, from 1. */
  readonly slots: number;
  /** Controllers, "host:port", at least one. */
  readonly endpoints: readonly string[];
  /** What it logs in with. A secret. */
  readonly credential: string;
  /** "run-token" or "workload-identity". */
  readonly credentialKind: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** The process' registry. */
  readonly metrics: Registry;
  /** Release of this build, for people. */
  readonly release: string;
  /** What the scheduler calls it. */
  readonly handle: string;
  /** Name of the machine. */
  readonly machine: string;
  /** Memory the process may use, bytes; 0: unlimited. */
  readonly memoryLimitBytes: number;
  /** Its log as JSON lines, for those who ask; undefined: it has none. */
  readonly log: LogFile | undefined;
  /** Folder for compiled modules; undefined: they are fetched every time. */
  readonly cacheFolder: string | undefined;
  /** How long it waits for the controller's word once it has been told to leave, milliseconds. */
  readonly leaveLimitMs: number;
  /** Module that exports `createSource` and `createSink`; the registry by default. */
  readonly connectors?: string | undefined;
  /** In tests: used instead of the assignment's artifact. */
  readonly module?: ModuleSource | undefined;
}
