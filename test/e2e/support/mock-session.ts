/**
 * What the suites over the mock share: the built UI served by it, and one page per test.
 */
import { join } from "node:path";
import { expect } from "chai";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { buildInterface } from "../../../scripts/build.ts";
import { ROOT } from "../../../scripts/process.ts";
import { needsChromium, openPage, type WatchedPage } from "./browser.ts";
import { MockApi, type MockOptions } from "./mock-api.ts";

/** Longest test: a browser on a machine with other work. */
export const TEST_MS = 90_000;

/** A mock with a page on it. */
export interface MockSession {
  readonly mock: MockApi;
  readonly base: string;
  readonly page: Page;
  readonly faults: readonly string[];
}

/** To be called first in a `describe`: builds, and gives what opens a page on a fresh mock. Everything is closed after each test. */
export function needsMock(): (path: string, options?: Partial<MockOptions>, view?: BrowserContextOptions) => Promise<MockSession> {
  const browser: () => Browser = needsChromium();
  const opened: { readonly mock: MockApi; readonly watched: WatchedPage }[] = [];
  before(async function () {
    this.timeout(180_000);
    expect(await buildInterface(), "problem of the build").to.equal(undefined);
  });
  afterEach(async () => {
    for (const { mock, watched } of opened.splice(0)) {
      await watched.close();
      await mock.close();
    }
  });
  return async (path, options = {}, view = {}) => {
    const mock = new MockApi({ folder: join(ROOT, "dist", "ui"), ...options });
    const base = await mock.listen();
    const watched = await openPage(browser(), view);
    opened.push({ mock, watched });
    await watched.page.goto(base + path);
    return { mock, base, page: watched.page, faults: watched.faults };
  };
}
