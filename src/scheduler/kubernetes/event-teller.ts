/**
 * Kubernetes' events of our pods and Jobs as lines of a run's timeline. Kubernetes repeats an event by counting it up: it is told once. Events
 * from before anybody observed are not told.
 */
import type { RunKey, SchedulerEvent } from "../scheduler.ts";
import type { EventSeen } from "./objects.ts";

/** See the file's comment. */
export class EventTeller {
  readonly #runOf: (name: string) => RunKey | undefined;
  readonly #tellAll: (event: SchedulerEvent) => void;
  /** By uid, what was said. */
  readonly #said = new Map<string, string>();
  /** By a Job's name, why it cannot make pods. */
  readonly #createTroubles = new Map<string, string>();

  /** `runOf` knows the run of a pod or Job by its name. */
  constructor(runOf: (name: string) => RunKey | undefined, tellAll: (event: SchedulerEvent) => void) {
    this.#runOf = runOf;
    this.#tellAll = tellAll;
  }

  /** All events there are. `first`: nobody was to be told of them. */
  list(items: readonly EventSeen[], first: boolean): void {
    for (const event of items) {
      if (!first) this.tell(event);
      else {
        this.#said.set(event.metadata.uid, event.message);
        this.#noteTrouble(event);
      }
    }
  }

  /** Tells `event` unless it was told. */
  tell(event: EventSeen): void {
    const { kind, name } = event.involvedObject;
    if (kind !== "Pod" && kind !== "Job") return;
    if (this.#said.get(event.metadata.uid) === event.message) return;
    this.#said.set(event.metadata.uid, event.message);
    this.#noteTrouble(event);
    const run = this.#runOf(name);
    if (run === undefined) return;
    this.#tellAll({
      kind: "told",
      run,
      handle: kind === "Pod" ? name : undefined,
      about: kind.toLowerCase(),
      level: event.type === "Warning" ? "warn" : "info",
      message: `${event.reason}: ${event.message}`.replace(/\s+/g, " ").trim(),
      atMs: event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? event.metadata.creationTimestamp ?? 0,
    });
  }

  /** Kubernetes has forgotten it: after an hour it does. */
  forget(event: EventSeen): void {
    this.#said.delete(event.metadata.uid);
  }

  /** The Job is gone. */
  forgetJob(name: string): void {
    this.#createTroubles.delete(name);
  }

  /** Why the Job cannot make pods; empty: it can. */
  createTrouble(jobName: string): string {
    return this.#createTroubles.get(jobName) ?? "";
  }

  /** Forgets everything. */
  clear(): void {
    this.#said.clear();
    this.#createTroubles.clear();
  }

  #noteTrouble({ involvedObject: { kind, name }, reason, message }: EventSeen): void {
    if (kind !== "Job") return;
    if (reason === "FailedCreate") this.#createTroubles.set(name, message.replace(/^Error creating: /, ""));
    else if (reason === "SuccessfulCreate") this.#createTroubles.delete(name);
  }
}
