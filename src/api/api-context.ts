/**
 * What every handler works with: the database, the planner and the settings. The API keeps no state of its own between requests.
 */
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import type { Database } from "../db/connection.ts";
import type { ConnectorSpec } from "../program/connector-spec.ts";
import type { ProgramCache } from "./pipeline-graph.ts";
import type { PlannerPool } from "./planner-pool.ts";
import type { PrometheusMetrics } from "./prometheus-metrics.ts";

/** Shared by all requests. */
export interface ApiContext {
  readonly db: Database;
  readonly settings: Config;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly planner: PlannerPool;
  readonly programs: ProgramCache;
  readonly connectors: readonly ConnectorSpec[];
  /** Looks API keys up again from now on, because one was deleted. */
  readonly forgetKeys: () => void;
  /** Undefined: none is set up. */
  readonly prometheus: PrometheusMetrics | undefined;
  /** Version of this build. */
  readonly release: string;
}
