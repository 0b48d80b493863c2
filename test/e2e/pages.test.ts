/**
 * Every page at two widths and in both themes over made-up data: it shows what it is for, nothing is wider than the window, nothing is
 * reported as an error. With UPDATE_SCREENSHOTS=1 the pictures of the documentation are taken.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Page } from "playwright-core";
import { ROOT } from "../../scripts/process.ts";
import { expectNoOverflow } from "./support/browser.ts";
import { needsMock, TEST_MS } from "./support/mock-session.ts";

const PIPELINE = "/pipelines/pl_bidsbychan";
const SCREENSHOTS = join(ROOT, "ui", "screenshots");

interface PageCase {
  readonly name: string;
  readonly path: string;
  /** Waits for what the page is for. */
  ready(page: Page): Promise<unknown>;
}

function shows(text: string | RegExp): PageCase["ready"] {
  return (page) => page.getByText(text).filter({ visible: true }).first().waitFor();
}

const CASES: readonly PageCase[] = [
  { name: "home", path: "/", ready: shows("bids-by-channel") },
  { name: "pipelines", path: "/pipelines", ready: shows("campaign-attribution") },
  {
    name: "editor",
    path: "/pipelines/new?from=pl_bidsbychan",
    ready: async (page) => {
      await page.locator(".cm-content").getByText("tumble").waitFor();
      await page.getByRole("button", { name: "Preview" }).click();
      await page.getByRole("cell", { name: "Facebook" }).first().waitFor();
    },
  },
  { name: "editor-graph", path: "/pipelines/new?from=pl_bidsbychan", ready: (page) => page.locator(".graph-node").nth(5).waitFor() },
  { name: "operators", path: PIPELINE, ready: (page) => page.locator('.graph-node[data-level="high"]').waitFor() },
  {
    name: "operator",
    path: PIPELINE,
    ready: async (page) => {
      await page.locator(".graph-node").nth(2).click();
      await page.getByText("partition 2 of nexmark").waitFor();
      await page.locator(".uplot canvas").first().waitFor();
    },
  },
  { name: "outputs", path: `${PIPELINE}?tab=outputs`, ready: (page) => page.getByRole("cell", { name: "Baidu" }).first().waitFor() },
  { name: "checkpoints", path: `${PIPELINE}?tab=checkpoints`, ready: (page) => page.locator(".timeline-bar").nth(20).waitFor() },
  { name: "query", path: `${PIPELINE}?tab=query`, ready: (page) => page.locator(".cm-content").getByText("tumble").waitFor() },
  { name: "functions", path: `${PIPELINE}?tab=functions`, ready: shows("This pipeline has no functions") },
  { name: "errors", path: `${PIPELINE}?tab=errors`, ready: shows("did not answer for 30 seconds") },
  { name: "events", path: `${PIPELINE}?tab=events`, ready: shows("Recovering → Running") },
  { name: "workers", path: `${PIPELINE}?tab=workers`, ready: shows("wk_q8x2k0v7ma") },
  { name: "failed", path: "/pipelines/pl_paymentsde", ready: shows(/permission denied/) },
  { name: "cluster", path: "/cluster", ready: shows("waits for capacity, 4 min") },
  { name: "cluster-nodes", path: "/cluster?tab=nodes", ready: shows("client-c") },
  { name: "cluster-services", path: "/cluster?tab=services", ready: shows("1 of 2 healthy") },
  { name: "cluster-timeline", path: "/cluster?tab=timeline", ready: shows("fraud-score-by-card") },
  { name: "cluster-run", path: "/cluster/runs/job_orders/12", ready: shows("out of memory") },
  { name: "cluster-waiting", path: "/cluster/runs/job_fraud/2", ready: shows("2 of 4 workers are not placed") },
  { name: "cluster-spec", path: "/cluster/runs/job_bids/7?tab=spec", ready: shows("TaskGroups") },
  {
    name: "cluster-log",
    path: "/cluster/runs/job_bids/7",
    ready: async (page) => {
      await page.getByRole("button", { name: "Log of wk_bids0" }).click();
      await page.getByText("checkpoint is complete epoch=402").waitFor();
    },
  },
  { name: "connections", path: "/connections", ready: shows("daily_totals") },
  { name: "connection-gallery", path: "/connections/new", ready: shows("Makes numbered events at a steady rate.") },
  { name: "connection-wizard", path: "/connections/new/filesystem", ready: shows("Directory of the files, or one file.") },
  { name: "settings", path: "/settings", ready: shows("Appearance") },
  { name: "not-found", path: "/no/such/page", ready: shows("There is no such page") },
];

const VIEWS = [
  { width: 1280, height: 800, colorScheme: "light" },
  { width: 1280, height: 800, colorScheme: "dark" },
  { width: 390, height: 844, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
] as const;

/** The pictures that are kept. */
const KEPT = new Map([
  ["home 1280 light", "home.png"],
  ["editor 1280 light", "editor.png"],
  ["operator 1280 light", "operators.png"],
  ["operators 1280 dark", "operators-dark.png"],
  ["checkpoints 1280 light", "checkpoints.png"],
  ["operators 390 light", "phone.png"],
  ["pipelines 1280 light", "pipelines.png"],
  ["cluster-run 1280 light", "cluster-run.png"],
  ["connections 1280 light", "connections.png"],
  ["connection-wizard 1280 light", "connection-wizard.png"],
  ["settings 1280 light", "settings.png"],
]);

describe("every page of the UI", () => {
  const open = needsMock();

  for (const { width, height, colorScheme } of VIEWS) {
    for (const { name, path, ready } of CASES) {
      it(`${name} fits ${width} px, ${colorScheme}, without errors`, async () => {
        const { page, faults } = await open(path, {}, { viewport: { width, height }, colorScheme });
        await ready(page);
        await expectNoOverflow(page);
        expect(faults).to.deep.equal([]);
        const kept = KEPT.get(`${name} ${width} ${colorScheme}`);
        if (kept !== undefined && process.env["UPDATE_SCREENSHOTS"] === "1") {
          mkdirSync(SCREENSHOTS, { recursive: true });
          await page.mouse.move(width / 2, 0);
          await page.screenshot({ path: join(SCREENSHOTS, kept), animations: "disabled" });
        }
      }).timeout(TEST_MS);
    }
  }
});

describe("an empty cluster", () => {
  const open = needsMock();

  it("has first steps on its home page, and says what lists are for", async () => {
    const { page, base, faults } = await open("/", { empty: true });
    await page.getByRole("heading", { name: "First steps" }).waitFor();
    await page.goto(`${base}/pipelines`);
    await page.getByText("No pipelines yet").waitFor();
    await page.goto(`${base}/connections`);
    await page.getByText("No connections yet").waitFor();
    expect(faults).to.deep.equal([]);
  }).timeout(TEST_MS);
});
