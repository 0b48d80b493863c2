/**
 * TLS of our own connections: what the controller's service shows, what its callers check, and the names in certificates. Whether TLS is
 * spoken at all is the setting `tls.mode`: in `auto` it is where somebody else could listen, which is beyond loopback.
 */
import { BlockList, isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { ChannelCredentials, type ChannelOptions, ServerCredentials } from "@grpc/grpc-js";
import { externalError } from "../core/errors.ts";
import type { RunFence } from "../gen/peer.ts";

/** Values of the setting `tls.mode`. */
export type TlsMode = "auto" | "on" | "off";

/** What a caller of a controller is given to connect with. */
export type CallerCredentials = ChannelCredentials;
/** What a service listens with. */
export type ServiceCredentials = ServerCredentials;

/** What a server shows. */
export interface ServerIdentity {
  /** Certificates from its own on, PEM. */
  readonly certificate: string;
  /** PEM. A secret. */
  readonly privateKey: string;
}

/**
 * The name that certificates of controllers have besides the addresses they know of: a controller behind a network translation does not know
 * the address it is dialled by.
 */
export const CONTROLLER_NAME = "controller.wadi.internal";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Whether `host`, a name or an address, can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  const family = isIP(address);
  if (family === 0) return address === "localhost";
  return LOOPBACK.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** Whether a service that is reached under `host` speaks TLS. */
export function wantsTls(mode: TlsMode, host: string): boolean {
  return mode === "on" || (mode === "auto" && !isLoopback(host));
}

/** For a gRPC server. */
export function serverCredentials({ certificate, privateKey }: ServerIdentity): ServerCredentials {
  const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(privateKey) };
  return ServerCredentials.createSsl(null, [pair], false);
}

/**
 * For a caller of the controller at `endpoint`, "host:port": `authority` has signed its certificate, PEM; empty: plain text is spoken. The
 * certificate has to name the host that is dialled, or to say that it is a controller's.
 */
export function controllerCredentials(authority: string, endpoint: string): ChannelCredentials {
  if (authority.trim() === "") return ChannelCredentials.createInsecure();
  const check = (_: string, certificate: PeerCertificate): Error | undefined => {
    const names = certificate.subjectaltname?.split(", ") ?? [];
    return names.includes(`DNS:${CONTROLLER_NAME}`) ? undefined : checkServerIdentity(hostOf(endpoint), certificate);
  };
  return ChannelCredentials.createSsl(Buffer.from(authority), null, null, { checkServerIdentity: check });
}

/** Options that a channel to `endpoint` needs for it: an address is no name that TLS could ask for. https://www.rfc-editor.org/rfc/rfc6066#section-3 */
export function controllerChannel(endpoint: string): ChannelOptions {
  return isIP(hostOf(endpoint)) === 0 ? {} : { "grpc.ssl_target_name_override": CONTROLLER_NAME };
}

function hostOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

/** What the certificate of a worker's data plane names: the worker and the run that it belongs to. */
export function workerName(fence: RunFence, workerId: string): string {
  return `${runName(fence)}${encodeURIComponent(workerId)}`;
}

/**
 * The error that refuses a peer of the data plane, undefined for a worker of the run. That an authority of ours has signed the certificate has
 * been checked before: workers of all runs have one.
 */
export function checkWorker(fence: RunFence, certificate: PeerCertificate): Error | undefined {
  const names = certificate.subjectaltname?.split(", ") ?? [];
  if (names.some((name) => name.startsWith(`URI:${runName(fence)}`))) return undefined;
  return externalError("permission-denied", "the certificate of the other worker is not of this run", { retry: "never" });
}

function runName({ jobId, runId, fence }: RunFence): string {
  return `wadi://run/${jobId}/${runId}/${fence}/`;
}
