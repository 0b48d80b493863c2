/**
 * The API as a service: listens, answers, and ends its streams when it is told to stop. It keeps nothing between requests that matters, so any
 * number of them may run; the database is the only other process it needs.
 */
import { setMaxListeners } from "node:events";
import { createServer, type Server } from "node:http";
import Koa, { type Middleware } from "koa";
import type { Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import type { Service } from "../core/service.ts";
import type { Database } from "../db/connection.ts";
import type { ConnectorSpec } from "../program/connector-spec.ts";
import { listen } from "../rpc/listen.ts";
import { AccessControl, checkBinding } from "./access.ts";
import type { ApiContext } from "./api-context.ts";
import { ApiMetrics } from "./api-metrics.ts";
import { answerOf } from "./http-error.ts";
import { ProgramCache } from "./pipeline-graph.ts";
import { PlannerPool } from "./planner-pool.ts";
import { prometheusMetrics } from "./prometheus-metrics.ts";
import { makeRequestHandler } from "./request-handler.ts";
import { allRoutes } from "./routes/routes.ts";
import { securityHeaders, serveFiles } from "./static-files.ts";

/** What the API is made of. */
export interface ApiServerOptions {
  /** A pool of a migrated database; it belongs to the caller. */
  readonly db: Database;
  readonly settings: Config;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** The built UI; undefined: a plain page. */
  readonly uiFolder: string | undefined;
  /** Version of this build. */
  readonly release?: string;
  /** URL of a module that exports `CONNECTOR_SPECS`, instead of that with all connectors: planning has a thread of its own. */
  readonly connectorModule?: string;
}

/** The module with all connectors, beside this one's folder. */
const CONNECTOR_MODULE = new URL(`../connectors/specs.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url).href;
/** A request's head has to come within this time, its body too; milliseconds. Streams have no limit. */
const HEADERS_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Time that answers under way have when the server stops, milliseconds. */
const STOP_TIMEOUT_MS = 5_000;

/** The HTTP server of the API and the UI. */
export class ApiServer implements Service {
  readonly name = "api";
  readonly #options: ApiServerOptions;
  readonly #metrics: ApiMetrics;
  readonly #waiting: ((port: number) => void)[] = [];
  #port: number | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#metrics = new ApiMetrics(options.metrics);
  }

  /** The port it listens on; resolves when it does. */
  get listening(): Promise<number> {
    if (this.#port !== undefined) return Promise.resolve(this.#port);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Serves until `signal` is aborted. Throws `invalid-config` if it would be open to other machines without a token, or the port is taken. */
  async run(signal: AbortSignal): Promise<void> {
    const { settings, clock, connectorModule = CONNECTOR_MODULE } = this.#options;
    await checkBinding(this.#options.db, settings);
    const { CONNECTOR_SPECS: connectors } = (await import(connectorModule)) as { CONNECTOR_SPECS: readonly ConnectorSpec[] };
    const planner = new PlannerPool({ connectorModule, fileRoots: settings["connectors.file.roots"] }, clock);
    const stopping = new AbortController();
    // Every stream listens; their number has a limit of its own.
    setMaxListeners(0, stopping.signal);
    const server = createServer(this.#application(planner, connectors, stopping.signal).callback());
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    try {
      this.#opened(await listen(server, { host: settings["api.bind-address"], port: settings["api.http-port"], setting: "api.http-port" }));
      planner.warmUp();
      await aborted(signal);
    } finally {
      this.#port = undefined;
      stopping.abort();
      await close(server, clock);
      await planner.close();
    }
  }

  #opened(port: number): void {
    this.#port = port;
    this.#options.logger.info("listening", { address: this.#options.settings["api.bind-address"], port });
    for (const tell of this.#waiting.splice(0)) tell(port);
  }

  #application(planner: PlannerPool, connectors: readonly ConnectorSpec[], stopping: AbortSignal): Koa {
    const { db, settings, clock, random, logger, uiFolder, release = "" } = this.#options;
    const access = new AccessControl(db, clock, settings);
    const api: ApiContext = {
      db,
      settings,
      clock,
      random,
      logger,
      release,
      planner,
      programs: new ProgramCache(),
      connectors,
      forgetKeys: () => access.forget(),
      prometheus: prometheusMetrics(settings, clock, logger),
    };
    const app = new Koa();
    app.on("error", (error: unknown) => logger.debug("connection failed", { error }));
    app.use(this.#metrics.observe(clock));
    app.use(securityHeaders);
    app.use(errorsAsAnswers(logger));
    app.use(async (context, next) => {
      access.checkOrigin(context.get("host") || undefined, context.get("origin") || undefined);
      await next();
    });
    app.use(makeRequestHandler(allRoutes(release), { api, access, stopping }));
    app.use(serveFiles(uiFolder));
    return app;
  }
}

/** The one place where what handlers throw is caught. */
function errorsAsAnswers(logger: Logger): Middleware {
  return async (context, next) => {
    try {
      await next();
    } catch (thrown) {
      const { status, body, error } = answerOf(thrown);
      if (status >= 500) logger.error("request failed", { method: context.method, path: context.path, status, error });
      context.status = status;
      context.set("cache-control", "no-store");
      if (status === 401) context.set("www-authenticate", "Bearer");
      context.body = body;
      // What is left of a body that was refused is not read.
      if (!context.req.complete) context.set("connection", "close");
    }
  };
}

/** Ends the server: no new connections, answers under way are finished, then what is left is cut. */
async function close(server: Server, clock: Clock): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const done = new AbortController();
  await Promise.race([closed, clock.sleep(STOP_TIMEOUT_MS, done.signal)]);
  done.abort();
  server.closeAllConnections();
  await closed;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
