/**
 * What the browser is sent: how much, and from where.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { buildInterface } from "../../scripts/build.ts";
import { ROOT } from "../../scripts/process.ts";

const FOLDER = join(ROOT, "dist", "ui");
const JAVASCRIPT_MAX = 250_000;
const FIRST_PAGE_MAX = 40_000;

function filesOf(ending: string): { readonly name: string; readonly text: string }[] {
  const names = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending));
  return names.map((name) => ({ name, text: readFileSync(join(FOLDER, name), "utf8") }));
}

describe("the UI's bundle", () => {
  before(async function () {
    this.timeout(180_000);
    expect(await buildInterface(), "problem of the build").to.equal(undefined);
  });

  it(`has at most ${JAVASCRIPT_MAX} bytes of JavaScript, gzipped`, () => {
    const sizes = filesOf(".js").map(({ text }) => gzipSync(text).length);
    expect(sizes.length).to.be.greaterThan(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.at.most(JAVASCRIPT_MAX);
  });

  it("shows its first page with a fraction of that", () => {
    const [page] = filesOf("index.html");
    const first = filesOf(".js").filter(({ name }) => page?.text.includes(name) === true);
    expect(first.length).to.be.greaterThan(0);
    expect(first.reduce((sum, { text }) => sum + gzipSync(text).length, 0)).to.be.at.most(FIRST_PAGE_MAX);
  });

  it("names no other server and holds no inline script", () => {
    const [page] = filesOf("index.html");
    expect(page?.text).to.not.match(/https?:\/\/|<script(?![^>]*\bsrc=)|\son\w+=/);
    for (const { name, text } of filesOf(".css")) expect(text, name).to.not.match(/url\(["']?(https?:|\/\/)/);
  });
});
