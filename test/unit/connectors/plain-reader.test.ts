/** Reading ahead must not show: whatever a slot consumes, however long the rows are and whichever block comes next, every row comes once. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { makeFilesystemSource } from "../../../src/connectors/filesystem/source.ts";
import { Prng } from "../../../src/core/prng.ts";
import { checkpointed, drainBytes, subtaskContext } from "../../support/source-driver.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/** Rows that begin with their number, most short, some longer than what is carried from chunk to chunk. */
function writeRows(path: string, prng: Prng, bytes: number, first: number): string[] {
  const rows: string[] = [];
  for (let written = 0, n = first; written < bytes; n++) {
    const row = `${n} ${"x".repeat(prng.chance(1, 50) ? prng.between(50_000, 300_000) : prng.between(0, 400))}`;
    written += row.length + 1;
    rows.push(row);
  }
  writeFileSync(path, `${rows.join("\n")}${prng.chance(1, 2) ? "\n" : ""}`);
  return rows;
}

describe("plain files read ahead", function () {
  this.timeout(60_000);

  for (const seed of [1, 2, 3, 4]) {
    it(`give every row once, with long rows, several files, restarts and rescaling (seed ${seed})`, async () => {
      const prng = new Prng(seed);
      const folder = temporaryFolder("ahead");
      const options = { path: `file://${folder}` };
      const expected = [0, 1, 2].flatMap((i) =>
        writeRows(join(folder, `${i}.ndjson`), prng, prng.pick([1_000, 700_000, 6_000_000]), i * 10_000_000),
      );
      const rows: string[] = [];
      let positions: Awaited<ReturnType<typeof checkpointed>> | undefined;
      for (const parallelism of [2, 1, 3]) {
        const sources = Array.from({ length: parallelism }, (_, s) => makeFilesystemSource(subtaskContext(options, s, parallelism)));
        for (const source of sources) {
          await source.open(positions);
          const limit = parallelism === 3 ? Number.POSITIVE_INFINITY : prng.below(Math.ceil(expected.length / 3));
          rows.push(...(await drainBytes(source, prng, limit)).rows);
        }
        positions = checkpointed(sources);
        for (const source of sources) await source.close();
      }
      expect(rows.length).to.equal(expected.length);
      expect(rows.sort()).to.deep.equal(expected.sort());
    });
  }
});
