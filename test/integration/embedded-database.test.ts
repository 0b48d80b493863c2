/** The embedded database over its socket: several clients, clients that hang or die, a process that is killed. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Client } from "pg";
import { EMBEDDED_DATABASE, EMBEDDED_PORT, EMBEDDED_USER, type EmbeddedDatabase, openEmbeddedDatabase } from "../../src/db/embedded.ts";
import { rejection } from "../support/rejection.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const CACHE = join(homedir(), ".cache", "wadi");
const onFailure = (error: Error): never => {
  throw error;
};

async function connected(host: string): Promise<Client> {
  const client = new Client({ host, port: EMBEDDED_PORT, user: EMBEDDED_USER, database: EMBEDDED_DATABASE });
  // A connection that the server ends is no failure of a test.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

describe("embedded database", function () {
  this.timeout(60_000);
  const folder = temporaryFolder("embedded");
  let database: EmbeddedDatabase;
  let clients: Client[] = [];

  const connect = async (): Promise<Client> => {
    const client = await connected(database.host);
    clients.push(client);
    return client;
  };

  before(async () => {
    database = await openEmbeddedDatabase({ folder, cacheFolder: CACHE, onFailure });
    await (await connect()).query("create table t (x int)");
  });
  afterEach(async () => {
    for (const client of clients) await client.end();
    clients = [];
  });
  after(() => database.close());

  it("keeps the clients' requests apart while many run at once", async () => {
    const all = await Promise.all(Array.from({ length: 12 }, connect));
    const answers = await Promise.all(
      all.map(async (client, number) => {
        const seen: number[] = [];
        for (let i = 0; i < 30; i++) seen.push((await client.query("select $1::int * 1000 + $2::int as n", [number, i])).rows[0].n);
        return seen;
      }),
    );
    expect(answers).to.deep.equal(all.map((_, number) => Array.from({ length: 30 }, (__, i) => number * 1000 + i)));
  });

  it("lets one transaction at a time run, and the others' statements after it", async () => {
    const [a, b] = [await connect(), await connect()];
    await a.query("begin");
    await a.query("insert into t values (1)");
    const seen = b.query("select count(*)::int as n from t");
    await a.query("insert into t values (2)");
    await a.query("commit");
    expect((await seen).rows[0].n).to.equal(2);
  });

  it("goes on after an error in the middle of a request and in a transaction", async () => {
    const [a, b] = [await connect(), await connect()];
    expect((await a.query("select $1::int / 0", [1]).catch((e: Error) => e)) as Error).to.have.property("code", "22012");
    await a.query("begin");
    expect((await a.query("select nothing").catch((e: Error) => e)) as Error).to.have.property("code", "42703");
    await a.query("rollback");
    expect((await b.query("select 1 as n")).rows[0].n).to.equal(1);
  });

  it("rolls back for a client that goes away in a transaction", async () => {
    const [a, b] = [await connect(), await connect()];
    await a.query("begin");
    await a.query("insert into t values (77)");
    (a as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect((await b.query("select count(*)::int as n from t where x = 77")).rows[0].n).to.equal(0);
  });

  it("ends the transaction and the connection of a client that keeps silent in it", async () => {
    const [a, b] = [await connect(), await connect()];
    await a.query("begin");
    await a.query("insert into t values (78)");
    expect((await b.query("select count(*)::int as n from t where x = 78")).rows[0].n).to.equal(0);
    expect((await a.query("commit").catch((e: Error) => e)) as Error).to.be.instanceOf(Error);
  });

  it("tells clients that listen what others notify, after the commit", async () => {
    const [a, b, c] = [await connect(), await connect(), await connect()];
    const heard: string[] = [];
    await a.query("listen jobs");
    a.on("notification", ({ channel, payload }) => heard.push(`a ${channel} ${payload}`));
    c.on("notification", ({ channel, payload }) => heard.push(`c ${channel} ${payload}`));
    await b.query("begin");
    await b.query("select pg_notify('jobs', $1)", ["job_1"]);
    expect(heard).to.deep.equal([]);
    await b.query("commit");
    await a.query("select 1");
    expect(heard).to.deep.equal(["a jobs job_1"]);
  });

  it("takes long requests in pieces beside short ones", async () => {
    const [a, b] = [await connect(), await connect()];
    const long = "x".repeat(3_000_000);
    const [one, two] = await Promise.all([a.query("select length($1) as n", [long]), b.query("select 2 as n")]);
    expect([one.rows[0].n, two.rows[0].n]).to.deep.equal([long.length, 2]);
  });

  it("refuses what is not the protocol, and serves the others", async () => {
    const { connect: dial } = await import("node:net");
    const socket = dial(join(database.host, `.s.PGSQL.${EMBEDDED_PORT}`));
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await once(socket, "close");
    expect((await (await connect()).query("select 3 as n")).rows[0].n).to.equal(3);
  });
});

describe("embedded database of a killed process", function () {
  this.timeout(60_000);

  it("has every committed row and none of an open transaction", async () => {
    const folder = temporaryFolder("embedded");
    const child = fork(fileURLToPath(new URL("../support/embedded-child.ts", import.meta.url)), [folder, CACHE], {
      execArgv: ["--import", "tsx"],
    });
    const [host] = (await once(child, "message")) as [string];
    const client = await connected(host);
    await client.query("create table t (x int)");
    for (let x = 0; x < 50; x++) await client.query("insert into t values ($1)", [x]);
    await client.query("begin");
    await client.query("insert into t values (1000)");
    child.kill("SIGKILL");
    await once(child, "exit");
    const again = await openEmbeddedDatabase({ folder, cacheFolder: CACHE, onFailure });
    const reader = await connected(again.host);
    expect((await reader.query("select count(*)::int as n, max(x) as x from t")).rows[0]).to.deep.equal({ n: 50, x: 49 });
    await reader.end();
    await again.close();
    expect(existsSync(join(host, `.s.PGSQL.${EMBEDDED_PORT}`))).to.equal(false);
  });

  it("refuses a database of another release of PostgreSQL", async () => {
    const folder = temporaryFolder("embedded");
    mkdirSync(join(folder, "postgres"));
    writeFileSync(join(folder, "postgres", "PG_VERSION"), "12\n");
    await rejection(openEmbeddedDatabase({ folder, cacheFolder: undefined, onFailure }), "version-mismatch", "PostgreSQL 12");
  });
});
