/**
 * What controllers and workers prove themselves by: the certificate of the controller's service, the authority that signs for workers, and
 * the outside system's word on who a worker is. The authority is one row of the database, so that every controller of the cluster signs and
 * is known by the same; it is made when it is first needed.
 */
import { readFileSync } from "node:fs";
import type { Config } from "../core/config.ts";
import { type AppError, externalError, toAppError, userError } from "../core/errors.ts";
import { withRetry } from "../core/retry.ts";
import { keepAuthority, readAuthority } from "../db/authorities.ts";
import type { Register, Welcome } from "../gen/controller.ts";
import type { RunFence } from "../gen/peer.ts";
import { type Authority, issueCertificate, makeAuthority, makeKeyPair } from "../rpc/certificate.ts";
import { CONTROLLER_NAME, type ServerIdentity, type ServiceCredentials, serverCredentials, wantsTls, workerName } from "../rpc/tls.ts";
import type { RunKey } from "../scheduler/scheduler.ts";
import type { ControllerDeps } from "./context.ts";

const CLUSTER = "cluster";
const DAY_MS = 24 * 3_600_000;
/** Clocks of machines differ: what is signed now has been valid for an hour. */
const SKEW_MS = 3_600_000;
const AUTHORITY_MS = 20 * 365 * DAY_MS;
/** Its key lives in the memory of this process only. */
const CONTROLLER_MS = 5 * 365 * DAY_MS;
/** Connections of a run are made when it starts; what they were made with may run out afterwards. */
const WORKER_MS = 2 * DAY_MS;
const RETRY = { attempts: 20, initialMs: 100, maxMs: 1_000 };

/** What a worker is given for its data plane. */
export type DataCertificate = Pick<Welcome, "dataCertificate" | "dataAuthority">;

const NO_CERTIFICATE: DataCertificate = { dataCertificate: "", dataAuthority: "" };

/** See the file's comment. */
export class ControllerSecurity {
  readonly #deps: ControllerDeps;
  readonly #onCertificate: (name: string, pem: string) => void;
  #authority: Promise<Authority> | undefined;
  #controllerCa: string | undefined;

  /** `onCertificate` is told of the certificates that are used: "service" and "authority", PEM. */
  constructor(deps: ControllerDeps, onCertificate: (name: string, pem: string) => void = () => undefined) {
    this.#deps = deps;
    this.#onCertificate = onCertificate;
  }

  /** Who signs controllers' certificates, PEM; undefined: the service speaks plain text. Known after `serverCredentials`. */
  get controllerCa(): string | undefined {
    return this.#controllerCa;
  }

  /** For the service; undefined: plain text. Throws `invalid-config` for files that do not fit, and the database's error. */
  async serverCredentials(): Promise<ServiceCredentials | undefined> {
    const { settings, logger } = this.#deps;
    const host = settings["controller.bind-address"];
    if (!wantsTls(settings["tls.mode"], host)) {
      if (wantsTls("auto", host)) logger.warn("the controller listens beyond loopback without TLS, as tls.mode says", { host });
      return undefined;
    }
    const configured = configuredIdentity(settings);
    if (configured !== undefined) {
      this.#controllerCa = configured.authority;
      this.#onCertificate("service", configured.certificate);
      return serverCredentials(configured);
    }
    const authority = await this.#cluster();
    this.#controllerCa = authority.certificate;
    const identity = this.#ownIdentity(authority);
    this.#onCertificate("service", identity.certificate);
    return serverCredentials(identity);
  }

  /**
   * What `register` may use among the workers of its run: empty where the data plane is plain, and for a worker that runs already. Throws
   * `version-mismatch` for one that has to speak TLS and cannot.
   */
  async certify(register: Register, fence: RunFence): Promise<DataCertificate> {
    const { workerId, dataHost, dataPublicKey, resumption } = register;
    if (resumption !== undefined || !wantsTls(this.#deps.settings["tls.mode"], dataHost)) return NO_CERTIFICATE;
    if (dataPublicKey.length === 0) {
      throw externalError("version-mismatch", `worker ${workerId} at ${dataHost} cannot speak TLS with the other workers`, {
        retry: "never",
        hint: "Upgrade the worker, bind it to loopback, or set tls.mode to off.",
      });
    }
    const authority = await this.#cluster();
    const names = [workerName(fence, workerId)];
    const nowMs = this.#nowMs();
    const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + WORKER_MS };
    const certificate = issueCertificate(authority, { commonName: "wadi worker", publicKey: dataPublicKey, names, ...validity });
    return { dataCertificate: certificate, dataAuthority: authority.certificate };
  }

  /**
   * Resolves if the outside system placed the worker for the run, or does not tell. Throws `permission-denied` for good, and with `retry`
   * "backoff" if it cannot be found out now.
   */
  async prove(run: RunKey, register: Register): Promise<void> {
    const { identities } = this.#deps.scheduler;
    if (identities === undefined) return;
    const { workerId, handle, identity } = register;
    if (identity === "") throw refused(`worker ${workerId} does not show an identity of the scheduler "${this.#deps.scheduler.name}"`);
    await identities.verify(run, handle, identity);
  }

  #nowMs(): number {
    return Number(this.#deps.clock.nowNs() / 1_000_000n);
  }

  #ownIdentity(authority: Authority): ServerIdentity {
    const { settings } = this.#deps;
    const { publicKey, privateKey } = makeKeyPair();
    const nowMs = this.#nowMs();
    const hosts = [settings.hostname, settings["controller.bind-address"], "localhost"];
    const names = [CONTROLLER_NAME, ...new Set(hosts.filter((host) => host !== undefined))];
    const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + CONTROLLER_MS };
    return { certificate: issueCertificate(authority, { commonName: "wadi controller", publicKey, names, ...validity }), privateKey };
  }

  /** What one attempt could not find out the next one may. */
  #cluster(): Promise<Authority> {
    this.#authority ??= this.#findAuthority().then(
      (authority) => {
        this.#onCertificate("authority", authority.certificate);
        return authority;
      },
      (error: unknown) => {
        this.#authority = undefined;
        throw toAppError(error);
      },
    );
    return this.#authority;
  }

  #findAuthority(): Promise<Authority> {
    const { db, clock, random, logger } = this.#deps;
    return withRetry(
      async () => {
        const known = await readAuthority(db, CLUSTER);
        if (known !== undefined) return known;
        const nowMs = this.#nowMs();
        logger.info("the cluster's certificate authority is made");
        return keepAuthority(db, CLUSTER, makeAuthority("wadi cluster", nowMs - SKEW_MS, nowMs + AUTHORITY_MS));
      },
      RETRY,
      { clock, random },
    );
  }
}

/** The identity that an operator gave this controller, with its authority; undefined: none. */
function configuredIdentity(settings: Config): (ServerIdentity & { readonly authority: string }) | undefined {
  const files = { "tls.certificate": settings["tls.certificate"], "tls.key": settings["tls.key"], "tls.ca": settings["tls.ca"] };
  if (files["tls.certificate"] === undefined && files["tls.key"] === undefined) return undefined;
  const missing = Object.entries(files).filter(([, path]) => path === undefined);
  if (missing.length > 0) {
    throw userError(
      "invalid-config",
      `${missing.map(([name]) => name).join(" and ")} is not set, tls.certificate, tls.key and tls.ca belong together`,
      {
        hint: "Without all three the cluster makes an authority of its own.",
      },
    );
  }
  const read = (name: keyof typeof files): string => readPem(name, files[name] ?? "");
  return { certificate: read("tls.certificate"), privateKey: read("tls.key"), authority: read("tls.ca") };
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw userError("invalid-config", `${name} "${path}" cannot be read: ${toAppError(thrown).message}`, { cause: thrown });
  }
}

function refused(message: string): AppError {
  const hint = "Workers of this cluster need the identity that the scheduler gives to its own tasks: see WADI_IDENTITY_FILE.";
  return externalError("permission-denied", message, { retry: "never", hint });
}
