/** The UI's types of the API. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { API_TYPES, apiTypes } from "../../../scripts/gen-api-types.ts";
import { ROOT } from "../../../scripts/process.ts";

describe("the UI's types of the API", () => {
  it("are what the API says of itself: npx tsx scripts/gen-api-types.ts", () => {
    const made = apiTypes();
    expect(made).to.contain("export interface Pipeline {").and.to.contain("readonly fields?: readonly SourceField[] | null;");
    expect(readFileSync(join(ROOT, API_TYPES), "utf8")).to.equal(made);
  });
});
