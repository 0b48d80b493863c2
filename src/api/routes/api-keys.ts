/** Routes of API keys: tokens for programs and people, each with a role. Only admins may see or change them. */
import { z } from "zod";
import { type ApiKeyRecord, deleteApiKey, insertApiKey, listApiKeys, readApiKey } from "../../db/api-keys.ts";
import { hashToken } from "../access.ts";
import { makeApiKeyId, makeToken } from "../api-key.ts";
import { badRequest, notFound } from "../http-error.ts";
import { creatorOf, ROLES, type Role, type Route, route } from "../route.ts";
import { apiKeyPost, apiKeyShape, newApiKeyShape } from "../schema/api-key-shapes.ts";
import { list } from "../schema/shape.ts";

const MS_PER_SECOND = 1_000;

function roleOf(text: string): Role {
  return ROLES.find((role) => role === text) ?? "viewer";
}

function viewKey(key: ApiKeyRecord): z.input<typeof apiKeyShape> {
  return {
    id: key.id,
    name: key.name,
    role: roleOf(key.role),
    created_at: key.createdUs,
    created_by: key.createdBy,
    expires_at: key.expiresUs ?? null,
    last_used_at: key.lastUsedUs ?? null,
  };
}

const listRoute = route({
  method: "get",
  path: "/api_keys",
  operation: "listApiKeys",
  tag: "cluster",
  summary: "List the API keys, without the keys themselves",
  role: "admin",
  answer: list(apiKeyShape),
  handle: async ({ api }) => ({ data: (await listApiKeys(api.db)).map(viewKey) }),
});

const createRoute = route({
  method: "post",
  path: "/api_keys",
  operation: "createApiKey",
  tag: "cluster",
  summary: "Create an API key; this answer is the only one that shows it",
  role: "admin",
  body: apiKeyPost,
  answer: newApiKeyShape,
  refusals: [413, 415],
  async handle({ api, body, caller }) {
    if (body.name === "session") throw badRequest('body field "name" must not be "session": the UI\'s own session is called so');
    const [id, token] = [makeApiKeyId(api.random), makeToken(api.random)];
    const lifetimeMs = body.lifetime_seconds === undefined ? undefined : body.lifetime_seconds * MS_PER_SECOND;
    const key = { id, name: body.name, hash: hashToken(token), role: body.role, createdBy: creatorOf(caller), lifetimeMs };
    if (!(await insertApiKey(api.db, key))) throw badRequest(`an API key with the name "${body.name}" already exists`);
    const stored = await readApiKey(api.db, id);
    if (stored === undefined) throw notFound("API key", id);
    return { ...viewKey(stored), key: token };
  },
});

const deleteRoute = route({
  method: "delete",
  path: "/api_keys/{id}",
  operation: "deleteApiKey",
  tag: "cluster",
  summary: "Delete an API key; it is refused within seconds",
  role: "admin",
  params: z.object({ id: z.string() }),
  refusals: [404],
  async handle({ api, params }) {
    if (!(await deleteApiKey(api.db, params.id))) throw notFound("API key", params.id);
    api.forgetKeys();
    return {};
  },
});

/** All routes of API keys. */
export const apiKeyRoutes: readonly Route[] = [listRoute, createRoute, deleteRoute];
