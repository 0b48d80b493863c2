/**
 * Building blocks of the API's shapes. Fields are named as Arroyo names them; what may be missing in a request may be `null` too, as its
 * clients send it, and what is absent in an answer is `null`. Times are integers of microseconds since 1970-01-01 UTC.
 */
import { z } from "zod";

/** A time. */
export const micros = z.int().meta({ description: "microseconds since 1970-01-01 UTC" });
/** A time that may not have come yet. */
export const optionalMicros = micros.nullable();
/** A count of rows, bytes or things. */
export const count = z.int().nonnegative();
/** A JSON object of no fixed shape. */
export const jsonObject = z.record(z.string(), z.unknown());

/** A field of a request that may be left out or null. */
export function optional<T extends z.ZodType>(shape: T) {
  return shape.nullish().transform((value) => value ?? undefined);
}

/** Longest name of anything, in characters. */
const NAME_LENGTH = 255;

/** A name for people: not empty, one line. */
export const displayName = z
  .string()
  .min(1, "must not be empty")
  .max(NAME_LENGTH, `must have at most ${NAME_LENGTH} characters`)
  .regex(/^[^\p{Cc}]*$/u, "must not contain control characters")
  .refine((text) => text.trim() !== "", "must not be blank");

/** Names and values of a user's own. */
export const stringMap = z
  .record(z.string().min(1).max(NAME_LENGTH), z.string().max(65_536))
  .refine((map) => Object.keys(map).length <= 1_000, "must have at most 1000 entries");

/** Most entries of one page. */
const PAGE_MAX = 1_000;
/** Entries of a page unless the caller says otherwise: Arroyo's. */
const PAGE_DEFAULT = 10;

/** Query parameters of paginated lists. */
export const pageQuery = z.object({
  starting_after: z.string().min(1).max(100).optional().meta({ description: "id of the last entry of the page before" }),
  limit: z
    .string()
    .regex(/^\d{1,9}$/, `must be an integer from 1 to ${PAGE_MAX}`)
    .transform(Number)
    .refine((value) => value >= 1 && value <= PAGE_MAX, `must be an integer from 1 to ${PAGE_MAX}`)
    .optional()
    .meta({ description: `entries of the page, ${PAGE_DEFAULT} by default, ${PAGE_MAX} at most` }),
});

/** A page of a list. `hasMore` is what Arroyo's own server calls `has_more`. */
export function page<T extends z.ZodType>(entry: T) {
  return z.object({ data: z.array(entry), has_more: z.boolean(), hasMore: z.boolean() });
}

/** A whole list. */
export function list<T extends z.ZodType>(entry: T) {
  return z.object({ data: z.array(entry) });
}

/** The page's size that `query` asks for. */
export function pageSize(query: { readonly limit?: number | undefined }): number {
  return query.limit ?? PAGE_DEFAULT;
}

/** A page made of `entries`, of which one more than `size` was asked for. */
export function makePage<T>(entries: readonly T[], size: number): { data: T[]; has_more: boolean; hasMore: boolean } {
  const more = entries.length > size;
  return { data: entries.slice(0, size), has_more: more, hasMore: more };
}
