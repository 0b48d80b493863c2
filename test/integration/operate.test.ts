/** Backup, restore and support bundle as an operator calls them. */
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { create } from "tar";
import { unpackArchive } from "../../src/cli/operate/archive.ts";
import { CliFolder, needsBuild } from "../support/wadi-cli.ts";

const SECRET = "planted-secret-93f1";

describe("operating a cluster", function () {
  this.timeout(120_000);
  needsBuild();

  function stateFolder(): CliFolder {
    const folder = new CliFolder();
    folder.write("state/postgres/base/1", "table");
    folder.write("state/checkpoints/job_1/manifest", "epoch 7");
    folder.write("state/logs/api.log", `{"message":"listening","session":"${SECRET}"}\npassword=${SECRET}\nplain line\n`);
    folder.write("state/workers/wk_1/record.json", "{}");
    folder.write("state/workers/wk_1/worker.log", `Authorization: Bearer ${SECRET}\nrow error\n`);
    folder.write("state/session-token", SECRET);
    return folder;
  }

  it("saves a state directory without what belongs to processes, and makes it again", async () => {
    const folder = stateFolder();
    symlinkSync("/etc/passwd", join(folder.path, "state/postgres/link"));
    const saved = await folder.start("backup", "--state-dir", "state", "backups/one.tar.gz").ended;
    expect(saved.stderr).to.match(/wrote backups\/one\.tar\.gz/);
    expect(saved.code).to.equal(0);
    expect(statSync(join(folder.path, "backups/one.tar.gz")).mode & 0o777).to.equal(0o600);
    const restored = await folder.start("restore", "--state-dir", "again", "backups/one.tar.gz").ended;
    expect(restored.stderr).to.match(/restored .*again as it was on/);
    expect(restored.code).to.equal(0);
    expect(readFileSync(join(folder.path, "again/checkpoints/job_1/manifest"), "utf8")).to.equal("epoch 7");
    for (const gone of ["session-token", "lock", "workers", "wadi-backup.json", "postgres/link"]) {
      expect(existsSync(join(folder.path, "again", gone)), gone).to.equal(false);
    }
    expect(existsSync(join(folder.path, "state/lock"))).to.equal(false);
  });

  it("refuses a directory in use, a full target, a missing or foreign archive and one that leaves its folder", async () => {
    const folder = stateFolder();
    folder.write("state/lock", `${process.pid} ${readFileSync(`/proc/${process.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19]}\n`);
    const inUse = await folder.start("backup", "--state-dir", "state", "b.tar.gz").ended;
    expect(inUse.stderr).to.match(/in use by process/);
    expect(inUse.code).not.to.equal(0);
    expect(existsSync(join(folder.path, "b.tar.gz"))).to.equal(false);
    const full = await folder.start("restore", "--state-dir", "state", "b.tar.gz").ended;
    expect(full.stderr).to.match(/is not empty/);
    const missing = await folder.start("restore", "--state-dir", "new", "b.tar.gz").ended;
    expect(missing.stderr).to.match(/cannot be read: it does not exist/);
    folder.write("garbage.tar.gz", "not an archive at all".repeat(100));
    expect((await folder.start("restore", "--state-dir", "new", "garbage.tar.gz").ended).code).to.equal(2);
    await create({ gzip: true, file: join(folder.path, "foreign.tar.gz"), cwd: folder.path }, ["state/logs"]);
    expect((await folder.start("restore", "--state-dir", "new", "foreign.tar.gz").ended).stderr).to.match(/is not a backup of Wadi/);
    expect(existsSync(join(folder.path, "new"))).to.equal(false);
    expect((await folder.start("backup", "--state-dir", "state", "state/inside.tar.gz").ended).stderr).to.match(
      /cannot lie in the state directory/,
    );
    expect((await folder.start("backup", "--state-dir", "nowhere", "x.tar.gz").ended).stderr).to.match(/there is no state directory/);
  });

  it("collects logs, settings and the API's answers without one planted secret, and names what is missing", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      const job = { id: "job_1", pipeline_id: "pl_1", config: { password: SECRET } };
      if (request.url?.includes("checkpoints") === true) response.statusCode = 503;
      response.end(JSON.stringify({ data: [job], query: `'sasl.password' = '${SECRET}'` }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const folder = stateFolder();
    const { port } = server.address() as AddressInfo;
    folder.write(
      "wadi.toml",
      `api-endpoint = "http://127.0.0.1:${port}"\n[database.postgres]\npassword = "${SECRET}"\n[admin]\nhttp-port = 1\n`,
    );
    const { code, stderr } = await folder.start("support-bundle", "--config", "wadi.toml", "--state-dir", "state", "--out", "bundle.tar.gz")
      .ended;
    server.close();
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(/metrics\.txt: .* does not answer/);
    expect(stderr).to.match(/checkpoints\.json: .* answered 503/);
    expect(asked.length).to.equal(4);
    expect(asked.every((line) => line.endsWith(`Bearer ${SECRET}`))).to.equal(true);
    mkdirSync(join(folder.path, "opened"));
    await unpackArchive(join(folder.path, "bundle.tar.gz"), join(folder.path, "opened"));
    const read = (path: string): string => readFileSync(join(folder.path, "opened", path), "utf8");
    const all = [
      "system.json",
      "settings.toml",
      "logs/logs/api.log",
      "logs/workers/wk_1/worker.log",
      "api/pipelines.json",
      "api/jobs.json",
      "missing.txt",
    ];
    for (const path of all) expect(read(path), path).not.to.include(SECRET);
    expect(read("logs/logs/api.log")).to.match(/plain line/);
    expect(read("api/job_1/errors.json")).to.match(/\*\*\*/);
    expect(existsSync(join(folder.path, "opened/logs/session-token"))).to.equal(false);
    writeFileSync(join(folder.path, "done"), "");
  });
});
