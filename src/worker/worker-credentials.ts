/**
 * By what a worker proves who it is, and by what it knows controllers and the other workers of its run: the run token, the outside system's
 * signed token, its own key for the data plane with the certificate that a controller gave it. None of it is ever logged.
 */
import { readFileSync } from "node:fs";
import { externalError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Register, Welcome } from "../gen/controller.ts";
import type { RunFence } from "../gen/peer.ts";
import { makeKeyPair } from "../rpc/certificate.ts";
import type { DataTls } from "./data-tls.ts";
import type { RemoteWorkerOptions } from "./worker-options.ts";

/** What a registration says to prove the worker. */
type Proof = Pick<Register, "credential" | "credentialKind" | "identity" | "dataPublicKey">;

/** Made at the start. */
type CredentialOptions = Pick<RemoteWorkerOptions, "credential" | "credentialKind" | "identityFile" | "controllerCaFile" | "config"> & {
  readonly fence: RunFence;
  readonly logger: Logger;
};

/** See the file's comment. */
export class WorkerCredentials {
  readonly #options: CredentialOptions;
  readonly #key = makeKeyPair();
  #certified: Pick<DataTls, "certificate" | "authority"> | undefined;

  constructor(options: CredentialOptions) {
    this.#options = options;
  }

  /** For a registration now: the outside system renews its token while the worker runs. */
  proof(): Proof {
    const { credential, credentialKind } = this.#options;
    return { credential, credentialKind, identity: this.#identity(), dataPublicKey: this.#key.publicKey };
  }

  /** Who signs controllers' certificates, PEM, as of now; empty: plain text is spoken. Throws the system's error if it cannot be read. */
  controllerAuthority(): string {
    const { controllerCaFile, config } = this.#options;
    // In "auto" only the controller knows whether it speaks TLS, and the scheduler hands its authority over if it does.
    const path = controllerCaFile ?? (config["tls.mode"] === "on" ? config["tls.ca"] : undefined);
    return path === undefined ? "" : readFileSync(path, "utf8");
  }

  /** A controller has certified the key, or not. */
  welcomed({ dataCertificate: certificate, dataAuthority: authority }: Welcome): void {
    if (certificate !== "") this.#certified = { certificate, authority };
  }

  /** For the data plane. Throws `permission-denied` if no controller has certified the key. */
  dataTls(): DataTls {
    const { fence } = this.#options;
    if (this.#certified !== undefined) return { ...this.#certified, fence, privateKey: this.#key.privateKey };
    throw externalError("permission-denied", "workers of the run speak TLS among themselves, and this one was given no certificate", {
      retry: "never",
      hint: "Either all workers of a run are reached by loopback or none is: see worker.bind-address and tls.mode.",
    });
  }

  /** A controller that wants a token and gets none says so. */
  #identity(): string {
    const { identityFile, logger } = this.#options;
    if (identityFile === undefined) return "";
    try {
      return readFileSync(identityFile, "utf8").trim();
    } catch (error) {
      logger.warn("the worker's identity cannot be read", { error: toAppError(error) });
      return "";
    }
  }
}
