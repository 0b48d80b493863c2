/**
 * From a request to a route's handler and back: finds the route, checks who calls and what comes in, answers with JSON or events. Everything
 * that is thrown on the way becomes `{error}` here, and nowhere else.
 */
import Router from "@koa/router";
import type { Context, Middleware } from "koa";
import { assert } from "../core/assert.ts";
import type { AccessControl } from "./access.ts";
import type { ApiContext } from "./api-context.ts";
import { readJsonBody } from "./body.ts";
import { EventStream } from "./event-stream.ts";
import { answerOf, badRequest, HttpError, unavailable } from "./http-error.ts";
import { API_PREFIX } from "./openapi.ts";
import { checkShape } from "./request-shape.ts";
import type { Call, Caller, Route } from "./route.ts";

/** Streams at most, all callers together: each holds a connection and polls the database. */
export const MAX_STREAMS = 128;
/** Streams of one caller at most. */
const MAX_STREAMS_PER_CALLER = 64;
/** Of calls without a token. */
const NOBODY: Caller = { name: "", role: "viewer" };

/**
 * Arroyo's admins call routes of pipelines below an organization. There is one organization here, whatever it is called, so these are the same
 * routes; as in Arroyo they need an admin.
 */
const ORGANIZATION = new RegExp(`^${API_PREFIX}/admin/organizations/[^/]+(/(?:pipelines|jobs)(?:/.*)?)$`);

/** What the handler of requests needs. */
export interface RequestHandlerOptions {
  readonly api: ApiContext;
  readonly access: AccessControl;
  /** Aborted when the server stops: streams end. */
  readonly stopping: AbortSignal;
}

/** Open streams by caller. */
class StreamCount {
  readonly #byCaller = new Map<string, number>();
  #all = 0;

  /** Counts a stream of `caller`; throws 503 if there are too many. */
  open(caller: string): void {
    const own = this.#byCaller.get(caller) ?? 0;
    if (this.#all >= MAX_STREAMS || own >= MAX_STREAMS_PER_CALLER) {
      throw unavailable("too many streams are open", "Close some pages or readers, and try again.");
    }
    this.#all++;
    this.#byCaller.set(caller, own + 1);
  }

  close(caller: string): void {
    const own = (this.#byCaller.get(caller) ?? 0) - 1;
    this.#all--;
    if (own > 0) this.#byCaller.set(caller, own);
    else this.#byCaller.delete(caller);
  }
}

/** The middleware that answers everything below `API_PREFIX`. */
export function makeRequestHandler(routes: readonly Route[], options: RequestHandlerOptions): Middleware {
  const router = new Router({ prefix: API_PREFIX, sensitive: true });
  const streams = new StreamCount();
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\}/g, ":$1");
    router.register(path, [route.method], async (context: Context & { params: Record<string, string> }) => {
      await handle(route, context, context.params, options, streams);
    });
  }
  const dispatch = router.routes();
  return async (context, next) => {
    if (context.path !== API_PREFIX && !context.path.startsWith(`${API_PREFIX}/`)) return next();
    const below = ORGANIZATION.exec(context.path)?.[1];
    if (below !== undefined) {
      options.access.authorize(await options.access.authenticate(context.get("authorization") || undefined), "admin");
      context.path = `${API_PREFIX}${below}`;
    }
    await (dispatch as Middleware)(context, async () => undefined);
    if (context.respond === false || context.body !== undefined || context.status !== 404) return undefined;
    const matched = router.match(context.path, context.method).path;
    if (matched.length > 0) throw new HttpError(405, "invalid-usage", `method ${context.method} is not possible here`);
    throw new HttpError(404, "not-found", `there is nothing at ${context.path}`);
  };
}

async function handle(
  route: Route,
  context: Context,
  params: Record<string, string>,
  options: RequestHandlerOptions,
  streams: StreamCount,
): Promise<void> {
  const { api, access } = options;
  const caller = route.role === "open" ? NOBODY : await access.authenticate(context.get("authorization") || undefined);
  if (route.role !== "open") access.authorize(caller, route.role);
  refuseNul(context.url);
  const call = {
    api,
    caller,
    params: checkShape(route.params, params, "path parameter"),
    query: checkShape(route.query, singleValues(context), "query parameter"),
    body: route.body === undefined ? undefined : checkShape(route.body, await readJsonBody(context.req), "body"),
    lastEventId: context.get("last-event-id") || undefined,
  };
  const answer = await route.handle(call as unknown as Call<never, never, never>);
  if (route.streams) await runStream(answer, context, caller, options, streams);
  else {
    context.set("cache-control", "no-store");
    context.body = answer;
  }
}

/** PostgreSQL's texts cannot hold it. */
function refuseNul(url: string): void {
  if (url.includes("%00")) throw badRequest("the address must not contain the character U+0000");
}

/** Query parameters, each at most once; unknown ones are ignored, as caches and proxies add some. */
function singleValues(context: Context): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(context.query)) {
    if (Array.isArray(value)) throw badRequest(`query parameter "${name}" is given ${value.length} times`);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

async function runStream(
  answer: unknown,
  context: Context,
  caller: Caller,
  { api, stopping }: RequestHandlerOptions,
  streams: StreamCount,
): Promise<void> {
  assert(typeof answer === "function", "a route that streams returns what writes the events");
  const write = answer as (stream: EventStream) => Promise<void>;
  streams.open(caller.name);
  context.respond = false;
  const stream = new EventStream(context.res, api.clock, stopping);
  try {
    await write(stream);
  } catch (thrown) {
    const { body, error, status } = answerOf(thrown);
    if (status >= 500) api.logger.error("stream failed", { path: context.path, error });
    await stream.send({ event: "error", data: body });
  } finally {
    streams.close(caller.name);
    stream.end();
  }
}
