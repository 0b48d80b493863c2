/** Makes API keys. The prefix lets people and secret scanners recognise one. */
import type { RandomSource } from "../core/prng.ts";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_LENGTH = 16;
/** 200 random bits. */
const TOKEN_LENGTH = 40;

function randomText(length: number, random: RandomSource): string {
  return Array.from({ length }, () => ALPHABET[random.below(ALPHABET.length)]).join("");
}

/** A new id: `ak_…`. */
export function makeApiKeyId(random: RandomSource): string {
  return `ak_${randomText(ID_LENGTH, random)}`;
}

/** A new token: `wadi_…`. */
export function makeToken(random: RandomSource): string {
  return `wadi_${randomText(TOKEN_LENGTH, random)}`;
}
