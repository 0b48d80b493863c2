/**
 * The children of `wadi cluster` as one: starts controller and api, says when one dies and is started again, stops them in order within
 * deadlines, and answers on the admin port for all of them.
 */
import { systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { type Logger, makeLogger } from "../../core/log.ts";
import type { LogFile } from "../../core/log-file.ts";
import { makeRegistry, mergeExpositions } from "../../core/metrics.ts";
import { AdminServer } from "../../rpc/admin-server.ts";
import { say } from "../output.ts";
import type { StateFolder } from "../state-folder.ts";
import { ClusterChild } from "./child.ts";
import { ProcessRecord } from "./leftovers.ts";
import { killWorkers } from "./workers.ts";

/** What a supervisor is made with. */
export interface SupervisorOptions {
  readonly config: Config;
  readonly folder: StateFolder;
  readonly release: string;
  /** Its own log. */
  readonly log: LogFile;
  /** The log of a child. */
  readonly openLog: (name: string) => LogFile;
}

/** How children are started. */
export interface ChildStart {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** In the order in which they start; they stop in this order, too: the controller still needs nobody, users still see what happens. */
const NAMES = ["controller", "api"] as const;
const CHILD_STOP_MS = 5_000;
const SCRAPE_LIMIT_MS = 2_000;

/** See the file's comment. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #logger: Logger;
  readonly #record: ProcessRecord;
  readonly #registry = makeRegistry();
  readonly #admin: AdminServer;
  readonly #children = new Map<string, ClusterChild>();

  constructor(options: SupervisorOptions) {
    const { config, folder, release, log } = options;
    this.#options = options;
    this.#logger = makeLogger({ level: config["logging.level"], format: config["logging.format"], write: (line) => log.write(line) });
    this.#record = new ProcessRecord(folder.path);
    this.#admin = new AdminServer({
      name: "cluster",
      release,
      config,
      metrics: { contentType: this.#registry.contentType, metrics: () => this.#collect() },
      status: () => this.#status(),
    });
  }

  /** Where the API listens. */
  get apiPort(): number {
    return this.#children.get("api")?.ports["api.http-port"] ?? this.#options.config["api.http-port"];
  }

  /** Waits for the children of a supervisor that was killed. */
  clearLeftovers(): Promise<void> {
    return this.#record.clear();
  }

  /** Starts the children; resolves when both do their work, or when `signal` is aborted. Throws what the first that fails says. */
  async start({ args, env }: ChildStart, signal: AbortSignal): Promise<void> {
    const { config } = this.#options;
    const address = { host: config["admin.bind-address"], port: config["admin.http-port"], setting: "admin.http-port" };
    const adminPort = await this.#admin.listen(address);
    for (const name of NAMES) this.#children.set(name, this.#makeChild(name, args, env));
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    const starts = NAMES.map(async (name) => {
      await this.#children.get(name)?.start();
      this.#logger.info("child is ready", { name, ports: this.#children.get(name)?.ports });
    });
    try {
      await Promise.race([Promise.all(starts), aborted]);
    } catch (error) {
      await this.#end();
      throw error;
    } finally {
      // Those that are stopped before they are ready reject as well.
      for (const start of starts) start.catch(() => undefined);
    }
    const controller = this.#children.get("controller")?.ports["controller.rpc-port"] ?? config["controller.rpc-port"];
    if (!signal.aborted)
      say(
        `controller  port ${controller}\napi         port ${this.apiPort}\nhealth      http://localhost:${adminPort}/status and /metrics`,
      );
  }

  /** Stops everything in order: workers with a checkpoint, controller, api. */
  async stop(): Promise<void> {
    const limitMs = this.#options.config["cluster.stop-timeout"];
    const startedMs = systemClock.elapsedMs();
    const drained = await this.#children.get("controller")?.drain(limitMs);
    // With a database of one's own another controller may lead, and the workers are its.
    const othersMayLead = drained === true && this.#options.config["database.type"] !== "embedded";
    const left = othersMayLead ? 0 : killWorkers(this.#options.folder);
    if (left > 0 || systemClock.elapsedMs() - startedMs > limitMs) {
      say(`not all pipelines took a checkpoint within ${limitMs / 1000} s: they go on from their last one`);
    }
    if (left > 0) this.#logger.warn("workers had to be killed", { workers: left, drained });
    this.#logger.info("workers stopped", { elapsedMs: Math.round(systemClock.elapsedMs() - startedMs) });
    await this.#end();
  }

  /** Ends all children and workers at once. */
  kill(): void {
    for (const child of this.#children.values()) child.kill();
    killWorkers(this.#options.folder);
    this.#record.end();
  }

  async #end(): Promise<void> {
    for (const name of NAMES) await this.#children.get(name)?.stop(CHILD_STOP_MS);
    await this.#admin.close();
    this.#record.end();
    this.#logger.info("cluster stopped");
  }

  #makeChild(name: string, args: readonly string[], env: NodeJS.ProcessEnv): ClusterChild {
    return new ClusterChild({
      name,
      args,
      env,
      log: this.#options.openLog(name),
      onStart: (pid) => {
        this.#record.note(name, pid);
        this.#logger.info("child started", { name, pid });
      },
      onRestart: (reason, delayMs) => {
        say(`${name} died (${reason}) and is started again`);
        this.#logger.warn("child died", { name, reason, delayMs });
      },
    });
  }

  #status() {
    const details = Object.fromEntries([...this.#children].map(([name, child]) => [name, child.isReady ? "ok" : "starting"]));
    return { ok: [...this.#children.values()].every((child) => child.isReady), details };
  }

  /** Its own metrics and those of its children. */
  async #collect(): Promise<string> {
    const parts = new Map([["cluster", await this.#registry.metrics()]]);
    for (const [name, child] of this.#children) {
      const port = child.ports["admin.http-port"];
      const text = port === undefined || !child.isReady ? undefined : await this.#scrape(port);
      if (text !== undefined) parts.set(name, text);
    }
    return mergeExpositions(parts);
  }

  async #scrape(port: number): Promise<string | undefined> {
    try {
      const answer = await fetch(`http://${this.#options.config["admin.bind-address"]}:${port}/metrics`, {
        signal: AbortSignal.timeout(SCRAPE_LIMIT_MS),
      });
      return answer.ok ? await answer.text() : undefined;
    } catch {
      // It died between two looks: its figures are missing, as they should be.
      return undefined;
    }
  }
}
