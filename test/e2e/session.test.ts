/**
 * What belongs to no page: token, theme, an API that is away, hidden tabs, keyboard.
 */
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { needsMock, TEST_MS } from "./support/mock-session.ts";

const TOKEN = "a-token-of-this-session";

describe("the session", () => {
  const open = needsMock();

  it("takes its token from the link, hides it, and sends it with everything, streams too", async () => {
    const { page, base, faults } = await open(`/#token=${TOKEN}`, { token: TOKEN });
    await page.getByRole("link", { name: "bids-by-channel" }).waitFor();
    expect(page.url()).to.equal(`${base}/`);
    await page.getByRole("link", { name: "bids-by-channel" }).click();
    await page.getByRole("tab", { name: "Outputs" }).click();
    await page.getByRole("cell", { name: "Google" }).first().waitFor();
    await page.reload();
    await page.getByRole("cell", { name: "Google" }).first().waitFor();
    expect(faults).to.deep.equal([]);
  }).timeout(TEST_MS);

  it("asks for a token when the API refuses, and goes on with it", async () => {
    const { page } = await open("/pipelines", { token: TOKEN });
    await page.getByRole("dialog", { name: "API token" }).getByLabel("Token").fill(TOKEN);
    await page.getByRole("button", { name: "Use token" }).click();
    await page.getByRole("link", { name: "bids-by-channel" }).waitFor();
    expect(await page.evaluate<string>("JSON.stringify({ ...localStorage })")).to.not.contain(TOKEN);
  }).timeout(TEST_MS);

  it("does not ask again and again when the question is put off", async () => {
    const { page } = await open("/pipelines", { token: TOKEN });
    await page.getByRole("dialog", { name: "API token" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.waitForResponse(/\/jobs/);
    await page.waitForResponse(/\/jobs/);
    expect(await page.getByRole("dialog").count()).to.equal(0);
    await page.getByRole("button", { name: "Enter token" }).click();
    await page.getByRole("textbox", { name: "Token" }).fill(TOKEN);
    await page.getByRole("button", { name: "Use token" }).click();
    await page.getByRole("link", { name: "bids-by-channel" }).waitFor();
    await page.getByText("The API wants a token").waitFor({ state: "hidden" });
  }).timeout(TEST_MS);

  it("says that the API is away, keeps what was typed, and recovers by itself", async () => {
    const { page, mock } = await open("/pipelines/new");
    await page.locator(".cm-content").click();
    await page.keyboard.insertText("SELECT 1");
    await page.getByText("Valid", { exact: true }).waitFor();
    mock.down = true;
    await page.keyboard.insertText(" AS one");
    await page.getByText("The API does not answer.").waitFor();
    expect(await page.locator(".cm-content").textContent()).to.equal("SELECT 1 AS one");
    mock.down = false;
    await page.getByText("The API does not answer.").waitFor({ state: "hidden" });
    await page.getByText("Valid", { exact: true }).waitFor();
    expect(await page.locator(".cm-content").textContent()).to.equal("SELECT 1 AS one");
  }).timeout(TEST_MS);

  it("asks nothing while its tab is hidden", async () => {
    const { page } = await open("/pipelines");
    await page.getByRole("link", { name: "bids-by-channel" }).waitFor();
    let asked = 0;
    page.on("request", () => asked++);
    await page.waitForRequest(/\/jobs/);
    await page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })");
    await page.waitForTimeout(2500);
    asked = 0;
    await page.waitForTimeout(4500);
    expect(asked).to.equal(0);
    await page.evaluate(
      "Object.defineProperty(document, 'hidden', { value: false, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))",
    );
    await page.waitForRequest(/\/jobs/);
  }).timeout(TEST_MS);

  it("follows the system's theme until the user chooses, and remembers the choice", async () => {
    const { page } = await open("/settings", {}, { colorScheme: "dark" });
    const background = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const dark = await background();
    await page.getByText("Light", { exact: true }).click();
    // Colours change over some milliseconds: two looks that agree.
    const settled = async (): Promise<string | undefined> => {
      const seen = await background();
      await page.waitForTimeout(200);
      return seen !== dark && seen === (await background()) ? seen : undefined;
    };
    const light = await eventually("the background is light", settled);
    await page.reload();
    await page.getByText("Appearance").waitFor();
    expect(await eventually("the background is light again", settled)).to.equal(light);
  }).timeout(TEST_MS);

  it("can be used by keyboard: tabs by arrows, dialogs close on Esc and give the focus back", async () => {
    const { page } = await open("/pipelines/pl_bidsbychan");
    await page.getByRole("tab", { name: "Operators" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("cell", { name: "Apple" }).first().waitFor();
    expect(new URL(page.url()).searchParams.get("tab")).to.equal("outputs");
    await page.getByRole("button", { name: "Edit" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await page.evaluate<string>("document.activeElement.textContent")).to.equal("Edit");
  }).timeout(TEST_MS);
});
