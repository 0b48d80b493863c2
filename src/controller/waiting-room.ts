/**
 * Where workers of a prepared run wait: they have registered, their leases are renewed, and they are told nothing, while the job's newest run
 * still runs. It says when there are slots enough, and when a worker is gone. Then they are handed to the run's driver, or sent away.
 */
import { externalError, toErrorRecord } from "../core/errors.ts";
import type { WorkerId } from "../core/ids.ts";
import type { RunReport } from "../job/event.ts";
import { fencedOut } from "../rpc/refusal.ts";
import type { WorkerBody, WorkerSession } from "../rpc/worker-server.ts";
import { placeSubtasks } from "../scheduler/placement.ts";
import type { RunKey } from "../scheduler/scheduler.ts";
import { HEARTBEAT_INTERVAL_MS, renewalMessage, runMessage, WORKER_RENEWAL_MS, workerOf } from "./run-messages.ts";

/** What a room is made for. */
export interface WaitingRoomInit {
  readonly key: RunKey;
  readonly parallelism: number;
  /** Told to the job: `prepared` once, `lost` and `failed` as often as it happens. Must not throw. */
  readonly report: (report: RunReport) => void;
}

interface Guest {
  readonly session: WorkerSession;
  /** Messages heard, `Register` included. */
  received: bigint;
  renewedAtMs: number;
}

/** See the file's comment. */
export class WaitingRoom {
  readonly key: RunKey;
  readonly #init: WaitingRoomInit;
  readonly #guests = new Map<WorkerId, Guest>();
  /** Workers that are not here and whose machine the scheduler does not hear of, since when. */
  readonly #absent = new Map<WorkerId, number>();
  #told = false;

  constructor(init: WaitingRoomInit) {
    this.#init = init;
    this.key = init.key;
  }

  /** A worker of the run is connected. */
  attach(session: WorkerSession, nowMs: number): void {
    this.#guests.set(workerOf(session.register), { session, received: 1n, renewedAtMs: nowMs });
    const offered = [...this.#guests].map(([worker, guest]) => ({ worker, slots: guest.session.register.slots }));
    if (this.#told || placeSubtasks(this.#init.parallelism, offered) === undefined) return;
    this.#told = true;
    this.#init.report({ kind: "prepared" });
  }

  /** It says something: as long as it waits only its end is of interest. */
  message(session: WorkerSession, body: WorkerBody): void {
    const worker = workerOf(session.register);
    const guest = this.#guests.get(worker);
    if (guest?.session !== session) return;
    guest.received += 1n;
    const message = runMessage(body);
    if (message?.kind === "failed") return this.#gone(worker, { kind: "failed", error: message.error });
    if (message?.kind === "finished" || message?.kind === "leave") this.#gone(worker, lost(`worker ${worker} has left`));
  }

  /** Its stream is over: it may come back. */
  detach(session: WorkerSession): void {
    const worker = workerOf(session.register);
    if (this.#guests.get(worker)?.session === session) this.#guests.delete(worker);
  }

  /** The scheduler says that a worker of the run is gone. */
  exited(worker: WorkerId | undefined, reason: string): void {
    this.#gone(worker, lost(`worker ${worker ?? "that had not registered"} has ended: ${reason}`));
  }

  /** Whether the scheduler hears of the worker's machine. */
  reached(worker: WorkerId, reached: boolean, nowMs: number): void {
    if (reached) this.#absent.delete(worker);
    else if (!this.#absent.has(worker)) this.#absent.set(worker, nowMs);
  }

  #gone(worker: WorkerId | undefined, report: RunReport): void {
    if (worker !== undefined) this.#guests.delete(worker);
    this.#init.report(report);
  }

  /** Renews the leases that are due, and misses whose machine is gone. */
  tick(nowMs: number): void {
    for (const [worker, sinceMs] of this.#absent) {
      if (this.#guests.has(worker) || nowMs - sinceMs < 2 * HEARTBEAT_INTERVAL_MS) continue;
      this.#absent.delete(worker);
      this.#gone(worker, lost(`the scheduler does not hear of the machine of worker ${worker} any more`));
    }
    for (const guest of this.#guests.values()) {
      if (nowMs - guest.renewedAtMs < WORKER_RENEWAL_MS) continue;
      guest.renewedAtMs = nowMs;
      guest.session.send(renewalMessage(0, guest.received));
    }
  }

  /** Empties the room: those who wait are the caller's. */
  leave(): readonly WorkerSession[] {
    const sessions = [...this.#guests.values()].map(({ session }) => session);
    this.#guests.clear();
    return sessions;
  }

  /** Sends all away: their run will never be. */
  refuse(reason: string): void {
    const { answer } = fencedOut(this.key.fence, reason);
    for (const session of this.leave()) {
      session.send(answer);
      session.close();
    }
  }
}

function lost(message: string): RunReport {
  return { kind: "lost", error: toErrorRecord(externalError("connection-lost", message, { retry: "backoff" })) };
}
