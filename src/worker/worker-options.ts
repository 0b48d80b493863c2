/** What a worker process is told by whoever started it. */
import type { Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import type { LogFile } from "../core/log-file.ts";
import type { RandomSource } from "../core/prng.ts";
import type { RunFence } from "../gen/peer.ts";
import type { EndpointSource } from "./endpoint-list.ts";
import type { ModuleSource } from "./protocol.ts";

/** Exit codes of a worker process: done (told to stop, or all sources ended), the run failed, not wanted (wrong token or build, or fenced), left alone. */
export const WORKER_EXIT = { done: 0, failed: 1, refused: 3, orphaned: 4 } as const;

/** Where a worker listens and where others find it. */
export interface WorkerAddresses {
  /** Address of the interface on which data plane and admin server listen. */
  readonly bindHost: string;
  /** Under which other workers dial it. */
  readonly dataHost: string;
  /** 0: the system chooses. */
  readonly dataPort: number;
  readonly adminHost: string;
  /** 0: the system chooses. */
  readonly adminPort: number;
}

/** See the file's comment. */
export interface RemoteWorkerOptions {
  readonly fence: RunFence;
  /** "pl_…", for metrics; "" if nobody told it. */
  readonly pipelineId: string;
  /** "wk_…". */
  readonly workerId: string;
  /** Slots it offers, from 1. */
  readonly slots: number;
  /** Where controllers may be. */
  readonly endpoints: EndpointSource;
  /** What it logs in with. A secret. */
  readonly credential: string;
  /** "run-token" or "workload-identity". */
  readonly credentialKind: string;
  /** File with the signed token that the outside system gave this worker, read for every registration; undefined: there is none. */
  readonly identityFile: string | undefined;
  /** File with the authority of controllers' certificates, PEM, read for every connection; undefined or empty: see tls.mode. */
  readonly controllerCaFile: string | undefined;
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
  /** The machine, by the outside system's id or its name. */
  readonly machine: string;
  readonly addresses: WorkerAddresses;
  /** A variable of the process, for secrets. */
  readonly variable: (name: string) => string | undefined;
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
