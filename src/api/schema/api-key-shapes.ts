/** Shapes of API keys. The key itself is in the answer to its creation, and nowhere else. */
import { z } from "zod";
import { ROLES } from "../route.ts";
import { displayName, micros, optional, optionalMicros } from "./shape.ts";

const DAY_SECONDS = 86_400;

/** A key in a request. */
export const apiKeyPost = z
  .strictObject({
    name: displayName,
    role: z.enum(ROLES),
    lifetime_seconds: optional(
      z
        .int()
        .min(1)
        .max(3_650 * DAY_SECONDS),
    ).meta({ description: "it is refused afterwards; for ever valid by default" }),
  })
  .meta({ id: "ApiKeyPost" });

const keyFields = {
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  created_at: micros,
  created_by: z.string(),
  expires_at: optionalMicros,
  last_used_at: optionalMicros.meta({ description: "to the hour" }),
};

/** A key. */
export const apiKeyShape = z.object(keyFields).meta({ id: "ApiKey" });

/** A key that was just made. */
export const newApiKeyShape = z
  .object({ ...keyFields, key: z.string().meta({ description: "the token; it cannot be shown again" }) })
  .meta({ id: "NewApiKey" });
