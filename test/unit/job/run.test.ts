/** The run machine's ways: workers register and are placed, epochs are recorded and published, a new leader goes on, a run ends. */
import { expect } from "chai";
import type { JobId, WorkerId } from "../../../src/core/ids.ts";
import { runIdOf } from "../../../src/job/job.ts";
import { adoptRun, type Run, runWakeAtMs, startRun, stepRun } from "../../../src/job/run.ts";
import type { Adoption, Resumption, RunConfig, RunEffect, RunEvent, WorkerMessage } from "../../../src/job/run-event.ts";
import { mayPublish } from "../../../src/job/run-state.ts";
import { failure } from "./job-driver.ts";

const [A, B, C] = ["wk_a", "wk_b", "wk_c"] as WorkerId[] as [WorkerId, WorkerId, WorkerId];
const PLACEMENT = [
  { worker: A, first: 0, count: 1 },
  { worker: B, first: 1, count: 1 },
];
const LIMITS = {
  heartbeatMs: 30_000,
  unreachableMs: 4000,
  renewMs: 5000,
  checkpointMs: 600_000,
  closeMs: 10_000,
  backoffMs: 500,
  maxBackoffMs: 4000,
};
const CONFIG: RunConfig = {
  run: { id: runIdOf("job_test" as JobId, 3), fence: 3 },
  vertices: 2,
  parallelism: 2,
  restoredEpoch: 0,
  checkpointIntervalMs: 10_000,
  byRows: false,
  limits: LIMITS,
  place: (parallelism, offered) =>
    offered.length < parallelism ? undefined : offered.slice(0, parallelism).map(({ worker }, first) => ({ worker, first, count: 1 })),
};
const RESUMED: Resumption = {
  startedEpoch: 0,
  completeEpoch: 0,
  committedEpoch: 0,
  readySubtasks: [],
  endedSubtasks: [],
  running: false,
  paused: false,
};

/** An effect in a few words. */
function words(effect: RunEffect): string {
  switch (effect.kind) {
    case "report":
      return `report ${effect.report.kind}`;
    case "trigger":
      return `trigger ${effect.epoch}${effect.stop ? " stop" : ""} ${effect.worker}`;
    case "commit":
      return `commit ${effect.epoch} ${effect.worker}`;
    case "close":
      return `close ${effect.mode} ${effect.worker}`;
    case "complete":
      return `complete ${effect.epoch} ${effect.purpose}`;
    case "retain":
    case "epoch-begun":
      return `${effect.kind} ${effect.epoch}`;
    case "record":
      return `record ${effect.entry.kind}`;
    default:
      return `${effect.kind} ${effect.worker}`;
  }
}

class RunDriver {
  run: Run;
  nowMs = 5000;
  effects: readonly RunEffect[] = [];

  constructor(adoption?: Adoption, config: Partial<RunConfig> = {}) {
    const whole = { ...CONFIG, ...config };
    this.run = (adoption === undefined ? startRun(whole, this.nowMs) : adoptRun(whole, adoption, this.nowMs)).run;
  }

  feed(event: RunEvent): readonly string[] {
    const { run, effects } = stepRun(this.run, event, this.nowMs);
    this.run = run;
    this.effects = effects;
    return effects.map(words);
  }

  say(worker: WorkerId, message: WorkerMessage): readonly string[] {
    return this.feed({ kind: "worker", worker, message });
  }

  register(worker: WorkerId, resumption?: Partial<Resumption>): readonly string[] {
    const resumed = resumption === undefined ? undefined : { ...RESUMED, ...resumption };
    return this.say(worker, { kind: "register", slots: 1, data: { host: "h", port: 1 }, resumption: resumed });
  }

  tickAfter(ms: number): readonly string[] {
    this.nowMs += ms;
    return this.feed({ kind: "tick" });
  }

  /** Time passes in which `living` workers are heard of and the machine is woken as it wants. */
  pass(ms: number, living: readonly WorkerId[]): readonly string[] {
    const told: string[] = [];
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs = Math.min(endMs, this.nowMs + LIMITS.renewMs);
      for (const worker of living) this.say(worker, { kind: "heartbeat" });
      told.push(...this.feed({ kind: "tick" }));
    }
    return told.filter((word) => !word.startsWith("renew"));
  }

  beat(): void {
    for (const worker of [A, B]) this.say(worker, { kind: "heartbeat" });
  }

  toRunning(): this {
    this.register(A);
    this.register(B);
    this.feed({ kind: "command", command: { kind: "placement-stored" } });
    this.say(A, { kind: "slot-ready", subtask: 0 });
    this.say(B, { kind: "slot-ready", subtask: 1 });
    return this;
  }

  report(epoch: number): readonly string[] {
    return [A, B].flatMap((worker, subtask) =>
      [0, 1].flatMap((vertex) => this.say(worker, { kind: "vertex-reported", epoch, vertex, subtask })),
    );
  }

  commit(epoch: number): readonly string[] {
    return [A, B].flatMap((worker, subtask) => this.say(worker, { kind: "committed", epoch, subtask }));
  }
}

describe("run machine: workers", () => {
  it("places subtasks once there are slots, tells the job, and assigns when that is stored", () => {
    const driver = new RunDriver();
    expect(driver.register(A)).to.deep.equal([]);
    expect(driver.register(B)).to.deep.equal(["report placed"]);
    expect(driver.register(C)).to.deep.equal(["close immediate wk_c"]);
    expect(driver.feed({ kind: "command", command: { kind: "placement-stored" } })).to.deep.equal(["assign wk_a", "assign wk_b"]);
    expect(driver.effects[1]).to.deep.include({ number: 1, placement: PLACEMENT });
    expect(driver.say(A, { kind: "slot-ready", subtask: 0 })).to.deep.equal([]);
    expect(driver.say(A, { kind: "slot-ready", subtask: 0 })).to.deep.equal([]);
    expect(driver.say(B, { kind: "slot-ready", subtask: 0 })).to.deep.equal([]);
    expect(driver.say(B, { kind: "slot-ready", subtask: 1 })).to.deep.equal(["run wk_a", "run wk_b", "report running"]);
  });

  it("renews leases and loses the run with a worker that is silent", () => {
    const driver = new RunDriver().toRunning();
    expect(driver.tickAfter(LIMITS.renewMs)).to.deep.equal(["renew wk_a", "renew wk_b"]);
    expect(driver.pass(25_000 - LIMITS.renewMs, [A])).to.include("trigger 1 wk_a");
    expect(driver.pass(LIMITS.renewMs, [A])).to.deep.equal(["close force wk_a", "report lost"]);
    expect(runWakeAtMs(driver.run)).to.equal(undefined);
    expect(driver.register(A)).to.deep.equal([]);
  });

  it("loses a silent worker sooner whose machine the scheduler does not reach either, and not one that is heard", () => {
    const lost = (worker: WorkerId): RunEvent => ({ kind: "worker-unreachable", worker, unreachable: true });
    const heard = new RunDriver().toRunning();
    heard.feed(lost(B));
    expect(heard.pass(LIMITS.heartbeatMs, [A, B])).to.not.include("report lost");
    expect(heard.tickAfter(LIMITS.unreachableMs)).to.include("report lost");
    const back = new RunDriver().toRunning();
    back.feed(lost(B));
    back.feed({ kind: "worker-unreachable", worker: B, unreachable: false });
    expect(back.tickAfter(LIMITS.unreachableMs)).to.not.include("report lost");
    const cut = new RunDriver().toRunning();
    cut.feed(lost(B));
    cut.feed({ kind: "disconnected", worker: B });
    expect(cut.tickAfter(LIMITS.unreachableMs / 2)).to.include("report lost");
  });

  it("knows whether a worker may still publish something", () => {
    const driver = new RunDriver().toRunning();
    const may = () => [A, B, C].map((worker) => mayPublish(driver.run, worker, driver.nowMs));
    driver.feed({ kind: "command", command: { kind: "checkpoint" } });
    driver.report(1);
    expect(may()).to.deep.equal([false, false, true]);
    driver.feed({ kind: "recorded", epoch: 1 });
    expect(may()).to.deep.equal([true, true, true]);
    expect(mayPublish(driver.run, B, driver.nowMs + 5_000)).to.equal(false);
    driver.say(A, { kind: "committed", epoch: 1, subtask: 0 });
    expect(may()).to.deep.equal([false, true, true]);
  });

  it("does not hold a time against workers in which it did not run itself", () => {
    const driver = new RunDriver().toRunning();
    driver.feed({ kind: "command", command: { kind: "checkpoint" } });
    expect(driver.tickAfter(8 * 3_600_000)).to.deep.equal(["renew wk_a", "renew wk_b"]);
    expect(driver.pass(2 * LIMITS.heartbeatMs, [])).to.include("report lost");
  });

  it("sends again what a worker missed while its stream was broken", () => {
    const driver = new RunDriver().toRunning();
    driver.feed({ kind: "disconnected", worker: B });
    expect(driver.tickAfter(10_000)).to.include.members(["trigger 1 wk_a"]);
    expect(driver.register(B, { readySubtasks: [1], running: true })).to.deep.equal(["trigger 1 wk_b", "assign wk_b"]);
    driver.report(1);
    driver.feed({ kind: "disconnected", worker: B });
    expect(driver.feed({ kind: "recorded", epoch: 1 })).to.deep.equal(["report epoch-complete", "commit 1 wk_a"]);
    expect(driver.register(B, { readySubtasks: [1], running: true, startedEpoch: 1 })).to.include("commit 1 wk_b");
    driver.commit(1);
    expect(driver.register(B, { readySubtasks: [1], running: true, startedEpoch: 1, completeEpoch: 1, committedEpoch: 1 })).to.deep.equal([
      "assign wk_b",
    ]);
  });

  it("loses the run with a worker that has started afresh", () => {
    expect(new RunDriver().toRunning().register(B)).to.include("report lost");
  });

  it("loses the run with a worker that ended before or after it registered, but not with one that is not needed", () => {
    const exited = (worker: WorkerId | undefined): RunEvent => ({ kind: "worker-exited", worker, reason: "exit 1", outOfMemory: false });
    expect(new RunDriver().feed(exited(undefined))).to.deep.equal(["report lost"]);
    expect(new RunDriver().toRunning().feed(exited(A))).to.include("report lost");
    const spare = new RunDriver().toRunning();
    spare.register(C);
    expect(spare.feed(exited(C))).to.deep.equal([]);
    expect(spare.feed(exited(undefined))).to.deep.equal([]);
  });

  it("does not wait for a worker whose machine went before it registered, unless it is back in time or has registered", () => {
    const unreachable = (worker: WorkerId, lost: boolean): RunEvent => ({ kind: "worker-unreachable", worker, unreachable: lost });
    const gone = new RunDriver();
    gone.register(A);
    gone.feed(unreachable(B, true));
    expect(runWakeAtMs(gone.run)).to.equal(gone.nowMs + LIMITS.unreachableMs);
    expect(gone.tickAfter(LIMITS.unreachableMs - 1)).to.not.include("report lost");
    gone.feed(unreachable(B, true));
    expect(gone.tickAfter(1)).to.deep.equal(["close force wk_a", "report lost"]);
    expect(mayPublish(gone.run, B, gone.nowMs), "nobody was told anything").to.equal(false);
    const back = new RunDriver();
    back.feed(unreachable(B, true));
    back.feed(unreachable(B, false));
    expect(back.tickAfter(LIMITS.unreachableMs)).to.deep.equal([]);
    const late = new RunDriver();
    late.feed(unreachable(B, true));
    late.register(A);
    late.register(B);
    expect(late.tickAfter(LIMITS.unreachableMs)).to.not.include("report lost");
  });

  it("says once that a worker has to leave", () => {
    const driver = new RunDriver().toRunning();
    expect(driver.say(A, { kind: "leave", reason: "drain", deadlineMs: 5 })).to.deep.equal(["report leaving"]);
    expect(driver.say(A, { kind: "leave", reason: "drain", deadlineMs: 5 })).to.deep.equal([]);
  });
});

describe("run machine: epochs", () => {
  it("takes a checkpoint every interval, one after the other", () => {
    const driver = new RunDriver().toRunning();
    expect(driver.tickAfter(10_000)).to.include.members(["epoch-begun 1", "trigger 1 wk_a", "trigger 1 wk_b"]);
    driver.beat();
    expect(driver.tickAfter(10_000)).to.not.include("epoch-begun 2");
    expect(driver.report(1)).to.deep.equal(["complete 1 scheduled"]);
    expect(driver.feed({ kind: "recorded", epoch: 1 })).to.deep.equal(["report epoch-complete", "commit 1 wk_a", "commit 1 wk_b"]);
    expect(driver.feed({ kind: "recorded", epoch: 1 })).to.deep.equal([]);
    expect(driver.commit(1)).to.deep.equal(["retain 1"]);
    expect(driver.tickAfter(0)).to.include("epoch-begun 2");
  });

  it("records an epoch again with growing waits while the object store is away, and does not lose it", () => {
    const driver = new RunDriver().toRunning();
    driver.tickAfter(10_000);
    driver.report(1);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 6; attempt++) {
      const told = driver.feed({ kind: "record-failed", epoch: 1, error: failure() });
      expect(told).to.deep.equal(attempt === 0 ? ["record checkpoint-delayed"] : []);
      const beganMs = driver.nowMs;
      do {
        driver.beat();
        driver.nowMs = runWakeAtMs(driver.run) ?? 0;
      } while (!driver.feed({ kind: "tick" }).includes("complete 1 scheduled"));
      waits.push(driver.nowMs - beganMs);
    }
    expect(waits).to.deep.equal([500, 1000, 2000, 4000, 4000, 4000]);
    expect(driver.feed({ kind: "recorded", epoch: 1 })).to.include("commit 1 wk_a");
  });

  it("fails when an epoch can never be recorded, or is not complete in time, and says who is missing", () => {
    const never = new RunDriver().toRunning();
    never.tickAfter(10_000);
    never.report(1);
    const fenced = { ...failure("internal"), code: "fenced" } as const;
    expect(never.feed({ kind: "record-failed", epoch: 1, error: fenced })).to.include("report failed");
    const late = new RunDriver().toRunning();
    late.tickAfter(10_000);
    late.say(A, { kind: "vertex-reported", epoch: 1, vertex: 0, subtask: 0 });
    expect(late.pass(LIMITS.checkpointMs - LIMITS.renewMs, [A, B])).to.deep.equal([]);
    expect(late.pass(LIMITS.renewMs, [A, B])).to.include("report failed");
    expect(JSON.stringify(late.effects)).to.contain("epoch 1 was not complete after 600 s: vertex 0 has not reported it in subtask 1");
  });

  it("takes a checkpoint now, or more often, when it is told to", () => {
    const driver = new RunDriver().toRunning();
    expect(driver.feed({ kind: "command", command: { kind: "checkpoint" } })).to.include("trigger 1 wk_a");
    driver.feed({ kind: "command", command: { kind: "set-interval", checkpointIntervalMs: 2000 } });
    driver.report(1);
    driver.feed({ kind: "recorded", epoch: 1 });
    driver.commit(1);
    expect(driver.tickAfter(2000)).to.include("epoch-begun 2");
  });
});

describe("run machine: ends", () => {
  const stop = (mode: "checkpoint" | "graceful" | "immediate" | "force"): RunEvent => ({
    kind: "command",
    command: { kind: "stop", mode },
  });

  it("makes a last checkpoint, waits for the job, closes", () => {
    const driver = new RunDriver().toRunning();
    expect(driver.feed(stop("checkpoint"))).to.deep.equal(["epoch-begun 1", "trigger 1 stop wk_a", "trigger 1 stop wk_b"]);
    expect(driver.feed(stop("graceful"))).to.deep.equal([]);
    expect(driver.report(1)).to.deep.equal(["complete 1 stopping"]);
    driver.feed({ kind: "recorded", epoch: 1 });
    expect(driver.commit(1)).to.deep.equal(["retain 1", "report drained"]);
    expect(driver.feed({ kind: "command", command: { kind: "close" } })).to.deep.equal(["close checkpoint wk_a", "close checkpoint wk_b"]);
    expect(driver.say(A, { kind: "slot-closed", subtask: 0 })).to.deep.equal([]);
    expect(driver.say(B, { kind: "slot-closed", subtask: 1 })).to.deep.equal(["report closed"]);
  });

  it("takes workers that end, fail or fall silent after the last epoch for closed", () => {
    const driver = new RunDriver().toRunning();
    driver.feed(stop("checkpoint"));
    driver.report(1);
    driver.feed({ kind: "recorded", epoch: 1 });
    driver.commit(1);
    expect(driver.say(A, { kind: "failed", error: failure() })).to.deep.equal([]);
    driver.feed({ kind: "command", command: { kind: "close" } });
    expect(driver.tickAfter(LIMITS.closeMs)).to.include("report closed");
  });

  it("ends with its sources, behind a final checkpoint", () => {
    const driver = new RunDriver().toRunning();
    driver.say(A, { kind: "slot-ended", subtask: 0 });
    expect(driver.say(B, { kind: "slot-ended", subtask: 1 })).to.include.members(["report ending", "trigger 1 stop wk_a"]);
    expect(driver.report(1)).to.deep.equal(["complete 1 final"]);
    driver.feed({ kind: "recorded", epoch: 1 });
    driver.commit(1);
    expect(driver.effects.at(-1)).to.deep.equal({ kind: "report", report: { kind: "drained", finished: true } });
  });

  it("closes at once without another epoch when it is stopped immediately, and publishes nothing more", () => {
    const driver = new RunDriver().toRunning();
    driver.feed(stop("checkpoint"));
    driver.report(1);
    expect(driver.feed(stop("immediate"))).to.deep.equal(["close immediate wk_a", "close immediate wk_b"]);
    expect(driver.feed({ kind: "recorded", epoch: 1 })).to.deep.equal([]);
    driver.say(A, { kind: "finished" });
    expect(driver.say(B, { kind: "finished" })).to.deep.equal(["report closed"]);
  });

  it("is over at once by force, and before anything is placed", () => {
    expect(new RunDriver().toRunning().feed(stop("force"))).to.deep.equal(["close force wk_a", "close force wk_b", "report closed"]);
    const early = new RunDriver();
    early.register(A);
    expect(early.feed(stop("immediate"))).to.deep.equal(["close force wk_a", "report closed"]);
  });

  it("fails with the first failure of a slot", () => {
    const driver = new RunDriver().toRunning();
    expect(driver.say(B, { kind: "failed", error: failure("user") })).to.deep.equal([
      "close force wk_a",
      "close force wk_b",
      "report failed",
    ]);
    expect(driver.say(A, { kind: "failed", error: failure() })).to.deep.equal([]);
  });
});

describe("run machine: another leader", () => {
  const running = { running: true, startedEpoch: 4, completeEpoch: 4, committedEpoch: 4 };
  const a = { ...running, readySubtasks: [0] };
  const b = { ...running, readySubtasks: [1] };

  it("goes on with workers that register again and repeats what changes nothing", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [3, 4] });
    expect(driver.register(A, a)).to.deep.equal([]);
    expect(driver.register(B, b)).to.deep.equal([
      "retain 3",
      "retain 4",
      "run wk_a",
      "run wk_b",
      "report running",
      "assign wk_a",
      "assign wk_b",
    ]);
    expect(driver.tickAfter(10_000)).to.include("epoch-begun 5");
  });

  it("publishes what its predecessor had recorded and nobody was told", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [4, 5] });
    driver.register(A, { ...a, startedEpoch: 5 });
    expect(driver.register(B, { ...b, startedEpoch: 5 })).to.include("commit 5 wk_b");
    expect(driver.register(A, { ...a, startedEpoch: 5 })).to.include("commit 5 wk_a");
  });

  it("tells those that registered before the last one what they missed as well", () => {
    const placement = [...PLACEMENT, { worker: C, first: 2, count: 1 }];
    const driver = new RunDriver({ placement, recorded: [4, 5] }, { parallelism: 3 });
    driver.register(A, { ...a, startedEpoch: 6 });
    expect(driver.register(B, { ...b, startedEpoch: 5 })).to.include.members(["trigger 6 wk_b", "commit 5 wk_b"]);
  });

  it("finishes an epoch that was under way from repeated reports, and tells who missed its begin", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [4] });
    expect(driver.register(A, { ...a, startedEpoch: 5 })).to.include("trigger 5 wk_a");
    expect(driver.register(B, b)).to.include("trigger 5 wk_b");
    expect(driver.report(5)).to.deep.equal(["complete 5 scheduled"]);
  });

  it("believes a worker that was told that an epoch counts", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [4] });
    driver.register(A, { ...a, startedEpoch: 5, completeEpoch: 5, committedEpoch: 5 });
    expect(driver.run.coordinator.complete).to.equal(5);
    expect(driver.register(B, { ...b, startedEpoch: 5 })).to.include("commit 5 wk_b");
  });

  it("stops behind a later epoch, whatever its predecessor had told the sources", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [4] });
    driver.feed({ kind: "command", command: { kind: "stop", mode: "checkpoint" } });
    driver.register(A, { ...a, startedEpoch: 5 });
    expect(driver.register(B, { ...b, startedEpoch: 5 })).to.include.members([
      "epoch-begun 6",
      "trigger 6 stop wk_a",
      "trigger 6 stop wk_b",
    ]);
  });

  it("makes the final checkpoint when all sources had ended", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [4] });
    driver.register(A, { ...a, endedSubtasks: [0] });
    expect(driver.register(B, { ...b, endedSubtasks: [1] })).to.include.members(["report ending", "trigger 5 stop wk_a"]);
  });

  it("goes on where workers had not got ready yet", () => {
    const driver = new RunDriver({ placement: PLACEMENT, recorded: [] });
    driver.register(A, { readySubtasks: [0] });
    expect(driver.register(B)).to.deep.equal(["assign wk_a", "assign wk_b"]);
    expect(driver.say(B, { kind: "slot-ready", subtask: 1 })).to.deep.equal(["run wk_a", "run wk_b", "report running"]);
  });

  it("loses the run if a worker does not come back, or has forgotten it", () => {
    const absent = new RunDriver({ placement: PLACEMENT, recorded: [4] });
    absent.register(A, a);
    expect(absent.pass(LIMITS.heartbeatMs, [A])).to.include("report lost");
    const forgetful = new RunDriver({ placement: PLACEMENT, recorded: [4] }, { restoredEpoch: 4 });
    expect(forgetful.register(A)).to.include("report lost");
    const mixed = new RunDriver({ placement: PLACEMENT, recorded: [] });
    mixed.register(A);
    expect(mixed.register(B, { ...b, startedEpoch: 0, completeEpoch: 0, committedEpoch: 0 })).to.include("report lost");
    const closed = new RunDriver({ placement: PLACEMENT, recorded: [4] });
    expect(closed.register(A, { ...a, closedSubtasks: [0] })).to.include("report lost");
  });
});
