/** The admin server over real sockets of the loopback interface. */
import { createServer } from "node:net";
import { expect } from "chai";
import { loadConfig } from "../../../src/core/config.ts";
import { makeRegistry } from "../../../src/core/metrics.ts";
import { AdminServer, isLoopback, type ProcessStatus } from "../../../src/rpc/admin-server.ts";
import { listen } from "../../../src/rpc/listen.ts";
import { rejection } from "../../support/rejection.ts";

const { config } = loadConfig({ files: [], env: { WADI__API__SESSION_TOKEN: "s3cret", WADI__LOGGING__LEVEL: "debug" } });

describe("admin server", () => {
  let state: ProcessStatus = { ok: true };
  let asked = 0;
  let server: AdminServer;
  let url = "";

  beforeEach(async () => {
    const actions = { "/checkpoint": async () => ({ ok: asked++ === 0, text: `asked ${asked}` }) };
    server = new AdminServer({ name: "controller", release: "1.2.3", config, metrics: makeRegistry(), status: () => state, actions });
    url = `http://127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0, setting: "admin.http-port" })}`;
  });
  afterEach(() => server.close());

  it("answers 200 while the process is well and 503 with the reason while it is not", async () => {
    state = { ok: true };
    expect((await fetch(`${url}/status`)).status).to.equal(200);
    state = { ok: false, details: { database: "away" } };
    const answer = await fetch(`${url}/status`);
    expect(answer.status).to.equal(503);
    expect(await answer.json()).to.deep.equal({ status: "failing", database: "away" });
  });

  it("tells the process' name, release and metrics", async () => {
    expect(await (await fetch(`${url}/name`)).text()).to.equal("controller\n");
    expect(await (await fetch(`${url}/details`)).json()).to.include({ service: "controller", release: "1.2.3" });
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.headers.get("content-type")).to.contain("text/plain");
    expect(await metrics.text()).to.match(/^wadi_process_cpu_seconds_total \d/m);
  });

  it("shows settings without secrets", async () => {
    const text = await (await fetch(`${url}/config`)).text();
    expect(text).to.contain('logging.level = "debug"').and.to.contain('api.session-token = "***"').and.not.to.contain("s3cret");
  });

  it("shows where its threads are, to its own machine", async () => {
    const answer = await fetch(`${url}/stack`);
    expect(answer.status).to.equal(200);
    expect(await answer.text()).to.match(/^main thread\n {2}at .*getReport/);
  });

  it("does what its own machine asks for by POST, and not for pages of browsers", async () => {
    asked = 0;
    expect((await fetch(`${url}/checkpoint`)).status).to.equal(405);
    expect((await fetch(`${url}/checkpoint`, { method: "POST", headers: { origin: "http://evil.example" } })).status).to.equal(403);
    const done = await fetch(`${url}/checkpoint`, { method: "POST" });
    expect([done.status, await done.text()]).to.deep.equal([200, "asked 1\n"]);
    const refused = await fetch(`${url}/checkpoint`, { method: "POST" });
    expect([refused.status, await refused.text()]).to.deep.equal([409, "asked 2\n"]);
  });

  it("changes nothing else and knows no other path", async () => {
    expect((await fetch(`${url}/status`, { method: "POST", body: "x" })).status).to.equal(405);
    expect((await fetch(`${url}/etc/passwd`)).status).to.equal(404);
    expect(await (await fetch(`${url}/status`, { method: "HEAD" })).text()).to.equal("");
  });

  it("keeps settings to itself beyond loopback", async () => {
    const wide = new AdminServer({ name: "api", release: "", config, metrics: makeRegistry(), status: () => state });
    const port = await wide.listen({ host: "0.0.0.0", port: 0, setting: "admin.http-port" });
    try {
      expect((await fetch(`http://127.0.0.1:${port}/config`)).status).to.equal(403);
      expect((await fetch(`http://127.0.0.1:${port}/details`)).status).to.equal(403);
      expect((await fetch(`http://127.0.0.1:${port}/name`)).status).to.equal(200);
    } finally {
      await wide.close();
    }
  });

  it("names port, process and setting when the port is taken", async () => {
    const other = createServer();
    const port = await listen(other, { host: "127.0.0.1", port: 0, setting: "x" });
    try {
      const late = new AdminServer({ name: "api", release: "", config, metrics: makeRegistry(), status: () => state });
      const error = await rejection(late.listen({ host: "127.0.0.1", port, setting: "admin.http-port" }), "already-exists", `port ${port}`);
      expect(error.hint).to.contain("admin.http-port");
      if (process.platform === "linux") expect(error.message).to.contain(`process ${process.pid}`);
    } finally {
      other.close();
    }
  });

  it("says that an address is not this machine's", async () => {
    await rejection(listen(createServer(), { host: "192.0.2.1", port: 0, setting: "admin.bind-address" }), "invalid-config", "192.0.2.1");
  });
});

describe("isLoopback", () => {
  for (const [host, expected] of [
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["10.0.0.1", false],
    ["127.evil.example", false],
  ] as const) {
    it(`is ${expected} for ${host}`, () => {
      expect(isLoopback(host)).to.equal(expected);
    });
  }
});
