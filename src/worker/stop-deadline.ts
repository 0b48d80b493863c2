/**
 * The bound of a stop: once a run has been asked to stop, something has to happen within the limit (a vertex reports, a slot commits or
 * closes), or the run fails and says who was waited for. A connector call that hangs can delay a stop, never prevent it.
 *
 * Each sign of progress starts the limit anew, so a stop may take long as long as it moves.
 */
import { type AppError, externalError } from "../core/errors.ts";
import type { CoordinatorState } from "../job/coordinator.ts";
import type { Program } from "../program/program.ts";
import type { WorkerEvent } from "./protocol.ts";

/** Epochs whose commits may still be under way when a later one is recorded. */
const COMMITS_KEPT = 64;

/** See the file's comment. */
export class StopDeadline {
  readonly #program: Program;
  readonly #limitMs: number;
  readonly #expired: (error: AppError) => void;
  readonly #reported = new Map<number, Set<string>>();
  readonly #committed = new Map<number, Set<number>>();
  readonly #closed = new Set<number>();
  #state: (() => CoordinatorState) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `expired` is called at most once. */
  constructor(program: Program, limitMs: number, expired: (error: AppError) => void) {
    this.#program = program;
    this.#limitMs = limitMs;
    this.#expired = expired;
  }

  /** A stop was asked for; `state` tells how far it came. */
  start(state: () => CoordinatorState): void {
    if (this.#state !== undefined) return;
    this.#state = state;
    this.#restart();
  }

  /** Something happened in a worker. */
  note(event: WorkerEvent): void {
    switch (event.kind) {
      case "reported":
        entry(this.#reported, event.epoch).add(`${event.report.vertex} ${event.subtask}`);
        break;
      case "committed":
        entry(this.#committed, event.epoch).add(event.subtask);
        break;
      case "closed":
        this.#closed.add(event.subtask);
        break;
      case "ready":
        break;
      default:
        return;
    }
    if (this.#state !== undefined) this.#restart();
  }

  /** An epoch has been recorded: nobody asks any more who reported it. */
  recorded(epoch: number): void {
    this.#reported.delete(epoch);
    this.#committed.delete(epoch - COMMITS_KEPT);
    if (this.#state !== undefined) this.#restart();
  }

  /** The run is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#state = undefined;
  }

  #restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#expire(), this.#limitMs);
  }

  #expire(): void {
    const state = this.#state?.();
    if (state === undefined || state.phase === "done") return;
    const seconds = this.#limitMs / 1000;
    this.#expired(
      externalError("timeout", `the run did not stop: ${this.#missing(state)} for ${seconds} s`, {
        detail: "A connector or the object store does not answer.",
        hint: "The run can be resumed from its last complete checkpoint.",
        retry: "never",
      }),
    );
  }

  #missing(state: CoordinatorState): string {
    const subtasks = Array.from({ length: state.config.parallelism }, (_, subtask) => subtask);
    if (state.phase === "starting") return "not all slots were ready";
    const oldest = state.open[0];
    if (oldest === undefined) return `${slots(subtasks.filter((s) => !this.#closed.has(s)))} did not close`;
    const { epoch, phase } = oldest;
    if (phase === "completing") return `the checkpoint of epoch ${epoch} was not recorded`;
    if (phase === "committing") {
      const committed = this.#committed.get(epoch);
      return `${slots(subtasks.filter((s) => committed?.has(s) !== true))} did not commit epoch ${epoch}`;
    }
    const reported = this.#reported.get(epoch);
    const silent = this.#program.vertices.filter((v) => !subtasks.every((s) => reported?.has(`${v.id} ${s}`) === true));
    // Those behind it wait for its barrier.
    const [first] = silent;
    const at = subtasks.filter((s) => reported?.has(`${first?.id} ${s}`) !== true);
    return `"${first?.name ?? "?"}" in ${slots(at)} did not report epoch ${epoch}`;
  }
}

function entry<T>(sets: Map<number, Set<T>>, key: number): Set<T> {
  const set = sets.get(key) ?? new Set<T>();
  sets.set(key, set);
  return set;
}

function slots(subtasks: readonly number[]): string {
  return subtasks.length === 1 ? `slot ${subtasks[0]}` : `slots ${subtasks.join(", ")}`;
}
