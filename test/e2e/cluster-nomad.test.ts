/**
 * The page "Cluster" on the real system over the fake Nomad: what runs, what waits and why, a worker that was killed for want of memory, a
 * machine that drains, logs through the controller. With UPDATE_SCREENSHOTS=1 its picture for the documentation is taken.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Page } from "playwright-core";
import { ROOT } from "../../scripts/process.ts";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { nomadEnvironment } from "../support/nomad-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { expectNoOverflow, needsChromium, openPage, type WatchedPage } from "./support/browser.ts";

const PATIENCE_MS = Number(process.env["WADI_TEST_PATIENCE"] ?? 90_000);

/** A query that writes 20 rows a second into a file. */
function query(file: string): string {
  return `CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '20');
CREATE TABLE counted (n BIGINT) WITH (connector = 'single_file', path = '${file}.jsonl', format = 'json', type = 'sink');
INSERT INTO counted SELECT counter FROM ticks`;
}

describe("the page of the cluster on Nomad", function () {
  this.timeout(300_000);
  const browser = needsChromium();
  needsClusterBuild();
  let nomad: FakeNomad;
  let cluster: TestCluster;
  let watched: WatchedPage;
  let page: Page;
  let base: string;
  const jobs = new Map<string, string>();

  async function create(name: string, parallelism: number): Promise<void> {
    const { status, body } = await cluster.api("POST", "/pipelines", { name, query: query(name), parallelism });
    expect(status, JSON.stringify(body)).to.equal(200);
    jobs.set(name, body.job_id);
  }

  async function reaches(name: string, state: string, run = 1): Promise<void> {
    await eventually(
      `${name} is ${state}`,
      async () => {
        const { body } = await cluster.api("GET", "/jobs");
        const job = body.data.find(({ id }: { id: string }) => id === jobs.get(name));
        return job?.state === state && job.run_id >= run ? true : undefined;
      },
      PATIENCE_MS,
    );
  }

  before(async () => {
    const nodes = ["client-a", "client-b", "client-c"].map((name) => ({ name, cpuMhz: 400, memoryMb: 4_096 }));
    nomad = await FakeNomad.start({ nodes });
    cluster = await TestCluster.in(temporaryFolder("ui-nomad"));
    cluster.set(nomadEnvironment(cluster, nomad.address, { NODE_OPTIONS: "" }));
    await cluster.start();
    await create("bids-by-channel", 3);
    await create("orders-enriched", 2);
    await reaches("bids-by-channel", "Running");
    await reaches("orders-enriched", "Running");
    await create("fraud-score-by-card", 40);
    watched = await openPage(browser());
    page = watched.page;
    page.setDefaultTimeout(PATIENCE_MS);
    base = `http://localhost:${cluster.ports.api}`;
    const token = readFileSync(join(cluster.stateDir, "session-token"), "utf8").trim();
    await page.goto(`${base}/#token=${token}`);
    await page.getByRole("link", { name: "Cluster" }).click();
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs(20));
  });
  after(async () => {
    await watched?.close();
    await cluster?.stop();
    cluster?.killAll();
    await nomad?.stop();
  });

  it("shows Nomad, what runs with its job there, and what waits for capacity with the reason", async () => {
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByRole("img", { name: "3 of 3 workers running" }).waitFor();
    await page.getByRole("link", { name: /^w-bids-by-channel-/ }).waitFor();
    await page.getByText(/^waits for capacity/).waitFor();
    await page.getByRole("link", { name: "fraud-score-by-card", exact: true }).click();
    await page.getByText(/of 40 workers are not placed/).waitFor();
    await page
      .getByText(/exhausted on \d nodes|slots are needed/)
      .first()
      .waitFor();
    await page.getByRole("link", { name: "Pipeline", exact: true }).click();
    await page.getByText(/Waits for capacity since/).waitFor();
  });

  it("shows a worker's log through the controller while it runs", async () => {
    await page.goto(`${base}/cluster/runs/${jobs.get("bids-by-channel")}/1`);
    await page
      .getByRole("button", { name: /^Log of wk_/ })
      .first()
      .click();
    await page.getByRole("log").getByText("assigned").first().waitFor();
    await page.keyboard.press("Escape");
  });

  it("shows that a worker was killed for want of memory, keeps its last words, and compares both specifications", async () => {
    const victim = nomad.allocations().find(({ JobID, ClientStatus }) => JobID.startsWith("w-orders") && ClientStatus === "running");
    nomad.outOfMemory(victim?.ID ?? "");
    await reaches("orders-enriched", "Running", 2);
    const job = jobs.get("orders-enriched");
    const words = await eventually(
      "the last words are kept",
      async () => {
        const { body } = await cluster.api("GET", `/scheduler/runs/${job}/1`);
        const worker = body.worker_list.find(({ handle }: { handle: string }) => handle === victim?.ID);
        return worker?.last_words ?? undefined;
      },
      PATIENCE_MS,
    );
    expect(words).to.contain("assigned");
    await page.goto(`${base}/cluster/runs/${job}/1`);
    await page.getByText("out of memory").first().waitFor();
    await page.getByRole("tab", { name: "Timeline" }).click();
    await page.getByText(/OOM/).first().waitFor();
    await page.goto(`${base}/cluster/runs/${job}/2?tab=spec`);
    await page.getByLabel("Changes since run 1").check();
    await page.locator("ins", { hasText: '"run_fence": "2"' }).waitFor();
  });

  it("says that a machine drains, and is photographed", async () => {
    await page.goto(`${base}/cluster`);
    await page.getByText("orders-enriched", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Earlier runs of orders-enriched" }).click();
    await page.getByRole("link", { name: "run 1", exact: true }).waitFor();
    nomad.drain("client-b", { deadlineMs: 600_000 });
    // It is empty soon, and then only closed.
    await page.getByText(/Node client-b (drains|gets nothing new)/).waitFor();
    await expectNoOverflow(page);
    if (process.env["UPDATE_SCREENSHOTS"] === "1") {
      const folder = join(ROOT, "ui", "screenshots");
      mkdirSync(folder, { recursive: true });
      await page.mouse.move(640, 0);
      await page.screenshot({ path: join(folder, "cluster.png"), animations: "disabled" });
    }
    expect(watched.faults).to.deep.equal([]);
  });
});
