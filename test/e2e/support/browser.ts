/**
 * Debian's Chromium under playwright-core, and pages that remember what went wrong in them.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect } from "chai";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { requires } from "../../support/requirement.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/** A machine with other work is slow. */
const PATIENCE_MS = 20_000;

/** Where a Chromium is; `undefined` if there is none. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

/** To be called first in a `describe`: its tests are skipped where there is no Chromium; gives the browser they share. */
export function needsChromium(): () => Browser {
  requires("chromium", () => (findChromium() === undefined ? "no Chromium: apt-get install -y chromium" : undefined));
  let browser: Browser | undefined;
  before(async function () {
    this.timeout(60_000);
    const executablePath = findChromium();
    if (executablePath !== undefined) browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  });
  after(() => browser?.close());
  return () => browser as Browser;
}

/** A page with its faults: messages of level error, exceptions, refusals of the content security policy. */
export interface WatchedPage {
  readonly page: Page;
  readonly faults: readonly string[];
  close(): Promise<void>;
}

/** A new page in a profile of its own. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  return { page, faults, close: () => context.close() };
}

/** Fails unless the page is no wider than the window. */
export async function expectNoOverflow(page: Page): Promise<void> {
  const excess = await page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth");
  expect(excess, "pixels that the page is wider than the window").to.be.at.most(0);
}
