/** Paths to routes, and what is around every request: faults, counting, errors as plain text. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Cluster } from "./cluster.ts";
import { Exchange, HttpError } from "./exchange.ts";

/** Answers one request. */
export type Route = (exchange: Exchange) => Promise<void>;

/** A route with the methods and the pattern it is for; groups of the pattern are the exchange's parameters. */
export interface RouteEntry {
  readonly methods: readonly string[];
  readonly pattern: RegExp;
  readonly route: Route;
}

/** Requests that have been answered, by "METHOD path" with ids left out. */
export type RequestCounts = Map<string, number>;

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** One HTTP server in front of the routes. */
export class Router {
  readonly server: Server;
  readonly counts: RequestCounts = new Map();
  readonly #cluster: Cluster;
  readonly #routes: readonly RouteEntry[];
  #total = 0;
  #current = 0;

  constructor(cluster: Cluster, routes: readonly RouteEntry[]) {
    this.#cluster = cluster;
    this.#routes = routes;
    this.server = createServer((request, response) => this.handle(request, response));
    this.server.keepAliveTimeout = 60_000;
  }

  /** All requests so far. */
  get total(): number {
    return this.#total;
  }

  /** Answers one request; also of the sockets that tasks have. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const exchange = new Exchange(this.#cluster, request, response);
    this.#total += 1;
    const name = `${exchange.method} ${exchange.url.pathname.replace(ID, ":id")}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.#current += 1;
    response.once("close", () => {
      this.#current -= 1;
    });
    this.#answer(exchange).catch((error: unknown) => {
      if (error instanceof HttpError) exchange.text(error.status, error.message);
      else {
        this.#cluster.note(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        exchange.text(500, error instanceof Error ? error.message : String(error));
      }
    });
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { faults, options } = this.#cluster;
    if (faults.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.slowMs));
    const flooded = faults.tooManyEvery > 0 && this.#total % faults.tooManyEvery === 0;
    if (flooded || this.#current > options.maxConnections)
      throw new HttpError(429, "Your IP is issuing too many concurrent connections, please rate limit your calls\n");
    const prepared = faults.answers.find(
      ({ method, path, times }) => times > 0 && method === exchange.method && path.test(exchange.url.pathname),
    );
    if (prepared !== undefined) {
      prepared.times -= 1;
      throw new HttpError(prepared.status, prepared.body);
    }
    let known = false;
    for (const { methods, pattern, route } of this.#routes) {
      const match = pattern.exec(exchange.url.pathname);
      if (match === null) continue;
      known = true;
      if (!methods.includes(exchange.method)) continue;
      exchange.parameters = match.slice(1);
      if (options.acl) void exchange.caller;
      await route(exchange);
      return;
    }
    if (known) throw new HttpError(405, "Invalid method");
    exchange.response.writeHead(404, { Vary: "Accept-Encoding" });
    exchange.response.end();
  }
}
