/** Keys that sign workload identities, their public halves as JWKS, and the tokens themselves (RFC 7515, RFC 7519). */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from "node:crypto";

/** One key of the keyring. */
export interface SigningKey {
  readonly id: string;
  readonly algorithm: "RS256" | "EdDSA";
  readonly privateKey: KeyObject;
  /** Its public half as it is published. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** Making an RSA key takes long: one per process, under another id in each cluster and after each rotation, so that nobody takes it for the same. */
const made = new Map<string, KeyObject>();

/** A key with an id of its own. */
export function makeSigningKey(algorithm: "RS256" | "EdDSA"): SigningKey {
  const privateKey =
    made.get(algorithm) ??
    (algorithm === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ed25519")).privateKey;
  made.set(algorithm, privateKey);
  const id = randomUUID();
  const published = createPublicKey(privateKey).export({ format: "jwk" });
  return { id, algorithm, privateKey, jwk: { use: "sig", kty: published.kty, kid: id, alg: algorithm, ...published } };
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A signed token with these claims. */
export function signToken(key: SigningKey, claims: Readonly<Record<string, unknown>>): string {
  const text = `${part({ alg: key.algorithm, kid: key.id, typ: "JWT" })}.${part(claims)}`;
  const signature = sign(key.algorithm === "RS256" ? "sha256" : null, Buffer.from(text), key.privateKey);
  return `${text}.${signature.toString("base64url")}`;
}

/** The claims of a token that one of `keys` has signed and that has not expired; undefined otherwise. */
export function readToken(keys: readonly SigningKey[], token: string, nowMs: number): Readonly<Record<string, unknown>> | undefined {
  const [header, body, signature] = token.split(".");
  if (header === undefined || body === undefined || signature === undefined) return undefined;
  try {
    const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid?: string };
    const key = keys.find(({ id }) => id === kid);
    if (key === undefined) return undefined;
    const algorithm = key.algorithm === "RS256" ? "sha256" : null;
    const genuine = verify(
      algorithm,
      Buffer.from(`${header}.${body}`),
      createPublicKey(key.privateKey),
      Buffer.from(signature, "base64url"),
    );
    if (!genuine) return undefined;
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Readonly<Record<string, unknown>>;
    const expires = claims["exp"];
    return typeof expires === "number" && expires * 1000 < nowMs ? undefined : claims;
  } catch {
    return undefined;
  }
}
