/**
 * The controller process: listens for workers, takes the leader lease when it is free, and leads by a `Leader` for as long as it holds it.
 * Ending it leaves workers running: the next leader adopts them. `drain` is the other way to end: everything stops with a checkpoint.
 */
import type { Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import { makeId } from "../core/ids.ts";
import type { Service } from "../core/service.ts";
import type { Register, Welcome } from "../gen/controller.ts";
import type { PeerVersion, RunFence } from "../gen/peer.ts";
import type { RpcService } from "../rpc/node-server.ts";
import { leaderMoved } from "../rpc/refusal.ts";
import { PROTOCOL_VERSION } from "../rpc/version.ts";
import { type WorkerBody, WorkerServer, type WorkerSession, type WorkerSessionHandler } from "../rpc/worker-server.ts";
import type { ControllerDeps } from "./context.ts";
import { Gate } from "./gate.ts";
import { Leader } from "./leader.ts";
import { type LeaseTiming, runLeadership } from "./leadership.ts";
import { ControllerMetrics } from "./metrics.ts";
import { Projections } from "./projections.ts";
import { ControllerSecurity } from "./security.ts";
import { Stores } from "./stores.ts";
import type { Term } from "./term.ts";

/** What a controller is made of. */
export interface ControllerOptions extends ControllerDeps {
  readonly metrics: Registry;
  /** Release of this build, for people. */
  readonly release?: string | undefined;
  /** More services on the RPC port: of a scheduler whose outside system dials us. */
  readonly services?: readonly RpcService[] | undefined;
  /** Called once the RPC service listens, with its port. */
  readonly onListening?: ((port: number) => void) | undefined;
  /** Other durations of the lease, for tests. */
  readonly leaseTiming?: Partial<LeaseTiming> | undefined;
}

/** Setting `controller-endpoint` as nobody has set it: not taken for another controller. */
const DEFAULT_ENDPOINT = "http://localhost:5116";
const DRAIN_LOOK_MS = 100;
/** Of a pool of four connections. */
const WRITES = 2;
const OPENINGS = 8;

/** See the file's comment. */
export class Controller implements Service {
  readonly name = "controller";
  /** The port of the RPC service, once it listens. */
  readonly listening: Promise<number>;
  readonly #options: ControllerOptions;
  readonly #metrics: ControllerMetrics;
  readonly #security: ControllerSecurity;
  readonly #id: string;
  readonly #nowMs: () => number;
  #endpoint = "";
  #leader: Leader | undefined;
  #leaderEpoch = 0n;
  /** Who leads, if another does. */
  #other: string | undefined;
  #draining = false;
  #announce: (port: number) => void = () => undefined;
  readonly #peers = new WeakMap<Register, PeerVersion>();

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#metrics = new ControllerMetrics(options.metrics);
    this.#security = new ControllerSecurity(options, (name, pem) => this.#metrics.certificate(name, pem));
    this.#id = makeId("node", options.random);
    this.#nowMs = steadyTime(options.clock);
    this.listening = new Promise((resolve) => {
      this.#announce = resolve;
    });
  }

  /** Whether it leads now. */
  get leads(): boolean {
    return this.#leader?.active === true;
  }

  /** What it is and does, for people. */
  get status(): { readonly leads: boolean; readonly leaderEpoch: string; readonly leader: string } {
    const leader = this.leads ? this.#endpoint : (this.#other ?? "");
    return { leads: this.leads, leaderEpoch: this.#leaderEpoch.toString(), leader };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings, clock, logger, db, release = "", services, leaseTiming } = this.#options;
    const credentials = await this.#security.serverCredentials();
    const parts = { credentials, services, clock, logger, release };
    const server = new WorkerServer(this.#handler(), { ...parts, leaderEpoch: () => this.#leaderEpoch });
    const host = settings["controller.bind-address"];
    const port = await server.listen(host, settings["controller.rpc-port"]);
    this.#endpoint = `${settings.hostname ?? host}:${port}`;
    this.#announce(port);
    this.#options.onListening?.(port);
    try {
      await runLeadership(
        {
          db,
          clock,
          logger,
          holder: () => ({ holder: this.#id, endpoint: this.#endpoint, release, protocol: PROTOCOL_VERSION }),
          lead: (term, stop) => this.#lead(term, stop),
          onFollowing: (leader) => {
            this.#other = leader;
          },
          timing: leaseTiming,
        },
        signal,
      );
    } finally {
      await server.close();
    }
  }

  /**
   * Stops every job with a checkpoint and resolves when no run has a worker; users' wishes stay, so the next leader starts them again. If
   * `signal` is aborted they are stopped at once. Does nothing where this controller does not lead.
   */
  async drain(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#draining = true;
    this.#leader?.drain("checkpoint");
    while (this.#leader !== undefined && !this.#leader.idle) {
      if (signal.aborted) this.#leader.drain("force");
      await clock.sleep(DRAIN_LOOK_MS);
    }
  }

  async #lead(term: Term, stop: AbortSignal): Promise<void> {
    const { db, logger, settings } = this.#options;
    const stores = new Stores(settings);
    const projections = new Projections({ db, term, logger, nowMs: this.#nowMs });
    const leader = new Leader({
      ...this.#options,
      term,
      metrics: this.#metrics,
      projections,
      stores,
      writes: new Gate(WRITES),
      openings: new Gate(OPENINGS),
      nowMs: this.#nowMs,
      security: this.#security,
      endpoints: this.#endpoints(),
    });
    this.#leaderEpoch = term.epoch;
    this.#leader = leader;
    if (this.#draining) leader.drain("checkpoint");
    try {
      await leader.run(stop);
    } finally {
      this.#leader = undefined;
      this.#leaderEpoch = 0n;
      await stores.close();
    }
  }

  /** This controller first, then those of the setting. */
  #endpoints(): readonly string[] {
    const configured = this.#options.settings["controller-endpoint"];
    const others = configured === DEFAULT_ENDPOINT ? [] : configured.split(",").map((url) => url.trim().replace(/^https?:\/\//, ""));
    return [this.#endpoint, ...others.filter((endpoint) => endpoint !== "" && endpoint !== this.#endpoint)];
  }

  #handler(): WorkerSessionHandler {
    return {
      admit: async (register: Register, fence: RunFence, peer: PeerVersion): Promise<Welcome> => {
        if (this.#leader === undefined) throw leaderMoved(this.#other, this.#endpoints());
        const welcome = await this.#leader.admit(register, fence);
        this.#peers.set(register, peer);
        return welcome;
      },
      opened: (session: WorkerSession): void => {
        if (this.#leader === undefined) return session.close();
        this.#leader.opened(session, this.#peers.get(session.register)?.release ?? "");
      },
      message: (session: WorkerSession, body: WorkerBody): void => this.#leader?.message(session, body),
      closed: (session: WorkerSession): void => this.#leader?.closed(session),
    };
  }
}

/** Wall time as of now that then only follows the elapsed time: deadlines do not move when somebody sets the machine's clock. */
function steadyTime(clock: Clock): () => number {
  const beganMs = Number(clock.nowNs() / 1_000_000n) - clock.elapsedMs();
  return () => Math.round(beganMs + clock.elapsedMs());
}
