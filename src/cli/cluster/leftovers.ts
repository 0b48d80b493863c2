/**
 * Processes of a cluster whose supervisor was killed: their ids are kept in the state directory, and the next supervisor waits until they are
 * gone, because they still hold ports and believe to lead.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { systemClock } from "../../core/clock.ts";
import { isProcessAlive, processStartTicks } from "../../core/process-identity.ts";

const FILE = "processes.json";
const RECORD = z.record(z.string(), z.object({ pid: z.int().positive(), ticks: z.string() }));
/** They notice by themselves; this is for one that hangs. */
const PATIENCE_MS = 3_000;
const POLL_MS = 25;

/** The record of a cluster's processes. */
export class ProcessRecord {
  readonly #path: string;
  #processes: z.infer<typeof RECORD> = {};

  /** In the state directory `folder`, whose lock the caller holds. */
  constructor(folder: string) {
    this.#path = join(folder, FILE);
  }

  /** Waits for the processes of an earlier supervisor, and ends those that do not end by themselves. */
  async clear(): Promise<void> {
    const left = Object.values(this.#read());
    const alive = (): typeof left => left.filter(({ pid, ticks }) => isProcessAlive(pid, ticks));
    const deadlineMs = systemClock.elapsedMs() + PATIENCE_MS;
    while (alive().length > 0 && systemClock.elapsedMs() < deadlineMs) await systemClock.sleep(POLL_MS);
    for (const { pid } of alive()) process.kill(pid, "SIGKILL");
    while (alive().length > 0) await systemClock.sleep(POLL_MS);
    rmSync(this.#path, { force: true });
  }

  /** The process `pid` now runs the part `name`. */
  note(name: string, pid: number): void {
    this.#processes = { ...this.#processes, [name]: { pid, ticks: processStartTicks(pid) } };
    writeFileSync(this.#path, `${JSON.stringify(this.#processes)}\n`, { mode: 0o600 });
  }

  /** Nothing runs any more. */
  end(): void {
    rmSync(this.#path, { force: true });
  }

  #read(): z.infer<typeof RECORD> {
    try {
      return RECORD.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch {
      // Absent after an ordinary stop; cut short by a crash, and then the lock of the directory still keeps two supervisors apart.
      return {};
    }
  }
}
