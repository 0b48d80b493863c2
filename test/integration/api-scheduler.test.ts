/** The API's routes of the scheduler, over rows that a controller would have written. */
import { expect } from "chai";
import { endLogTail, requestLogTail, writeTailChunk } from "../../src/db/log-tails.ts";
import { touchWorkers } from "../../src/db/workers.ts";
import { onBothDatabases } from "../support/api-databases.ts";
import type { ApiStage } from "../support/api-stage.ts";
import { markRunning, writeScheduled, writeTimeline, writeWorker } from "../support/job-rows.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t;";

/** A pipeline whose run 1 is scheduled; its job's id. */
async function scheduled(api: ApiStage): Promise<string> {
  const { job_id: job } = await api.ok("POST", "/pipelines", { name: "bids", query: IMPULSE });
  await markRunning(api.db, job);
  await writeTimeline(api.db, job);
  await writeWorker(api.db, job, "wk_1");
  await writeScheduled(api.db, job);
  return job;
}

onBothDatabases("the API of the scheduler", (stage) => {
  it("says how the scheduler is, and that nothing is known of it while no controller leads", async () => {
    const api = stage();
    expect(await api.ok("GET", "/scheduler")).to.include({ scheduler: "process", link: "unknown", trouble: "no controller leads" });
    await scheduled(api);
    expect(await api.ok("GET", "/scheduler")).to.deep.include({
      scheduler: "nomad",
      link: "live",
      version: "2.0.5",
      place: { region: "global" },
    });
    await api.db("leases").update({ expires_at: api.db.raw("now() - interval '1 second'") });
    expect((await api.ok("GET", "/scheduler")).link).to.equal("unknown");
  });

  it("shows a run with workers, one timeline, why it waits, and what was submitted; by number and by id", async () => {
    const api = stage();
    const job = await scheduled(api);
    const run = await api.ok("GET", `/scheduler/runs/${job}/1`);
    expect(run).to.include({
      name: "w-p-1",
      state: "Running",
      missing: 1,
      reason: "memory exhausted on 2 nodes",
      waiting_since: 5_000_000,
    });
    expect(run.spec).to.include({ text: '{"Count":2}', run_id: 1 });
    expect(run.previous_spec).to.equal(null);
    expect(run.worker_list[0]).to.include({
      id: "wk_1",
      node_name: "localhost",
      zone: "eu-1a",
      cpu_millis: 1000,
      last_words: "out of luck",
    });
    expect(run.worker_list[0].last_event).to.include({ about: "task", message: "Started" });
    const messages = run.timeline.map(({ source, message }: { source: string; message: string }) => `${source}: ${message}`);
    expect(messages).to.deep.equal([
      "scheduler: Started",
      "wadi: worker wk_1 was not heard for 30 s",
      "scheduler: 1 of 2 not placed",
      "wadi: the job is running",
    ]);
    expect((await api.ok("GET", `/scheduler/runs/${job}/run_test`)).run_id).to.equal(1);
    for (const path of [`${job}/2`, "job_none/1", `${job}/run_none`]) await api.refused(404, "GET", `/scheduler/runs/${path}`, {}, "run");
  });

  it("finds runs by job, state and text, and refuses states that do not exist", async () => {
    const api = stage();
    const job = await scheduled(api);
    const count = async (query: string) => (await api.ok("GET", `/scheduler/runs?${query}`)).data.length;
    for (const query of ["", "current=true", `job_id=${job}`, "state=Running,Failed", "waiting=true", "search=BID", "search=w-p"]) {
      expect(await count(query), query).to.equal(1);
    }
    for (const query of ["job_id=job_none", "state=Failed", "search=100%25"]) expect(await count(query), query).to.equal(0);
    await api.refused(400, "GET", "/scheduler/runs?state=Sleeping", {}, "Sleeping");
    await api.refused(400, "GET", "/scheduler/runs?starting_after=x", {}, "starting_after");
  });

  it("pages machines and the timeline", async () => {
    const api = stage();
    await scheduled(api);
    const first = await api.ok("GET", "/scheduler/nodes?limit=1");
    expect(first.data[0]).to.deep.include({ name: "localhost", state: "draining", cpu: { total: 8000, used: 3000 } });
    expect(first.data[0].tenants[0]).to.include({ pipeline_name: "bids", workers: 1 });
    const second = await api.ok("GET", `/scheduler/nodes?limit=1&starting_after=${first.data[0].id}`);
    expect([first.has_more, second.data[0].name, second.has_more]).to.deep.equal([true, "other", false]);
    const seen: string[] = [];
    for (let after = ""; ; ) {
      const page = await api.ok("GET", `/scheduler/timeline?limit=1${after}`);
      seen.push(page.data[0].message);
      if (!page.has_more) break;
      after = `&starting_after=${page.data[0].id}`;
    }
    expect(seen).to.have.length(4);
    await api.refused(400, "GET", "/scheduler/timeline?starting_after=jlm_1", {}, "starting_after");
  });

  it("tells of a job since when and why it waits for capacity", async () => {
    const api = stage();
    const job = await scheduled(api);
    expect((await api.ok("GET", "/jobs")).data[0].waiting).to.equal(null);
    const waiting = { for: "slots", sinceMs: 1_000, reason: "4 slots are needed, 2 are free" };
    await api
      .db("jobs")
      .where({ id: job })
      .update({ state: "scheduling", state_context: JSON.stringify({ waiting }) });
    expect((await api.ok("GET", "/jobs")).data[0].waiting).to.deep.equal({ for: "slots", since: 1_000_000, reason: waiting.reason });
  });

  it("streams a log by lines, filtered, from where a reader left off, and ends when it ends", async () => {
    const api = stage();
    const job = await scheduled(api);
    const tail = { worker: "wk_1", stream: "stderr" } as const;
    await requestLogTail(api.db, job, tail, 60_000);
    await writeTailChunk(
      api.db,
      tail,
      { offset: 0, nextOffset: 10, text: '{"level":"info","message":"a"}\n{"level":"error","message":"b"}\n' },
      10,
    );
    await writeTailChunk(api.db, tail, { offset: 10, nextOffset: 20, text: "plain\n" }, 10);
    await endLogTail(api.db, tail, undefined);
    const read = async (query: string, headers = {}) => {
      const events = await api.stream("GET", `/scheduler/workers/wk_1/logs${query}`, { headers });
      expect(events.at(-1)).to.deep.include({ event: "end", data: { done: true, message: "" } });
      return { lines: events.slice(0, -1).flatMap(({ data }) => data.lines), ids: events.slice(0, -1).map(({ id }) => id) };
    };
    const all = await read("");
    expect(all.lines).to.have.length(3);
    expect((await read("?level=warn")).lines).to.deep.equal(['{"level":"error","message":"b"}']);
    expect((await read("?contains=PLAIN")).lines).to.deep.equal(["plain"]);
    expect((await read("", { "last-event-id": all.ids[0] })).lines).to.deep.equal(["plain"]);
    await api.refused(404, "GET", "/scheduler/workers/wk_none/logs", {}, "wk_none");
  });

  it("streams the logs of all workers of a run as one, in the order of their times, and tells what they use", async () => {
    const api = stage();
    const job = await scheduled(api);
    await writeWorker(api.db, job, "wk_2");
    await touchWorkers(api.db, [{ id: "wk_1", memoryBytes: 1 << 20, cpuMillis: 640 }], 2_000);
    await touchWorkers(api.db, [{ id: "wk_1", memoryBytes: undefined, cpuMillis: undefined }], 3_000);
    const lineAt = (time: string) => `{"time":"2026-01-01T00:00:${time}Z","level":"info"}`;
    const logs = { wk_1: `${lineAt("01")}\n  behind it\n${lineAt("03")}\n`, wk_2: `${lineAt("02")}\n` };
    for (const [worker, text] of Object.entries(logs)) {
      const tail = { worker, stream: "stderr" } as const;
      await requestLogTail(api.db, job, tail, 60_000);
      await writeTailChunk(api.db, tail, { offset: 0, nextOffset: text.length, text }, 10);
      await endLogTail(api.db, tail, undefined);
    }
    await api.db("workers").update({ ended_at: api.db.fn.now() });
    const read = async (query: string) => {
      const events = await api.stream("GET", `/scheduler/runs/${job}/1/logs${query}`, {});
      expect(events.at(-1)).to.deep.include({ event: "end" });
      return events.slice(0, -1).flatMap(({ data }) => data.lines);
    };
    const lines = await read("");
    expect(lines.map(({ worker }: { worker: string }) => worker)).to.deep.equal(["wk_1", "wk_1", "wk_2", "wk_1"]);
    expect(lines[1]).to.deep.equal({ worker: "wk_1", number: 0, text: "  behind it" });
    expect(await read("?contains=behind")).to.have.length(1);
    await api.refused(404, "GET", `/scheduler/runs/${job}/9/logs`, {}, "run");
    const [first] = (await api.ok("GET", `/scheduler/runs/${job}/1`)).worker_list;
    expect(first).to.include({ id: "wk_1", memory_bytes: 1 << 20, cpu_used_millis: 640 });
  });

  it("gives Prometheus the live workers and their labels", async () => {
    const api = stage();
    const job = await scheduled(api);
    const [target] = await api.ok("GET", "/metrics/targets");
    expect(target.targets).to.deep.equal(["127.0.0.1:2"]);
    expect(target.labels).to.include({ pipeline_name: "bids", job, run: "1", worker: "wk_1" });
    await api.db("workers").update({ ended_at: api.db.fn.now(), state: "exited" });
    expect(await api.ok("GET", "/metrics/targets")).to.deep.equal([]);
  });

  it("takes the build of the workers as a wish", async () => {
    const api = stage();
    const { id } = await api.ok("POST", "/pipelines", { name: "bids", query: IMPULSE });
    expect((await api.ok("PATCH", `/pipelines/${id}`, { worker_build: "1.2.3" })).worker_build).to.equal("1.2.3");
    await api.refused(400, "PATCH", `/pipelines/${id}`, { body: { worker_build: "a b" } }, "worker_build");
    // Tags are no wish of the job's: nothing moves.
    expect(await api.ok("PATCH", `/pipelines/${id}`, { tags: { build: "pinned" } })).to.deep.include({ tags: { build: "pinned" } });
    expect((await api.ok("GET", `/pipelines/${id}`)).worker_build).to.equal("1.2.3");
  });
});
