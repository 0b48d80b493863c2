/**
 * Loaded into every process of a cluster by NODE_OPTIONS: reads of files whose name ends in ".slow.jsonl" wait, before each, for as many
 * milliseconds as the file named by WADI_TEST_READ_DELAY says at that moment. Sources take their time, and tests say when that ends.
 */
import { closeSync, openSync, readFileSync, readlinkSync, unlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { WADI_TEST_READ_DELAY: control } = process.env;
/** So that a change is noticed in the middle of a long wait. */
const STEP_MS = 20;

function delayMs() {
  try {
    return Number(readFileSync(control, "utf8"));
  } catch {
    return 0;
  }
}

async function patch() {
  const path = join(tmpdir(), `wadi-slow-reads-${process.pid}-${performance.now()}`);
  closeSync(openSync(path, "w"));
  const handle = await open(path);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  unlinkSync(path);
  const read = prototype.read;
  prototype.read = async function (...words) {
    if (readlinkSync(`/proc/self/fd/${this.fd}`).endsWith(".slow.jsonl")) {
      for (let waited = 0; waited < delayMs(); waited += STEP_MS) await sleep(STEP_MS);
    }
    return read.apply(this, words);
  };
}

if (control !== undefined) await patch();
