/**
 * Whether a worker is the one that Nomad placed: it shows its workload identity, a token that Nomad's servers have signed and that names
 * namespace, job and allocation. Every run has a Nomad job of its own, so these are the run's fence. Public keys are fetched once and kept: while
 * Nomad is away workers are known as before. Tokens are never logged, nor is anything that jose says of them beyond the kind of failure.
 *
 * https://developer.hashicorp.com/nomad/docs/concepts/workload-identity
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { RunKey, WorkerIdentityVerifier } from "../scheduler.ts";

/** What tokens for Wadi are made for: the `aud` of the task's identity block. */
export const IDENTITY_AUDIENCE = "wadi";

/** What verifying needs of Nomad. */
export interface NomadIdentityOptions {
  /** The parsed answer of `GET /.well-known/jwks.json`. Throws with `retry` "backoff" while Nomad does not answer. */
  readonly fetchKeys: () => Promise<unknown>;
  readonly namespace: string;
  /** Whether the Nomad job `jobId` is that of `run`. */
  readonly isJobOf: (run: RunKey, jobId: string) => boolean;
  /**
   * Whether Nomad placed the allocation for the run and has not given it up; undefined: it cannot be told now. A false is final, so an
   * allocation that is not known yet has to be asked for first.
   */
  readonly placed: (run: RunKey, allocation: string) => Promise<boolean | undefined>;
  /** Keeps the public keys for a controller that starts while Nomad is away; absent: they are in memory only. */
  readonly memory?: KeyMemory | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Remembers one text. May throw: then there is nothing, or nothing is kept. */
export interface KeyMemory {
  /** What was kept last; undefined: nothing yet. */
  read(): Promise<string | undefined>;
  keep(text: string): Promise<void>;
}

/** Nomad signs with RSA since 1.7, with Ed25519 before. "none" and shared secrets are no signatures. */
const ALGORITHMS = ["RS256", "EdDSA"];
/** Clocks of machines differ by so much, seconds. */
const SKEW_S = 60;
/** Keys are not asked for more often, milliseconds: a stranger's token must not make us call Nomad. */
const FETCH_PAUSE_MS = 5_000;
/** A Nomad that hangs is as good as away after so long, milliseconds: workers do not wait for a controller's answer for ever. */
const PATIENCE_MS = 1_000;
/** Keys that are older are fetched again with the next worker, so that one that was withdrawn is not trusted for ever. */
const KEYS_AGE_MS = 15 * 60_000;

interface Keys {
  readonly find: ReturnType<typeof createLocalJWKSet>;
  readonly atMs: number;
}

/** See the file's comment. */
export class NomadIdentities implements WorkerIdentityVerifier {
  readonly #options: NomadIdentityOptions;
  #keys: Keys | undefined;
  #fetching: Promise<void> | undefined;
  #triedMs = Number.NEGATIVE_INFINITY;
  #failure: AppError | undefined;
  #kept: string | undefined;

  constructor(options: NomadIdentityOptions) {
    this.#options = options;
  }

  /** Fetches the keys, so that they are there should Nomad be away when the first worker comes. Never throws. */
  async warmUp(): Promise<void> {
    await this.#fetch();
  }

  async verify(run: RunKey, handle: string, token: string): Promise<void> {
    const claims = await this.#claims(token);
    const { namespace, isJobOf, placed } = this.#options;
    const { nomad_namespace: ofNamespace, nomad_job_id: ofJob, nomad_allocation_id: ofAllocation } = claims;
    if (ofNamespace !== namespace) throw refused(`it is of namespace "${shown(ofNamespace)}", not "${namespace}"`);
    if (typeof ofJob !== "string" || !isJobOf(run, ofJob))
      throw refused(`it is of Nomad job "${shown(ofJob)}", not of run ${run.run} of job ${run.job}`);
    if (ofAllocation !== handle) throw refused(`it is of allocation "${shown(ofAllocation)}", not "${handle}"`);
    if ((await this.#isPlaced(placed, run, handle)) === false) throw refused(`allocation "${handle}" is not one of the run's`);
  }

  /** The signature says enough where Nomad does not answer: a run has a job of its own, and its identities end with it. */
  async #isPlaced(placed: NomadIdentityOptions["placed"], run: RunKey, handle: string): Promise<boolean | undefined> {
    try {
      return await this.#soon(placed(run, handle));
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.retry === "never") throw error;
      this.#options.logger.debug("an allocation could not be looked up", { run: run.run, handle, error });
      return undefined;
    }
  }

  async #claims(token: string): Promise<JWTPayload> {
    const { clock } = this.#options;
    const before = this.#keys;
    if (before === undefined || clock.elapsedMs() - before.atMs > KEYS_AGE_MS) await this.#soon(this.#fetch());
    try {
      return await this.#verified(token);
    } catch (error) {
      if (!isUnknownKey(error)) throw inWords(error);
    }
    // Nomad may have new keys. If it was asked a moment ago for somebody else, the worker comes back.
    if (this.#keys === before) await this.#soon(this.#fetch());
    if (this.#keys === before) throw this.#unavailable();
    try {
      return await this.#verified(token);
    } catch (error) {
      throw inWords(error);
    }
  }

  /** What comes of `work`; undefined if that takes too long for a worker that waits for its answer. It goes on by itself. */
  async #soon<T>(work: Promise<T>): Promise<T | undefined> {
    const done = new AbortController();
    const late = this.#options.clock.sleep(PATIENCE_MS, done.signal).then(() => undefined);
    try {
      return await Promise.race([work, late]);
    } finally {
      done.abort();
    }
  }

  async #verified(token: string): Promise<JWTPayload> {
    if (this.#keys === undefined) throw this.#unavailable();
    const { payload } = await jwtVerify(token, this.#keys.find, {
      audience: IDENTITY_AUDIENCE,
      algorithms: ALGORITHMS,
      clockTolerance: SKEW_S,
      currentDate: new Date(Number(this.#options.clock.nowNs() / 1_000_000n)),
      requiredClaims: ["exp"],
    });
    return payload;
  }

  /** One at a time, not more often than allowed; a failure leaves the keys as they are. */
  #fetch(): Promise<void> {
    if (this.#fetching !== undefined) return this.#fetching;
    const { clock, fetchKeys, logger } = this.#options;
    if (clock.elapsedMs() - this.#triedMs < FETCH_PAUSE_MS) return Promise.resolve();
    this.#triedMs = clock.elapsedMs();
    this.#fetching = fetchKeys()
      .then((answer) => {
        const set = keySet(answer);
        this.#keys = { find: createLocalJWKSet(set), atMs: clock.elapsedMs() };
        this.#failure = undefined;
        this.#keep(JSON.stringify(set));
      })
      .catch(async (thrown: unknown) => {
        const error = toAppError(thrown);
        this.#keys ??= await this.#remembered();
        if (this.#failure === undefined) logger.warn("Nomad's public keys cannot be read", { known: this.#keys !== undefined, error });
        this.#failure = error;
      })
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  #keep(text: string): void {
    if (text === this.#kept) return;
    this.#kept = text;
    this.#options.memory?.keep(text).catch((error: unknown) => {
      this.#kept = undefined;
      this.#options.logger.debug("Nomad's public keys could not be kept", { error: toAppError(error) });
    });
  }

  /** Keys of an earlier controller, to be fetched again as soon as that may be. */
  async #remembered(): Promise<Keys | undefined> {
    try {
      const text = await this.#options.memory?.read();
      if (text === undefined) return undefined;
      return { find: createLocalJWKSet(keySet(JSON.parse(text))), atMs: Number.NEGATIVE_INFINITY };
    } catch {
      return undefined;
    }
  }

  #unavailable(): AppError {
    const why = this.#failure === undefined ? "" : `: ${this.#failure.message}`;
    return externalError("connection-lost", `the key that signed a worker's identity cannot be read from Nomad now${why}`);
  }
}

function keySet(answer: unknown): JSONWebKeySet {
  const keys = (answer as { readonly keys?: unknown } | undefined | null)?.keys;
  if (Array.isArray(keys)) return { keys: keys as JSONWebKeySet["keys"] };
  throw externalError("io", "Nomad's answer to /.well-known/jwks.json has no keys");
}

/** Keys are told apart by their ids: an unknown id is a new key, or none of Nomad's. */
function isUnknownKey(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey;
}

function inWords(error: unknown): AppError {
  if (error instanceof errors.JWTExpired) {
    const { exp } = error.payload;
    const when = exp === undefined ? "" : ` at ${new Date(exp * 1_000).toISOString()}`;
    return refused(
      `it expired${when}`,
      "Nomad renews identities through its servers: see the ttl of the task's identity block, and whether clocks differ.",
    );
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "aud") return refused(`it was made for "${shown(error.payload.aud)}", not for "${IDENTITY_AUDIENCE}"`);
    if (error.claim === "nbf") return refused("it is not valid yet", "The clocks of this machine and of Nomad's servers differ.");
    return refused(`its claim "${error.claim}" does not hold`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refused("it is not signed as Nomad signs");
  if (error instanceof errors.JWKSNoMatchingKey) return refused("none of Nomad's keys has signed it");
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("its signature is wrong");
  if (error instanceof errors.JOSEError) return refused("it is no signed token");
  return toAppError(error);
}

/** What a stranger wrote, in a message. */
function shown(claim: unknown): string {
  const text = Array.isArray(claim) ? claim.join(" ") : typeof claim === "string" ? claim : "";
  return text.slice(0, 120);
}

function refused(why: string, hint?: string): AppError {
  return externalError("permission-denied", `the worker's identity is refused: ${why}`, {
    retry: "never",
    ...(hint === undefined ? {} : { hint }),
  });
}
