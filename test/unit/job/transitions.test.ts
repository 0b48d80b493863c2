/** The table is total, says the truth, and leads every job to rest in bounded time. */
import { expect } from "chai";
import { Prng } from "../../../src/core/prng.ts";
import type { JobEffect } from "../../../src/job/effect.ts";
import { JOB_EVENT_KINDS, type JobEvent, type RunReport } from "../../../src/job/event.ts";
import { JOB_STATES, type Job, REST_STATES, STOP_MODES } from "../../../src/job/job.ts";
import { wakeAtMs } from "../../../src/job/step.ts";
import {
  ANSWERS,
  ANSWERS_BESIDES,
  type EventName,
  eventName,
  PHASE_LIMITS,
  STATE_LIMITS,
  SUCCESSORS,
} from "../../../src/job/transitions.ts";
import { failure, JobDriver, LIMITS, PLACEMENT } from "./job-driver.ts";

const REPORTS: readonly RunReport[] = [
  { kind: "placed", placement: PLACEMENT },
  { kind: "running" },
  { kind: "epoch-complete", epoch: 3 },
  { kind: "ending" },
  { kind: "leaving", reason: "drain", deadlineMs: undefined },
  { kind: "drained", finished: false },
  { kind: "drained", finished: true },
  { kind: "closed", finished: false },
  { kind: "failed", error: failure("internal") },
  { kind: "failed", error: failure("user") },
  { kind: "lost", error: failure() },
  { kind: "prepared" },
];

/** Every event but the user's wishes, for the run with `fence`. */
function eventsOf(fence: number): readonly JobEvent[] {
  return [
    { kind: "loaded" },
    { kind: "tick" },
    { kind: "compiled", artifact: "a", vertices: 2 },
    { kind: "compile-failed", error: failure() },
    { kind: "workers-accepted", fence, workers: 1 },
    { kind: "not-enough-slots", fence, needed: 2, available: 1 },
    { kind: "placement-blocked", fence, missing: 1, reason: "no node has memory" },
    { kind: "start-failed", fence, error: failure() },
    { kind: "start-failed", fence, error: failure("internal") },
    { kind: "stop-failed", fence, error: failure() },
    { kind: "workers-gone", fence },
    { kind: "drain", fence, reason: "node drain", deadlineMs: undefined },
    { kind: "scheduler-back" },
    ...REPORTS.map((report): JobEvent => ({ kind: "run", fence, report })),
  ];
}

function wishesOf({ desired }: Job, prng: Prng): JobEvent {
  const wish = prng.pick<Partial<Job["desired"]>>([
    { stop: prng.pick(STOP_MODES) },
    { stop: "none" },
    { parallelism: prng.between(1, 4) },
    { restartNonce: desired.restartNonce + 1, restartMode: prng.pick(["safe", "force"]) },
    { launchKey: String(prng.below(2)) },
    { checkpointIntervalMs: prng.between(1, 5) },
  ]);
  return { kind: "desired-changed", desired: { ...desired, ...wish, revision: desired.revision + 1 } };
}

/** Events that start something over without a failure: only as often as somebody wants it. */
const PROLONGING: ReadonlySet<EventName> = new Set<EventName>(["drain", "run leaving", "loaded"]);

/** What would happen if all went well. */
function goesWell(driver: JobDriver): void {
  const { state, context } = driver.job;
  if (state === "created") driver.feed({ kind: "loaded" });
  else if (state === "compiling") driver.feed({ kind: "compiled", artifact: "a", vertices: 2 });
  else if (state === "scheduling") driver.toRunning();
  else if (context.ending?.phase === "killing" || context.ending?.phase === "workers") driver.gone();
}

/** Something happens. */
function happen(driver: JobDriver, prng: Prng): void {
  driver.nowMs += prng.below(20_000);
  if (prng.chance(1, 5)) driver.feed(wishesOf(driver.job, prng));
  else if (prng.chance(1, 2)) goesWell(driver);
  else if (prng.chance(1, 6)) driver.wake();
  else driver.feed(prng.pick(eventsOf(prng.pick(fencesOf(driver.job)))));
}

/** The newest run, and those besides it. */
function fencesOf({ run, context }: Job): readonly number[] {
  const { prepared, leftovers } = context;
  return [run?.fence ?? 0, ...(prepared === undefined ? [] : [prepared.run.fence]), ...leftovers.map((leftover) => leftover.run.fence)];
}

/** A job after `steps` random events. */
function wander(seed: number, steps: number): { driver: JobDriver; prng: Prng } {
  const prng = new Prng(seed);
  const driver = new JobDriver({ preview: prng.chance(1, 8), ttlMs: prng.chance(1, 8) ? 300_000 : undefined });
  for (let i = 0; i < steps; i++) happen(driver, prng);
  return { driver, prng };
}

/** The longest way to rest: every attempt uses up all its deadlines, then the last run is left in the slowest way. */
const REST_BOUND_MS =
  (LIMITS.allowedRestarts + 1) *
    (LIMITS.compileMs + LIMITS.workerStartupMs + LIMITS.taskStartupMs + LIMITS.checkpointMs + 3 * LIMITS.stopMs + LIMITS.maxBackoffMs) +
  LIMITS.checkpointMs +
  4 * LIMITS.stopMs;

/** A single event may lead through several states: the timeline has them all. */
function stepsTaken(effects: readonly JobEffect[]): readonly string[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== "record" || effect.entry.kind !== "state-changed") return [];
    const { from, to } = effect.entry.details;
    return [`${from} → ${to}`];
  });
}

describe("job transitions", () => {
  it("answer every event in every state", () => {
    const names = new Set(eventsOf(1).map(eventName)).add("desired-changed");
    expect(new Set([...names].map((name) => name.split(" ")[0]))).to.deep.equal(new Set<string>(JOB_EVENT_KINDS));
    expect(Object.keys(ANSWERS)).to.have.members(JOB_STATES);
    for (const state of JOB_STATES) expect(Object.keys(ANSWERS[state]), state).to.have.members([...names]);
  });

  it("are true: what is ignored changes nothing, what is handled does something somewhere", () => {
    const effective = new Set<string>();
    const ignored = new Set<string>();
    for (let seed = 1; seed <= 4000; seed++) {
      const { driver } = wander(seed, seed % 40);
      const { job } = driver;
      for (const event of eventsOf(driver.fence)) {
        driver.job = job;
        const effects = driver.feed(event);
        const name = `${job.state}: ${eventName(event)}`;
        const changed = driver.job !== job || effects.length > 0;
        if (changed) effective.add(name);
        if (ANSWERS[job.state][eventName(event)] === "ignored" && !ignored.has(name)) ignored.add(name);
      }
    }
    const handled = JOB_STATES.flatMap((state) =>
      Object.entries(ANSWERS[state]).flatMap(([name, answer]) => (answer === "handled" ? [`${state}: ${name}`] : [])),
    );
    // Whether time, another leader or a scheduler that was away changes something depends on what else there is.
    const sometimes = ["desired-changed", "loaded", "tick", "scheduler-back"];
    const missing = handled.filter((name) => !effective.has(name) && !sometimes.some((event) => name.endsWith(event)));
    expect(missing).to.deep.equal([]);
    expect(ignored.size).to.be.greaterThan(100);
  });

  it("are true of runs besides the newest one", () => {
    const effective = new Set<string>();
    for (let seed = 1; seed <= 4000; seed++) {
      const { driver } = wander(seed, seed % 40);
      const { job } = driver;
      const [, ...besides] = fencesOf(job);
      for (const fence of besides) {
        const kind = fence === job.context.prepared?.run.fence ? "prepared" : "leftover";
        for (const event of eventsOf(fence)) {
          if (!("fence" in event)) continue;
          driver.job = job;
          const effects = driver.feed(event);
          if (driver.job !== job || effects.length > 0) effective.add(`${kind}: ${eventName(event)}`);
        }
      }
    }
    const handled = (["prepared", "leftover"] as const).flatMap((kind) =>
      Object.entries(ANSWERS_BESIDES[kind]).flatMap(([name, answer]) => (answer === "handled" ? [`${kind}: ${name}`] : [])),
    );
    expect([...effective]).to.include.members(handled);
  });

  it("lead only where the table says, and give every transient state a deadline", () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 4000; seed++) {
      const prng = new Prng(seed);
      const driver = new JobDriver({ preview: prng.chance(1, 5) });
      for (let i = 0; i < 40; i++) {
        happen(driver, prng);
        const after = driver.job;
        for (const step of stepsTaken(driver.effects)) seen.add(step);
        const rests = REST_STATES.has(after.state);
        expect(after.stateDeadlineAtMs === undefined, `${after.state} of seed ${seed}`).to.equal(rests);
        if (rests) expect(after.context.ending, `${after.state} of seed ${seed}`).to.equal(undefined);
      }
    }
    const allowed = JOB_STATES.flatMap((from) => SUCCESSORS[from].map((to) => `${from} → ${to}`));
    expect(allowed.filter((step) => !seen.has(step))).to.deep.equal([]);
    expect(Object.keys(STATE_LIMITS).length + Object.keys(PHASE_LIMITS).length).to.equal(7);
  });

  it("bring every job to rest within the sum of its deadlines, whatever happens and whatever does not", () => {
    let longestMs = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const { driver, prng } = wander(seed, seed % 30);
      const beganMs = driver.nowMs;
      const chatty = prng.chance(1, 2);
      while (!REST_STATES.has(driver.job.state)) {
        const dueMs = wakeAtMs(driver.job, LIMITS);
        expect(dueMs, `seed ${seed}: a job that is ${driver.job.state} wakes`).to.not.equal(undefined);
        const others = eventsOf(driver.fence).filter((event) => !PROLONGING.has(eventName(event)));
        if (chatty && prng.chance(1, 2)) {
          driver.nowMs = Math.min(driver.nowMs + prng.below(10_000), Math.max(driver.nowMs, dueMs ?? 0));
          driver.feed(prng.pick(others));
        } else {
          driver.wake();
        }
        expect(driver.nowMs - beganMs, `seed ${seed} is ${driver.job.state}`).to.be.at.most(REST_BOUND_MS);
      }
      longestMs = Math.max(longestMs, driver.nowMs - beganMs);
    }
    // Somebody went a long way.
    expect(longestMs).to.be.greaterThan(LIMITS.workerStartupMs);
  });
});
