/**
 * `wadi nomad watch`: one merged view of what Nomad does with a run, evaluations, placements, allocations and tasks, until the run runs, fails or
 * ends. It reads Nomad's lists, so that nothing is missed, and goes over to a newer run of the job when there is one.
 */
import { type Clock, systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { readAllocation, readEvaluation } from "../../scheduler/nomad/answers.ts";
import { NomadClient } from "../../scheduler/nomad/client.ts";
import { nomadConnection } from "../../scheduler/nomad/settings.ts";
import { EXIT, print, say } from "../output.ts";
import { type FoundRun, findRun } from "./find-run.ts";
import { findHeldRun, type HeldRun } from "./held-run.ts";
import { type RunFacts, type RunState, type StoryLine, stateOf, storyOf } from "./run-story.ts";

/** What the command line says. */
export interface WatchArguments {
  /** Pipeline, job, run or Nomad job, by id or name. */
  readonly target: string;
  readonly json: boolean;
  /** Milliseconds to wait for workers that Nomad cannot place. */
  readonly waitMs: number;
}

const POLL_MS = 500;
/** The API is asked this often, and waited for so long, milliseconds. */
const HELD_MS = 2_000;
/** Exit code: not placed. The same as `nomad job run` has for it. */
const NOT_PLACED = 2;

/** Runs the command; 0 it runs or has ended well, 1 it failed, 2 it was not placed in time. */
export async function watch(args: WatchArguments, { config }: LoadedConfig): Promise<number> {
  const client = new NomadClient(nomadConnection(config), systemClock);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const held = (): Promise<HeldRun | undefined> => findHeldRun(config, args.target);
    const watching = new Watching(client, config["nomad.cluster-id"], args, systemClock, held);
    return await watching.run(interrupted.signal);
  } finally {
    client.close();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

class Watching {
  readonly #client: NomadClient;
  readonly #clusterId: string;
  readonly #args: WatchArguments;
  readonly #clock: Clock;
  readonly #told = new Set<string>();
  #run: string | undefined;
  #silentSince: number | undefined;
  readonly #findHeld: () => Promise<HeldRun | undefined>;
  /** The run that waits at the controller, as of the last look. */
  #held: HeldRun | undefined;
  #heldAtMs = Number.NEGATIVE_INFINITY;

  constructor(client: NomadClient, clusterId: string, args: WatchArguments, clock: Clock, findHeld: () => Promise<HeldRun | undefined>) {
    this.#findHeld = findHeld;
    this.#client = client;
    this.#clusterId = clusterId;
    this.#args = args;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<number> {
    const beganMs = this.#clock.elapsedMs();
    for (;;) {
      const facts = await this.#look(signal);
      if (signal.aborted) return EXIT.interrupted;
      const state = await this.#stateOf(facts);
      if (facts !== undefined) this.#tell(facts);
      const over = this.#clock.elapsedMs() - beganMs >= this.#args.waitMs;
      const code = exitCode(state, over);
      if (code !== undefined) {
        this.#conclude(state, code);
        return code;
      }
      await this.#clock.sleep(POLL_MS, signal);
    }
  }

  /** How the run is; a newer one may wait at the controller, of which Nomad knows nothing. */
  async #stateOf(facts: RunFacts | undefined): Promise<RunState | undefined> {
    const state = facts === undefined ? undefined : stateOf(facts);
    if (state?.kind === "running" || state?.kind === "placing" || state?.kind === "starting") return state;
    if (this.#clock.elapsedMs() - this.#heldAtMs >= HELD_MS) {
      this.#held = await Promise.race([this.#findHeld(), this.#clock.sleep(HELD_MS).then(() => undefined)]);
      this.#heldAtMs = this.#clock.elapsedMs();
    }
    const held = this.#held;
    if (held === undefined || (facts !== undefined && BigInt(held.fence) <= facts.run.key.fence)) return state;
    this.#tellHeld(held);
    return { kind: "placing", missing: held.missing, reason: held.reason };
  }

  #tellHeld({ fence, reason, sinceMs }: HeldRun): void {
    const key = `held/${fence}/${reason}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const message = `run ${fence} waits at the controller until there is room: ${reason}`;
    const line: StoryLine = { key, atMs: sinceMs, about: "job", level: "warn", worker: undefined, node: undefined, message };
    print(this.#args.json ? `${JSON.stringify({ kind: "event", run: this.#run, ...plain(line) })}\n` : renderLine(line));
  }

  /** What is known now; undefined: Nomad has no such run, or does not answer for a while. */
  async #look(signal: AbortSignal): Promise<RunFacts | undefined> {
    try {
      const run = await findRun(this.#client, this.#clusterId, this.#args.target, signal);
      this.#silentSince = undefined;
      return run === undefined ? undefined : await this.#read(run, signal);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (signal.aborted) return undefined;
      this.#silentSince ??= this.#clock.elapsedMs();
      if (error.retry !== "backoff" || this.#clock.elapsedMs() - this.#silentSince >= this.#args.waitMs) throw thrown;
      return undefined;
    }
  }

  async #read(run: FoundRun, signal: AbortSignal): Promise<RunFacts> {
    const path = `/v1/job/${encodeURIComponent(run.id)}`;
    const [evaluations, allocations] = await Promise.all(
      ["evaluations", "allocations"].map((what) => this.#client.list({ path: `${path}/${what}`, signal })),
    );
    return {
      run,
      evaluations: (evaluations?.rows ?? []).map(readEvaluation),
      allocations: (allocations?.rows ?? []).map(readAllocation),
    };
  }

  #tell(facts: RunFacts): void {
    const { run } = facts;
    if (this.#run !== undefined && this.#run !== run.id && !this.#args.json) print(`-- a newer run: ${run.id}\n`);
    this.#run = run.id;
    for (const line of storyOf(facts)) {
      const key = `${run.id}/${line.key}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      print(this.#args.json ? `${JSON.stringify({ kind: "event", run: run.id, ...plain(line) })}\n` : renderLine(line));
    }
  }

  #conclude(state: RunState | undefined, exit: number): void {
    const { target, json } = this.#args;
    const kind = state?.kind ?? "absent";
    const reason = reasonOf(state, target);
    if (json) print(`${JSON.stringify({ kind: "end", run: this.#run, state: kind, reason, exit_code: exit })}\n`);
    else if (exit === 0) print(`-- ${state?.kind === "running" ? "it runs" : "it has ended"}\n`);
    else say(`${exit === NOT_PLACED ? "not placed" : "it failed"}: ${reason}`);
  }
}

function reasonOf(state: RunState | undefined, target: string): string {
  if (state === undefined) return `Nomad has no run of "${target}": it waits for capacity, or is not to run`;
  if ("reason" in state) return state.reason;
  return state.kind === "starting" ? "its workers do not start" : "";
}

/** The exit code in a state; undefined: it goes on. `over`: the time to wait has passed. */
function exitCode(state: RunState | undefined, over: boolean): number | undefined {
  switch (state?.kind) {
    case "running":
    case "ended":
      return EXIT.done;
    case "failed":
      return EXIT.failed;
    default:
      return over ? NOT_PLACED : undefined;
  }
}

const LEVELS: Readonly<Record<StoryLine["level"], string>> = { error: "!", warn: "~", info: " " };

/** `12:30:11.042  task        ! 3fae91b2 node-1  Started: …`, with a newline. Times are UTC. */
export function renderLine({ atMs, about, level, worker, node, message }: StoryLine): string {
  const time = new Date(atMs).toISOString().slice(11, 23);
  const who = worker === undefined ? "" : `${worker.slice(0, 8)}${node === undefined ? "" : ` ${node}`}  `;
  return `${time}  ${about.padEnd(10)} ${LEVELS[level]} ${who}${message}\n`;
}

function plain({ key: _key, atMs, ...rest }: StoryLine) {
  return { at: new Date(atMs).toISOString(), ...rest };
}
