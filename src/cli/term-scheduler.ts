/**
 * A scheduler that is made anew for every term of leading: what it knows is read when it is made, and while this controller stands by another
 * one changes it.
 */
import { must } from "../core/assert.ts";
import type { Scheduler, SchedulerEvent } from "../scheduler/scheduler.ts";

/** A scheduler for one term. */
export interface TermParts<S extends Scheduler> {
  readonly scheduler: S;
  /** Lets go of what it was made with. */
  readonly close: () => void;
}

/** See the file's comment. A term begins with `observe` and ends when that is ended. */
export class TermScheduler<S extends Scheduler = Scheduler> implements Scheduler {
  readonly name: string;
  readonly #make: () => TermParts<S>;
  #current: S | undefined;

  constructor(name: string, make: () => TermParts<S>) {
    this.name = name;
    this.#make = make;
  }

  /** That of the present term; undefined: there is none. */
  get current(): S | undefined {
    return this.#current;
  }

  observe(listener: (event: SchedulerEvent) => void): () => void {
    const { scheduler, close } = this.#make();
    this.#current = scheduler;
    const end = scheduler.observe(listener);
    return () => {
      if (this.#current === scheduler) this.#current = undefined;
      end();
      close();
      void scheduler.shutdown();
    };
  }

  startWorkers(...words: Parameters<Scheduler["startWorkers"]>) {
    return this.#term().startWorkers(...words);
  }

  stopWorkers(...words: Parameters<Scheduler["stopWorkers"]>) {
    return this.#term().stopWorkers(...words);
  }

  listWorkers(...words: Parameters<Scheduler["listWorkers"]>) {
    return this.#term().listWorkers(...words);
  }

  plan(...words: Parameters<Scheduler["plan"]>) {
    return this.#term().plan(...words);
  }

  logs(...words: Parameters<Scheduler["logs"]>) {
    return this.#term().logs(...words);
  }

  view() {
    return this.#term().view();
  }

  async shutdown(): Promise<void> {
    await this.#current?.shutdown();
  }

  #term(): S {
    return must(this.#current, "a term of leading");
  }
}
