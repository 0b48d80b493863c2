/**
 * The page "Cluster" over made-up data: what runs is found, unfolded and opened; logs are followed and searched; specifications compared; an
 * outside system that goes away shows, and nothing jumps. The same page shows one's own machine.
 */
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { expectNoOverflow } from "./support/browser.ts";
import { needsMock, TEST_MS } from "./support/mock-session.ts";

/**
 * Controls without a name, ids that are there twice, images without a text, tables without heads: what a screen reader stumbles over. Text of
 * a function that runs in the page.
 */
const STUMBLES = `(() => {
  const nameOf = (e) => e.getAttribute("aria-label") || e.getAttribute("title") || e.textContent.trim() ||
    (e.id && document.querySelector('label[for="' + e.id + '"]')?.textContent.trim()) || e.closest("label")?.textContent.trim() || "";
  const found = [];
  for (const e of document.querySelectorAll("button, a, input, select, textarea, [role=img], [role=log]"))
    if (nameOf(e) === "") found.push("no name: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("img:not([alt])")) found.push("no alt: " + e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll("table")) if (!e.querySelector("th")) found.push("a table without heads");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) found.push("id twice: " + id);
  for (const e of document.querySelectorAll("[aria-controls]"))
    if (!document.getElementById(e.getAttribute("aria-controls"))) found.push("controls nothing: " + e.outerHTML.slice(0, 80));
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  return found;
})()`;

describe("the page of the cluster", function () {
  this.timeout(TEST_MS);
  const open = needsMock();

  it("shows the newest run of each pipeline, unfolds earlier ones by keyboard, and finds runs", async () => {
    const { page, faults } = await open("/cluster");
    await page.getByText("waits for capacity, 4 min").waitFor();
    await page.getByRole("img", { name: "2 of 3 workers running, 1 failed" }).waitFor();
    const fold = page.getByRole("button", { name: "Earlier runs of orders-enriched" });
    expect(await fold.getAttribute("aria-expanded")).to.equal("false");
    expect(await page.getByRole("link", { name: "run 11", exact: true }).count()).to.equal(0);
    await fold.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "run 11", exact: true }).waitFor();
    await page.getByLabel("Find a run").fill("fraud");
    await page.getByText("orders-enriched", { exact: true }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "fraud-score-by-card", exact: true }).click();
    await page.getByText("2 of 4 workers are not placed").waitFor();
    await page.getByText("needs 2048 MiB, 1212 MiB free at most").waitFor();
    expect(faults).to.deep.equal([]);
  });

  it("filters what waits and what has failed", async () => {
    const { page } = await open("/cluster");
    await page.getByText("bids-by-channel").first().waitFor();
    await page.getByLabel("Show").selectOption("waiting");
    await page.getByText("bids-by-channel", { exact: true }).waitFor({ state: "detached" });
    await page.getByText("fraud-score-by-card", { exact: true }).waitFor();
    await page.getByLabel("Show").selectOption("failed");
    await page.getByText("orders-enriched", { exact: true }).waitFor();
  });

  it("says which machine drains, who runs there, and which service fails", async () => {
    const { page } = await open("/cluster");
    await page.getByText(/Node client-b drains until \d\d:\d\d, 2 pipelines move after their checkpoint/).waitFor();
    await page.getByRole("tab", { name: /Nodes/ }).click();
    await page.getByRole("img", { name: /Processor: 13.4 of 16 taken/ }).waitFor();
    await page.getByRole("tab", { name: /Nodes/ }).press("ArrowRight");
    await page.getByText("http on 10.0.1.5:5115: connection refused").waitFor();
  });

  it("shows how a worker ended, and puts our lines and the outside system's on one timeline with the raw event on demand", async () => {
    const { page } = await open("/cluster/runs/job_orders/12");
    await page.getByText("out of memory").waitFor();
    await page.getByText("code 137").waitFor();
    await page.getByRole("tab", { name: "Timeline" }).click();
    const line = page.getByText("Task started by client");
    await line.waitFor();
    expect(await page.getByText('"kind": "task"').first().isVisible()).to.equal(false);
    await line.click();
    await page.getByText('"kind": "task"').filter({ visible: true }).waitFor();
  });

  it("follows a log, finds lines in it by text and level, and closes by Esc", async () => {
    const { page, faults } = await open("/cluster/runs/job_bids/7");
    await page.getByRole("button", { name: "Log of wk_bids0" }).click();
    const lines = page.getByRole("log").locator("div");
    await page.getByText("epoch=402").waitFor();
    const before = await lines.count();
    await lines.nth(before + 1).waitFor();
    const bottom = "(() => { const e = document.querySelector('[role=log]'); return e.scrollHeight - e.scrollTop - e.clientHeight; })()";
    expect(await page.evaluate<number>(bottom)).to.be.at.most(30);
    await page.getByLabel("Level").selectOption("error");
    await page.getByText("epoch=402").waitFor({ state: "detached" });
    for (const text of await lines.allTextContents()) expect(text).to.contain("ERROR");
    await page.getByLabel("Level").selectOption("");
    await page.getByLabel("Find lines").fill("EPOCH=404");
    await page.getByText(/^1 of \d+ lines$/).waitFor();
    // The first empties the field.
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate<string>("document.activeElement.getAttribute('aria-label')")).to.equal("Log of wk_bids0");
    expect(faults).to.deep.equal([]);
  });

  it("shows what workers use of what they may have, and the logs of all of them as one", async () => {
    const { page, faults } = await open("/cluster/runs/job_bids/7");
    await page.getByText("0.64 of 2 cores").waitFor();
    await page.getByRole("button", { name: "Log of all workers" }).click();
    await page.getByRole("dialog", { name: "Log of run 7" }).waitFor();
    await page.getByRole("log").getByText("#1", { exact: true }).first().waitFor();
    await page.getByLabel("Find lines").fill("#0");
    await page.getByRole("log").getByText("#1", { exact: true }).first().waitFor({ state: "detached" });
    await page.getByRole("log").getByText("#0", { exact: true }).first().waitFor();
    expect(faults).to.deep.equal([]);
  });

  it("compares what was submitted with the run before, and says where there is none", async () => {
    const { page, base } = await open("/cluster/runs/job_bids/7?tab=spec");
    await page.getByLabel("Changes since run 6").check();
    await page.locator("ins", { hasText: '"MemoryMB": 2048' }).waitFor();
    await page.locator("del", { hasText: '"MemoryMB": 1024' }).waitFor();
    await page.goto(`${base}/cluster/runs/job_campaign/1?tab=spec`);
    expect(await page.getByLabel("No earlier run to compare with").isDisabled()).to.equal(true);
  });

  it("keeps what was known last when the outside system goes away, says so, and moves no table", async () => {
    const { page, mock } = await open("/cluster");
    await page.getByText("bids-by-channel").first().waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    mock.schedulerDown = true;
    await page.getByText("no Nomad server answers").waitFor();
    expect(await page.getByText("bids-by-channel").first().isVisible()).to.equal(true);
  });

  it("holds the places of what has not come: nothing jumps when it does", async () => {
    const { page, base } = await open("/settings");
    await page.goto(`${base}/cluster?tab=timeline`);
    await page.getByText("Nomad 2.0.5").waitFor();
    await page.evaluate(
      "window.__shift = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.__shift += e.value; }).observe({ type: 'layout-shift', buffered: false })",
    );
    await page.getByText("fraud-score-by-card").first().waitFor();
    await eventually("lists are asked for again", async () =>
      (await page.evaluate<number>("performance.now()")) > 4_000 ? true : undefined,
    );
    expect(await page.evaluate<number>("window.__shift")).to.be.lessThan(0.05);
  });

  it("shows this machine where processes are the scheduler", async () => {
    const { page, base, faults } = await open("/cluster", { scheduler: "process" });
    await page.getByText("This machine").waitFor();
    await page.goto(`${base}/cluster?tab=services`);
    await page.getByText("No services").waitFor();
    await page.goto(`${base}/cluster?tab=nodes`);
    await page.getByRole("img", { name: "Slots: 9 of 16 taken" }).waitFor();
    expect(faults).to.deep.equal([]);
  });

  it("is empty in words before anything runs", async () => {
    const { page } = await open("/cluster", { empty: true });
    await page.getByText("A pipeline that is started shows here with its workers.").waitFor();
  });

  for (const path of ["", "?tab=nodes", "?tab=services", "?tab=timeline", "/runs/job_orders/12", "/runs/job_bids/7?tab=spec"]) {
    it(`lets nobody stumble at /cluster${path}`, async () => {
      const { page } = await open(`/cluster${path}`, {}, { viewport: { width: 390, height: 844 } });
      await page
        .locator(".tab-panel")
        .getByText(/bids-by-channel|client-c|prometheus|wk_orders0|TaskGroups/)
        .first()
        .waitFor();
      expect(await page.evaluate<string[]>(STUMBLES)).to.deep.equal([]);
      await expectNoOverflow(page);
    });
  }
});
