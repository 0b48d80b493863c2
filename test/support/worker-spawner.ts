/** Starts real worker processes for tests and sees to it that none is left over. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunFence } from "../../src/gen/peer.ts";

const TEST_ENTRY = fileURLToPath(new URL("./worker-process.ts", import.meta.url));
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** What a test chooses of a worker. */
export interface SpawnedWorkerInit {
  readonly id: string;
  readonly fence: RunFence;
  readonly endpoints: readonly string[];
  readonly token: string;
  readonly slots?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A worker process. */
export interface SpawnedWorker {
  readonly process: ChildProcess;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  readonly stderr: () => string;
  readonly log: () => string;
}

const running = new Set<ChildProcess>();

/** Starts one. It runs from TypeScript sources. */
export function spawnWorker({ id, fence, endpoints, token, slots = 1, env = {} }: SpawnedWorkerInit): SpawnedWorker {
  const folder = mkdtempSync(join(tmpdir(), "wadi-worker-"));
  const tokenFile = join(folder, "token");
  const logFile = join(folder, "log");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  // The real command, unless connectors of the test are wanted.
  const entry = env["WADI_TEST_CONNECTORS"] === undefined ? [MAIN, "worker"] : [TEST_ENTRY];
  const child = spawn(process.execPath, ["--import", "tsx", ...entry], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      WADI_JOB_ID: fence.jobId,
      WADI_RUN_ID: fence.runId,
      WADI_RUN_FENCE: String(fence.fence),
      WADI_WORKER_ID: id,
      WADI_TASK_SLOTS: String(slots),
      WADI_CONTROLLER_ENDPOINTS: endpoints.join(","),
      WADI_RUN_TOKEN_FILE: tokenFile,
      WADI_LOG_FILE: logFile,
      WADI__CONNECTORS__FILE__ROOTS: "/",
      ...env,
    },
  });
  running.add(child);
  let stderr = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  const exited = new Promise<number | string>((resolve) => {
    child.on("exit", (code, signal) => {
      running.delete(child);
      resolve(code ?? signal ?? "nothing");
    });
  });
  return { process: child, exited, stderr: () => stderr, log: () => readFileSync(logFile, "utf8") };
}

/** Ends what a test left over. */
export function killSpawnedWorkers(): void {
  for (const child of running) child.kill("SIGKILL");
}
