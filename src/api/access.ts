/**
 * Who may call. A page of another site must not reach a server on the user's own machine: the name in `Host` has to be one of ours (DNS
 * rebinding), an `Origin` has to be our own, bodies are JSON (`body.ts`), and a token is needed for everything but the ping.
 *
 * Tokens are compared and looked up by their hash. A known key is believed for a few seconds before it is looked up again.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import type { Clock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { type AppError, userError } from "../core/errors.ts";
import { countApiKeys, findApiKey } from "../db/api-keys.ts";
import type { Database } from "../db/connection.ts";
import { forbidden, HttpError, unauthorized } from "./http-error.ts";
import { type Caller, includesRole, ROLES, type Role } from "./route.ts";

/** Seconds of belief cost a deleted key as much, and save a query per request. */
const BELIEVED_MS = 5_000;
const REMEMBERED_KEYS = 1_000;
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]", "::1"]);

/** The hash under which a key is stored: SHA-256, hex. Keys are random and long, so nothing slower is needed. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Whether an address is reached from this machine only. */
export function isLoopback(address: string): boolean {
  const name = address.toLowerCase();
  return LOOPBACK_NAMES.has(name) || (isIPv4(name) && name.startsWith("127."));
}

/** The name in `host[:port]`, in lower case; `undefined` if it is no such thing. */
export function hostName(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host);
  return match?.[1]?.toLowerCase();
}

/** Checks names and tokens. */
export class AccessControl {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #hosts: ReadonlySet<string>;
  readonly #anyAddress: boolean;
  readonly #sessionHash: Buffer | undefined;
  readonly #known = new Map<string, { readonly caller: Caller; readonly untilMs: number }>();

  constructor(db: Database, clock: Clock, settings: Config) {
    this.#db = db;
    this.#clock = clock;
    const listed = [...settings["api.allowed-hosts"], settings.hostname ?? "", settings["api.bind-address"]];
    this.#hosts = new Set([...LOOPBACK_NAMES, ...listed.map((name) => name.toLowerCase()).filter((name) => name !== "")]);
    // Bound beyond loopback the server is called by addresses that it does not know; an address in Host cannot be rebound.
    this.#anyAddress = !isLoopback(settings["api.bind-address"]);
    const token = settings["api.session-token"];
    this.#sessionHash = token === undefined ? undefined : Buffer.from(hashToken(token), "hex");
  }

  /** Throws 403 unless the request names this server, and comes from its own pages if from any. */
  checkOrigin(host: string | undefined, origin: string | undefined): void {
    const name = hostName(host ?? "");
    if (name === undefined || !this.#isOurs(name)) {
      const hint = "Add the name to the setting api.allowed-hosts.";
      throw forbidden(`host "${host ?? ""}" is not a name of this server`, hint);
    }
    if (origin === undefined) return;
    const from = URL.canParse(origin) ? new URL(origin) : undefined;
    if (from !== undefined && /^https?:$/.test(from.protocol) && from.host.toLowerCase() === host?.toLowerCase()) return;
    throw forbidden(`requests from pages of origin "${origin}" are not accepted`, "Open the UI at this server's own address.");
  }

  #isOurs(name: string): boolean {
    if (this.#hosts.has(name)) return true;
    const address = name.replace(/^\[|\]$/g, "");
    return this.#anyAddress && (isIPv4(address) || isIPv6(address));
  }

  /** Who calls with this `Authorization` header. Throws 401. */
  async authenticate(header: string | undefined): Promise<Caller> {
    const token = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
    if (token === undefined) {
      throw unauthorized("a token is needed", 'Send the header "Authorization: Bearer <token>"; the link printed at start-up carries one.');
    }
    const hash = hashToken(token);
    if (this.#sessionHash !== undefined && timingSafeEqual(this.#sessionHash, Buffer.from(hash, "hex")))
      return { name: "session", role: "admin" };
    const known = this.#known.get(hash);
    if (known !== undefined && known.untilMs > this.#clock.elapsedMs()) return known.caller;
    const key = await findApiKey(this.#db, hash);
    const role = ROLES.find((name) => name === key?.role);
    if (key === undefined || role === undefined) {
      this.#known.delete(hash);
      throw unauthorized("the token is not known, or has run out", "Use the link that was printed at start-up, or ask for an API key.");
    }
    return this.#remember(hash, { name: key.name, role });
  }

  /** Throws 403 unless `caller` may do what needs `role`. */
  authorize(caller: Caller, role: Role): void {
    if (includesRole(caller.role, role)) return;
    throw new HttpError(403, "permission-denied", `role "${caller.role}" may not do this: it needs role "${role}"`);
  }

  /** Believes no key any longer. */
  forget(): void {
    this.#known.clear();
  }

  #remember(hash: string, caller: Caller): Caller {
    if (this.#known.size >= REMEMBERED_KEYS) this.#known.clear();
    this.#known.set(hash, { caller, untilMs: this.#clock.elapsedMs() + BELIEVED_MS });
    return caller;
  }
}

/** Throws `invalid-config` if the API would listen beyond this machine without a token that anybody has to know. */
export async function checkBinding(db: Database, settings: Config): Promise<void> {
  const address = settings["api.bind-address"];
  if (isLoopback(address) || settings["api.session-token"] !== undefined || (await countApiKeys(db)) > 0) return;
  throw bindingError(address);
}

function bindingError(address: string): AppError {
  return userError("invalid-config", `api.bind-address "${address}" lets other machines in, and no token is configured`, {
    hint: 'Set api.session-token (WADI__API__SESSION_TOKEN) to a long random text, or bind to "127.0.0.1".',
  });
}
