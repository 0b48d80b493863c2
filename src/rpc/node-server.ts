/**
 * The serving ends of proto/node.proto: the registry of the controller, as a service on its port, and the node daemon's own server. Both check
 * the caller's build and the cluster's node token here; what calls mean is the handlers' business.
 */
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { externalError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import {
  type DrainNodeRequest,
  DrainNodeResponse,
  type HeartbeatNodeRequest,
  HeartbeatNodeResponse,
  type ListWorkersRequest,
  ListWorkersResponse,
  NodeDaemonService,
  NodeRegistryService,
  type ReadLogRequest,
  ReadLogResponse,
  type RegisterNodeRequest,
  RegisterNodeResponse,
  type StartWorkerRequest,
  StartWorkerResponse,
  type StopWorkerRequest,
  StopWorkerResponse,
} from "../gen/node.ts";
import type { PeerVersion } from "../gen/peer.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { listenError } from "./listen.ts";
import { hashRunToken, isRunToken } from "./run-token.ts";
import { toStatus } from "./status.ts";
import { type ServerIdentity, serverCredentials } from "./tls.ts";
import { checkPeer, PROTOCOL_VERSION } from "./version.ts";

/** Metadata with the cluster's node token. */
export const NODE_TOKEN = "wadi-node-token";

/** A service that is added to a server. */
export interface RpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** An answer without what all answers have in common. */
export type Answer<T> = Omit<T, "peer">;

/** What the leading controller does about nodes. What it throws becomes the call's status. */
export interface NodeRegistryHandler {
  register(request: RegisterNodeRequest): Promise<Answer<RegisterNodeResponse>>;
  heartbeat(request: HeartbeatNodeRequest): Promise<Answer<HeartbeatNodeResponse>>;
}

/** What the node daemon does. What it throws becomes the call's status. */
export interface NodeDaemonHandler {
  start(request: StartWorkerRequest): Promise<Answer<StartWorkerResponse>>;
  stop(request: StopWorkerRequest): Promise<Answer<StopWorkerResponse>>;
  list(request: ListWorkersRequest): Promise<Answer<ListWorkersResponse>>;
  /** `signal` is aborted when the caller has left. */
  readLog(request: ReadLogRequest, signal: AbortSignal): AsyncIterable<ReadLogResponse>;
  drain(request: DrainNodeRequest): Promise<Answer<DrainNodeResponse>>;
}

/** What both ends are served with. */
export interface NodeServiceOptions {
  /** The cluster's node token; empty: none is asked for. */
  readonly token: string;
  /** Release of this build, for people. */
  readonly release: string;
  readonly logger: Logger;
}

/** The registry, for the controller's server. */
export function nodeRegistryService(handler: NodeRegistryHandler, options: NodeServiceOptions): RpcService {
  const check = checker(options);
  const own = ownPeer(options);
  const registerNode: handleUnaryCall<RegisterNodeRequest, RegisterNodeResponse> = (call, answer) => {
    const { request } = call;
    const work = async (): Promise<RegisterNodeResponse> => {
      check(`node ${request.nodeId}`, request.peer, request.credential);
      return RegisterNodeResponse.create({ ...(await handler.register(request)), peer: own });
    };
    reply(work(), answer, options.logger);
  };
  const heartbeatNode: handleUnaryCall<HeartbeatNodeRequest, HeartbeatNodeResponse> = (call, answer) => {
    const { request } = call;
    const work = async (): Promise<HeartbeatNodeResponse> => {
      check(`node ${request.nodeId}`, request.peer, request.credential);
      return HeartbeatNodeResponse.create({ ...(await handler.heartbeat(request)), peer: own });
    };
    reply(work(), answer, options.logger);
  };
  return { definition: NodeRegistryService, implementation: { registerNode, heartbeatNode } };
}

/** The node daemon's server. */
export class NodeDaemonServer {
  readonly #server = new Server(CHANNEL_OPTIONS);
  readonly #credentials: ServerCredentials;

  /** Plain text without `identity`. */
  constructor(handler: NodeDaemonHandler, options: NodeServiceOptions & { readonly identity?: ServerIdentity | undefined }) {
    this.#credentials = options.identity === undefined ? ServerCredentials.createInsecure() : serverCredentials(options.identity);
    this.#server.addService(NodeDaemonService, daemonImplementation(handler, options));
  }

  /** Listens on `host`, `port` 0: the system chooses. The port. Throws `already-exists` if it is taken. */
  listen(host: string, port: number): Promise<number> {
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, this.#credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(listenError({ host, port, setting: "node.rpc-port" }, error));
      });
    });
  }

  /** Ends at once: all calls may be made again. */
  close(): void {
    this.#server.forceShutdown();
  }
}

function daemonImplementation(handler: NodeDaemonHandler, options: NodeServiceOptions): UntypedServiceImplementation {
  const check = checker(options);
  const peer = ownPeer(options);
  /** A call with one request and one answer. */
  const unary =
    <Q extends { readonly peer: PeerVersion | undefined }, A>(act: (request: Q) => Promise<Answer<A>>, make: (parts: Answer<A>) => A) =>
    (...[call, answer]: Parameters<handleUnaryCall<Q, A>>): void => {
      const work = async (): Promise<A> => {
        check("the caller", call.request.peer, tokenOf(call.metadata));
        return make(await act(call.request));
      };
      reply(work(), answer, options.logger);
    };
  const readLog: handleServerStreamingCall<ReadLogRequest, ReadLogResponse> = (call) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    const work = async (): Promise<void> => {
      check("the caller", call.request.peer, tokenOf(call.metadata));
      for await (const piece of handler.readLog(call.request, gone.signal)) await written(call, ReadLogResponse.create(piece), gone.signal);
      call.end();
    };
    work().catch((error: unknown) => void call.emit("error", toStatus(error)));
  };
  return {
    startWorker: unary<StartWorkerRequest, StartWorkerResponse>(
      (request) => handler.start(request),
      (parts) => StartWorkerResponse.create({ ...parts, peer }),
    ),
    stopWorker: unary<StopWorkerRequest, StopWorkerResponse>(
      (request) => handler.stop(request),
      (parts) => StopWorkerResponse.create({ ...parts, peer }),
    ),
    listWorkers: unary<ListWorkersRequest, ListWorkersResponse>(
      (request) => handler.list(request),
      (parts) => ListWorkersResponse.create({ ...parts, peer }),
    ),
    drainNode: unary<DrainNodeRequest, DrainNodeResponse>(
      (request) => handler.drain(request),
      (parts) => DrainNodeResponse.create({ ...parts, peer }),
    ),
    readLog,
  };
}

/** Waits until the caller takes more. */
async function written(
  call: ServerWritableStream<ReadLogRequest, ReadLogResponse>,
  piece: ReadLogResponse,
  signal: AbortSignal,
): Promise<void> {
  if (call.write(piece) || signal.aborted) return;
  await new Promise<void>((resolve) => {
    call.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function ownPeer({ release }: NodeServiceOptions): PeerVersion {
  return { protocol: PROTOCOL_VERSION, release };
}

function tokenOf(metadata: Metadata): string {
  const [token] = metadata.get(NODE_TOKEN);
  return typeof token === "string" ? token : "";
}

function checker({ token }: NodeServiceOptions): (who: string, peer: PeerVersion | undefined, given: string) => void {
  const hash = token === "" ? undefined : hashRunToken(token);
  return (who, peer, given) => {
    checkPeer(who, peer);
    if (hash === undefined || isRunToken(given, hash)) return;
    throw externalError("permission-denied", `${who} does not have the cluster's node token`, {
      retry: "never",
      hint: "Set node.token or node.token-file to the same token on controllers and nodes.",
    });
  };
}

function reply<A>(work: Promise<A>, answer: sendUnaryData<A>, logger: Logger): void {
  work.then(
    (value) => answer(null, value),
    (thrown: unknown) => {
      const error = toAppError(thrown);
      if (error.domain === "internal") logger.error("a call failed", { error });
      answer(toStatus(error));
    },
  );
}
