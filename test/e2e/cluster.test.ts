/**
 * The UI on the real system: `wadi cluster` with its embedded database, a pipeline made in the browser that compiles, runs in a worker process,
 * shows rows, takes checkpoints, survives its worker and stops.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Page } from "playwright-core";
import { needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { needsChromium, openPage, type WatchedPage } from "./support/browser.ts";

/** Compiling, starting a worker and a first checkpoint on a machine with other work. */
const PATIENCE_MS = Number(process.env["WADI_TEST_PATIENCE"] ?? 120_000);

const QUERY = `CREATE TABLE impulse WITH (connector = 'impulse', event_rate = '20');
SELECT counter, counter % 2 = 0 AS is_even FROM impulse WHERE counter % 3 = 0`;

describe("the UI on a real cluster", function () {
  this.timeout(600_000);
  const browser = needsChromium();
  needsClusterBuild();
  let cluster: TestCluster;
  let watched: WatchedPage;
  let page: Page;

  before(async () => {
    cluster = await TestCluster.in(temporaryFolder("ui-cluster"));
    await cluster.start();
    watched = await openPage(browser());
    page = watched.page;
    page.setDefaultTimeout(PATIENCE_MS);
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs(20));
  });
  after(async () => {
    await watched?.close();
    await cluster?.stop();
    cluster?.killAll();
  });

  it("opens with the printed link", async () => {
    const token = readFileSync(join(cluster.stateDir, "session-token"), "utf8").trim();
    await page.goto(`http://localhost:${cluster.ports.api}/#token=${token}`);
    await page.getByRole("heading", { name: "First steps" }).waitFor();
    expect(page.url()).to.not.contain(token);
  });

  it("marks a mistake where the planner sees it", async () => {
    await page.getByRole("link", { name: "New pipeline" }).click();
    await page.locator(".cm-content").click();
    await page.keyboard.insertText(QUERY.replace("AS is_even FROM impulse", "AS is_even FROM impuls"));
    await page.locator(".cm-lintRange-error").getByText("impuls", { exact: true }).waitFor();
    await page.getByRole("tab", { name: /Problems/ }).click();
    await page
      .getByRole("button", { name: /impuls/ })
      .first()
      .waitFor();
  });

  it("previews rows", async () => {
    await page.locator(".cm-content").click();
    await page.keyboard.press("Control+a");
    await page.keyboard.insertText(QUERY);
    await page.getByText("Valid", { exact: true }).waitFor();
    await page.keyboard.press("Control+Enter");
    await page.getByRole("columnheader", { name: "is_even" }).waitFor();
    await page.getByRole("cell", { name: "false" }).first().waitFor();
    await page.getByRole("button", { name: "Stop preview" }).click();
  });

  it("starts a pipeline, whose rows, rates and checkpoints it shows", async () => {
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name", { exact: true }).fill("made-in-the-browser");
    await dialog.getByLabel("Parallelism").fill("2");
    await dialog.getByLabel("Checkpoint every").fill("2");
    await dialog.getByRole("button", { name: "Start" }).click();
    await page.getByRole("heading", { name: "made-in-the-browser" }).waitFor();
    await page.locator(".pipeline-title").getByText("Running").waitFor();
    await page
      .locator(".graph-node-rate")
      .filter({ hasText: /^[1-9]\S* rows\/s/ })
      .first()
      .waitFor();
    await page.getByRole("tab", { name: "Outputs" }).click();
    await page.locator(".grid-rows tbody tr").nth(5).waitFor();
    await page.getByRole("tab", { name: "Checkpoints" }).click();
    await page.getByRole("heading", { name: /Checkpoint [1-9]/ }).waitFor();
    await page.locator(".timeline-bar").first().waitFor();
    await page.getByRole("tab", { name: "Workers" }).click();
    await page.locator("td").getByText("running").first().waitFor();
  });

  it("shows a worker that was killed and the run after it", async () => {
    for (const pid of cluster.pids("worker")) process.kill(pid, "SIGKILL");
    await page.getByRole("tab", { name: "Workers" }).click();
    await page
      .locator("td")
      .getByText(/lost|exited/)
      .first()
      .waitFor();
    await page.getByRole("tab", { name: "Events" }).click();
    await page.getByText("run 2").first().waitFor();
    await page.locator(".pipeline-title").getByText("Running").waitFor();
  });

  it("makes connections, with and without columns, and shares a function; the editor's catalog knows them", async () => {
    await page.getByRole("link", { name: "Connections" }).click();
    await page.getByRole("link", { name: "New connection" }).first().click();
    await page.getByRole("link", { name: /^impulse/ }).click();
    await page.getByLabel("event_rate").fill("5");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Name", { exact: true }).fill("ticks");
    await page.getByRole("button", { name: "Test", exact: true }).click();
    await page.locator('.test-steps [data-kind="done"]').waitFor();
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("button", { name: "ticks", exact: true }).waitFor();
    await page.getByRole("link", { name: "New connection" }).first().click();
    await page.getByRole("link", { name: /^single_file/ }).click();
    await page.getByText("Write to it").click();
    await page.getByLabel("path").fill("out.json");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Name of column 1").fill("n");
    await page.getByLabel("Type of column 1").selectOption("int64");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Name", { exact: true }).fill("numbers_out");
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("button", { name: "numbers_out", exact: true }).click();
    await page.locator("dialog .cm-content").getByText("CREATE").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Pipelines" }).click();
    await page.getByRole("link", { name: "New pipeline" }).click();
    await page.getByRole("button", { name: "Function", exact: true }).click();
    await page.getByRole("button", { name: "Share…" }).click();
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.locator(".catalog").getByText("double_it").waitFor();
    await page.getByRole("button", { name: "Remove the function" }).click();
    await page.locator(".cm-content").click();
    await page.keyboard.insertText("INSERT INTO numbers_out SELECT counter AS n FROM ticks WHERE double_it(counter) > 4");
    await page.getByText("Valid", { exact: true }).waitFor();
    await page.locator(".graph-node").filter({ hasText: "numbers_out" }).waitFor();
  });

  it("stops it with a checkpoint, and starts it again", async () => {
    await page.getByRole("link", { name: "Pipelines" }).click();
    await page.getByRole("link", { name: "made-in-the-browser" }).click();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.locator(".pipeline-title").getByText("Stopped").waitFor();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.locator(".pipeline-title").getByText("Running").waitFor();
    await page.getByRole("link", { name: "Home" }).click();
    await page.getByRole("link", { name: "made-in-the-browser" }).waitFor();
    expect(watched.faults).to.deep.equal([]);
  });
});
