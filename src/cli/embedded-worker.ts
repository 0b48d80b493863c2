/** A worker as a thread: `wadi worker` with the settings of the process it is in. A signal cannot reach a thread: it is posted instead. */
import { parentPort, workerData } from "node:worker_threads";
import type { LoadedConfig } from "../core/config.ts";
import { worker } from "./commands/worker.ts";
import { EXIT, sayError } from "./output.ts";

const { config } = workerData as Pick<LoadedConfig, "config">;
parentPort?.on("message", () => process.emit("SIGTERM"));
worker({}, { config, origins: new Map(), warnings: [] }).then(
  (code) => process.exit(code),
  (error: unknown) => {
    sayError(error);
    process.exit(EXIT.failed);
  },
);
