/**
 * PostgreSQL without a server, for a laptop: PGlite, which is PostgreSQL compiled to WebAssembly, in this process, behind a unix socket that
 * speaks PostgreSQL's protocol. All clients share one session (see connection.ts). Two processes on one data directory lose commits silently,
 * so the caller holds the lock of the folder. Survives kill -9: the next start replays the write-ahead log.
 *
 * Making a database takes four seconds, so the first one is kept as a template in the user's cache and copied.
 */
import { chmodSync, constants, cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { systemClock } from "../core/clock.ts";
import { type AppError, toAppError, userError } from "../core/errors.ts";
import { makeFolder } from "../storage/make-folder.ts";
import { EmbeddedServer } from "./embedded-server.ts";

/** Where an embedded database lives. */
export interface EmbeddedOptions {
  /** Holds the data and the socket; made if absent. The caller owns it exclusively, and only the user may enter it. */
  readonly folder: string;
  /** Folder of templates, shared by all of the user's databases; undefined: none is kept. */
  readonly cacheFolder: string | undefined;
  /** The database broke: nothing is answered any more, the folder can be opened again. */
  readonly onFailure: (error: AppError) => void;
}

/** A running embedded database. */
export interface EmbeddedDatabase {
  /** Folder of the socket: the `host` of connections. The port is `EMBEDDED_PORT`. */
  readonly host: string;
  /** Ends all connections and closes the database. */
  close(): Promise<void>;
}

/** Number in the name of the socket. */
export const EMBEDDED_PORT = 5432;
/** Its only role. */
export const EMBEDDED_USER = "postgres";
/** Its only database. */
export const EMBEDDED_DATABASE = "postgres";

/** Our transactions do not wait for anything but the database. */
const IDLE_LIMIT_MS = 5_000;
/** The release of PostgreSQL in the locked PGlite: the data directory's format. */
const FORMAT = "18";
/** Longest path of a unix socket, with some room: https://man7.org/linux/man-pages/man7/unix.7.html */
const SOCKET_PATH_MAX = 100;

/** Opens the database of `folder`, which is made if it is not there. Throws `version-mismatch` for one of another release of PostgreSQL. */
export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const data = join(options.folder, "postgres");
  makeFolder(options.folder);
  chmodSync(options.folder, 0o700);
  if (!existsSync(join(data, "PG_VERSION"))) await createData(data, options.cacheFolder);
  checkFormat(data);
  const db = await PGlite.create({ dataDir: data });
  const socket = socketFolder(options.folder);
  const path = join(socket.folder, `.s.PGSQL.${EMBEDDED_PORT}`);
  rmSync(path, { force: true });
  const server = new EmbeddedServer({ db, path, idleLimitMs: IDLE_LIMIT_MS, clock: systemClock, onFailure: options.onFailure });
  await server.listen();
  return {
    host: socket.folder,
    async close() {
      await server.close();
      await db.close();
      rmSync(path, { force: true });
      if (socket.temporary) rmSync(socket.folder, { recursive: true, force: true });
    },
  };
}

/** In the folder itself, unless its path is too long for a socket. */
function socketFolder(folder: string): { readonly folder: string; readonly temporary: boolean } {
  const own = join(folder, "socket");
  if (Buffer.byteLength(own) > SOCKET_PATH_MAX - ".s.PGSQL.65535".length) {
    return { folder: mkdtempSync(join(tmpdir(), "wadi-socket-")), temporary: true };
  }
  makeFolder(own);
  return { folder: own, temporary: false };
}

function checkFormat(data: string): void {
  const format = readFileSync(join(data, "PG_VERSION"), "utf8").trim();
  if (format === FORMAT) return;
  throw userError("version-mismatch", `database "${data}" was made by PostgreSQL ${format}, this release embeds PostgreSQL ${FORMAT}`, {
    hint: "Use the release that made it to back it up, or choose another --state-dir.",
  });
}

/** Makes `data`, whole or not at all. */
async function createData(data: string, cacheFolder: string | undefined): Promise<void> {
  const made = `${data}.new`;
  rmSync(made, { recursive: true, force: true });
  const template = cacheFolder === undefined ? undefined : join(cacheFolder, `postgres-${FORMAT}-${templateVersion()}`);
  if (template !== undefined && existsSync(join(template, "PG_VERSION"))) copyFolder(template, made);
  else {
    await (await PGlite.create({ dataDir: made })).close();
    if (template !== undefined) keepTemplate(made, template);
  }
  renameSync(made, data);
}

/** A template belongs to one release of PGlite. */
function templateVersion(): string {
  const path = join(dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite")), "..", "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

/** Copies `made` into the cache. A cache that cannot be written costs some seconds at the next first start, no more. */
function keepTemplate(made: string, template: string): void {
  let partial = `${template}.partial`;
  try {
    makeFolder(dirname(template));
    partial = mkdtempSync(`${template}.`);
    copyFolder(made, partial);
    renameSync(partial, template);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    const { code } = toAppError(error);
    if (code === "invariant") throw error;
  }
}

function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
}
