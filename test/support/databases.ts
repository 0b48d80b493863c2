/**
 * Databases for tests: PGlite behind a socket (always there, as on a laptop: all clients share one session), and real PostgreSQL: the one of
 * `WADI_TEST_DATABASE_URL`, or a server of one's own from the machine's `initdb` and `postgres`, on a unix socket. Each test database is new.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { Client } from "pg";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/db/connection.ts";
import { type EmbeddedDatabase, openEmbeddedDatabase } from "../../src/db/embedded.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A server on which tests make databases. */
export interface DatabaseServer {
  /** A new empty database; how to reach it. */
  create(): Promise<DatabaseOptions>;
  stop(): Promise<void>;
}

const DEFAULTS = {
  host: "127.0.0.1",
  port: 5432,
  database: "postgres",
  user: "postgres",
  password: "",
  schema: "",
  tls: { kind: "no-tls" },
  applicationName: "wadi test",
  connections: 4,
  statementTimeoutMs: 0,
} as const satisfies DatabaseOptions;

/** PGlite as on a laptop. It has one database: `create` empties it, so only the newest may be used. */
export function startPglite(): DatabaseServer {
  let running: EmbeddedDatabase | undefined;
  return {
    async create() {
      const onFailure = (error: Error): never => {
        throw error;
      };
      running ??= await openEmbeddedDatabase({
        folder: temporaryFolder("pglite"),
        cacheFolder: join(homedir(), ".cache", "wadi"),
        onFailure,
      });
      const options = { ...DEFAULTS, host: running.host };
      const db = openDatabase({ ...options, connections: 1 });
      await db.raw("drop schema public cascade; create schema public");
      await db.destroy();
      return options;
    },
    async stop() {
      await running?.close();
    },
  };
}

/** Why there is no real PostgreSQL here, `undefined` if there is. */
export function postgresAbsence(): string | undefined {
  if (process.env["WADI_TEST_DATABASE_URL"] !== undefined || programs() !== undefined) return undefined;
  return "no WADI_TEST_DATABASE_URL and no PostgreSQL installed";
}

/** Real PostgreSQL. */
export async function startPostgres(): Promise<DatabaseServer> {
  const url = process.env["WADI_TEST_DATABASE_URL"];
  return url === undefined ? startLocal() : onServer(optionsOf(new URL(url)), async () => undefined);
}

function optionsOf(url: URL): DatabaseOptions {
  return {
    ...DEFAULTS,
    host: url.searchParams.get("host") ?? url.hostname,
    port: url.port === "" ? DEFAULTS.port : Number(url.port),
    database: url.pathname.slice(1) || DEFAULTS.database,
    user: decodeURIComponent(url.username) || DEFAULTS.user,
    password: decodeURIComponent(url.password),
  };
}

/** The folder of `initdb` and `postgres`: the newest version installed. */
function programs(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const installed = existsSync(debian) ? readdirSync(debian).map(Number).filter(Number.isInteger) : [];
  const folders = installed.sort((a, b) => b - a).map((version) => join(debian, String(version), "bin"));
  const all = [...folders, ...(process.env["PATH"] ?? "").split(delimiter)];
  return all.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

/** PostgreSQL refuses to run as root: then it runs as the account of its package. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}

async function startLocal(): Promise<DatabaseServer> {
  const bin = programs() ?? "";
  const folder = temporaryFolder("postgres");
  const owner = account();
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, "data");
  const made = spawnSync(join(bin, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], {
    cwd: folder,
    encoding: "utf8",
    ...owner,
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const args = ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50"];
  const child = spawn(join(bin, "postgres"), args, { cwd: folder, stdio: "ignore", ...owner });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const options = { ...DEFAULTS, host: folder };
  await untilAnswering(options, child);
  return onServer(options, async () => {
    process.off("exit", kill);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await ended;
  });
}

async function untilAnswering(options: DatabaseOptions, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`);
    const client = new Client({ host: options.host, port: options.port, user: options.user, database: options.database });
    const answered = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("postgres did not answer within 60 s");
}

/** Makes a database per test on a server that is there; drops them at the end. */
async function onServer(options: DatabaseOptions, stop: () => Promise<void>): Promise<DatabaseServer> {
  const admin: Database = openDatabase({ ...options, connections: 1 });
  const names: string[] = [];
  return {
    async create() {
      const name = `wadi_test_${process.pid}_${Date.now()}_${names.length}`;
      await admin.raw("create database ??", [name]);
      names.push(name);
      return { ...options, database: name };
    },
    async stop() {
      for (const name of names.splice(0)) await admin.raw("drop database ?? with (force)", [name]);
      await admin.destroy();
      await stop();
    },
  };
}
