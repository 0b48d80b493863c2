/**
 * What the scheduler shows, on its way to the rows that the API reads: by a leader's projection over a scheduler that shows what the test
 * says. On PGlite and on real PostgreSQL.
 */
import { expect } from "chai";
import { Registry } from "prom-client";
import type { LeaderContext } from "../../src/controller/context.ts";
import { LogTails } from "../../src/controller/log-tails.ts";
import { ControllerMetrics } from "../../src/controller/metrics.ts";
import { SchedulerProjection } from "../../src/controller/scheduler-view.ts";
import { systemClock } from "../../src/core/clock.ts";
import { externalError } from "../../src/core/errors.ts";
import type { JobId, PipelineId, RunId } from "../../src/core/ids.ts";
import { silentLogger } from "../../src/core/log.ts";
import { readLogTail, requestLogTail } from "../../src/db/log-tails.ts";
import { readLastWords } from "../../src/db/scheduler-events.ts";
import { listSchedulerRuns, readSchedulerRun, readSchedulerStatus } from "../../src/db/scheduler-reports.ts";
import { listTimeline } from "../../src/db/scheduler-timeline.ts";
import type { RunKey, RunSpec, Scheduler, SchedulerEvent, WorkerExit, WorkerView } from "../../src/scheduler/scheduler.ts";
import type { LogPiece, LogQuery, NodeView, RunView, SchedulerView } from "../../src/scheduler/view.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, postgresAbsence, startPglite, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requirement.ts";

/** A scheduler that shows what it is told to, and counts what it is asked. */
class ShownScheduler {
  nodes: NodeView[] = [];
  runs: RunView[] = [];
  workers: WorkerView[] = [];
  link: SchedulerView["link"] = "live";
  /** What workers have written, by handle; absent: the outside system has forgotten the worker. */
  readonly output = new Map<string, string>();
  reads = 0;

  async view(): Promise<SchedulerView> {
    const { link, nodes, runs, workers } = this;
    const place = { region: "global" };
    return { scheduler: "nomad", link, trouble: "", version: "2", place, syncedAtMs: Date.now(), nodes, runs, workers, services: [] };
  }

  async plan(spec: RunSpec) {
    return { text: `{"run":${spec.fence}}`, format: "json", workers: 1, missing: 0, reason: "", warnings: [] } as const;
  }

  async *logs(handle: string, query: LogQuery): AsyncIterable<LogPiece> {
    this.reads += 1;
    const text = this.output.get(handle);
    if (text === undefined) throw externalError("not-found", `worker ${handle} is forgotten`, { retry: "never" });
    const bytes = Buffer.from(text);
    const offset = query.tailBytes === 0 ? 0 : Math.max(0, bytes.length - query.tailBytes);
    yield { stream: query.stream, offset, data: bytes.subarray(offset) };
    if (query.follow) await systemClock.sleep(60_000, query.signal);
  }
}

for (const [name, absence, start] of [
  ["PGlite", () => undefined, async () => startPglite()],
  ["PostgreSQL", postgresAbsence, startPostgres],
] as const) {
  describe(`the scheduler's view on ${name}`, function () {
    this.timeout(60_000);
    requires("postgres", absence);
    let server: DatabaseServer;
    let stage: ControllerStage;
    let shown: ShownScheduler;
    let over: AbortController;
    let job: JobId;

    before(async () => {
      server = await start();
    });
    after(() => server?.stop());
    beforeEach(async () => {
      stage = await ControllerStage.open(await server.create());
      shown = new ShownScheduler();
      over = new AbortController();
      job = (await stage.create()) as JobId;
      await stage.db("jobs").update({ run_id: "run_1", run_fence: 1, state: "running" });
    });
    afterEach(async () => {
      over.abort();
      await stage?.close();
    });

    /** What a leader with `epoch` works with, as far as projections need it. */
    function leader(epoch: bigint): LeaderContext {
      const term = { epoch, valid: true, signal: over.signal, check: () => undefined };
      const scheduler = shown as unknown as Scheduler;
      const metrics = new ControllerMetrics(new Registry());
      return { db: stage.db, scheduler, clock: systemClock, logger: silentLogger, term, metrics } as unknown as LeaderContext;
    }

    const key = (fence = 1n): RunKey => ({ job, run: `run_${fence}` as RunId, fence });

    function run(fence: bigint, missing = 0): RunView {
      const waitingSinceMs = missing === 0 ? undefined : 1_000;
      const reason = missing === 0 ? "" : "memory exhausted on 2 nodes";
      return {
        ...key(fence),
        name: `w-p-${fence}`,
        workers: 2,
        missing,
        reason,
        waitingSinceMs,
        status: "running",
        submittedAtMs: 500,
        link: "l",
      };
    }

    function node(id: string, state: NodeView["state"] = "ready"): NodeView {
      const capacity = { cpu: { total: 4000, used: 1000.4 }, memory: { total: 2 ** 34, used: 2 ** 30 }, slots: undefined };
      const more = {
        name: id,
        address: "",
        pool: "p",
        zone: "z",
        drainDeadlineMs: undefined,
        release: "",
        attributes: {},
        link: undefined,
      };
      return { id, state, ...capacity, ...more };
    }

    function worker(handle: string, exit?: Partial<WorkerExit>): WorkerView {
      const ended = exit === undefined ? undefined : { code: 0, signal: undefined, outOfMemory: false, reason: "", ...exit };
      const phase = ended === undefined ? "running" : "exited";
      return { ...key(), handle, worker: undefined, phase, slots: 1, node: "a", exit: ended, note: "", link: undefined };
    }

    function told(message: string, atMs: number): SchedulerEvent {
      return { kind: "told", run: key(), handle: undefined, about: "evaluation", level: "info", message, atMs };
    }

    const every = { job: undefined, current: false, states: undefined, waiting: false, search: undefined, before: undefined, limit: 100 };

    it("writes what is there, and nothing at all while nothing changes", async () => {
      const view = new SchedulerProjection(leader(1n));
      shown.nodes = [node("a"), node("b", "draining")];
      shown.runs = [run(1n, 2)];
      await view.look();
      const [row] = await listSchedulerRuns(stage.db, every);
      expect(row).to.include({
        name: "w-p-1",
        missing: 2,
        reason: "memory exhausted on 2 nodes",
        waitingSinceUs: 1_000_000,
        current: true,
      });
      expect(await readSchedulerStatus(stage.db)).to.include({ scheduler: "nomad", link: "live", version: "2" });
      expect(await stage.db("nodes").orderBy("id").pluck("state")).to.deep.equal(["ready", "draining"]);
      const statements: string[] = [];
      stage.db.on("query", ({ sql }: { sql: string }) => statements.push(sql));
      await view.look();
      expect(statements).to.deep.equal([]);
    });

    it("takes out what is gone, also what an earlier leader has left, and keeps what is not known while the outside system is away", async () => {
      shown.nodes = [node("a"), node("b")];
      shown.runs = [run(1n)];
      await new SchedulerProjection(leader(1n)).look();
      const view = new SchedulerProjection(leader(2n));
      shown.nodes = [];
      shown.runs = [];
      shown.link = "down";
      await view.look();
      expect(await stage.db("nodes").pluck("id")).to.have.length(2);
      expect((await readSchedulerStatus(stage.db))?.link).to.equal("down");
      shown.link = "live";
      shown.nodes = [node("b")];
      await view.look();
      expect(await stage.db("nodes").pluck("id")).to.deep.equal(["b"]);
      expect((await listSchedulerRuns(stage.db, every))[0]?.goneUs).to.be.a("number");
      shown.runs = [run(1n)];
      await view.look();
      expect((await listSchedulerRuns(stage.db, every))[0]?.goneUs).to.equal(undefined);
    });

    it("lets no leader write whose successor has written", async () => {
      const old = new SchedulerProjection(leader(1n));
      shown.nodes = [node("a")];
      await new SchedulerProjection(leader(2n)).look();
      shown.nodes = [node("a", "lost"), node("c")];
      shown.link = "polling";
      await old.look();
      expect(await stage.db("nodes").where({ id: "a" }).pluck("state")).to.deep.equal(["ready"]);
      expect((await readSchedulerStatus(stage.db))?.link).to.equal("live");
    });

    it("keeps what is told once, whoever tells it again, in one timeline with our own lines", async () => {
      const view = new SchedulerProjection(leader(1n));
      for (const message of ["first", "second"]) view.observed(told(message, message === "first" ? 1_000 : 2_000));
      await view.look();
      const next = new SchedulerProjection(leader(2n));
      for (const message of ["first", "second", "third"]) next.observed(told(message, message === "first" ? 1_000 : 2_000));
      await next.look();
      await stage
        .db("job_events")
        .insert({ job_id: job, run_fence: 1, kind: "k", level: "info", message: "ours", occurred_at: new Date(1_500) });
      const all = await listTimeline(stage.db, { job, fence: 1, before: undefined, limit: 10 });
      expect(all.map(({ message }) => message)).to.deep.equal(["third", "second", "ours", "first"]);
      const pages: string[] = [];
      for (let before = all[0]; before !== undefined; ) {
        pages.push(before.message);
        const { occurredUs, source, id } = before;
        [before] = await listTimeline(stage.db, { job, fence: undefined, before: { occurredUs, source, id }, limit: 1 });
      }
      expect(pages).to.deep.equal(["third", "second", "ours", "first"]);
    });

    it("keeps what was submitted for each run, so that two can be compared", async () => {
      const view = new SchedulerProjection(leader(1n));
      for (const fence of [1n, 2n]) {
        const resources = { cpuMillis: 1000, memoryBytes: 1 << 28 };
        view.started({ ...key(fence), resources, pipeline: "pl_1" as PipelineId } as RunSpec, true);
      }
      const second = await eventually("both are kept", async () => {
        const found = await readSchedulerRun(stage.db, job, "2");
        return found?.spec === undefined || found.previous === undefined ? undefined : found;
      });
      expect(second.spec?.text).to.equal('{"run":2}');
      expect(second.previous?.text).to.equal('{"run":1}');
      expect(second.memoryBytesPerSlot).to.equal(1 << 28);
    });

    it("keeps the last lines of workers that failed, read once, and of no others", async () => {
      const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`);
      for (const handle of ["ok", "bad", "killed"]) shown.output.set(handle, `${lines.join("\n")}\n`);
      shown.workers = [
        worker("ok", {}),
        worker("bad", { code: 1 }),
        worker("killed", { code: undefined, signal: "SIGKILL" }),
        worker("lost", { code: 2 }),
      ];
      const view = new SchedulerProjection(leader(1n));
      await view.look();
      await view.look();
      expect(await readLastWords(stage.db, job, "bad")).to.equal(lines.slice(-200).join("\n"));
      expect(await readLastWords(stage.db, job, "killed")).to.be.a("string");
      for (const handle of ["ok", "lost"]) expect(await readLastWords(stage.db, job, handle)).to.equal(undefined);
      expect(shown.reads).to.equal(3);
      await new SchedulerProjection(leader(2n)).look();
      expect(shown.reads, "a new leader asks again only for what is not kept").to.equal(4);
    });

    it("reads a log once, however many follow it, and a new leader goes on behind what is there", async () => {
      await stage.db("workers").insert({ id: "wk_1", job_id: job, run_fence: 1, state: "running", slots: 1, handle: "h" });
      shown.output.set("h", "one\ntwo\nhal");
      const tail = { worker: "wk_1", stream: "stderr" } as const;
      for (let i = 0; i < 3; i++) await requestLogTail(stage.db, job, tail, 60_000);
      const texts = async () => (await readLogTail(stage.db, tail, 0, 100))?.chunks.map(({ text }) => text).join("") ?? "";
      const first = new LogTails(leader(1n));
      await first.poll();
      await first.poll();
      await eventually("whole lines are there", async () => ((await texts()) === "one\ntwo\n" ? true : undefined));
      expect(shown.reads).to.equal(1);
      first.stop();
      shown.output.set("h", "one\ntwo\nhalf\n");
      const second = new LogTails(leader(2n));
      await second.poll();
      await eventually("it goes on", async () => ((await texts()) === "one\ntwo\nhalf\n" ? true : undefined));
      second.stop();
    });

    it("says why a log cannot be followed", async () => {
      await stage.db("workers").insert({ id: "wk_1", job_id: job, run_fence: 1, state: "exited", slots: 1, handle: "h" });
      const tail = { worker: "wk_1", stream: "stderr" } as const;
      await requestLogTail(stage.db, job, tail, 60_000);
      const tails = new LogTails(leader(1n));
      await tails.poll();
      const part = await eventually("it has failed", async () => {
        const found = await readLogTail(stage.db, tail, 0, 10);
        return found?.state === "failed" ? found : undefined;
      });
      expect(part.failure).to.equal("worker h is forgotten");
    });
  });
}
