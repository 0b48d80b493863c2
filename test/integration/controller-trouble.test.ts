/**
 * What goes wrong around a controller: workers that never come, fall silent or fail, programs that do not compile, too few slots, an object
 * store that is away, strangers. Each has a state, a message for people and an end. On real PostgreSQL.
 */

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { userError } from "../../src/core/errors.ts";
import { trimCheckpoints } from "../../src/db/checkpoints.ts";
import { trimJobEvents } from "../../src/db/job-events.ts";
import { expirePipelines } from "../../src/db/jobs.ts";
import { expireOutput, insertMetricSamples, trimPreviewRows } from "../../src/db/output.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("a controller in trouble", () => {
  requires("postgres", postgresAbsence);
  let server: DatabaseServer;
  let stage: ControllerStage;

  before(async function () {
    this.timeout(60_000);
    server = await startPostgres();
  });
  after(() => server?.stop());
  afterEach(() => stage?.close());

  async function open(settings = "", slots = 100): Promise<void> {
    stage = await ControllerStage.open(await server.create(), settings, slots);
  }

  it("starts another run when no worker comes in time, and says what it waited for", async () => {
    await open('[pipeline]\nworker-startup-time = "1s"');
    stage.cluster.placing = false;
    await stage.start();
    const job = await stage.create();
    const row = await stage.reaches(job, "recovering");
    expect(row["failure_message"]).to.match(/^workers have not registered after \d s$/);
    stage.cluster.placing = true;
    const running = await stage.reaches(job, "running");
    expect(running["run_fence"]).to.equal(2n);
    expect(running["failure_message"]).to.equal(null);
  });

  it("gives a silent worker up after its heartbeat is due, and kills it", async () => {
    await open('[pipeline]\nworker-heartbeat-timeout = "1s"');
    await stage.start();
    const job = await stage.create();
    await stage.reaches(job, "running");
    const [worker] = stage.cluster.of(job);
    if (worker !== undefined) worker.mute = true;
    await eventually("another run is running", async () => {
      const row = await stage.row(job);
      return row?.["state"] === "running" && row["run_fence"] === 2n ? true : undefined;
    });
    expect(worker?.gone).to.equal(true);
  });

  it("fails a job whose program does not compile, with the compiler's words", async () => {
    await open();
    const refuse = () => Promise.reject(userError("compile-failed", 'function "f" is not known', { hint: "Define it." }));
    await stage.start({ compiler: { compile: refuse } });
    const job = await stage.create();
    const row = await stage.reaches(job, "failed");
    expect([row["failure_domain"], row["failure_code"]]).to.deep.equal(["user", "compile-failed"]);
    expect([row["failure_message"], row["failure_hint"]]).to.deep.equal(['function "f" is not known', "Define it."]);
    expect(stage.cluster.workers).to.have.length(0);
  });

  it("fails a job whose worker reports the user's error, after its workers have ended", async () => {
    await open();
    await stage.start();
    const job = await stage.create();
    await stage.reaches(job, "running");
    stage.cluster.of(job)[0]?.fail("user", "division by zero");
    const row = await stage.reaches(job, "failed");
    expect(row["failure_message"]).to.equal("division by zero");
    expect(stage.cluster.alive).to.have.length(0);
  });

  it("waits for slots, tells people, and starts once they are free", async () => {
    await open("", 2);
    await stage.start();
    const first = await stage.create({ parallelism: 2 });
    await stage.reaches(first, "running");
    const second = await stage.create();
    await eventually("it waits", async () => ((await stage.timeline(second)).includes("waiting-for-slots") ? true : undefined));
    expect((await stage.row(second))?.["state"]).to.equal("scheduling");
    await stage.wish(first, { desired_stop: "immediate" });
    await stage.reaches(first, "stopped");
    await stage.reaches(second, "running");
  });

  it("goes on with epochs when the object store was away for a while", async function () {
    this.timeout(40_000);
    const folder = temporaryFolder("store");
    const path = join(folder, "state");
    mkdirSync(path);
    await open();
    await stage.start({}, undefined, `checkpoint-url = "${path}"`);
    const job = await stage.create({ intervalMs: 200 });
    await stage.reaches(job, "running");
    await eventually("an epoch", async () => (Number((await stage.row(job))?.["epoch"]) >= 1 ? true : undefined));
    renameSync(path, `${path}-away`);
    writeFileSync(path, "not a folder");
    await eventually("it is told", async () => ((await stage.timeline(job)).includes("checkpoint-delayed") ? true : undefined));
    const before = Number((await stage.row(job))?.["epoch"]);
    rmSync(path);
    renameSync(`${path}-away`, path);
    await eventually("epochs go on", async () => (Number((await stage.row(job))?.["epoch"]) > before + 1 ? true : undefined), 20_000);
    const row = await stage.row(job);
    expect([row?.["state"], row?.["run_fence"], row?.["restarts"]]).to.deep.equal(["running", 1n, 0]);
  });

  it("lets no worker in without the token of its run, nor one of a run that is over", async () => {
    await open();
    await stage.start();
    const job = await stage.create();
    await stage.reaches(job, "running");
    const [worker] = stage.cluster.of(job);
    if (worker === undefined) return expect.fail("there is no worker");
    const stranger = stage.cluster.imitate(worker, { ...worker.spec, runToken: "guessed" });
    await eventually("the stranger is refused again and again", () => (stranger.refusals > 1 ? true : undefined));
    expect(stranger.registrations).to.equal(0);
    stranger.die();
    await stage.wish(job, { desired_stop: "immediate" });
    await stage.reaches(job, "stopped");
    const dead = stage.cluster.imitate(worker, worker.spec);
    await eventually("it is told that its run is over", () => (dead.gone ? true : undefined));
    expect(dead.heard).to.deep.equal(["fenced"]);
  });

  it("asks for rows only while somebody looks, and fetches pieces of logs", async () => {
    await open();
    await stage.start();
    const job = await stage.create();
    await stage.reaches(job, "running");
    const [worker] = stage.cluster.of(job);
    const wanted_until_at = stage.db.raw("now() + interval '2 seconds'");
    await stage.db("output_requests").insert({ job_id: job, vertex: 3, wanted_until_at });
    await eventually("rows are wanted", () => (worker?.tails.get(3) === 200 ? true : undefined));
    const kept = async () => (await stage.db("preview_rows").select("cursor")).length;
    worker?.preview(Array.from({ length: 1_500 }, () => "{}"));
    await eventually("they are kept", async () => ((await kept()) === 1_500 ? true : undefined));
    await eventually("rows are not wanted any more", () => (worker?.tails.get(3) === 0 ? true : undefined));
    worker?.preview(["{}"]);
    await eventually("the first that nobody looks at is kept", async () => ((await kept()) === 1_501 ? true : undefined));
    worker?.preview(Array.from({ length: 1_000 }, () => "{}"));
    const id = "3f1c4de2-3cf8-4a41-8f0a-6f7f7a1f8f12";
    const expires_at = stage.db.raw("now() + interval '1 minute'");
    await stage
      .db("log_requests")
      .insert({ id, job_id: job, worker_id: worker?.id ?? "", from_offset: -100, limit_bytes: 100, expires_at });
    const chunks = await eventually("the log is there", async () => {
      const rows = await stage.db("log_chunks").select<{ text: string; last: boolean }[]>("text", "last");
      return rows.length > 0 ? rows : undefined;
    });
    expect(chunks).to.deep.equal([{ text: "a line\n", last: true }]);
    expect(await kept(), "more that nobody looks at").to.equal(1_501);
    const [request] = await stage.db("log_requests").select<{ state: string }[]>("state");
    expect(request?.state).to.equal("answered");
  });

  it("does not take a clock that jumps for silence", async () => {
    await open();
    let jumpNs = 0n;
    await stage.start({ clock: { ...systemClock, nowNs: () => systemClock.nowNs() + jumpNs } });
    const job = await stage.create({ intervalMs: 200 });
    await stage.reaches(job, "running");
    for (const hours of [-24n, 48n]) {
      jumpNs += hours * 3_600_000_000_000n;
      const before = Number((await stage.row(job))?.["epoch"]);
      await eventually("epochs go on", async () => (Number((await stage.row(job))?.["epoch"]) > before + 2 ? true : undefined));
    }
    const row = await stage.row(job);
    expect([row?.["state"], row?.["run_fence"], row?.["restarts"]]).to.deep.equal(["running", 1n, 0]);
  });

  it("forgets what has had its time", async () => {
    await open();
    const { db } = stage;
    const job = await stage.create({ preview: true });
    await insertMetricSamples(db, [{ job, runFence: 1n, takenAtMs: 0, samples: {} }]);
    await db.raw(
      "insert into preview_rows (job_id, run_fence, vertex, subtask, row_number, row) select ?, 1, 0, 0, n, '{}' from generate_series(0, 9) n",
      [job],
    );
    await trimPreviewRows(db, job, 4);
    expect(await db("preview_rows").orderBy("cursor").pluck("row_number")).to.deep.equal([6n, 7n, 8n, 9n]);
    await db.raw("insert into job_events (job_id, kind, level, message) select ?, 'k' || n, 'info', '' from generate_series(0, 9) n", [
      job,
    ]);
    await trimJobEvents(db, 3);
    expect(await stage.timeline(job)).to.deep.equal(["k7", "k8", "k9"]);
    const checkpoint = { job_id: job, kind: "scheduled", program_fingerprint: "f", parallelism: 1 };
    const states = ["failed", "retired", "failed", "in-progress"];
    const at = (seconds: number) => db.raw("now() + ? * interval '1 second'", [seconds]);
    await db("checkpoints").insert(states.map((state, i) => ({ ...checkpoint, id: `chk_${i}`, epoch: i + 1, state, started_at: at(i) })));
    await trimCheckpoints(db, 2);
    expect(await db("checkpoints").orderBy("epoch").pluck("epoch")).to.deep.equal([3n, 4n]);
    await expireOutput(db, 1_000);
    expect(await db("metric_samples").select()).to.deep.equal([]);
    await expirePipelines(db, 1_000);
    expect(await db("pipelines").whereNull("deleted_at").select("id"), "a preview that has not ended stays").to.have.length(1);
    await db("jobs").update({ state: "stopped", finished_at: db.raw("now() - interval '2 hours'") });
    await expirePipelines(db, 3_600_000);
    expect(await db("pipelines").whereNull("deleted_at").select("id")).to.have.length(0);
    await stage.start();
    await eventually("the job is gone", async () => ((await stage.row(job)) === undefined ? true : undefined));
  });
});
