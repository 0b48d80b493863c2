/**
 * A controller with the Nomad scheduler as a process of its own, so that what it costs can be told apart from the Nomad and the workers it is
 * measured against. Its parent says where the database and Nomad are, and hears how much processor it has used.
 */
import { Registry } from "prom-client";
import { nomadScheduler } from "../../src/cli/nomad-scheduler.ts";
import { Controller } from "../../src/controller/controller.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadConfig } from "../../src/core/config.ts";
import { makeLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { type DatabaseOptions, openDatabase } from "../../src/db/connection.ts";

/** What the parent says first. */
export interface ScaleControllerInit {
  readonly database: DatabaseOptions;
  /** Lines of TOML. */
  readonly settings: string;
}

/** What it hears, every half second. */
export interface ScaleControllerUse {
  /** Of its whole life. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

const SAY_MS = 500;

async function run({ database, settings }: ScaleControllerInit): Promise<void> {
  const { config } = loadConfig({ files: [{ path: "test.toml", text: settings }], env: {} });
  const logger = makeLogger({ level: process.env["WADI_TEST_LOG"] === undefined ? "error" : "debug", format: "plaintext" });
  const db = openDatabase(database);
  const ending = new AbortController();
  process.once("SIGTERM", () => ending.abort());
  const controller = new Controller({
    db,
    scheduler: nomadScheduler(config, logger),
    compiler: {
      compile: async ({ fingerprint }) => ({ hash: `${fingerprint}0`, wasm: new Uint8Array([0, 1, 2]), stateSchemas: {} }),
    },
    settings: config,
    clock: systemClock,
    random: systemRandom,
    logger,
    metrics: new Registry(),
  });
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() } satisfies ScaleControllerUse);
  }, SAY_MS);
  await controller.run(ending.signal);
  clearInterval(timer);
  await db.destroy();
  process.disconnect();
}

process.once("message", (init: ScaleControllerInit) => void run(init));
