/** The embedded database of a state directory, for the commands that may own it. */
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../core/config.ts";
import type { AppError } from "../core/errors.ts";
import type { DatabaseOptions } from "../db/connection.ts";
import { EMBEDDED_DATABASE, EMBEDDED_PORT, EMBEDDED_USER, type EmbeddedDatabase, openEmbeddedDatabase } from "../db/embedded.ts";
import { lockStateFolder } from "../storage/state-lock.ts";
import { sayError } from "./output.ts";
import { configuredStateFolder } from "./state-folder.ts";

/** Opens the database in the state directory `folder`, whose lock the caller holds; `onFailure` is told if it breaks. */
export function openEmbeddedIn(folder: string, config: Config, onFailure: (error: AppError) => void): Promise<EmbeddedDatabase> {
  const home = homedir();
  const cacheFolder = config["compiler.cache-dir"] ?? join(home === "" || home === "/" ? tmpdir() : home, ".cache", "wadi");
  return openEmbeddedDatabase({ folder, cacheFolder, onFailure });
}

/** How to reach an embedded database whose socket is in `host`. */
export function embeddedOptions(host: string): DatabaseOptions {
  return {
    host,
    port: EMBEDDED_PORT,
    database: EMBEDDED_DATABASE,
    user: EMBEDDED_USER,
    password: "",
    schema: "",
    tls: { kind: "no-tls" },
    applicationName: "wadi",
    connections: 2,
    statementTimeoutMs: 0,
  };
}

/** Runs `use` with the embedded database of the configured state directory, while no cluster runs there. */
export async function withEmbeddedDatabase(config: Config, use: (options: DatabaseOptions) => Promise<void>): Promise<void> {
  // Whoever waits for an answer then would wait for ever.
  const fail = (error: AppError): never => process.exit(sayError(error));
  const folder = configuredStateFolder(config).path;
  const lock = lockStateFolder(folder);
  try {
    const database = await openEmbeddedIn(folder, config, fail);
    try {
      await use(embeddedOptions(database.host));
    } finally {
      await database.close();
    }
  } finally {
    lock.release();
  }
}
