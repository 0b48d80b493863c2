/** Calls of Nomad's HTTP API, against servers of the test's own. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../../../src/core/clock.ts";
import { AppError } from "../../../../src/core/errors.ts";
import { NomadClient } from "../../../../src/scheduler/nomad/client.ts";
import { connectionTo } from "../../../support/nomad-stage.ts";

describe("calls of Nomad's API", () => {
  const servers: Server[] = [];
  const clients: NomadClient[] = [];
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "nomad-client-"));
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    for (const server of servers.splice(0)) server.close().closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void, path?: string): Promise<string> {
    const server = createServer(answer);
    servers.push(server);
    await new Promise<void>((resolve) => (path === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(path, resolve)));
    return path ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const clientOf = (...words: Parameters<typeof connectionTo>): NomadClient => {
    const client = new NomadClient(connectionTo(...words), systemClock);
    clients.push(client);
    return client;
  };

  it("carry region, namespace, query and token, and the token nowhere else", async () => {
    let seen: IncomingMessage | undefined;
    const address = await serve((request, response) => {
      seen = request;
      response.setHeader("X-Nomad-Index", "42").end('{"a":1}');
    });
    const client = clientOf(address, { region: "eu", namespace: "streams", token: "s3cret" });
    const answer = await client.call({ path: "/v1/jobs", query: { prefix: "w-", next_token: undefined } });
    expect(answer).to.deep.include({ status: 200, body: { a: 1 }, index: 42 });
    expect(seen?.url).to.equal("/v1/jobs?region=eu&namespace=streams&prefix=w-");
    expect(seen?.headers).to.include({ "x-nomad-token": "s3cret", "accept-encoding": "identity" });
  });

  it("go to the next address when one does not answer, and stay there", async () => {
    let calls = 0;
    const alive = await serve((_request, response) => {
      calls += 1;
      response.end("[]");
    });
    const leaderless = await serve((_request, response) => response.writeHead(500).end("No cluster leader"));
    const client = clientOf("", { addresses: ["http://127.0.0.1:1", leaderless, alive] });
    await client.call({ path: "/v1/jobs" });
    await client.call({ path: "/v1/jobs" });
    expect(client.address).to.equal(alive);
    expect(calls).to.equal(2);
    expect(client.requests).to.equal(4);
  });

  it("name the last address when none answers", async () => {
    const error = await clientOf("http://127.0.0.1:1")
      .call({ path: "/v1/jobs" })
      .catch((thrown: unknown) => thrown as AppError);
    expect(error).to.include({ code: "connection-lost", retry: "backoff" });
    expect((error as AppError).message).to.equal("Nomad at http://127.0.0.1:1 cannot be reached: connection refused");
  });

  it("reach the task API by its unix socket", async () => {
    const unixAddress = await serve((request, response) => response.end(JSON.stringify(request.url)), join(folder, "api.sock"));
    const { body } = await clientOf("http://127.0.0.1:1", { unixAddress }).call({ path: "/v1/status/leader" });
    expect(body).to.equal("/v1/status/leader?namespace=default");
  });

  it("read the token's file again when it has changed", async () => {
    const tokens: unknown[] = [];
    const address = await serve((request, response) => {
      tokens.push(request.headers["x-nomad-token"]);
      response.end("{}");
    });
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "first\n");
    const client = clientOf(address, { tokenFile, token: "not this" });
    await client.call({ path: "/v1/jobs" });
    writeFileSync(tokenFile, "second\n");
    utimesSync(tokenFile, new Date(), new Date(2_000_000_000_000));
    await client.call({ path: "/v1/jobs" });
    rmSync(tokenFile);
    await client.call({ path: "/v1/jobs" });
    expect(tokens).to.deep.equal(["first", "second", "second"]);
  });

  it("end after their time, with what did not answer", async () => {
    const address = await serve(() => undefined);
    const error = await clientOf(address)
      .call({ path: "/v1/jobs", timeoutMs: 50 })
      .catch((thrown: unknown) => thrown as AppError);
    expect(error).to.include({ code: "connection-lost", retry: "backoff" });
    expect((error as AppError).message).to.include("has not answered /v1/jobs for 50 ms");
  });

  it("read a list page by page, and its index from the first", async () => {
    const address = await serve((request, response) => {
      const token = new URL(request.url ?? "", "http://x").searchParams.get("next_token");
      response.setHeader("X-Nomad-Index", token === null ? "7" : "9");
      if (token === null) response.setHeader("X-Nomad-NextToken", "b");
      response.end(token === null ? "[1,2]" : "[3]");
    });
    expect(await clientOf(address).list({ path: "/v1/jobs" })).to.deep.equal({ rows: [1, 2, 3], index: 7 });
  });

  it("refuse files of certificates that are not there, by the setting's name", () => {
    const tls = { ca: join(folder, "none.pem"), cert: undefined, key: undefined, serverName: undefined, skipVerify: false };
    expect(() => clientOf("https://127.0.0.1:1", { tls })).to.throw(AppError, "nomad.ca-cert cannot be read");
  });
});
