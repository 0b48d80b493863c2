/**
 * The token by which a worker proves that it was started for a run. Made for one run, handed over by the scheduler, kept by the controller
 * as a hash only.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { type RandomSource, systemRandom } from "../core/prng.ts";

const TOKEN_BYTES = 32;

/** A new token: 256 random bits as 43 characters that need no quoting. A secret; `random` is a seeded one in tests only. */
export function makeRunToken(random: RandomSource = systemRandom): string {
  return Buffer.from(Array.from({ length: TOKEN_BYTES }, () => random.below(256))).toString("base64url");
}

/** What may be stored of a token: hex SHA-256. A token is random, so the hash needs no salt. */
export function hashRunToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Whether `token` is the one with `hash`. The time it takes says nothing about either. */
export function isRunToken(token: string, hash: string): boolean {
  const given = createHash("sha256").update(token).digest();
  const expected = Buffer.from(hash, "hex");
  return expected.length === given.length && timingSafeEqual(given, expected);
}
