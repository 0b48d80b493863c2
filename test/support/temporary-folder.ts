/** Folders for tests, below the system's temporary folder. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

/** A new empty folder that goes with the process. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `wadi-${name}-`));
  if (made.length === 0)
    process.once("exit", () => {
      for (const one of made) rmSync(one, { recursive: true, force: true });
    });
  made.push(folder);
  return folder;
}
