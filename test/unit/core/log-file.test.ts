/** Logs in files that are put aside when they are large, and pieces of them for those who ask. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { LOG_PIECE_BYTES, LogFile } from "../../../src/core/log-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const text = (log: LogFile, offset: number, limit = 1e9): string =>
  [...log.read(offset, limit)].map((piece) => Buffer.from(piece.text).toString()).join("");

describe("a log file", () => {
  const folder = temporaryFolder("log");
  let files = 0;
  const path = (): string => join(folder, `log-${++files}`);
  const inFolder = (): string => join(folder, `folder-${++files}`, "api.log");

  it("gives all lines from a place on", () => {
    const log = new LogFile(path());
    for (const line of ["one\n", "two\n", "three\n"]) log.append(line);
    expect(text(log, 0)).to.equal("one\ntwo\nthree\n");
    expect(text(log, 4)).to.equal("two\nthree\n");
    expect(text(log, log.end)).to.equal("");
    expect(text(log, 1_000)).to.equal("");
    log.close();
  });

  it("gives whole lines at the end", () => {
    const log = new LogFile(path());
    for (const line of ["one\n", "two\n", "three\n"]) log.append(line);
    expect(text(log, -8)).to.equal("three\n");
    expect(text(log, -6)).to.equal("");
    expect(text(log, -1_000)).to.equal("one\ntwo\nthree\n");
    log.close();
  });

  it("gives pieces of at most 64 KiB of whole lines, and no more than is asked for", () => {
    const log = new LogFile(path());
    for (let i = 0; i < 3_000; i++) log.append(`${String(i).padStart(99, "0")}\n`);
    const pieces = [...log.read(0, 1e9)];
    expect(pieces.length).to.equal(5);
    for (const piece of pieces) {
      expect(piece.text.length).to.be.at.most(LOG_PIECE_BYTES);
      expect(piece.text.at(-1)).to.equal(10);
      expect(piece.offset % 100).to.equal(0);
    }
    expect(text(log, 0)).to.have.length(300_000);
    expect(text(log, 0, 250)).to.have.length(200);
    log.close();
  });

  it("gives a line that is longer than a piece in parts", () => {
    const log = new LogFile(path());
    const line = `${"x".repeat(3 * LOG_PIECE_BYTES)}\n`;
    log.append(line);
    expect(text(log, 0)).to.equal(line);
    log.close();
  });

  it("stays small, and keeps counting places over a rotation", () => {
    const at = path();
    const log = new LogFile(at, { sizeLimit: 100, files: 2 });
    for (let i = 0; i < 50; i++) log.append(`line ${String(i).padStart(4, "0")}\n`);
    expect(readFileSync(at).length).to.be.at.most(110);
    expect(log.end).to.equal(500);
    expect(text(log, 480)).to.equal("line 0048\nline 0049\n");
    const all = text(log, 0);
    expect(all.endsWith("line 0049\n")).to.equal(true);
    expect(all.length).to.be.within(100, 210);
    expect(text(log, log.end - all.length)).to.equal(all);
    log.close();
  });

  it("goes on with a file that is there", () => {
    const at = path();
    const first = new LogFile(at);
    first.append("one\n");
    first.close();
    const second = new LogFile(at);
    second.append("two\n");
    expect(text(second, 0)).to.equal("one\ntwo\n");
    second.close();
  });

  it("writes whole lines only", () => {
    const file = new LogFile(inFolder(), { sizeLimit: 1_000, files: 2 });
    file.write("one\ntw");
    expect(readFileSync(file.path, "utf8")).to.equal("one\n");
    file.write("o\n");
    file.write("rest");
    file.flush();
    expect(readFileSync(file.path, "utf8")).to.equal("one\ntwo\nrest\n");
  });

  it("keeps as many files as it was told, the newest lines in the first", () => {
    const file = new LogFile(inFolder(), { sizeLimit: 10, files: 3 });
    for (let line = 1; line <= 6; line++) file.write(`line ${line}\n`);
    expect(readFileSync(file.path, "utf8")).to.equal("line 6\n");
    expect(readFileSync(`${file.path}.1`, "utf8")).to.equal("line 5\n");
    expect(readFileSync(`${file.path}.2`, "utf8")).to.equal("line 4\n");
    expect(existsSync(`${file.path}.3`)).to.equal(false);
  });

  it("goes on with the file of an earlier process, and counts what is in it", () => {
    const file = new LogFile(inFolder(), { sizeLimit: 10, files: 2 });
    file.write("12345678\n");
    const later = new LogFile(file.path, { sizeLimit: 10, files: 2 });
    later.write("a\n");
    expect(readFileSync(file.path, "utf8")).to.equal("a\n");
    expect(readFileSync(`${file.path}.1`, "utf8")).to.equal("12345678\n");
  });
});
