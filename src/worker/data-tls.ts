/**
 * TLS of the data plane: both ends show a certificate that the controller signed for this run, and refuse a peer of any other run. The
 * certificates name runs and not hosts, because a worker does not know under which addresses others reach it.
 */
import type { Socket } from "node:net";
import { connect, createServer, type SecureContextOptions, type TLSSocket } from "node:tls";
import type { RunFence } from "../gen/peer.ts";
import { checkWorker } from "../rpc/tls.ts";

/** What a worker shows to the others of its run. */
export interface DataTls {
  readonly fence: RunFence;
  /** PEM, signed for the run. */
  readonly certificate: string;
  /** PKCS#8, PEM; made by this worker and never sent. */
  readonly privateKey: string;
  /** Who signed all certificates of the run, PEM. */
  readonly authority: string;
}

/** AES with 128 bits first: the frames of a run are worth less than the processor time that 256 would take. */
const CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

/** Dials a worker. The connection is destroyed with an error if the other end is no worker of the run. */
export function dialTls(address: { readonly host: string; readonly port: number }, tls: DataTls): TLSSocket {
  const socket = connect({
    host: address.host,
    port: address.port,
    ...contextOf(tls),
    checkServerIdentity: (_, certificate) => checkWorker(tls.fence, certificate),
  });
  return socket.setNoDelay(true);
}

/** Makes of a handler of connections one that first proves them: those of strangers never reach `take`. */
export function proving(tls: DataTls, take: (socket: Socket) => void): (socket: Socket) => void {
  const server = createServer({ ...contextOf(tls), requestCert: true, rejectUnauthorized: true });
  server.on("secureConnection", (socket) => {
    if (checkWorker(tls.fence, socket.getPeerCertificate()) === undefined) return take(socket);
    socket.destroy();
  });
  // A stranger's attempt is no concern of the run.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  // Documented for connections that were accepted elsewhere: https://nodejs.org/api/tls.html#event-connection
  return (socket) => void server.emit("connection", socket);
}

function contextOf({ authority, certificate, privateKey }: DataTls): SecureContextOptions {
  return { ca: authority, cert: certificate, key: privateKey, minVersion: "TLSv1.3", ciphers: CIPHERS };
}
