/** What every part of a leader works with: handed down instead of looked up. */
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import type { Database } from "../db/connection.ts";
import type { Program } from "../program/program.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { Gate } from "./gate.ts";
import type { ControllerMetrics } from "./metrics.ts";
import type { Projections } from "./projections.ts";
import type { ControllerSecurity } from "./security.ts";
import type { Stores } from "./stores.ts";
import type { Term } from "./term.ts";

/** Compiles programs: wired in `cli/`, because the compiler is a folder of this row. */
export interface ProgramCompiler {
  /** `stateSchemas`: hash of the state's layout by vertex. Throws `compile-failed`, `unsupported`, `timeout`. */
  compile(program: Program): Promise<{
    readonly hash: string;
    readonly wasm: Uint8Array;
    readonly stateSchemas: Readonly<Record<number, string>>;
  }>;
}

/** What a controller is made of. */
export interface ControllerDeps {
  readonly db: Database;
  readonly scheduler: Scheduler;
  readonly compiler: ProgramCompiler;
  readonly settings: Config;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** What a leader works with during one term. */
export interface LeaderContext extends ControllerDeps {
  readonly term: Term;
  readonly metrics: ControllerMetrics;
  readonly projections: Projections;
  readonly stores: Stores;
  /**
   * Statements of single jobs, and openings of runs, a few at a time: however many jobs do something at once, a connection is left for the
   * lease, the loop and the projections.
   */
  readonly writes: Gate;
  readonly openings: Gate;
  /** Wall time in milliseconds since 1970 that does not follow jumps of the machine's clock. */
  readonly nowMs: () => number;
  /** By what controllers and workers prove themselves. */
  readonly security: ControllerSecurity;
  /** Controllers' endpoints, "host:port", this one first. */
  readonly endpoints: readonly string[];
}
