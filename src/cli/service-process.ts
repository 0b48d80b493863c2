/**
 * What the long-running commands (api, controller, …) have in common: configuration, log, metrics, admin server, database, signals. Such a
 * process runs until SIGTERM or Ctrl-C; a child of `wadi cluster` also ends when its supervisor is gone, which the closed channel tells.
 */
import type { Registry } from "prom-client";
import { systemClock } from "../core/clock.ts";
import type { Config, LoadedConfig } from "../core/config.ts";
import { toErrorRecord } from "../core/errors.ts";
import { type Logger, makeLogger } from "../core/log.ts";
import { makeRegistry } from "../core/metrics.ts";
import { systemRandom } from "../core/prng.ts";
import type { RetryPolicy } from "../core/retry.ts";
import { runServices, type Service } from "../core/service.ts";
import { AdminServer, type ProcessStatus } from "../rpc/admin-server.ts";
import type { ChildMessage, Ports, SupervisorMessage } from "./cluster/messages.ts";
import { EXIT, say, sayError } from "./output.ts";
import { release } from "./release.ts";

/** What the services of a process are made with. */
export interface ProcessParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** To be called when the services do their work: tells the supervisor, if there is one. */
  readonly ready: (ports: Ports) => void;
  /** Aborted when the process shall end, also while its services are made. */
  readonly stopping: AbortSignal;
}

/** A process as its command describes it. */
export interface ProcessPlan {
  /** "api", "controller". */
  readonly name: string;
  /** Makes the services, in the order in which they start. What it throws ends the process. */
  readonly services: (parts: ProcessParts) => Promise<readonly Service[]>;
  readonly status: () => ProcessStatus;
  /** Stops what outlives this process, such as workers, in order; undefined: there is nothing of the kind. */
  readonly drain?: (signal: AbortSignal) => Promise<void>;
  /** What SIGTERM asks for before the process stops; another signal stops it at once and aborts `signal`. Ctrl-C does not ask for it. */
  readonly leave?: (signal: AbortSignal) => Promise<void>;
}

/** Failures of a service in a row; then the process ends, and whoever started it starts it again. */
const POLICY: RetryPolicy = { attempts: 8, initialMs: 200, maxMs: 5_000 };
const HEALTHY_MS = 30_000;
/** A process that was told to end and is not done after so long ends anyway. */
const STOP_LIMIT_MS = 15_000;
/** Without its supervisor a child has no database, and its successor wants its ports. */
const ORPHAN_LIMIT_MS = 2_000;

/** Runs a process to its end; the exit code. */
export async function runProcess(plan: ProcessPlan, { config, warnings }: LoadedConfig): Promise<number> {
  const logger = makeLogger({ level: config["logging.level"], format: config["logging.format"] }).child({ service: plan.name });
  for (const warning of warnings) logger.warn("a setting has no effect", { warning });
  const metrics = makeRegistry();
  const stop = watchStop(plan, logger);
  const admin = new AdminServer({ name: plan.name, release: release(), config, metrics, status: plan.status });
  try {
    const adminPort = await admin.listen({
      host: config["admin.bind-address"],
      port: config["admin.http-port"],
      setting: "admin.http-port",
    });
    const ready = (ports: Ports): void => tell({ kind: "ready", ports: { ...ports, "admin.http-port": adminPort } });
    const services = await servicesUnlessStopped(plan, { config, logger, metrics, ready, stopping: stop.signal });
    logger.info("process started", { release: release(), pid: process.pid, adminPort });
    const options = { clock: systemClock, random: systemRandom, logger, policy: POLICY, healthyMs: HEALTHY_MS };
    await runServices(services, options, stop.signal);
    logger.info("process stopped");
    return EXIT.done;
  } catch (error) {
    tell({ kind: "failed", error: toErrorRecord(error) });
    logger.error("process failed", { error });
    return process.send === undefined ? sayError(error) : EXIT.failed;
  } finally {
    await admin.close();
    stop.dispose();
  }
}

/** The services; none where the process was told to end while they were made: nothing has failed then. */
async function servicesUnlessStopped(plan: ProcessPlan, parts: ProcessParts): Promise<readonly Service[]> {
  try {
    return await plan.services(parts);
  } catch (error) {
    if (parts.stopping.aborted) return [];
    throw error;
  }
}

/** Says something to the supervisor, if there is one. */
function tell(message: ChildMessage): void {
  if (process.connected) process.send?.(message, () => undefined);
}

/** The signal that stops the process: SIGTERM, Ctrl-C, or the end of the supervisor. Twice: at once. */
function watchStop(plan: ProcessPlan, logger: Logger): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const draining = new AbortController();
  const stop = (why: string, limitMs: number): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    logger.info("process stops", { why });
    if (process.stderr.isTTY) say(`stopping: ${why}`);
    draining.abort();
    controller.abort();
    setTimeout(() => process.exit(EXIT.failed), limitMs).unref();
  };
  let leaving: AbortController | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (plan.leave === undefined || name !== "SIGTERM" || leaving !== undefined || controller.signal.aborted) {
      leaving?.abort();
      return stop(name, STOP_LIMIT_MS);
    }
    leaving = new AbortController();
    logger.info("process leaves", { why: name });
    const failed = (error: unknown): void => logger.error("the process could not leave in order", { error });
    const { signal } = leaving;
    void plan
      .leave(signal)
      .catch(failed)
      .then(() => (signal.aborted ? undefined : stop(name, STOP_LIMIT_MS)));
  };
  const onDisconnect = (): void => stop("the supervisor is gone", ORPHAN_LIMIT_MS);
  const onMessage = (message: SupervisorMessage): void => {
    if (message.kind !== "drain") return;
    const drained = (): void => tell({ kind: "drained" });
    const failed = (error: unknown): void => logger.error("workers could not be stopped in order", { error });
    const limit = AbortSignal.any([draining.signal, AbortSignal.timeout(message.limitMs)]);
    void (plan.drain?.(limit) ?? Promise.resolve()).catch(failed).then(drained);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  if (process.send !== undefined) process.on("disconnect", onDisconnect).on("message", onMessage);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal).off("disconnect", onDisconnect).off("message", onMessage);
      if (process.connected) process.disconnect();
    },
  };
}
