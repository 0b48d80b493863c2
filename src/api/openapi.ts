/**
 * The OpenAPI 3.1 document, made from the routes: what the router checks is what the document says. Shapes with an id become components, so
 * that generated clients have a type for each.
 */
import { z } from "zod";
import type { Route } from "./route.ts";

/** A JSON value. */
type JsonObject = { [key: string]: unknown };

/** The prefix of all paths. */
export const API_PREFIX = "/api/v1";

const TAGS: Readonly<Record<string, string>> = {
  pipelines: "SQL with its settings",
  jobs: "Executions of pipelines",
  connections: "Outside systems, and tables in them",
  udfs: "User-defined functions",
  cluster: "The cluster itself",
  scheduler: "What starts workers: runs, machines, services, logs",
};

const REFUSALS: Readonly<Record<number, string>> = {
  400: "The request is wrong; the message names the field",
  401: "No token, or none that is known",
  403: "Not allowed",
  404: "It does not exist",
  409: "Not in this state",
  413: "The body is too large",
  415: "The body is not JSON",
  502: "An outside system answered wrongly",
  503: "Not now; try again",
};

const errorShape = z
  .object({
    error: z.string(),
    code: z.string(),
    detail: z.string().optional(),
    hint: z.string().optional(),
    diagnostics: z.array(z.unknown()).optional(),
  })
  .meta({ id: "ErrorResp" });

/** The document for `routes`. */
export function openApiDocument(routes: readonly Route[], release: string): JsonObject {
  const components: JsonObject = {};
  const paths: { [path: string]: JsonObject } = {};
  for (const route of routes) {
    const path = `${API_PREFIX}${route.path}`;
    paths[path] = { ...paths[path], [route.method]: operationOf(route, components) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Wadi", version: release, description: "Stream processing in SQL. Times are microseconds since 1970-01-01 UTC." },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } }, schemas: sortedByName(components) },
  };
}

function sortedByName(components: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(components).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function operationOf(route: Route, components: JsonObject): JsonObject {
  const parameters = [...parametersOf(route.params, "path", components), ...parametersOf(route.query, "query", components)];
  if (route.streams) parameters.push({ name: "Last-Event-ID", in: "header", required: false, schema: { type: "string" } });
  return {
    operationId: route.operation,
    tags: [route.tag],
    summary: route.summary,
    ...(route.role === "open" ? { security: [] } : { description: `Needs role "${route.role}".` }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: { required: true, content: jsonContent(schemaOf(route.body, components)) } }),
    responses: responsesOf(route, components),
  };
}

function parametersOf(shape: z.ZodObject, place: "path" | "query", components: JsonObject): JsonObject[] {
  const schema = schemaOf(shape, components);
  const required = Array.isArray(schema["required"]) ? (schema["required"] as unknown[]) : [];
  return Object.entries((schema["properties"] ?? {}) as { [name: string]: JsonObject }).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

function responsesOf(route: Route, components: JsonObject): JsonObject {
  const refusals = [...(route.role === "open" ? [] : [401, 403]), ...(takesInput(route) ? [400] : []), ...(route.refusals ?? [])];
  const answer = route.answer === undefined ? { type: "object" } : schemaOf(route.answer, components);
  const error = schemaOf(errorShape, components);
  return {
    200: {
      description: route.streams ? "Server-sent events; the data of each is this" : "Done",
      content: route.streams ? { "text/event-stream": { schema: answer } } : jsonContent(answer),
    },
    ...Object.fromEntries(
      [...new Set(refusals)].sort().map((status) => [status, { description: REFUSALS[status] ?? "Refused", content: jsonContent(error) }]),
    ),
  };
}

function takesInput(route: Route): boolean {
  return route.body !== undefined || Object.keys(route.query.shape).length > 0;
}

function jsonContent(schema: JsonObject): JsonObject {
  return { "application/json": { schema } };
}

/** The JSON schema of a shape; the named shapes in it go to `components`. */
function schemaOf(shape: z.ZodType, components: JsonObject): JsonObject {
  const {
    $schema: _,
    $defs = {},
    ...schema
  } = z.toJSONSchema(shape, { io: "input", unrepresentable: "any", reused: "inline" }) as JsonObject;
  for (const [name, definition] of Object.entries($defs as JsonObject)) components[name] ??= plain(definition);
  const { id, ...rest } = plain(schema) as JsonObject;
  if (typeof id !== "string") return rest;
  components[id] ??= rest;
  return { $ref: `#/components/schemas/${id}` };
}

/** References point to components; names that zod repeats inside a definition are left out. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key === "$ref" && typeof inner === "string") return [key, inner.replace("#/$defs/", "#/components/schemas/")];
      return [key, plain(inner)];
    }),
  );
}
