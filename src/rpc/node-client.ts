/** The calling ends of proto/node.proto: a node that registers with a controller, and whoever tells a node daemon what to do. */
import { type ChannelCredentials, type ChannelOptions, type ClientReadableStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { externalError } from "../core/errors.ts";
import { NS_PER_MS } from "../core/time.ts";
import {
  DrainNodeRequest as DrainNodeMessage,
  type DrainNodeRequest,
  type DrainNodeResponse,
  HeartbeatNodeRequest,
  type HeartbeatNodeResponse,
  ListWorkersRequest,
  type ListWorkersResponse,
  NodeDaemonClient,
  NodeRegistryClient,
  ReadLogRequest,
  type ReadLogResponse,
  RegisterNodeRequest,
  type RegisterNodeResponse,
  StartWorkerRequest,
  type StartWorkerResponse,
  StopWorkerRequest,
  type StopWorkerResponse,
} from "../gen/node.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { NODE_TOKEN } from "./node-server.ts";
import { fromStatus } from "./status.ts";
import { controllerChannel, controllerCredentials } from "./tls.ts";
import { checkPeer, PROTOCOL_VERSION } from "./version.ts";

/** What a client works with. */
export interface NodeClientOptions {
  /** The cluster's node token; empty: none is shown. */
  readonly token: string;
  /** Release of this build, for people. */
  readonly release: string;
  readonly clock: Clock;
  /** Who has signed the certificate of "host:port", PEM; empty: plain text is spoken there. Plain text if absent. */
  readonly authority?: ((endpoint: string) => string) | undefined;
}

/** A request without what all have in common. */
export type Question<T> = Omit<T, "peer" | "credential" | "$type">;

/** A call has to be answered within so long, milliseconds. */
const ANSWER_MS = 5_000;

type Callback<A> = (error: ServiceError | null, answer: A) => void;

/** A controller, as a node sees it. */
export class RegistryClient {
  readonly endpoint: string;
  readonly #client: NodeRegistryClient;
  readonly #options: NodeClientOptions;

  /** `endpoint`: "host:port". Dials at the first call. */
  constructor(endpoint: string, options: NodeClientOptions) {
    this.endpoint = endpoint;
    this.#options = options;
    this.#client = new NodeRegistryClient(endpoint, ...channelTo(endpoint, options));
  }

  /** Throws `permission-denied`, `version-mismatch`, or with `retry: "backoff"` where the controller does not lead or answer. */
  register(request: Question<RegisterNodeRequest>): Promise<RegisterNodeResponse> {
    const message = RegisterNodeRequest.create({ ...request, ...this.#common() });
    return asked(this.#who, (callback) => this.#client.registerNode(message, new Metadata(), deadline(this.#options), callback));
  }

  /** Throws `not-found` where the controller does not know the node: it has to register. */
  heartbeat(request: Question<HeartbeatNodeRequest>): Promise<HeartbeatNodeResponse> {
    const message = HeartbeatNodeRequest.create({ ...request, ...this.#common() });
    return asked(this.#who, (callback) => this.#client.heartbeatNode(message, new Metadata(), deadline(this.#options), callback));
  }

  close(): void {
    this.#client.close();
  }

  get #who(): string {
    return `the controller at ${this.endpoint}`;
  }

  #common() {
    const { token, release } = this.#options;
    return { peer: { protocol: PROTOCOL_VERSION, release }, credential: token };
  }
}

/** A node daemon, as controllers and operators see it. */
export class DaemonClient {
  readonly address: string;
  readonly #client: NodeDaemonClient;
  readonly #options: NodeClientOptions;

  /** `address`: "host:port". Dials at the first call. */
  constructor(address: string, options: NodeClientOptions) {
    this.address = address;
    this.#options = options;
    this.#client = new NodeDaemonClient(address, ...channelTo(address, options));
  }

  start(request: Question<StartWorkerRequest>): Promise<StartWorkerResponse> {
    const message = StartWorkerRequest.create({ ...request, peer: this.#peer });
    return asked(this.#who, (callback) => this.#client.startWorker(message, this.#metadata, deadline(this.#options), callback));
  }

  stop(request: Question<StopWorkerRequest>): Promise<StopWorkerResponse> {
    const message = StopWorkerRequest.create({ ...request, peer: this.#peer });
    return asked(this.#who, (callback) => this.#client.stopWorker(message, this.#metadata, deadline(this.#options), callback));
  }

  list(): Promise<ListWorkersResponse> {
    const message = ListWorkersRequest.create({ peer: this.#peer });
    return asked(this.#who, (callback) => this.#client.listWorkers(message, this.#metadata, deadline(this.#options), callback));
  }

  drain(request: Question<DrainNodeRequest>): Promise<DrainNodeResponse> {
    const message = DrainNodeMessage.create({ ...request, peer: this.#peer });
    return asked(this.#who, (callback) => this.#client.drainNode(message, this.#metadata, deadline(this.#options), callback));
  }

  /** Output of a worker; ends when `signal` is aborted. Throws `not-found` if nothing is kept, `connection-lost` if the node does not answer. */
  async *readLog(request: Question<ReadLogRequest>, signal: AbortSignal): AsyncIterable<ReadLogResponse> {
    const message = ReadLogRequest.create({ ...request, peer: this.#peer });
    const options = request.follow ? {} : deadline(this.#options);
    const call: ClientReadableStream<ReadLogResponse> = this.#client.readLog(message, this.#metadata, options);
    const leave = (): void => call.cancel();
    signal.addEventListener("abort", leave, { once: true });
    try {
      for await (const piece of call) yield piece as ReadLogResponse;
    } catch (error) {
      if (!signal.aborted) throw fromStatus(this.#who, error as ServiceError);
    } finally {
      signal.removeEventListener("abort", leave);
      call.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }

  get #who(): string {
    return `the node at ${this.address}`;
  }

  get #peer() {
    return { protocol: PROTOCOL_VERSION, release: this.#options.release };
  }

  get #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#options.token !== "") metadata.set(NODE_TOKEN, this.#options.token);
    return metadata;
  }
}

function channelTo(endpoint: string, { authority }: NodeClientOptions): [ChannelCredentials, ChannelOptions] {
  return [controllerCredentials(authority?.(endpoint) ?? "", endpoint), { ...CHANNEL_OPTIONS, ...controllerChannel(endpoint) }];
}

function deadline({ clock }: NodeClientOptions): { readonly deadline: number } {
  return { deadline: Number(clock.nowNs() / NS_PER_MS) + ANSWER_MS };
}

type Answered = { readonly peer: { readonly protocol: number; readonly release: string } | undefined };

function asked<A extends Answered>(who: string, call: (callback: Callback<A>) => void): Promise<A> {
  return new Promise((resolve, reject) => {
    call((error, answer) => {
      if (error !== null) return reject(fromStatus(who, error));
      try {
        checkPeer(who, answer.peer);
        resolve(answer);
      } catch (mismatch) {
        reject(mismatch instanceof Error ? mismatch : externalError("io", `${who} gave no answer`));
      }
    });
  });
}
