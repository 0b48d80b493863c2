/** A simulated controller's side of a prepared run: workers register and wait, their leases are renewed, until the run is theirs or discarded. */
import type { WorkerId } from "../../src/core/ids.ts";
import type { RunReport } from "../../src/job/event.ts";
import { placeSubtasks } from "../../src/scheduler/placement.ts";
import type { ToController, ToWorker } from "./messages.ts";
import { away, type Stream } from "./world.ts";

type WorkerStream = Stream<ToController, ToWorker>;

/** A worker that waits. */
export interface Waiting {
  readonly worker: WorkerId;
  readonly stream: WorkerStream;
  readonly said: ToController;
  readonly slots: number;
}

/** See the file's comment. */
export class SimRoom {
  readonly fence: number;
  readonly #parallelism: number;
  readonly #leader: number;
  readonly #report: (report: RunReport) => void;
  readonly #waiting = new Map<WorkerId, Waiting>();
  #told = false;

  constructor(fence: number, parallelism: number, leader: number, report: (report: RunReport) => void) {
    this.fence = fence;
    this.#parallelism = parallelism;
    this.#leader = leader;
    this.#report = report;
  }

  hear(stream: WorkerStream, worker: WorkerId, said: ToController): void {
    const { message } = said;
    if (message.kind === "register") {
      this.#waiting.set(worker, { worker, stream, said, slots: message.slots });
      stream.toClient({ kind: "welcome", leader: this.#leader });
    }
    if (this.#waiting.get(worker)?.stream !== stream) return;
    stream.toClient({ kind: "renew", leader: this.#leader, epoch: 0 });
    if (this.#told || placeSubtasks(this.#parallelism, [...this.#waiting.values()]) === undefined) return;
    this.#told = true;
    this.#report({ kind: "prepared" });
  }

  broken(stream: WorkerStream, worker: WorkerId): void {
    if (this.#waiting.get(worker)?.stream === stream) this.#waiting.delete(worker);
  }

  exited(worker: WorkerId, reason: string): void {
    this.#waiting.delete(worker);
    this.#report({ kind: "lost", error: away(`${worker} has ended: ${reason}`) });
  }

  /** Those that wait, to be handed over. */
  leave(): readonly Waiting[] {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    return all;
  }
}
