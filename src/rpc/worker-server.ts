/**
 * The controller's end of `WorkerControl.Connect`: accepts workers' streams and turns them into sessions. What every message has in common is
 * filled in and checked here: builds, run, sequence numbers, the leader's epoch. What messages mean is the handler's business.
 *
 * One worker has one session: a stream of a worker that is connected already replaces the older one, which may be a connection that broke
 * without a word.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { type AppError, externalError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { type ConnectRequest, type ConnectResponse, Register, type Welcome, WorkerControlService } from "../gen/controller.ts";
import type { PeerVersion, RunFence } from "../gen/peer.ts";
import { CHANNEL_OPTIONS } from "./channel.ts";
import { listenError } from "./listen.ts";
import type { RpcService } from "./node-server.ts";
import { type ControllerBody, WorkerRefusal } from "./refusal.ts";
import { toStatus } from "./status.ts";
import { checkPeer, PROTOCOL_VERSION } from "./version.ts";

/** What a worker says after `Register`. */
export type WorkerBody = Exclude<NonNullable<ConnectRequest["body"]>, { readonly $case: "register" }>;

/** A worker that was admitted, as long as its stream lasts. */
export interface WorkerSession {
  readonly register: Register;
  readonly fence: RunFence;
  /** Address it dialled from, for logs. */
  readonly peer: string;
  /** Sends `body` behind everything sent before. Does nothing once the session is closed. Never throws. */
  send(body: ControllerBody): void;
  /** Ends the stream in order, behind what was sent; the worker dials again unless it was told not to. Idempotent. */
  close(): void;
}

/**
 * What the controller does about workers. Calls for one session come in order: `admit`, `opened`, `message`*, `closed`; `closed` comes exactly
 * once for every `opened`. What `message`, `opened` and `closed` throw ends the session and is logged as a defect.
 */
export interface WorkerSessionHandler {
  /**
   * Whether this worker is welcome. Checks the credential (see run-token.ts) and the fence. Throws `leaderMoved(…)` or `fencedOut(…)` of
   * refusal.ts, or an `AppError` that becomes the call's status: `permission-denied` for a wrong credential.
   */
  admit(register: Register, fence: RunFence, peer: PeerVersion): Promise<Welcome>;
  opened(session: WorkerSession): void;
  message(session: WorkerSession, body: WorkerBody): void;
  /** `error`: why the stream broke; absent if the worker or the controller ended it in order. */
  closed(session: WorkerSession, error?: AppError): void;
}

/** What a server works with. */
export interface WorkerServerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Release of this build, for people. */
  readonly release: string;
  /** Fencing epoch of the leader lease, asked for with every message; 0 while this controller does not lead. */
  readonly leaderEpoch: () => bigint;
  /** Plain text by default. */
  readonly credentials?: ServerCredentials | undefined;
  /** More services on the same port. */
  readonly services?: readonly RpcService[] | undefined;
  /** How long `close` waits for streams to end, milliseconds. */
  readonly closeLimitMs?: number | undefined;
}

type Call = ServerDuplexStream<ConnectRequest, ConnectResponse>;

const CLOSE_LIMIT_MS = 2_000;
/** Bytes of a worker id at most: it is a key of maps and a field of logs. */
const LONGEST_ID = 200;

/** See the file's comment. */
export class WorkerServer {
  readonly #handler: WorkerSessionHandler;
  readonly #options: WorkerServerOptions;
  readonly #server = new Server(CHANNEL_OPTIONS);
  readonly #streams = new Set<WorkerStream>();

  constructor(handler: WorkerSessionHandler, options: WorkerServerOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#server.addService(WorkerControlService, { connect: (call: Call) => this.#accept(call) });
    for (const { definition, implementation } of options.services ?? []) this.#server.addService(definition, implementation);
  }

  /** Listens on `host`, `port` 0: the system chooses. The port. Throws `already-exists` if it is taken. */
  listen(host: string, port: number): Promise<number> {
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, this.#options.credentials ?? ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(listenError({ host, port, setting: "controller.rpc-port" }, error));
      });
    });
  }

  /** Ends all sessions and stops listening; connections that do not end within the limit are cut. Idempotent. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.close();
    const { clock, closeLimitMs = CLOSE_LIMIT_MS } = this.#options;
    const limit = new AbortController();
    const closed = new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
    await Promise.race([closed, clock.sleep(closeLimitMs, limit.signal)]);
    limit.abort();
    this.#server.forceShutdown();
    for (const stream of this.#streams) stream.cut(externalError("connection-lost", "the controller closes"));
  }

  #accept(call: Call): void {
    const stream = new WorkerStream(call, this.#handler, this.#options, {
      admitted: () => {
        for (const other of this.#streams) if (other !== stream && other.replacedBy(stream)) other.cut(replaced());
      },
      over: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
  }
}

function replaced(): AppError {
  return externalError("connection-lost", "the worker has opened another stream");
}

/** What a stream tells its server. */
interface StreamOwner {
  admitted(): void;
  over(): void;
}

class WorkerStream implements WorkerSession {
  readonly peer: string;
  readonly #call: Call;
  readonly #handler: WorkerSessionHandler;
  readonly #options: WorkerServerOptions;
  readonly #owner: StreamOwner;
  #register: Register | undefined;
  #fence: RunFence | undefined;
  #received = 0n;
  #sent = 0n;
  /** `opened` has been called. */
  #open = false;
  #over = false;
  /** The worker has said what is always the last message. */
  #saidLast = false;

  constructor(call: Call, handler: WorkerSessionHandler, options: WorkerServerOptions, owner: StreamOwner) {
    this.peer = call.getPeer();
    this.#call = call;
    this.#handler = handler;
    this.#options = options;
    this.#owner = owner;
    call.on("data", (message: ConnectRequest) => {
      try {
        this.#receive(message);
      } catch (error) {
        this.cut(toAppError(error));
      }
    });
    // A connection that breaks looks like a stream that ends: what was said last tells them apart.
    call.on("end", () => this.#finish(this.#saidLast ? undefined : this.#broken()));
    call.on("cancelled", () => this.#finish(this.#broken()));
    call.on("error", (error: Error) =>
      this.#finish(externalError("connection-lost", `the stream of ${this.#who} broke: ${error.message}`)),
    );
  }

  #broken(): AppError {
    return externalError("connection-lost", `the stream of ${this.#who} broke`);
  }

  get register(): Register {
    return this.#register ?? Register.create();
  }

  get fence(): RunFence {
    return this.#fence ?? { jobId: "", runId: "", fence: 0n };
  }

  get #who(): string {
    return this.#register === undefined ? `the worker at ${this.peer}` : `worker ${this.#register.workerId}`;
  }

  replacedBy(other: WorkerStream): boolean {
    return this.#open && this.register.workerId === other.register.workerId && this.fence.jobId === other.fence.jobId;
  }

  send(body: ControllerBody): void {
    if (this.#over || this.#call.writableEnded) return;
    this.#sent += 1n;
    const peer = { protocol: PROTOCOL_VERSION, release: this.#options.release };
    this.#call.write({ peer, fence: this.#fence, sequence: this.#sent, leaderEpoch: this.#options.leaderEpoch(), body });
  }

  close(): void {
    this.#finish(undefined);
  }

  /** Ends the stream with a status that tells `error`. */
  cut(error: AppError): void {
    if (this.#over) return;
    if (error.domain === "internal") this.#options.logger.error("a worker's stream failed", { worker: this.register.workerId, error });
    // The stream takes the status of an error, then ends; the handler hears of it first.
    this.#finish(error, () => void this.#call.emit("error", toStatus(error)));
  }

  #receive(message: ConnectRequest): void {
    if (this.#over) return;
    checkPeer(this.#who, message.peer);
    if (message.sequence !== this.#received + 1n) {
      throw protocolError(`${this.#who} sent message ${message.sequence} after message ${this.#received}`);
    }
    this.#received = message.sequence;
    const { body } = message;
    if (body === undefined) throw protocolError(`${this.#who} sent a message that says nothing`);
    if (this.#register === undefined) {
      if (body.$case !== "register") throw protocolError(`${this.#who} sent "${body.$case}" before it registered`);
      return this.#admit(body.value, message);
    }
    if (body.$case === "register") throw protocolError(`${this.#who} registered twice on one stream`);
    const { jobId, runId, fence } = this.fence;
    if (message.fence?.jobId !== jobId || message.fence.runId !== runId || message.fence.fence !== fence) {
      throw protocolError(`${this.#who} speaks for another run than it registered for`);
    }
    this.#saidLast = body.$case === "finished" || body.$case === "failed";
    this.#handler.message(this, body);
  }

  #admit(register: Register, { fence, peer }: ConnectRequest): void {
    if (fence === undefined || fence.fence === 0n || fence.jobId === "") throw protocolError(`${this.#who} does not say its run`);
    if (register.workerId === "" || register.workerId.length > LONGEST_ID) throw protocolError(`${this.#who} does not say its id`);
    this.#register = register;
    this.#fence = fence;
    // Until the answer is there, later messages wait in the stream.
    this.#call.pause();
    this.#handler.admit(register, fence, peer ?? { protocol: 0, release: "" }).then(
      (welcome) => this.#welcome(welcome),
      (error: unknown) => this.#refuse(toAppError(error)),
    );
  }

  #welcome(welcome: Welcome): void {
    if (this.#over) return;
    try {
      this.#owner.admitted();
      this.send({ $case: "welcome", value: welcome });
      this.#open = true;
      this.#handler.opened(this);
      this.#call.resume();
    } catch (error) {
      this.cut(toAppError(error));
    }
  }

  #refuse(error: AppError): void {
    if (this.#over) return;
    this.#options.logger.info("a worker was refused", { worker: this.register.workerId, job: this.fence.jobId, error });
    if (!(error instanceof WorkerRefusal)) return this.cut(error);
    this.send(error.answer);
    this.close();
  }

  /** The stream is over, for both sides. `end` ends the call; in order if absent. */
  #finish(error: AppError | undefined, end = () => void this.#call.end()): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.over();
    if (this.#open) {
      try {
        this.#handler.closed(this, error);
      } catch (thrown) {
        this.#options.logger.error("the end of a worker's stream was not handled", { error: toAppError(thrown) });
      }
    }
    end();
    // What still comes is not looked at, but has to be read for the stream to end.
    this.#call.resume();
  }
}

function protocolError(message: string): AppError {
  return externalError("io", message, { detail: "It does not keep to the protocol of proto/controller.proto.", retry: "never" });
}
