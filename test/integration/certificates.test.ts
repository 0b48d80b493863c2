/** `wadi certificates` on a database: it shows the authority without its key, and forgets it when told to. */
import { expect } from "chai";
import { renewAuthority, showAuthority } from "../../src/cli/commands/certificates.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadConfig } from "../../src/core/config.ts";
import { keepAuthority, readAuthority } from "../../src/db/authorities.ts";
import { type Database, openDatabase } from "../../src/db/connection.ts";
import { migrateDatabase } from "../../src/db/migrate.ts";
import { makeAuthority } from "../../src/rpc/certificate.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { requires } from "../support/requirement.ts";

const DAY_MS = 86_400_000;

describe("wadi certificates", function () {
  this.timeout(60_000);
  requires("postgres", postgresAbsence);
  let server: DatabaseServer;
  let db: Database;

  after(async () => {
    await db?.destroy();
    await server?.stop();
  });

  it("renews the authority only when it is told to, and never shows its key", async () => {
    server = await startPostgres();
    const options = await server.create();
    db = openDatabase(options);
    await migrateDatabase(db, { clock: systemClock, claimant: "test", release: "test" });
    const { host, port, database, user, password } = options;
    const text = `[database]\ntype = "postgres"\n[database.postgres]\nhost = "${host}"\nport = ${port}\ndatabase-name = "${database}"\nuser = "${user}"\n`;
    const env = password === "" ? {} : { DATABASE_PASSWORD: password };
    const loaded = loadConfig({ files: [{ path: "test.toml", text }], env });
    expect(await renewAuthority({ yes: true }, loaded), "there is none").to.equal(1);

    const nowMs = Date.now();
    const made = await keepAuthority(db, "cluster", makeAuthority("wadi cluster", nowMs - DAY_MS, nowMs + DAY_MS));
    const said: string[] = [];
    const { write } = process.stdout;
    process.stdout.write = (words: string | Uint8Array): boolean => said.push(String(words)) > 0;
    try {
      expect(await showAuthority({ json: true }, loaded)).to.equal(0);
    } finally {
      process.stdout.write = write;
    }
    expect(JSON.parse(said.join(""))).to.include({ certificate: made.certificate, subject: "CN=wadi cluster" });
    expect(said.join("")).to.not.include("PRIVATE KEY");

    expect(await renewAuthority({ yes: false }, loaded)).to.equal(0);
    expect(await readAuthority(db, "cluster")).to.deep.equal(made);
    expect(await renewAuthority({ yes: true }, loaded)).to.equal(0);
    expect(await readAuthority(db, "cluster")).to.equal(undefined);
  });
});
