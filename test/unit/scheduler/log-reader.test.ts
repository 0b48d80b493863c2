/** A log that somebody else writes and rotates, read from its start, its tail, and on. */
import { appendFileSync, copyFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../../src/core/clock.ts";
import { readLog } from "../../../src/scheduler/process/log-reader.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("reading a log", () => {
  const folder = temporaryFolder("log-reader");
  let number = 0;
  const fresh = (text: string): string => {
    number += 1;
    const path = join(folder, `log-${number}`);
    writeFileSync(path, text);
    return path;
  };

  /** What is read of the log, as it comes. */
  function reading(path: string, { tailBytes = 0, follow = false } = {}) {
    const leave = new AbortController();
    const state = { text: "", offsets: [] as number[], ended: false };
    const query = { stream: "stdout", tailBytes, follow, signal: leave.signal } as const;
    const done = (async () => {
      for await (const { offset, data } of readLog(path, query, { clock: systemClock, ended: () => state.ended })) {
        state.offsets.push(offset);
        state.text += Buffer.from(data).toString();
      }
    })();
    return { state, done, leave };
  }

  it("gives all of it, or its end, with the place of each piece", async () => {
    const path = fresh("newer\n");
    writeFileSync(`${path}.1`, "older\n");
    const whole = reading(path);
    await whole.done;
    expect(whole.state).to.include({ text: "older\nnewer\n" });
    expect(whole.state.offsets).to.deep.equal([0, 6]);
    const tail = reading(path, { tailBytes: 8 });
    await tail.done;
    expect(tail.state).to.include({ text: "r\nnewer\n" });
    expect(tail.state.offsets[0]).to.equal(4);
  });

  it("takes a file that is not there for empty", async () => {
    const { state, done } = reading(join(folder, "nothing"));
    await done;
    expect(state.text).to.equal("");
  });

  it("goes on over a rotation, by renaming or by cutting, and ends with its writer", async () => {
    const path = fresh("one\n");
    const { state, done } = reading(path, { follow: true });
    await eventually("the first line", () => state.text === "one\n" || undefined);
    appendFileSync(path, "two\n");
    renameSync(path, `${path}.1`);
    writeFileSync(path, "three\n");
    await eventually("the renamed file", () => state.text === "one\ntwo\nthree\n" || undefined);
    appendFileSync(path, "four\n");
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    await eventually("the cut file", () => state.text === "one\ntwo\nthree\nfour\n" || undefined);
    appendFileSync(path, "five\n");
    state.ended = true;
    await done;
    expect(state.text).to.equal("one\ntwo\nthree\nfour\nfive\n");
  });

  it("ends when nobody wants more", async () => {
    const { state, done, leave } = reading(fresh("x\n"), { follow: true });
    await eventually("the line", () => state.text === "x\n" || undefined);
    leave.abort();
    await done;
  });
});
