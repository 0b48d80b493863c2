/** Streams of the API: rows as they come, going on behind the last one seen, the end of a job, readers that go away, and how many there may be. */
import { type ClientRequest, request } from "node:http";
import { expect } from "chai";
import { MAX_STREAMS } from "../../src/api/request-handler.ts";
import { onBothDatabases } from "../support/api-databases.ts";
import { type ApiStage, type StreamEvent, TOKEN } from "../support/api-stage.ts";
import { eventually } from "../support/eventually.ts";
import { markRunning, writeRows } from "../support/job-rows.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t;";
const PREVIEW_SINK = 2;

async function runningJob(api: ApiStage): Promise<{ path: string; id: string; job: string }> {
  const { id, job_id: job } = await api.ok("POST", "/pipelines", { name: "p", query: IMPULSE });
  await markRunning(api.db, job);
  return { path: `/pipelines/${id}/jobs/${job}/output`, id, job };
}

/** The numbers of all rows of `events`. */
function numbers(events: readonly StreamEvent[]): number[] {
  return events
    .filter(({ event }) => event === "message")
    .flatMap(({ data }) => (JSON.parse(data.batch) as { n: number }[]).map(({ n }) => n));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

onBothDatabases("streams of the API", (stage) => {
  it("sends the rows that are kept and then new ones, each once and in order, as Arroyo's batches", async () => {
    const api = stage();
    const { path, job } = await runningJob(api);
    await writeRows(api.db, job, PREVIEW_SINK, 0, 700);
    let wroteMore = false;
    const events = await api.stream("GET", path, {
      until: (seen) => {
        if (numbers(seen).length >= 700 && !wroteMore) {
          wroteMore = true;
          writeRows(api.db, job, PREVIEW_SINK, 700, 50).catch(() => undefined);
        }
        return numbers(seen).length >= 750;
      },
    });
    expect(numbers(events)).to.deep.equal(upTo(750));
    const [first] = events;
    expect(first?.data).to.include({ operator_id: "2", subtask_idx: 0, start_id: 0 });
    expect(first?.data.timestamps).to.have.length(JSON.parse(first?.data.batch).length);
    const [wish] = await api.db("output_requests").select("vertex", api.db.raw("wanted_until_at > now() as wanted"));
    expect(wish).to.deep.equal({ vertex: PREVIEW_SINK, wanted: true });
  });

  it("goes on behind the last event that a reader has seen, from whichever end", async () => {
    const api = stage();
    const { path, job } = await runningJob(api);
    await writeRows(api.db, job, PREVIEW_SINK, 0, 10);
    const before = await api.stream("GET", path, { until: (events) => numbers(events).length >= 10 });
    await writeRows(api.db, job, PREVIEW_SINK, 10, 5);
    const headers = { "last-event-id": before.at(-1)?.id ?? "" };
    const after = await api.stream("GET", path, { headers, until: (events) => numbers(events).length >= 5 });
    expect(numbers(after)).to.deep.equal([10, 11, 12, 13, 14]);
    let wrote = false;
    const latest = await api.stream("GET", `${path}?from=latest`, {
      until: (events) => {
        if (!wrote) setTimeout(() => writeRows(api.db, job, PREVIEW_SINK, 100, 1).catch(() => undefined), 500);
        wrote = true;
        return events.length > 0;
      },
    });
    expect(numbers(latest)).to.deep.equal([100]);
  });

  it("sends what an ended job has left, says that it is the end, and closes", async () => {
    const api = stage();
    const { path, job } = await runningJob(api);
    await writeRows(api.db, job, PREVIEW_SINK, 0, 1_200);
    await api.db("jobs").update({ state: "finished" });
    const events = await api.stream("GET", path);
    expect(numbers(events)).to.deep.equal(upTo(1_200));
    expect(events.at(-1)).to.deep.include({ event: "end", data: { done: true } });
  });

  it("of a preview end with it, of a stopped job only while it is not wanted again", async () => {
    const api = stage();
    const preview = await api.ok("POST", "/pipelines/preview", { query: IMPULSE });
    await api.db("jobs").update({ state: "stopped" });
    const ended = await api.stream("GET", `/pipelines/${preview.id}/jobs/${preview.job_id}/output`);
    expect(ended.map(({ event }) => event)).to.deep.equal(["end"]);
    const { path, id, job } = await runningJob(api);
    await api.db("jobs").where({ id: job }).update({ state: "stopped" });
    const events = api.stream("GET", path);
    await writeRows(api.db, job, PREVIEW_SINK, 0, 1);
    await eventually("the reader has come", async () =>
      (await api.db("output_requests").where({ job_id: job }).pluck("vertex")).length > 0 ? true : undefined,
    );
    await api.ok("PATCH", `/pipelines/${id}`, { stop: "immediate" });
    expect((await events).map(({ event }) => event)).to.deep.equal(["message", "end"]);
  });

  it("reads a sink that is named, and refuses what is none", async () => {
    const api = stage();
    const query = `${IMPULSE.split(";")[0]}; CREATE TABLE o WITH (connector = 'blackhole', type = 'sink'); INSERT INTO o SELECT counter FROM t;`;
    const { id, job_id: job } = await api.ok("POST", "/pipelines", { name: "p", query });
    const path = `/pipelines/${id}/jobs/${job}/output`;
    const refusal = await api.refused(400, "GET", path, {}, "does not have a preview sink");
    expect(refusal.hint).to.contain("?vertex=2");
    await api.refused(400, "GET", `${path}?vertex=0`, {}, "no sink with node_id 0");
    await api.refused(400, "GET", `${path}?vertex=x`, {}, "vertex");
    await api.refused(400, "GET", `${path}?from=middle`, {}, '"from" must be one of');
    await api.refused(404, "GET", `/pipelines/${id}/jobs/job_other/output`, {}, "job_other");
    await writeRows(api.db, job, 2, 0, 1);
    const events = await api.stream("GET", `${path}?vertex=2`, { until: (seen) => seen.length > 0 });
    expect(numbers(events)).to.deep.equal([0]);
  });

  it("has a limit for streams, and room again when readers go away", async () => {
    const api = stage();
    const { path } = await runningJob(api);
    const readers: ClientRequest[] = [];
    const open = (token: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}` };
        const reader = request({ host: "127.0.0.1", port: api.port, path: `/api/v1${path}`, headers, agent: false }, (response) => {
          response.resume();
          response.on("error", () => undefined);
          resolve(response.statusCode ?? 0);
        });
        readers.push(reader);
        reader.on("error", reject);
        reader.end();
      });
    const opened = await Promise.all(Array.from({ length: MAX_STREAMS / 2 }, () => open(TOKEN)));
    expect(new Set(opened)).to.deep.equal(new Set([200]));
    expect(await open(TOKEN)).to.equal(503);
    const { key } = await api.ok("POST", "/api_keys", { name: "another", role: "viewer" });
    expect(await open(key)).to.equal(200);
    for (const reader of readers.splice(0)) {
      reader.removeAllListeners("error");
      reader.on("error", () => undefined);
      reader.destroy();
    }
    await eventually("there is room again", async () => ((await open(TOKEN)) === 200 ? true : undefined));
    for (const reader of readers) reader.destroy();
  });

  it("ends its streams when it stops", async () => {
    const api = stage();
    const { path } = await runningJob(api);
    const streaming = api.stream("GET", path);
    await eventually("the reader has come", async () => ((await api.db("output_requests").pluck("vertex")).length > 0 ? true : undefined));
    await api.stop();
    expect(await streaming).to.deep.equal([]);
  });
});
