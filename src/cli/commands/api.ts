/** `wadi api`: the REST API and the web interface as a process. It talks to the database only, and keeps nothing of its own. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ApiServer } from "../../api/api-server.ts";
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { systemRandom } from "../../core/prng.ts";
import { openDatabase } from "../../db/connection.ts";
import { isLoopback } from "../../rpc/admin-server.ts";
import { awaitDatabase, databaseOptions } from "../database.ts";
import { say } from "../output.ts";
import { release } from "../release.ts";
import { runProcess } from "../service-process.ts";

const TOKEN_BYTES = 24;

/** Runs the command to its end; the exit code. */
export async function api(loaded: LoadedConfig): Promise<number> {
  const made = loaded.config["api.session-token"] === undefined && isLoopback(loaded.config["api.bind-address"]);
  const config = made ? { ...loaded.config, "api.session-token": randomBytes(TOKEN_BYTES).toString("base64url") } : loaded.config;
  const db = openDatabase(databaseOptions(config, "wadi api"));
  try {
    return await runProcess(
      {
        name: "api",
        status: () => ({ ok: true }),
        services: async ({ logger, metrics, ready, stopping }) => {
          await awaitDatabase(db, logger, stopping);
          const server = new ApiServer({
            db,
            settings: config,
            clock: systemClock,
            random: systemRandom,
            logger,
            metrics,
            uiFolder: uiFolder(),
            release: release(),
          });
          void server.listening.then((port) => {
            ready({ "api.http-port": port });
            if (made) say(`open http://localhost:${port}/#token=${config["api.session-token"]}`);
          });
          return [server];
        },
      },
      { ...loaded, config },
    );
  } finally {
    await db.destroy();
  }
}

/** The built web interface; undefined where it was not built. */
function uiFolder(): string | undefined {
  const folder = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../../../dist/ui" : "../../ui", import.meta.url));
  return existsSync(folder) ? folder : undefined;
}
