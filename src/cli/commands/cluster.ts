/**
 * `wadi cluster`: the whole system on one machine. This process is the supervisor: it owns the state directory and the embedded database,
 * starts api and controller as children and starts them again when they die. Ctrl-C reaches only this process: workers take a checkpoint and
 * stop, then controller, api and database end; a second one ends all at once.
 *
 * If it is killed the children end by themselves and workers go on for a while; the next start takes them over.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import type { Config, LoadedConfig } from "../../core/config.ts";
import type { AppError } from "../../core/errors.ts";
import { LogFile } from "../../core/log-file.ts";
import { openDatabase } from "../../db/connection.ts";
import type { EmbeddedDatabase } from "../../db/embedded.ts";
import { makeFolder } from "../../storage/make-folder.ts";
import { lockStateFolder } from "../../storage/state-lock.ts";
import { Supervisor } from "../cluster/supervisor.ts";
import { databaseOptions } from "../database.ts";
import { embeddedOptions, openEmbeddedIn } from "../embedded-database.ts";
import { EXIT, say } from "../output.ts";
import { release } from "../release.ts";
import { configuredStateFolder, type StateFolder } from "../state-folder.ts";
import { migrateTo } from "./migrate.ts";

/** Arguments of the command. */
export interface ClusterArguments {
  /** The file given with `-c`: the children read it, too. */
  readonly configFile: string | undefined;
}

/** A database of one's own may still be starting. */
const DATABASE_WAIT_MS = 60_000;
const TOKEN_BYTES = 24;
/** npm and the terminal may both deliver one Ctrl-C. */
const SAME_KEYSTROKE_MS = 300;

/** Runs the cluster until Ctrl-C; the exit code. */
export async function cluster(args: ClusterArguments, loaded: LoadedConfig): Promise<number> {
  const { config, warnings } = loaded;
  const folder = configuredStateFolder(config);
  for (const warning of warnings) say(`warning: ${warning}`);
  const interrupts = watchInterrupts();
  const lock = lockStateFolder(folder.path);
  chmodSync(folder.path, 0o700);
  let database: EmbeddedDatabase | undefined;
  try {
    say(`wadi ${release()}: state in ${folder.path}`);
    const sessionToken = config["api.session-token"] ?? sessionTokenOf(folder);
    const supervisor = new Supervisor({
      config,
      folder,
      release: release(),
      log: openLog(folder, "cluster", config),
      openLog: (name) => openLog(folder, name, config),
    });
    interrupts.onSecond(() => supervisor.kill());
    await supervisor.clearLeftovers();
    database = await prepareDatabase(config, folder, interrupts.fail);
    if (interrupts.signal.aborted) return EXIT.done;
    await supervisor.start(
      {
        args: args.configFile === undefined ? [] : ["--config", args.configFile],
        env: { ...process.env, ...childVariables(loaded, folder, database?.host), WADI__API__SESSION_TOKEN: sessionToken },
      },
      interrupts.signal,
    );
    if (!interrupts.signal.aborted) sayReady(supervisor.apiPort, config, sessionToken);
    await interrupts.interrupted;
    const failure = interrupts.failure();
    if (failure !== undefined) {
      supervisor.kill();
      throw failure;
    }
    say("stopping: pipelines take a checkpoint (Ctrl-C again stops at once)");
    await supervisor.stop();
    say("stopped");
    return EXIT.done;
  } finally {
    await database?.close();
    lock.release();
    interrupts.dispose();
  }
}

function openLog(folder: StateFolder, name: string, config: Config): LogFile {
  return new LogFile(join(folder.logs, `${name}.log`), { sizeLimit: config["logging.file-size"], files: config["logging.files-kept"] });
}

/** The token stays the same from start to start, so that links and open pages go on working. */
function sessionTokenOf(folder: StateFolder): string {
  if (existsSync(folder.sessionToken)) {
    const kept = readFileSync(folder.sessionToken, "utf8").trim();
    if (kept !== "") return kept;
  }
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  writeFileSync(folder.sessionToken, `${token}\n`, { mode: 0o600 });
  return token;
}

/** Starts the embedded database, if it is to be used, and brings the schema up to date. */
async function prepareDatabase(
  config: Config,
  folder: StateFolder,
  onFailure: (error: AppError) => void,
): Promise<EmbeddedDatabase | undefined> {
  const isEmbedded = config["database.type"] === "embedded";
  const embedded = isEmbedded ? await openEmbeddedIn(folder.path, config, onFailure) : undefined;
  const db = openDatabase({
    ...(embedded === undefined ? databaseOptions(config, "wadi cluster") : embeddedOptions(embedded.host)),
    statementTimeoutMs: 0,
  });
  try {
    const applied = await migrateTo(db, DATABASE_WAIT_MS);
    const where =
      embedded === undefined ? `${config["database.postgres.host"]}:${config["database.postgres.port"]}` : "embedded PostgreSQL";
    say(`database    ${where}${applied.length === 0 ? "" : `, migrated to version ${applied.at(-1)}`}`);
    return embedded;
  } catch (error) {
    await embedded?.close();
    throw error;
  } finally {
    await db.destroy();
  }
}

/** What the children are told besides the supervisor's own environment. */
function childVariables({ config, origins }: LoadedConfig, folder: StateFolder, databaseHost: string | undefined): NodeJS.ProcessEnv {
  const checkpoints = join(folder.path, "checkpoints");
  if (!origins.has("checkpoint-url")) makeFolder(checkpoints);
  return {
    WADI__STATE_DIR: folder.path,
    WADI__ADMIN__HTTP_PORT: "0",
    ...(origins.has("checkpoint-url") ? {} : { WADI__CHECKPOINT_URL: checkpoints }),
    ...(databaseHost === undefined ? {} : databaseVariables(databaseHost)),
    WADI__LOGGING__LEVEL: config["logging.level"],
  };
}

function databaseVariables(host: string): NodeJS.ProcessEnv {
  const { port, database, user } = embeddedOptions(host);
  return {
    WADI__DATABASE__TYPE: "postgres",
    WADI__DATABASE__POSTGRES__HOST: host,
    WADI__DATABASE__POSTGRES__PORT: String(port),
    WADI__DATABASE__POSTGRES__DATABASE_NAME: database,
    WADI__DATABASE__POSTGRES__USER: user,
    WADI__DATABASE__POSTGRES__PASSWORD: "",
    WADI__DATABASE__POSTGRES__SCHEMA: "",
    WADI__DATABASE__POSTGRES__TLS__MODE: "no-tls",
  };
}

function sayReady(port: number, config: Config, token: string): void {
  const host = config["api.bind-address"];
  const name = host === "127.0.0.1" || host === "::1" || host === "0.0.0.0" || host === "::" ? "localhost" : host;
  say(
    `\nWadi runs. Open  http://${name}:${port}/#token=${token}\nCtrl-C takes a checkpoint of every pipeline and stops; the next start goes on from there.`,
  );
}

/** Ctrl-C once, or a failure: the signal. Ctrl-C again: what `onSecond` was given, then the process ends with 130. */
function watchInterrupts() {
  const controller = new AbortController();
  let second = (): void => undefined;
  let failure: AppError | undefined;
  const interrupted = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let firstMs = 0;
  const handle = (): void => {
    if (!controller.signal.aborted) {
      firstMs = systemClock.elapsedMs();
      return controller.abort();
    }
    if (systemClock.elapsedMs() - firstMs < SAME_KEYSTROKE_MS) return;
    second();
    process.exit(EXIT.interrupted);
  };
  process.on("SIGINT", handle).on("SIGTERM", handle);
  return {
    signal: controller.signal,
    interrupted,
    failure: (): AppError | undefined => failure,
    fail: (error: AppError): void => {
      failure ??= error;
      controller.abort();
    },
    onSecond: (kill: () => void): void => {
      second = kill;
    },
    dispose: (): void => {
      process.off("SIGINT", handle).off("SIGTERM", handle);
    },
  };
}
