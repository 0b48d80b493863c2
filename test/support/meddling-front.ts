/**
 * An HTTP or HTTPS server in front of another one, which passes requests on and answers some itself, for tests of those who look for faults: other
 * answers, other headers, silence, certificates of every kind.
 */
import { createServer, type IncomingMessage, type RequestListener, request, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** What is done with a request; undefined: it is passed on. */
export type Meddling = (request: IncomingMessage) => Meddled | undefined;

/** An answer of the front's own, or a change of the other's. */
export interface Meddled {
  /** Says nothing at all. */
  readonly silent?: boolean;
  readonly status?: number;
  readonly body?: string;
  /** Added to the headers, of the other's answer too where there is no status. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A front that runs. */
export interface MeddlingFront {
  readonly url: string;
  /** Requests so far, `METHOD /path`. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** Starts a front of `target` (http:// URL). With `tls` it speaks HTTPS. */
export async function startFront(target: string, meddle: Meddling = () => undefined, tls?: ServerOptions): Promise<MeddlingFront> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const listener: RequestListener = (incoming, response) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    const meddled = meddle(incoming);
    if (meddled?.silent === true) return;
    if (meddled?.status !== undefined) {
      incoming.resume();
      response.writeHead(meddled.status, meddled.headers).end(meddled.body ?? "");
      return;
    }
    passOn(target, incoming, response, meddled?.headers ?? {});
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    requests,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function passOn(target: string, incoming: IncomingMessage, response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  const outgoing = request(new URL(incoming.url ?? "/", target), { method: incoming.method, headers: incoming.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...headers });
    answer.pipe(response);
    response.on("close", () => answer.destroy());
  });
  outgoing.on("error", () => response.destroy());
  incoming.pipe(outgoing);
}
