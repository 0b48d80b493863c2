/**
 * Measurements that the API shows out of a real Prometheus, which finds workers by the API's own list of targets and scrapes a real Pushgateway
 * besides; and what it shows when Prometheus is away, silent, or wants other credentials.
 */
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { Registry } from "prom-client";
import { prometheusMetrics } from "../../src/api/prometheus-metrics.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadConfig } from "../../src/core/config.ts";
import { silentLogger } from "../../src/core/log.ts";
import type { VertexProgress } from "../../src/dataflow/slot-contract.ts";
import { Pushgateway } from "../../src/rpc/pushgateway.ts";
import { WorkerMetrics } from "../../src/worker/worker-metrics.ts";
import { ApiStage, TOKEN } from "../support/api-stage.ts";
import { type DatabaseServer, startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { markRunning, writeSample, writeWorker } from "../support/job-rows.ts";
import { type MonitoringServer, prometheusAbsence, query, startPrometheus, startPushgateway } from "../support/prometheus-servers.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { sampleProgram } from "../unit/program/sample-program.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t WHERE counter % 2 = 0;";
const WORKER = "wk_1";
const LIMIT_MS = 60_000;
/** Rows that the worker of these tests says to have read, more at every scrape. */
const ROWS_PER_LOOK = 100;

async function listening(handler: RequestListener): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function progressOf(vertex: number, rows: number): VertexProgress {
  const stats = { rowsIn: rows, rowsOut: rows, flushes: 0, filtered: 0, late: 2, bad: 0, stateBytes: 4_096, keys: 7 };
  const rest = { holder: undefined, idle: false, ended: false, bytesIn: 10 * rows, bytesOut: 0, queueBytes: 5, blockedMs: 0 };
  return { vertex, stats, watermarkNs: systemClock.nowNs() - 3_000_000_000n, ...rest };
}

describe("the API's measurements", function () {
  this.timeout(120_000);
  requires("prometheus", prometheusAbsence);
  let database: DatabaseServer;
  let stage: ApiStage;
  const closing: (() => unknown)[] = [];

  before(async () => {
    database = await startPglite();
  });
  after(() => database?.stop());
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function openApi(
    env: Readonly<Record<string, string>>,
  ): Promise<{ readonly job: string; readonly metrics: string; readonly pipeline: string }> {
    stage = await ApiStage.open(await database.create(), { env });
    const { db } = stage;
    closing.push(() => stage.close());
    const pipeline = await stage.ok("POST", "/pipelines", { name: "evens", query: IMPULSE });
    const job = pipeline.job_id;
    await markRunning(db, job);
    await writeWorker(db, job, WORKER);
    await writeSample(db, job, 2);
    return { job, pipeline: pipeline.id, metrics: `/pipelines/${pipeline.id}/jobs/${job}/operator_metric_groups` };
  }

  /** A worker's registry that says more rows at every look, as HTTP. */
  async function serveWorker(job: string, pipeline: string): Promise<{ readonly address: string; readonly registry: Registry }> {
    const registry = new Registry();
    const metrics = new WorkerMetrics(registry, { jobId: job, runId: "run_1", fence: 1n }, pipeline, systemClock, {
      workerId: WORKER,
      memoryLimitBytes: 2 ** 30,
    });
    metrics.describe(sampleProgram(), 2 ** 20);
    let rows = 0;
    const { server, address } = await listening((_, response) => {
      rows += ROWS_PER_LOOK;
      const vertices = [progressOf(0, rows), progressOf(3, rows)];
      metrics.progress(0, { vertices, rowsRead: rows, rowsWritten: rows, blockedMs: 0, stateBytes: 4_096, epoch: 1 });
      void registry.metrics().then((text) => response.writeHead(200, { "content-type": registry.contentType }).end(text));
    });
    closing.push(() => server.close());
    await fetch(`http://${address}/metrics`);
    return { address, registry };
  }

  const scraping = (api: number, gateway: string): string => `
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: wadi
    honor_labels: true
    http_sd_configs:
      - url: http://127.0.0.1:${api}/api/v1/metrics/targets
        refresh_interval: 1s
        authorization: {type: Bearer, credentials: ${TOKEN}}
    static_configs: [{targets: ["${gateway}"], labels: {service: wadi-pushgateway}}]
`;

  it("come from Prometheus, a scraped and pushed subtask once, and from the built-in ring with a note when it is gone", async () => {
    const [port = 0] = await freePorts(1);
    const { job, pipeline, metrics } = await openApi({ PROM_ENDPOINT: `http://127.0.0.1:${port}`, WADI__PROMETHEUS__TIMEOUT: "2s" });
    const worker = await serveWorker(job, pipeline);
    await stage.db("workers").update({ admin_address: worker.address });
    const gateway = await startPushgateway();
    closing.push(() => gateway.stop());
    await new Pushgateway(gateway.url, LIMIT_MS).push(
      { job, run: "1", worker: WORKER },
      await worker.registry.metrics(),
      worker.registry.contentType,
    );
    const prometheus: MonitoringServer = await startPrometheus(scraping(stage.port, new URL(gateway.url).host), {}, port);
    closing.push(() => prometheus.stop());

    const twice = await eventually(
      "the worker is scraped, and what it pushed too",
      async () => {
        const found = await query(prometheus.url, `wadi_worker_messages_sent{job_id="${job}",node_id="0"}`);
        return found.length === 2 ? found : undefined;
      },
      LIMIT_MS,
    );
    for (const { labels } of twice) expect(labels).to.include({ job, run: "1", worker: WORKER });
    expect(twice.map(({ labels }) => labels["instance"]).sort()).to.deep.equal([worker.address, undefined].sort());

    const answer = await eventually(
      "Prometheus has a rate",
      async () => {
        const body = await stage.ok("GET", `${metrics}?minutes=30`);
        const [sent] = (body.data[0]?.metric_groups ?? []).filter(({ name }: { name: string }) => name === "messages_sent");
        return body.source === "prometheus" && (sent?.subtasks[0]?.metrics.at(-1)?.value ?? 0) > 0 ? body : undefined;
      },
      LIMIT_MS,
    );
    expect(answer.note).to.equal(null);
    expect(answer.data.map(({ node_id: node }: { node_id: number }) => node)).to.deep.equal([0, 3]);
    for (const { metric_groups: groups } of answer.data) {
      for (const { subtasks } of groups) expect(subtasks.map(({ index }: { index: number }) => index)).to.deep.equal([0]);
    }
    const names = answer.data[0].metric_groups.map(({ name }: { name: string }) => name);
    expect(names).to.include.members(["bytes_recv", "messages_sent", "backpressure", "state_bytes", "keys", "watermark_lag_seconds"]);
    const value = (name: string): number =>
      answer.data[0].metric_groups.find((group: { name: string }) => group.name === name).subtasks[0].metrics.at(-1).value;
    expect(value("state_bytes")).to.equal(4_096);
    expect(value("watermark_lag_seconds")).to.be.within(2, 60);

    await prometheus.stop();
    const without = await stage.ok("GET", metrics);
    expect(without.source).to.equal("built-in");
    expect(without.note).to.match(/^Prometheus at http:\/\/127\.0\.0\.1:\d+ gives no measurements: .*the controller keeps them$/);
    expect(without.data[0].metric_groups.length).to.be.greaterThan(5);
  });

  it("refuse a span that nobody keeps", async () => {
    const { metrics } = await openApi({});
    expect((await stage.ok("GET", `${metrics}?minutes=1440`)).source).to.equal("built-in");
    for (const minutes of ["0", "1441", "x"]) await stage.refused(400, "GET", `${metrics}?minutes=${minutes}`, {}, "1 to 1440");
  });
});

describe("a Prometheus that gives no measurements", function () {
  this.timeout(60_000);
  const folder = temporaryFolder("monitoring-api");
  const run = { id: "job_a", runFence: 1 };
  let asked: (string | undefined)[] = [];
  let front: Awaited<ReturnType<typeof listening>>;
  let answer: (response: ServerResponse) => void = () => undefined;

  before(async () => {
    front = await listening((request, response) => {
      asked.push(request.headers.authorization);
      answer(response);
    });
  });
  after(() => {
    front.server.close();
    front.server.closeAllConnections();
  });
  beforeEach(() => {
    asked = [];
  });

  const open = (env: Readonly<Record<string, string>> = {}) => {
    const { config } = loadConfig({ files: [], env: { PROM_ENDPOINT: `http://${front.address}`, ...env } });
    return prometheusMetrics(config, systemClock, silentLogger);
  };

  it("is waited for once, and then left alone for a while", async () => {
    answer = () => undefined;
    const reader = open({ WADI__PROMETHEUS__TIMEOUT: "300ms" });
    for (let i = 0; i < 3; i++) expect((await reader?.metricGroups(run, 5))?.note).to.contain("did not answer within 300 ms");
    expect(asked).to.have.length(1);
  });

  it("is named in the note with what it said", async () => {
    const said = async (status: number, body: string): Promise<string | undefined> => {
      answer = (response) => response.writeHead(status).end(body);
      return (await open()?.metricGroups(run, 5))?.note;
    };
    expect(await said(503, "")).to.contain(`Prometheus at http://${front.address} gives no measurements: it answers with status 503`);
    expect(await said(200, "<html>")).to.contain("it does not answer as Prometheus does");
    expect(await said(200, '{"status":"success","data":{"resultType":"matrix","result":[]}}')).to.contain("has no samples of this run");
  });

  it("was asked with the credentials of the settings, a file's as it is now, and its refusal says what to correct", async () => {
    answer = (response) => response.writeHead(401).end();
    const file = join(folder, "token");
    const env = { PROM_TOKEN: "unused", WADI__PROMETHEUS__TOKEN_FILE: file };
    const variants = [{ PROM_AUTH: "reader:pass word" }, { PROM_TOKEN: "of-the-environment" }, env, env];
    for (const [number, variant] of variants.entries()) {
      writeFileSync(file, `token-${number}\n`);
      const { note } = (await open(variant)?.metricGroups(run, 5)) ?? {};
      expect(note).to.contain("it refuses the credentials: correct prometheus.basic-auth or prometheus.token");
    }
    const { note } = (await open({ PROM_ENDPOINT: `http://in:url@${front.address}` })?.metricGroups(run, 5)) ?? {};
    expect(note).to.contain(`Prometheus at http://${front.address} `);
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
    expect(asked).to.deep.equal([
      basic("reader:pass word"),
      "Bearer of-the-environment",
      "Bearer token-2",
      "Bearer token-3",
      basic("in:url"),
    ]);
  });
});
