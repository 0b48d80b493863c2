/** Log files that are put aside when they are large. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { LogFile } from "../../../src/cli/cluster/log-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("log file", () => {
  const path = (): string => join(temporaryFolder("log"), "logs", "api.log");

  it("writes whole lines only", () => {
    const file = new LogFile(path(), { sizeLimit: 1_000, files: 2 });
    file.write("one\ntw");
    expect(readFileSync(file.path, "utf8")).to.equal("one\n");
    file.write("o\n");
    file.write("rest");
    file.end();
    expect(readFileSync(file.path, "utf8")).to.equal("one\ntwo\nrest\n");
  });

  it("keeps as many files as it was told, the newest lines in the first", () => {
    const file = new LogFile(path(), { sizeLimit: 10, files: 3 });
    for (let line = 1; line <= 6; line++) file.write(`line ${line}\n`);
    expect(readFileSync(file.path, "utf8")).to.equal("line 6\n");
    expect(readFileSync(`${file.path}.1`, "utf8")).to.equal("line 5\n");
    expect(readFileSync(`${file.path}.2`, "utf8")).to.equal("line 4\n");
    expect(existsSync(`${file.path}.3`)).to.equal(false);
  });

  it("goes on with the file of an earlier process, and counts what is in it", () => {
    const file = new LogFile(path(), { sizeLimit: 10, files: 2 });
    file.write("12345678\n");
    const later = new LogFile(file.path, { sizeLimit: 10, files: 2 });
    later.write("a\n");
    expect(readFileSync(file.path, "utf8")).to.equal("a\n");
    expect(readFileSync(`${file.path}.1`, "utf8")).to.equal("12345678\n");
  });
});
