/**
 * The worker's end of `WorkerControl.Connect`: one stream to one controller. It fills in and checks what all messages have in common; which
 * controller to dial, when to dial again and what messages mean is its user's business (worker/controller-link.ts).
 */
import { ChannelCredentials, type ClientDuplexStream } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { type AppError, externalError, internalError, toAppError, toErrorRecord } from "../core/errors.ts";
import { type ConnectRequest, type ConnectResponse, WorkerControlClient } from "../gen/controller.ts";
import type { RunFence } from "../gen/peer.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { toErrorMessage } from "./error-message.ts";
import type { ControllerBody } from "./refusal.ts";
import { fromStatus, isServiceError } from "./status.ts";
import { controllerChannel } from "./tls.ts";
import { checkPeer, PROTOCOL_VERSION } from "./version.ts";

/** What a worker says. */
export type WorkerMessage = NonNullable<ConnectRequest["body"]>;

/** The newest leader a worker has heard of. One for all streams of a worker: an older leader is not obeyed on a new stream either. */
export class LeaderEpoch {
  #newest = 0n;

  get newest(): bigint {
    return this.#newest;
  }

  /** Whether a message with `epoch` counts; if so it is the newest. */
  accept(epoch: bigint): boolean {
    if (epoch < this.#newest) return false;
    this.#newest = epoch;
    return true;
  }
}

/** What a worker does about what comes. `closed` comes exactly once, and nothing after it. */
export interface WorkerStreamHandler {
  message(body: ControllerBody): void;
  /** `error`: why the stream broke or was refused; absent if the controller ended it in order. */
  closed(error: AppError | undefined): void;
}

/** What a stream works with. */
export interface WorkerClientOptions {
  readonly clock: Clock;
  readonly fence: RunFence;
  readonly release: string;
  readonly leaderEpoch: LeaderEpoch;
  /** Plain text by default. */
  readonly credentials?: ChannelCredentials | undefined;
  /** The first answer has to come within so long, milliseconds. */
  readonly answerLimitMs: number;
}

/** How long `end` waits for the controller to end its side, milliseconds. */
const END_LIMIT_MS = 2_000;

/** One stream. Opened by its constructor; the first message has to be `register`. */
export class WorkerStream {
  readonly endpoint: string;
  readonly #options: WorkerClientOptions;
  readonly #handler: WorkerStreamHandler;
  readonly #client: WorkerControlClient;
  readonly #call: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #answered = new AbortController();
  readonly #closed = new AbortController();
  #sent = 0n;
  #received = 0n;

  /** Dials `endpoint`, "host:port". Failures come through the handler. */
  constructor(endpoint: string, handler: WorkerStreamHandler, options: WorkerClientOptions) {
    this.endpoint = endpoint;
    this.#options = options;
    this.#handler = handler;
    const credentials = options.credentials ?? ChannelCredentials.createInsecure();
    this.#client = new WorkerControlClient(endpoint, credentials, { ...CHANNEL_OPTIONS, ...controllerChannel(endpoint) });
    this.#call = this.#client.connect();
    this.#call.on("data", (message: ConnectResponse) => this.#receive(message));
    this.#call.on("end", () => this.#over(undefined));
    this.#call.on("error", (error: Error) => this.#over(isServiceError(error) ? fromStatus(this.#who, error) : toAppError(error)));
    this.#watchAnswer().catch(() => undefined);
  }

  get #who(): string {
    return `controller at ${this.endpoint}`;
  }

  /** Whether much waits to be sent: what may be left out is better left out. */
  get congested(): boolean {
    return this.#call.writableNeedDrain;
  }

  /** Highest sequence number sent. */
  get sent(): bigint {
    return this.#sent;
  }

  /** Sends `body`; what a closed stream is given is lost. */
  send(body: WorkerMessage): void {
    if (this.#closed.signal.aborted || this.#call.writableEnded) return;
    this.#sent += 1n;
    const { fence, release } = this.#options;
    this.#call.write({ peer: { protocol: PROTOCOL_VERSION, release }, fence, sequence: this.#sent, body });
  }

  /** Ends the stream behind what was sent; resolves when the controller has ended its side too, or after two seconds. */
  async end(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      this.#call.end();
      await this.#options.clock.sleep(END_LIMIT_MS, this.#closed.signal);
    }
    this.#over(undefined);
  }

  /** Cuts the stream at once. */
  cancel(): void {
    this.#over(externalError("connection-lost", `the stream to the ${this.#who} was cut`));
  }

  async #watchAnswer(): Promise<void> {
    const { clock, answerLimitMs } = this.#options;
    await clock.sleep(answerLimitMs, AbortSignal.any([this.#answered.signal, this.#closed.signal]));
    if (!this.#answered.signal.aborted) this.#over(externalError("timeout", `${this.#who} did not answer within ${answerLimitMs} ms`));
  }

  #receive(message: ConnectResponse): void {
    if (this.#closed.signal.aborted) return;
    try {
      checkPeer(this.#who, message.peer);
      if (message.sequence !== this.#received + 1n) {
        const text = `${this.#who} sent message ${message.sequence} after message ${this.#received}`;
        throw internalError("invariant", text, { detail: "A message was lost or the controller does not keep to the protocol." });
      }
      this.#received = message.sequence;
      this.#answered.abort();
      if (message.body === undefined || !this.#meansUs(message)) return;
      if (this.#options.leaderEpoch.accept(message.leaderEpoch)) this.#handler.message(message.body);
      // A controller that has been replaced does not know it yet: it is left, so that its successor is found.
      else this.#over(externalError("connection-lost", `${this.#who} does not lead any more`));
    } catch (error) {
      this.#over(toAppError(error));
    }
  }

  /** A message for another run is not obeyed, and the controller is told: one of us is mistaken about who we are. */
  #meansUs({ fence }: ConnectResponse): boolean {
    const own = this.#options.fence;
    if (fence?.jobId === own.jobId && fence.runId === own.runId && fence.fence === own.fence) return true;
    const text = `a command for run ${fence?.runId ?? ""} of job ${fence?.jobId ?? ""} came to a worker of run ${own.runId} of job ${own.jobId}`;
    this.send({ $case: "failed", value: { error: toErrorMessage(toErrorRecord(internalError("fenced", text))) } });
    return false;
  }

  #over(error: AppError | undefined): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    if (error !== undefined) this.#call.cancel();
    this.#client.close();
    this.#handler.closed(error);
  }
}
