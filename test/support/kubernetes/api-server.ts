/** The API server of the fake: paths to verbs, who may, lists, logs, and the faults of a network and of a control plane. */
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Kubelet } from "./kubelet.ts";
import { findResource, type KubeObject, type PodObject, RESOURCES, type Resource } from "./objects.ts";
import { authorize, type Subject } from "./rbac.ts";
import { selectorOf } from "./selectors.ts";
import { ApiRefusal, badRequest, expired, notFound, unauthorized } from "./status.ts";
import type { ObjectStore } from "./store.ts";
import type { ApiVerbs, DeleteOptions, WriteOptions } from "./verbs.ts";
import type { Watches } from "./watches.ts";

export interface ApiServerParts {
  readonly store: ObjectStore;
  readonly verbs: ApiVerbs;
  readonly watches: Watches;
  /** Who sends a token; undefined: nobody that is known. */
  readonly subjectOf: (token: string) => Subject | undefined;
  readonly namespace: string;
  readonly version: string;
  readonly kubeletOf: (node: string) => Kubelet | undefined;
  readonly evict: (pod: PodObject) => void;
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
}

/** What goes wrong. */
export interface ApiFaults {
  /** Connections are cut: nobody answers. */
  away: boolean;
  /** Every answer waits this long. */
  slowMs: number;
  /** Refuses a request by returning a refusal. */
  refuse: ((method: string, path: string) => ApiRefusal | undefined) | undefined;
}

/** A request as it was. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly watch: boolean;
  readonly body: string;
}

interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string;
}

export class ApiServer {
  readonly #parts: ApiServerParts;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly faults: ApiFaults = { away: false, slowMs: 0, refuse: undefined };
  readonly requests: SeenRequest[] = [];

  constructor(parts: ApiServerParts) {
    this.#parts = parts;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch((error: unknown) => this.#fail(response, error));
    };
    this.#server = parts.tls === undefined ? createServer(answer) : createTlsServer(parts.tls, answer);
    this.#server.on(parts.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      if (this.faults.away) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#parts.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  }

  /** Cuts every connection; while `away` none is accepted. */
  setAway(away: boolean): void {
    this.faults.away = away;
    if (away) for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #fail(response: ServerResponse, error: unknown): void {
    const refusal = error instanceof ApiRefusal ? error : new ApiRefusal(500, "InternalError", String(error));
    if (response.headersSent) return void response.destroy();
    const after = refusal.retryAfterSeconds === undefined ? {} : { "retry-after": String(refusal.retryAfterSeconds) };
    send(response, refusal.code, refusal.status, after);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const { method = "GET" } = request;
    const body = await readBody(request);
    this.requests.push({ method, path: url.pathname, watch: url.searchParams.has("watch"), body });
    if (this.faults.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, this.faults.slowMs));
    if (this.faults.away) return void response.destroy();
    const refused = this.faults.refuse?.(method, url.pathname);
    if (refused !== undefined) throw refused;
    const { subjectOf, version } = this.#parts;
    const subject = subjectOf(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
    if (subject === undefined) throw unauthorized();
    if (url.pathname === "/version") return send(response, 200, versionOf(version));
    const target = targetOf(url.pathname);
    if (target === undefined) throw new ApiRefusal(404, "NotFound", "the server could not find the requested resource");
    const refusal = authorize(subject, this.#parts.namespace, { ...target, verb: verbOf(method, target, url) });
    if (refusal !== undefined) throw refusal;
    this.#dispatch({ method, url, target, body: parse(body), type: request.headers["content-type"] ?? "" }, response);
  }

  #dispatch(call: Call, response: ServerResponse): void {
    const { method, url, target, body, type } = call;
    const { verbs } = this.#parts;
    const { resource, namespace, name, subresource } = target;
    if (subresource === "log") return this.#log(target, url, response);
    if (subresource === "eviction" && method === "POST") return this.#evict(target, response);
    if (subresource !== "") throw new ApiRefusal(404, "NotFound", "the server could not find the requested resource");
    const warnings: string[] = [];
    const options: WriteOptions = {
      dryRun: url.searchParams.get("dryRun") === "All",
      fieldValidation: url.searchParams.get("fieldValidation") ?? "Warn",
      warn: (text) => warnings.push(text),
    };
    const headers = (): Record<string, string[]> =>
      warnings.length === 0 ? {} : { warning: warnings.map((text) => `299 - ${JSON.stringify(text)}`) };
    switch (method) {
      case "GET":
        return name === "" ? this.#list(target, url, response) : this.#get(target, response);
      case "POST":
        return send(response, 201, verbs.create(resource, namespace, body, options), headers());
      case "PUT":
        return send(response, 200, verbs.replace(resource, namespace, name, body, options), headers());
      case "PATCH":
        return send(response, 200, verbs.patch(resource, namespace, name, body, type, options), headers());
      case "DELETE":
        return this.#delete(target, url, body, response);
      default:
        throw new ApiRefusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    }
  }

  #get({ resource, namespace, name }: Target, response: ServerResponse): void {
    const found = this.#parts.store.get(resource.plural, namespace, name);
    if (found === undefined) throw notFound(resource, name);
    send(response, 200, found);
  }

  #delete({ resource, namespace, name }: Target, url: URL, body: unknown, response: ServerResponse): void {
    const { store, verbs } = this.#parts;
    const query = { propagationPolicy: url.searchParams.get("propagationPolicy") ?? undefined, ...numberOf(url, "gracePeriodSeconds") };
    const options = { ...query, ...(body as DeleteOptions | undefined) };
    if (name !== "") return send(response, 200, verbs.delete(resource, namespace, name, options));
    const selects = selectorOf(url.searchParams.get("labelSelector") ?? "", url.searchParams.get("fieldSelector") ?? "");
    const items = store.list(resource.plural, namespace).filter(selects);
    for (const { metadata } of items) verbs.delete(resource, namespace, metadata.name, options);
    send(response, 200, { kind: `${resource.kind}List`, apiVersion: "v1", metadata: {}, items });
  }

  #list({ resource, namespace }: Target, url: URL, response: ServerResponse): void {
    const { store, watches } = this.#parts;
    const selects = selectorOf(url.searchParams.get("labelSelector") ?? "", url.searchParams.get("fieldSelector") ?? "");
    const version = url.searchParams.get("resourceVersion") ?? "";
    if (["1", "true"].includes(url.searchParams.get("watch") ?? "")) {
      const bookmarks = url.searchParams.get("allowWatchBookmarks") === "true";
      const timeoutSeconds = Number(url.searchParams.get("timeoutSeconds") ?? 1_800);
      return watches.serve(response, { resource, namespace, selects, resourceVersion: version, bookmarks, timeoutSeconds });
    }
    const limit = Number(url.searchParams.get("limit") ?? 0);
    const all = store.list(resource.plural, namespace).filter(selects);
    const [from, at] = readContinue(url.searchParams.get("continue") ?? "", store);
    const items = limit === 0 ? all : all.slice(from, from + limit);
    const rest = all.length - from - items.length;
    const more = rest > 0 ? { continue: Buffer.from(JSON.stringify([from + limit, at])).toString("base64"), remainingItemCount: rest } : {};
    const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
    send(response, 200, {
      kind: `${resource.kind}List`,
      apiVersion,
      metadata: { resourceVersion: String(at), ...more },
      items: items.map(withoutKind),
    });
  }

  #evict({ resource, namespace, name }: Target, response: ServerResponse): void {
    const pod = this.#parts.store.get<PodObject>("pods", namespace, name);
    if (pod === undefined) throw notFound(resource, name);
    this.#parts.evict(pod);
    send(response, 201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
  }

  #log({ resource, namespace, name }: Target, url: URL, response: ServerResponse): void {
    const pod = this.#parts.store.get<PodObject>("pods", namespace, name);
    if (pod === undefined) throw notFound(resource, name);
    const container = url.searchParams.get("container") ?? pod.spec.containers[0]?.name ?? "";
    if (!pod.spec.containers.some((one) => one.name === container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
    const kubelet = this.#parts.kubeletOf(pod.spec.nodeName ?? "");
    if (kubelet?.connected === false)
      throw new ApiRefusal(
        500,
        "InternalError",
        `Get "https://${pod.spec.nodeName}:10250/containerLogs/${namespace}/${name}/${container}": dial tcp: i/o timeout`,
      );
    const file = kubelet?.logFile(pod);
    const waiting = pod.status.containerStatuses?.[0]?.state.waiting?.reason ?? "ContainerCreating";
    if (kubelet === undefined || file === undefined)
      throw badRequest(`container "${container}" in pod "${name}" is waiting to start: ${waiting}`);
    response.writeHead(200, { "content-type": "text/plain" });
    streamLog(response, { file, follow: url.searchParams.get("follow") === "true", kubelet, runs: () => kubelet.runs(pod) });
  }
}

interface Call {
  readonly method: string;
  readonly url: URL;
  readonly target: Target;
  readonly body: unknown;
  readonly type: string;
}

/** Sends the file, and what is appended to it until the container ends. */
function streamLog(
  response: ServerResponse,
  { file, follow, kubelet, runs }: { file: string; follow: boolean; kubelet: Kubelet; runs: () => boolean },
): void {
  let at = 0;
  let reading = false;
  let again = false;
  const pump = (): void => {
    again = true;
    if (reading) return;
    reading = true;
    again = false;
    const last = !follow || !runs();
    const stream = createReadStream(file, { start: at });
    stream.on("data", (piece) => {
      at += piece.length;
      response.write(piece);
    });
    const done = (): void => {
      reading = false;
      if (last) response.end();
      else if (again) pump();
    };
    stream.once("error", done);
    stream.once("end", done);
  };
  const unsubscribe = follow ? kubelet.onLog(pump) : (): void => undefined;
  response.once("close", unsubscribe);
  pump();
}

const PATH =
  /^\/(?:api\/(?<core>v1)|apis\/(?<group>[\w.]+)\/(?<version>v1))(?:\/namespaces\/(?<namespace>[\w.-]+))?\/(?<plural>[a-z]+)(?:\/(?<name>[\w.-]+))?(?:\/(?<sub>[a-z]+))?$/;

function targetOf(path: string): Target | undefined {
  const own = /^\/api\/v1\/namespaces(?:\/([\w.-]+))?$/.exec(path);
  const namespaces = findResource("namespaces");
  if (own !== null && namespaces !== undefined) return { resource: namespaces, namespace: undefined, name: own[1] ?? "", subresource: "" };
  const { group = "", namespace, plural = "", name = "", sub = "" } = PATH.exec(path)?.groups ?? {};
  const resource = RESOURCES.find((one) => one.plural === plural && one.group === group);
  return resource === undefined ? undefined : { resource, namespace, name, subresource: sub };
}

function verbOf(method: string, { name, subresource }: Target, url: URL): string {
  if (method === "GET" && name === "") return ["1", "true"].includes(url.searchParams.get("watch") ?? "") ? "watch" : "list";
  if (method === "DELETE" && name === "") return "deletecollection";
  const verbs: Readonly<Record<string, string>> = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };
  return subresource === "eviction" ? "create" : (verbs[method] ?? method);
}

function send(response: ServerResponse, code: number, body: object, headers: Record<string, string | string[]> = {}): void {
  response.writeHead(code, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/** Items of a list do not say what they are. */
function withoutKind({ kind: _kind, apiVersion: _version, ...rest }: KubeObject): object {
  return rest;
}

function readContinue(token: string, store: ObjectStore): [from: number, version: number] {
  if (token === "") return [0, store.version];
  const [from, version] = JSON.parse(Buffer.from(token, "base64").toString("utf8")) as [number, number];
  if (store.since(version) === undefined) throw expired(version, store.version);
  return [from, version];
}

function versionOf(gitVersion: string): object {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return { major, minor, gitVersion, platform: "linux/amd64" };
}

function numberOf(url: URL, name: string): Record<string, number> {
  const text = url.searchParams.get(name);
  return text === null ? {} : { [name]: Number(text) };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

function parse(body: string): unknown {
  try {
    return body === "" ? undefined : JSON.parse(body);
  } catch {
    throw badRequest("the object provided is unrecognized (must be of type Object): couldn't get version/kind; json parse error");
  }
}
