/**
 * Connections: made step by step from the connector's own schema, tested with messages as they come, shown and deleted.
 */
import { expect } from "chai";
import { needsMock, TEST_MS } from "./support/mock-session.ts";

describe("connections", () => {
  const open = needsMock();

  it("are made by the wizard: options, columns, test, name", async () => {
    const { page } = await open("/connections");
    await page.getByRole("link", { name: "New connection" }).click();
    await page.getByRole("link", { name: /filesystem/ }).click();
    expect(await page.getByRole("button", { name: "Next" }).isDisabled()).to.equal(true);
    await page.getByLabel("path").fill("/data/orders");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Name of column 1").fill("order_id");
    await page.getByLabel("Type of column 1").selectOption("int64");
    await page.getByRole("button", { name: "Column", exact: true }).click();
    await page.getByLabel("Name of column 2").fill("ordered_at");
    await page.getByLabel("Type of column 2").selectOption("timestamp");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Name", { exact: true }).fill("1orders");
    await page.getByText("Begin with a letter or underscore").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("new_orders");
    await page.getByRole("button", { name: "Test", exact: true }).click();
    await page.getByText("The connection works").waitFor();
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("button", { name: "new_orders", exact: true }).waitFor();
  }).timeout(TEST_MS);

  it("skip the schema where the connector has none", async () => {
    const { page } = await open("/connections/new/impulse");
    await page.getByLabel("event_rate").fill("10");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Name", { exact: true }).waitFor();
  }).timeout(TEST_MS);

  it("show their columns and statement, and are deleted unless used", async () => {
    const { page } = await open("/connections");
    await page.getByRole("button", { name: "orders", exact: true }).click();
    await page.getByRole("cell", { name: "DECIMAL(12, 2)" }).waitFor();
    await page.locator("dialog .cm-content").getByText("CREATE").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Delete orders" }).click();
    await page.getByText("3 pipelines use this connection").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Delete daily_totals" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "daily_totals", exact: true }).waitFor({ state: "hidden" });
  }).timeout(TEST_MS);
});
