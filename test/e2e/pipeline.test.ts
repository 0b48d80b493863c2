/**
 * A pipeline's page: what can be done with it, and what each tab lets one find out.
 */
import { expect } from "chai";
import { needsMock, TEST_MS } from "./support/mock-session.ts";

const PIPELINE = "/pipelines/pl_bidsbychan";

describe("a pipeline's page", () => {
  const open = needsMock();

  it("stops with a checkpoint, then forcibly", async () => {
    const { page } = await open(PIPELINE);
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("Checkpoint stopping").waitFor();
    await page.getByRole("button", { name: "Force Stop" }).click();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  }).timeout(TEST_MS);

  it("changes the parallelism", async () => {
    const { page } = await open(PIPELINE);
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Parallelism").fill("7");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.locator("dd").getByText("7", { exact: true }).waitFor();
  }).timeout(TEST_MS);

  it("restarts without state only when it has ended, and asks first", async () => {
    const { page, base } = await open(PIPELINE);
    await page.getByRole("button", { name: "More actions" }).click();
    expect(await page.getByRole("menuitem", { name: "Restart without state…" }).isDisabled()).to.equal(true);
    await page.keyboard.press("Escape");
    await page.goto(`${base}/pipelines/pl_fraudscore`);
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Restart without state…" }).click();
    await page.getByText("The pipeline begins anew").waitFor();
    await page.getByRole("button", { name: "Restart without state" }).click();
    await page.getByText("Restarting").waitFor();
  }).timeout(TEST_MS);

  it("explains an operator: backpressure, watermark and its holder, state, late rows", async () => {
    const { page } = await open(PIPELINE);
    await page.getByText("Rows reach the sinks").waitFor();
    await page.getByRole("button", { name: "Show tumble 2 s by channel" }).click();
    const detail = page.getByRole("region", { name: "tumble 2 s by channel" });
    await detail.getByText("Backpressure low").waitFor();
    await detail.getByText("partition 2 of nexmark").waitFor();
    await detail.getByText(/MiB in 50,000 keys|MiB in \d+,\d+ keys/).waitFor();
    await detail.getByRole("button", { name: "Close details" }).click();
    await page.getByRole("heading", { name: "Job" }).waitFor();
  }).timeout(TEST_MS);

  it("tails outputs, and stops tailing", async () => {
    const { page } = await open(`${PIPELINE}?tab=outputs`);
    await page.getByRole("cell", { name: "Apple" }).first().waitFor();
    await page.getByRole("button", { name: "Stop tail" }).click();
    const count = await page.locator(".outputs-head").textContent();
    await page.getByRole("button", { name: "Start tail" }).waitFor();
    expect(await page.locator(".outputs-head").textContent()).to.equal(count?.replace("Stop", "Start"));
  }).timeout(TEST_MS);

  it("shows the phases of the chosen checkpoint by operator and subtask", async () => {
    const { page } = await open(`${PIPELINE}?tab=checkpoints`);
    await page.getByRole("heading", { name: "Checkpoint 47" }).waitFor();
    await page.locator(".epoch").filter({ hasText: "45" }).click();
    await page.getByRole("heading", { name: "Checkpoint 45" }).waitFor();
    const legend = await page.locator(".timeline-legend").textContent();
    for (const phase of ["alignment", "snapshot", "upload", "manifest", "commit"]) expect(legend).to.contain(phase);
    expect(await page.locator('.timeline-row[data-nested="true"]').count()).to.equal(20);
  }).timeout(TEST_MS);

  it("goes through errors page by page and shows their provenance", async () => {
    const { page } = await open(`${PIPELINE}?tab=errors`);
    await page
      .getByRole("button", { name: /filter and project bids, subtask 1/ })
      .first()
      .click();
    await page.getByText("offset: 2097152").waitFor();
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByText("Page 2").waitFor();
    await page.getByRole("button", { name: "Newer" }).click();
    await page.getByText("Page 1").waitFor();
  }).timeout(TEST_MS);

  it("says so when there is no such pipeline", async () => {
    const { page } = await open("/pipelines/pl_nothing");
    await page.getByText('pipeline "pl_nothing" does not exist').waitFor();
  }).timeout(TEST_MS);
});

describe("the list of pipelines", () => {
  const open = needsMock();

  it("deletes what has ended after asking, and refuses what runs", async () => {
    const { page } = await open("/pipelines");
    await page.getByRole("button", { name: "Delete bids-by-channel" }).click();
    await page.getByText("Stop it first").waitFor();
    expect(await page.getByRole("button", { name: "Delete", exact: true }).isDisabled()).to.equal(true);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Delete fraud-scores" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("link", { name: "fraud-scores" }).waitFor({ state: "hidden" });
  }).timeout(TEST_MS);

  it("copies a pipeline into the editor, and pages", async () => {
    const { page } = await open("/pipelines");
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByRole("link", { name: "web-vitals" }).waitFor();
    await page.getByRole("button", { name: "Copy web-vitals" }).click();
    await page.getByRole("heading", { name: "Copy of web-vitals" }).waitFor();
    await page.locator(".cm-content").getByText("tumble").waitFor();
  }).timeout(TEST_MS);
});
