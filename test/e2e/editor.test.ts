/**
 * The editor: mistakes at their places, previews, drafts that survive, functions, examples, starting a pipeline.
 */
import { expect } from "chai";
import type { Page } from "playwright-core";
import { needsMock, TEST_MS } from "./support/mock-session.ts";

/** Replaces the text of the editor as a user would. */
async function type(page: Page, text: string): Promise<void> {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
}

describe("the editor", () => {
  const open = needsMock();

  it("marks a mistake while typing, lists it, and jumps to it", async () => {
    const { page } = await open("/pipelines/new");
    await type(page, "SELECT bids,\n  highst\nFROM nexmark");
    await page.locator(".cm-lintRange-error").getByText("highst").waitFor();
    await page.getByRole("tab", { name: /Problems/ }).click();
    const problem = page.getByRole("button", { name: /column "highst" does not exist/ });
    expect(await problem.textContent())
      .to.contain('Did you mean "highest"?')
      .and.to.contain("2:3");
    await problem.click();
    await page.locator(".cm-editor.cm-focused").waitFor();
    await page.keyboard.insertText("highest");
    await page.getByText("No problems").waitFor();
    expect(await page.locator(".cm-content").textContent())
      .to.contain("  highest")
      .and.not.to.contain("highst");
  }).timeout(TEST_MS);

  it("previews with Ctrl+Enter, keeps every digit, and stops", async () => {
    const { page } = await open("/pipelines/new");
    await type(page, "SELECT 1");
    await page.keyboard.press("Control+Enter");
    await page.getByRole("cell", { name: "90071992547409930" }).first().waitFor();
    await page.getByRole("button", { name: "Stop preview" }).click();
    await page.getByRole("button", { name: "Preview", exact: true }).waitFor();
  }).timeout(TEST_MS);

  it("does not preview a query with errors", async () => {
    const { page } = await open("/pipelines/new");
    await type(page, "SELECT highst");
    await page.getByText("Has errors").waitFor();
    await page.keyboard.press("Control+Enter");
    await page.getByRole("button", { name: /does not exist/ }).waitFor();
    expect(await page.getByRole("button", { name: "Stop preview" }).count()).to.equal(0);
  }).timeout(TEST_MS);

  it("keeps the draft over a reload, functions too", async () => {
    const { page } = await open("/pipelines/new");
    await type(page, "SELECT double_it(1)");
    await page.getByRole("button", { name: "Function" }).click();
    await page.getByRole("tab", { name: "double_it.ts" }).waitFor();
    await page.reload();
    await page.locator(".cm-content").getByText("double_it").waitFor();
    await page.getByRole("tab", { name: "double_it.ts" }).click();
    await page.locator(".cm-content").getByText("export").waitFor();
  }).timeout(TEST_MS);

  it("opens an example and inserts a name from the catalog", async () => {
    const { page } = await open("/pipelines/new");
    await page.getByRole("button", { name: "Examples" }).click();
    await page.getByRole("button", { name: /^Counter/ }).click();
    await page.locator(".cm-content").getByText("impulse").first().waitFor();
    await page.getByRole("button", { name: /^impulse/ }).click();
    await page.getByTitle("Insert subtask_index").click();
    await page.locator(".cm-content").getByText("subtask_index").waitFor();
  }).timeout(TEST_MS);

  it("starts a pipeline and goes to its page", async () => {
    const { page } = await open("/pipelines/new");
    await type(page, "SELECT 1");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Parallelism").fill("0");
    await dialog.getByText("A whole number from 1 to 4096.").waitFor();
    await dialog.getByLabel("Parallelism").fill("3");
    await dialog.getByLabel("Name").fill("made-here");
    await dialog.getByRole("button", { name: "Start" }).click();
    await page.getByRole("heading", { name: "made-here" }).waitFor();
    expect(new URL(page.url()).pathname).to.match(/^\/pipelines\/pl_new/);
    await page.goto(new URL("/pipelines/new", page.url()).href);
    await page.getByText("SELECT … or open an example").waitFor();
  }).timeout(TEST_MS);
});
