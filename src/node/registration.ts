/**
 * The tie of a node to the controller that leads: finds it among the endpoints, registers, and says regularly what is on the node. A
 * heartbeat goes out at once when something has changed. The loss of the controller changes nothing on the node.
 */
import type { Clock } from "../core/clock.ts";
import { toAppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { RandomSource } from "../core/prng.ts";
import { backoffDelayMs, type RetryPolicy } from "../core/retry.ts";
import type { HeartbeatNodeRequest, RegisterNodeRequest } from "../gen/node.ts";
import { type NodeClientOptions, type Question, RegistryClient } from "../rpc/node-client.ts";

/** What a node says of itself. */
export interface RegistrationOptions {
  /** Controllers, "host:port". */
  readonly endpoints: readonly string[];
  readonly client: NodeClientOptions;
  readonly register: () => Question<RegisterNodeRequest>;
  readonly beat: () => Question<HeartbeatNodeRequest>;
  /** A controller leads. Throws `fenced` where a newer leader has been obeyed. */
  readonly obey: (leaderEpoch: bigint) => void;
  /** A controller has taken a heartbeat, and written down what has ended. */
  readonly answered: (beat: Question<HeartbeatNodeRequest>) => void;
  readonly onConnected: (connected: boolean) => void;
  readonly onFailure: () => void;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

const AGAIN: RetryPolicy = { attempts: Number.POSITIVE_INFINITY, initialMs: 200, maxMs: 2_000 };
/** Heartbeats are this often until a controller says how often. */
const BEAT_MS = 2_000;
/** A leader that misses so many heartbeats in a row is looked for anew. */
const MISSES = 2;

/** See the file's comment. */
export class Registration {
  readonly #options: RegistrationOptions;
  #endpoints: readonly string[];
  #controller = "";
  #wake = new AbortController();
  /** What went wrong last, so that it is said once. */
  #said = "";

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#endpoints = options.endpoints;
  }

  /** "host:port" of the controller that answers; empty: none does. */
  get controller(): string {
    return this.#controller;
  }

  /** Something has changed: the next heartbeat goes out at once. */
  nudge(): void {
    this.#wake.abort();
  }

  /** Runs until `signal` is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let turn = 0, failures = 0; !signal.aborted; turn++) {
      const endpoint = this.#endpoints[turn % this.#endpoints.length] ?? "";
      const client = new RegistryClient(endpoint, this.#options.client);
      const registered = await this.#serve(client, signal);
      client.close();
      this.#connected("");
      failures = registered ? 0 : failures + 1;
      // All controllers are tried before anybody waits.
      const pause = registered ? 0 : backoffDelayMs(Math.ceil(failures / this.#endpoints.length), AGAIN, random);
      if (!signal.aborted) await clock.sleep(pause, signal);
      if (registered) turn--;
    }
  }

  /** Whether the controller took this node. */
  async #serve(client: RegistryClient, signal: AbortSignal): Promise<boolean> {
    const { register, clock, logger } = this.#options;
    let registered = false;
    try {
      const welcome = await client.register(register());
      this.#options.obey(welcome.leaderEpoch);
      registered = true;
      this.#learn(welcome.endpoints);
      this.#connected(client.endpoint);
      this.#said = "";
      logger.info("registered with the controller", { controller: client.endpoint });
      const intervalMs = welcome.heartbeatIntervalMs > 0 ? welcome.heartbeatIntervalMs : BEAT_MS;
      for (let misses = 0; !signal.aborted; ) {
        this.#wake = new AbortController();
        misses = (await this.#beat(client, misses)) ? 0 : misses + 1;
        await clock.sleep(intervalMs, AbortSignal.any([this.#wake.signal, signal]));
      }
    } catch (thrown) {
      const error = toAppError(thrown);
      const text = `${client.endpoint} ${error.code} ${error.message}`;
      if (text !== this.#said) logger.warn("no controller takes this node", { controller: client.endpoint, error });
      this.#said = text;
    }
    return registered;
  }

  /** False: no answer; the last of too many is thrown, and so is a controller that does not know the node. */
  async #beat(client: RegistryClient, misses: number): Promise<boolean> {
    const beat = this.#options.beat();
    try {
      const { leaderEpoch } = await client.heartbeat(beat);
      this.#options.obey(leaderEpoch);
      this.#options.answered(beat);
      return true;
    } catch (thrown) {
      this.#options.onFailure();
      if (misses + 1 >= MISSES || toAppError(thrown).retry === "never") throw thrown;
      return false;
    }
  }

  #connected(endpoint: string): void {
    if (this.#controller === endpoint) return;
    this.#controller = endpoint;
    this.#options.onConnected(endpoint !== "");
  }

  #learn(endpoints: readonly string[]): void {
    this.#endpoints = [...new Set([...this.#endpoints, ...endpoints])];
  }
}
