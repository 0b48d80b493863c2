/** The port of a node daemon under TLS: callers that know who has signed its certificate are answered, others are not. */
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { internalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { issueCertificate, makeAuthority, makeKeyPair } from "../../src/rpc/certificate.ts";
import { DaemonClient } from "../../src/rpc/node-client.ts";
import { type NodeDaemonHandler, NodeDaemonServer } from "../../src/rpc/node-server.ts";
import { rejection } from "../support/rejection.ts";

const HOUR_MS = 3_600_000;

describe("the port of a node", () => {
  const nowMs = Number(systemClock.nowNs() / 1_000_000n);
  const validity = { notBeforeMs: nowMs - HOUR_MS, notAfterMs: nowMs + HOUR_MS };
  const authority = makeAuthority("nodes", validity.notBeforeMs, validity.notAfterMs);
  const { publicKey, privateKey } = makeKeyPair();
  const never = async () => {
    throw internalError("invariant", "not asked for");
  };
  const handler: NodeDaemonHandler = {
    start: never,
    stop: never,
    drain: never,
    async *readLog() {},
    list: async () => ({
      nodeId: "nd_1",
      workers: [],
      freeSlots: 4,
      draining: false,
      drainDeadlineMs: 0,
      controller: "",
    }),
  };
  let server: NodeDaemonServer;
  let port: number;
  before(async () => {
    const names = ["127.0.0.1"];
    const certificate = issueCertificate(authority, { commonName: "node", publicKey, names, ...validity });
    server = new NodeDaemonServer(handler, { token: "t", release: "test", logger: silentLogger, identity: { certificate, privateKey } });
    port = await server.listen("127.0.0.1", 0);
  });
  after(() => server.close());

  const ask = async (pem: string) => {
    const client = new DaemonClient(`127.0.0.1:${port}`, { token: "t", release: "test", clock: systemClock, authority: () => pem });
    try {
      return await client.list();
    } finally {
      client.close();
    }
  };

  it("answers who knows its authority", async () => {
    expect((await ask(authority.certificate)).freeSlots).to.equal(4);
  });

  it("is not believed under another authority, and speaks no plain text", async () => {
    const other = makeAuthority("others", validity.notBeforeMs, validity.notAfterMs);
    await rejection(ask(other.certificate), "connection-lost");
    await rejection(ask(""), "connection-lost");
  });
});
