/**
 * Virtual time for a simulation: a queue of things that happen, one source of randomness, and actors that can stall and die. From one seed the
 * same things happen in the same order on every machine.
 */
import { assert } from "../../src/core/assert.ts";
import { type ErrorRecord, internalError } from "../../src/core/errors.ts";
import { Prng } from "../../src/core/prng.ts";

/** A simulation that needs more turns in a circle. */
const MAX_STEPS = 300_000;

interface Happening {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
}

/** See the file's comment. */
export class World {
  nowMs = 0;
  /** Things that have happened. */
  steps = 0;
  readonly prng: Prng;
  /** Faults happen until the world is healed. */
  faulty = true;
  readonly #queue: Happening[] = [];
  readonly #trace: ((line: string) => void) | undefined;
  #order = 0;

  /** `trace` is told what happens, one line each. */
  constructor(seed: number, trace?: (line: string) => void) {
    this.prng = new Prng(seed);
    this.#trace = trace;
  }

  /** `happen` is called in `delayMs`; things of the same time in the order in which they were planned. */
  after(delayMs: number, happen: () => void): void {
    const queue = this.#queue;
    const entry = { atMs: this.nowMs + delayMs, order: this.#order++, happen };
    let at = queue.length;
    queue.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = queue[parent] as Happening;
      if (!isBefore(entry, other)) break;
      queue[at] = other;
      at = parent;
    }
    queue[at] = entry;
  }

  /** Lets things happen until `done` or `untilMs`; false: time was over first. */
  run(untilMs: number, done: () => boolean): boolean {
    while (!done()) {
      const next = this.#queue[0];
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = untilMs;
        return done();
      }
      this.#pop();
      this.nowMs = next.atMs;
      this.steps++;
      if (this.steps > MAX_STEPS) throw violation(this, `${MAX_STEPS} things have happened`);
      next.happen();
    }
    return true;
  }

  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop();
    if (last === undefined || queue.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= queue.length) break;
      if (child + 1 < queue.length && isBefore(queue[child + 1] as Happening, queue[child] as Happening)) child++;
      if (!isBefore(queue[child] as Happening, last)) break;
      queue[at] = queue[child] as Happening;
      at = child;
    }
    queue[at] = last;
  }

  /** Whether a fault of `perMille` thousandths happens now. */
  fault(perMille: number): boolean {
    return this.faulty && perMille > 0 && this.prng.below(1000) < perMille;
  }

  /** Writes a line if somebody reads it; the text is made only then. */
  log(line: () => string): void {
    this.#trace?.(`${(this.nowMs / 1000).toFixed(3).padStart(9)} ${line()}`);
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Something that acts by itself: a process. */
export class Actor {
  readonly world: World;
  readonly name: string;
  alive = true;
  #stalledUntilMs = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  /** Plans something that happens only if the actor is alive then; while it is stalled it waits, in order. */
  post(delayMs: number, happen: () => void): void {
    this.world.after(delayMs, () => this.#happen(happen));
  }

  #happen(happen: () => void): void {
    if (!this.alive) return;
    const waitMs = this.#stalledUntilMs - this.world.nowMs;
    if (waitMs > 0) this.world.after(waitMs, () => this.#happen(happen));
    else happen();
  }

  /** It does nothing for so long; what was meant for it comes afterwards. */
  stall(durationMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.world.nowMs + durationMs);
  }

  log(line: () => string): void {
    this.world.log(() => `${this.name}: ${line()}`);
  }
}

/** A checker saw what must not be. */
export function violation(world: World, message: string): Error {
  return internalError("invariant", `at ${(world.nowMs / 1000).toFixed(3)} s: ${message}`);
}

/** An error of an outside service. */
export function away(message: string): ErrorRecord {
  return { domain: "external", code: "io", message, retry: "backoff" };
}

/** What a call of an outside service comes to. */
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** A service behind a network: a database, an object store, a scheduler. Away for a while, slow, and its answers may be lost. */
export class Service {
  readonly world: World;
  readonly name: string;
  awayUntilMs = 0;
  readonly #lostAnswerPerMille: number;

  constructor(world: World, name: string, lostAnswerPerMille: number) {
    this.world = world;
    this.name = name;
    this.#lostAnswerPerMille = lostAnswerPerMille;
  }

  /** It does not answer for so long. */
  goAway(durationMs: number): void {
    this.awayUntilMs = Math.max(this.awayUntilMs, this.world.nowMs + durationMs);
  }

  /** Mostly quick. What takes long may arrive when its caller is long gone. */
  #latencyMs(): number {
    const { prng, faulty } = this.world;
    return faulty && prng.chance(1, 25) ? prng.below(6000) : 1 + prng.below(20);
  }

  /** Calls `operation` at the service; `done` gets the answer at the caller. An error may hide that the operation was done. */
  call<T>(caller: Actor, operation: () => T, done: (answer: Answer<T>) => void): void {
    const { world } = this;
    if (world.fault(this.#lostAnswerPerMille)) {
      // The caller gives up; what it asked for is done all the same, much later.
      caller.post(3000, () => done({ ok: false, reason: `${this.name} did not answer in time` }));
      world.after(3000 + world.prng.below(60_000), () => void operation());
      return;
    }
    world.after(this.#latencyMs(), () => {
      if (world.nowMs < this.awayUntilMs && world.faulty) {
        caller.post(200 + world.prng.below(2000), () => done({ ok: false, reason: `${this.name} is away` }));
        return;
      }
      const value = operation();
      if (world.fault(this.#lostAnswerPerMille)) caller.post(2000, () => done({ ok: false, reason: `${this.name} did not answer` }));
      else caller.post(1 + world.prng.below(20), () => done({ ok: true, value }));
    });
  }
}

/** A connection: messages of one direction keep their order; when it breaks, those under way are lost. */
export class Stream<ToServer, ToClient> {
  readonly #world: World;
  readonly client: Actor;
  readonly server: Actor;
  broken = false;
  #toServerMs = 0;
  #toClientMs = 0;
  onServer: (message: ToServer) => void = () => undefined;
  onClient: (message: ToClient) => void = () => undefined;
  onServerBroken: () => void = () => undefined;
  onClientBroken: () => void = () => undefined;

  constructor(client: Actor, server: Actor) {
    assert(client.world === server.world, "two worlds do not meet");
    this.#world = client.world;
    this.client = client;
    this.server = server;
  }

  toServer(message: ToServer): void {
    this.#toServerMs = this.#deliver(this.server, this.#toServerMs, () => this.onServer(message));
  }

  toClient(message: ToClient): void {
    this.#toClientMs = this.#deliver(this.client, this.#toClientMs, () => this.onClient(message));
  }

  #deliver(to: Actor, lastMs: number, receive: () => void): number {
    const { nowMs, prng } = this.#world;
    const atMs = Math.max(lastMs, nowMs + 1 + prng.below(30));
    // What has arrived is read even if the stream breaks before a stalled receiver gets to it.
    this.#world.after(atMs - nowMs, () => {
      if (!this.broken) to.post(0, receive);
    });
    return atMs;
  }

  /** Both sides notice, each in its time. */
  break(): void {
    if (this.broken) return;
    this.broken = true;
    this.server.post(this.#world.prng.below(500), () => this.onServerBroken());
    this.client.post(this.#world.prng.below(500), () => this.onClientBroken());
  }
}
