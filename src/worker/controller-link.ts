/**
 * The worker's tie to whoever leads: dials the known controllers in turn until one welcomes it, and dials again whenever the stream breaks.
 * It knows nothing of what is said, except who may say it and what was said last.
 */
import type { Clock } from "../core/clock.ts";
import { type AppError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import { backoffDelayMs, type RetryPolicy } from "../core/retry.ts";
import type { Register, Welcome } from "../gen/controller.ts";
import type { RunFence } from "../gen/peer.ts";
import type { ControllerBody } from "../rpc/refusal.ts";
import { type CallerCredentials, controllerCredentials } from "../rpc/tls.ts";
import { LeaderEpoch, type WorkerMessage, WorkerStream } from "../rpc/worker-client.ts";
import type { EndpointList } from "./endpoint-list.ts";

/** What a worker does about its tie. */
export interface ControllerLinkHandler {
  /** The registration to be sent now. */
  register(): Register;
  /** A leader welcomed us: what it may have missed is to be sent now. */
  welcome(welcome: Welcome): void;
  message(body: ControllerBody): void;
  /** The stream is gone; the next one is on its way. */
  lost(error: AppError | undefined): void;
  /** No controller will ever welcome us: wrong token, wrong build, or the run is over. Nothing follows. */
  refused(error: AppError): void;
}

/** What the link works with. */
export interface ControllerLinkOptions {
  readonly endpoints: EndpointList;
  /** Who signs controllers' certificates, PEM; empty: plain text is spoken. Asked before every dial; may throw. */
  readonly authority: () => string;
  readonly fence: RunFence;
  readonly release: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

/** Attempts are not limited here: the lease is. */
const POLICY: RetryPolicy = { attempts: Number.MAX_SAFE_INTEGER, initialMs: 100, maxMs: 3_000 };
/** The first answer has to come within so long; where others could be asked meanwhile, sooner. */
const ANSWER_LIMIT_MS = 10_000;
const ANSWER_LIMIT_AMONG_MS = 3_000;
/** A leader renews leases at least every third of them; what may be late. */
const SILENCE_GRACE_MS = 500;
const SILENCE_LOOK_MS = 100;
/** Failures in a row after which the worker says what is in its way. */
const TELLING_FAILURES = 10;
const FINAL: ReadonlySet<string> = new Set(["permission-denied", "version-mismatch", "fenced"]);

/** How a stream ended. */
interface StreamEnd {
  readonly welcomed: boolean;
  readonly error: AppError | undefined;
}

const NOBODY: StreamEnd = { welcomed: false, error: undefined };

/** See the file's comment. */
export class ControllerLink {
  readonly #options: ControllerLinkOptions;
  readonly #handler: ControllerLinkHandler;
  readonly #leaderEpoch = new LeaderEpoch();
  #turn = 0;
  /** Said by a controller that does not lead: to be dialled at once. */
  #hint: string | undefined;
  #stream: WorkerStream | undefined;
  #welcomed = false;
  #heardMs = 0;
  #last: { readonly body: WorkerMessage; readonly said: () => void } | undefined;

  constructor(handler: ControllerLinkHandler, options: ControllerLinkOptions) {
    this.#handler = handler;
    this.#options = options;
  }

  /** Whether a leader listens. */
  get connected(): boolean {
    return this.#welcomed;
  }

  /** Whether much waits to be sent. */
  get congested(): boolean {
    return this.#stream?.congested ?? true;
  }

  /** Fencing epoch of the newest leader heard of. */
  get leaderEpoch(): bigint {
    return this.#leaderEpoch.newest;
  }

  /** Keeps a stream up until `signal` is aborted, then cuts it. Resolves earlier if we were refused or the last words were heard. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const hinted = this.#hint !== undefined;
      const endpoint = this.#hint ?? this.#next();
      this.#hint = undefined;
      const { welcomed, error } = endpoint === undefined ? NOBODY : await this.#serve(endpoint, signal);
      if (this.#last !== undefined && welcomed && error === undefined) return this.#last.said();
      if (error !== undefined && error.retry === "never" && FINAL.has(error.code)) {
        this.#last?.said();
        return this.#handler.refused(error);
      }
      failures = welcomed ? 0 : failures + 1;
      if (!welcomed && !hinted) this.#turn += 1;
      if (this.#hint !== undefined && !hinted) continue;
      const delayMs = backoffDelayMs(Math.max(1, failures), POLICY, this.#options.random);
      if (error !== undefined) this.#tell(failures, endpoint, error);
      await this.#options.clock.sleep(delayMs, signal);
    }
  }

  #tell(failures: number, endpoint: string | undefined, error: AppError): void {
    const { logger } = this.#options;
    if (failures === TELLING_FAILURES) logger.warn("no controller has welcomed this worker yet, it goes on trying", { endpoint, error });
    else logger.debug("no controller", { endpoint, failures, error });
  }

  /** Whom to dial; undefined: nobody is known yet. */
  #next(): string | undefined {
    const { endpoints } = this.#options;
    if (endpoints.refresh()) this.#turn = 0;
    return endpoints.all[this.#turn % endpoints.all.length];
  }

  /** Sends `body` if a leader listens; otherwise it is lost, and `welcome` is the moment to say it again. */
  send(body: WorkerMessage): void {
    if (this.#welcomed && this.#last === undefined) this.#stream?.send(body);
  }

  /** Says `body` as the last message, on this stream or a later one. Resolves when a leader has heard it, nobody wants to hear it, or after `limitMs`. */
  async sayLast(body: WorkerMessage, limitMs: number): Promise<void> {
    const heard = new AbortController();
    this.#last = { body, said: () => heard.abort() };
    if (this.#welcomed) this.#sayLast();
    await this.#options.clock.sleep(limitMs, heard.signal);
  }

  #sayLast(): void {
    const stream = this.#stream;
    if (stream === undefined || this.#last === undefined) return;
    stream.send(this.#last.body);
    stream.end().catch(() => undefined);
  }

  async #serve(endpoint: string, signal: AbortSignal): Promise<StreamEnd> {
    try {
      return await this.#converse(endpoint, controllerCredentials(this.#options.authority(), endpoint), signal);
    } catch (error) {
      return { welcomed: false, error: toAppError(error) };
    }
  }

  #converse(endpoint: string, credentials: CallerCredentials, signal: AbortSignal): Promise<StreamEnd> {
    const { clock, fence, release } = this.#options;
    return new Promise((resolve) => {
      const ended = new AbortController();
      const cut = (): void => stream.cancel();
      const closed = (error: AppError | undefined): void => {
        signal.removeEventListener("abort", cut);
        ended.abort();
        const welcomed = this.#welcomed;
        this.#welcomed = false;
        this.#stream = undefined;
        if (welcomed) this.#handler.lost(error);
        resolve({ welcomed, error });
      };
      const message = (body: ControllerBody): void => {
        this.#heardMs = clock.elapsedMs();
        try {
          this.#message(body, stream);
          if (body.$case === "welcome") this.#watchSilence(stream, body.value.lease?.durationMs ?? 0, ended.signal).catch(cut);
        } catch (error) {
          this.#options.logger.error("a controller's message was not handled", { message: body.$case, error: toAppError(error) });
          stream.cancel();
        }
      };
      const answerLimitMs = this.#alone ? ANSWER_LIMIT_MS : ANSWER_LIMIT_AMONG_MS;
      const options = { clock, fence, release, credentials, leaderEpoch: this.#leaderEpoch, answerLimitMs };
      const stream = new WorkerStream(endpoint, { message, closed }, options);
      this.#stream = stream;
      signal.addEventListener("abort", cut, { once: true });
      stream.send({ $case: "register", value: this.#handler.register() });
    });
  }

  /** Whether there is nobody else to dial. */
  get #alone(): boolean {
    return this.#options.endpoints.all.length < 2;
  }

  /**
   * A leader that hangs keeps its connections, so that only its silence tells: it renews leases more often than this. Ends the stream, and the
   * next controller is dialled.
   */
  async #watchSilence(stream: WorkerStream, leaseMs: number, ended: AbortSignal): Promise<void> {
    if (leaseMs === 0) return;
    const { clock, endpoints, logger } = this.#options;
    const limitMs = leaseMs / 3 + SILENCE_GRACE_MS;
    while (!ended.aborted) {
      await clock.sleep(Math.max(SILENCE_LOOK_MS, this.#heardMs + limitMs - clock.elapsedMs()), ended);
      if (ended.aborted || clock.elapsedMs() - this.#heardMs < limitMs) continue;
      const moved = endpoints.refresh();
      if (endpoints.all.every((endpoint) => endpoint === stream.endpoint)) continue;
      // If it was this process that stood still, what has come meanwhile is heard first.
      const heardMs = this.#heardMs;
      await clock.sleep(SILENCE_LOOK_MS, ended);
      if (ended.aborted || this.#heardMs !== heardMs) continue;
      logger.warn("the controller says nothing, another one is tried", { endpoint: stream.endpoint, silentMs: Math.round(limitMs) });
      this.#turn = moved ? 0 : this.#turn + 1;
      return stream.cancel();
    }
  }

  #message(body: ControllerBody, stream: WorkerStream): void {
    switch (body.$case) {
      case "welcome":
        this.#welcomed = true;
        this.#options.endpoints.learn(body.value.endpoints);
        // The leader is the first of its own list: it is the one to be dialled again.
        this.#turn = 0;
        this.#handler.welcome(body.value);
        this.#sayLast();
        return;
      case "leaderMoved":
        this.#options.endpoints.learn(body.value.endpoints);
        this.#hint = body.value.leader === "" ? undefined : body.value.leader;
        stream.end().catch(() => undefined);
        return;
      default:
        this.#handler.message(body);
    }
  }
}
