/**
 * Single requests to one agent of Nomad, with all that a diagnosis looks at: status, plain text, the clock in the header, the certificate. The
 * scheduler's client hides just that behind retries and other addresses. Nothing is tried twice.
 */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { externalError } from "../../../core/errors.ts";

/** An agent and how to be let in. */
export interface Agent {
  /** http:// or https:// URL, or unix:// and the path of a socket. */
  readonly address: string;
  /** ACL token or workload identity; undefined: anonymous. */
  readonly token: string | undefined;
  readonly region: string | undefined;
  readonly tls: AgentTls;
}

/** How the agent is verified and what is shown to it; PEM texts. */
export interface AgentTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
  readonly skipVerify: boolean;
}

/** What the agent said. */
export interface Answer {
  readonly status: number;
  /** The whole body; with `firstLine` up to the first line's end. */
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the agent; undefined without TLS. */
  readonly certificate: PeerCertificate | undefined;
}

/** A request. */
export interface Question {
  readonly method?: "GET" | "PUT" | "POST" | "DELETE" | "HEAD";
  /** With a query, without region and token. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
  /** The answer is a stream: its first line is enough. */
  readonly firstLine?: boolean;
}

/** Asks once. Rejects with Node's own error where there is no answer; its `code` says why. */
export function ask(agent: Agent, question: Question): Promise<Answer> {
  const { method = "GET", path, body, signal } = question;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const url = new URL(withRegion(path, agent.region), agent.address.startsWith("unix:") ? "http://localhost" : agent.address);
  const options: RequestOptions = {
    method,
    signal,
    headers: {
      "accept-encoding": "identity",
      ...(agent.token === undefined ? {} : { "x-nomad-token": agent.token }),
      ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    },
    // Nomad 1.11 begins its event stream with "HTTP/0.0 200 OK" (hijacked socket, mended in 2.0.5), which Node's parser refuses otherwise.
    insecureHTTPParser: question.firstLine ?? false,
    ...(agent.address.startsWith("unix:") ? { socketPath: agent.address.replace(/^unix:(\/\/)?/, "") } : {}),
  };
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? httpsRequest(url, { ...options, ...tlsOptions(agent.tls) }) : httpRequest(url, options);
    request.on("error", reject);
    request.on("response", (response) => readAnswer(response, question.firstLine ?? false).then(resolve, reject));
    request.end(text);
  });
}

function withRegion(path: string, region: string | undefined): string {
  if (region === undefined) return path;
  return `${path}${path.includes("?") ? "&" : "?"}region=${encodeURIComponent(region)}`;
}

function tlsOptions({ ca, cert, key, serverName, skipVerify }: AgentTls) {
  return {
    agent: false as const,
    rejectUnauthorized: !skipVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

async function readAnswer(response: IncomingMessage, firstLine: boolean): Promise<Answer> {
  const socket = response.socket as Partial<TLSSocket>;
  const certificate = socket.getPeerCertificate?.();
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (firstLine && chunk.includes(0x0a)) break;
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return { status: response.statusCode ?? 0, text, headers: response.headers, certificate };
}

/** The JSON of an answer. Throws what the agent said instead, as an external error. */
export function parseAnswer<T>(answer: Answer, what: string): T {
  if (answer.status === 200) {
    try {
      return JSON.parse(answer.text) as T;
    } catch (cause) {
      throw externalError("io", `Nomad answered ${what} with something that is no JSON`, { hint: "Correct nomad.address.", cause });
    }
  }
  throw externalError(answer.status === 403 ? "permission-denied" : "io", `Nomad refused ${what}: ${saidBy(answer)}`);
}

/** What the agent said, in one line with the status. */
export function saidBy({ status, text }: Answer): string {
  const said = text.replace(/\s+/g, " ").trim().slice(0, 300);
  return said === "" ? `status ${status}` : `${said} (status ${status})`;
}
