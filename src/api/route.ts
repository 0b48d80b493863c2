/**
 * What a route is: method and path, who may call it, the shapes of what comes in and goes out as zod schemas, and the handler. The router
 * checks what comes in, the OpenAPI document is generated from the same shapes, so neither can drift from the other.
 */
import { z } from "zod";
import type { ApiContext } from "./api-context.ts";
import type { EventStream } from "./event-stream.ts";

/** What a caller may do, each including those before it. */
export const ROLES = ["viewer", "editor", "admin"] as const;
/** One of `ROLES`. */
export type Role = (typeof ROLES)[number];

/** Whether `role` includes `needed`. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Who calls. */
export interface Caller {
  /** Name of the API key; "session" for the UI's token. */
  readonly name: string;
  readonly role: Role;
}

/** Who made something, as stored: nobody in particular for the UI's session. */
export function creatorOf(caller: Caller): string {
  return caller.name === "session" ? "" : caller.name;
}

/** A checked request. */
export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  readonly api: ApiContext;
  /** Header `Last-Event-ID` of a reader that comes back. */
  readonly lastEventId: string | undefined;
}

/** Methods in use. */
export type Method = "get" | "post" | "put" | "patch" | "delete";

/** What all routes say of themselves. */
interface RouteDescription {
  readonly method: Method;
  /** Below /api/v1, with parameters as `{name}`. */
  readonly path: string;
  /** Unique, camel case: name of the operation in generated clients. */
  readonly operation: string;
  readonly tag: string;
  readonly summary: string;
  /** `open`: without a token. */
  readonly role: Role | "open";
  /** Refusals besides 400, 401 and 403, for the document. */
  readonly refusals?: readonly number[];
}

/** A route as the router and the document see it. */
export interface Route extends RouteDescription {
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | undefined;
  /** Shape of the answer; of one event's data for streams; undefined: an empty object. */
  readonly answer: z.ZodType | undefined;
  readonly streams: boolean;
  /** Of a route that streams: gives the function that writes the events. */
  readonly handle: (call: Call<never, never, never>) => Promise<unknown>;
}

const NOTHING = z.object({});
type Nothing = typeof NOTHING;

/** The shapes of a route; what is absent is empty. */
interface Shapes<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer?: A;
}

/** A route that answers with JSON. */
export function route<
  P extends z.ZodObject = Nothing,
  Q extends z.ZodObject = Nothing,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = Nothing,
>(
  definition: RouteDescription &
    Shapes<P, Q, B, A> & { readonly handle: (call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<z.input<A>> },
): Route {
  return {
    ...definition,
    params: definition.params ?? NOTHING,
    query: definition.query ?? NOTHING,
    body: definition.body,
    answer: definition.answer,
    streams: false,
    handle: definition.handle as Route["handle"],
  };
}

/** A route that answers with server-sent events whose data has the shape `answer`. */
export function streamRoute<
  P extends z.ZodObject = Nothing,
  Q extends z.ZodObject = Nothing,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = Nothing,
>(
  definition: RouteDescription &
    Shapes<P, Q, B, A> & {
      /** Checks before the stream is opened (its refusals are ordinary answers), then returns what writes the events. */
      readonly handle: (call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<(stream: EventStream) => Promise<void>>;
    },
): Route {
  return {
    ...definition,
    params: definition.params ?? NOTHING,
    query: definition.query ?? NOTHING,
    body: definition.body,
    answer: definition.answer,
    streams: true,
    handle: definition.handle as Route["handle"],
  };
}
