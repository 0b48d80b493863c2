/** TLS between workers and controllers, and among workers: who is let in, and what strangers are told. */
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import type { AppError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { encodeHello } from "../../src/dataflow/exchange/tcp.ts";
import { Register, Welcome } from "../../src/gen/controller.ts";
import type { RunFence } from "../../src/gen/peer.ts";
import { type Authority, issueCertificate, makeAuthority, makeKeyPair } from "../../src/rpc/certificate.ts";
import { CONTROLLER_NAME, controllerCredentials, serverCredentials, workerName } from "../../src/rpc/tls.ts";
import { LeaderEpoch, WorkerStream } from "../../src/rpc/worker-client.ts";
import { WorkerServer } from "../../src/rpc/worker-server.ts";
import { DataListener } from "../../src/worker/data-listener.ts";
import { type DataTls, dialTls } from "../../src/worker/data-tls.ts";
import type { WorkerStart } from "../../src/worker/protocol.ts";
import { makeWorkerLinks } from "../../src/worker/slot-links.ts";
import { WorkerExchange } from "../../src/worker/worker-exchange.ts";
import { FakeRun } from "../support/fake-run.ts";

const FENCE: RunFence = { jobId: "job_a", runId: "run_a", fence: 7n };
const HOUR_MS = 3_600_000;
const validity = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };
const newAuthority = (): Authority => makeAuthority("wadi test", validity.notBeforeMs, validity.notAfterMs);

function identity(authority: Authority, names: readonly string[]): { certificate: string; privateKey: string } {
  const { publicKey, privateKey } = makeKeyPair();
  return { certificate: issueCertificate(authority, { commonName: "test", publicKey, names, ...validity }), privateKey };
}

describe("TLS of the controller's service", () => {
  const authority = newAuthority();
  const servers: WorkerServer[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function serve(names: readonly string[]): Promise<string> {
    const handler = { admit: async () => Welcome.create(), opened: () => undefined, message: () => undefined, closed: () => undefined };
    const credentials = serverCredentials(identity(authority, names));
    const server = new WorkerServer(handler, {
      clock: systemClock,
      logger: silentLogger,
      release: "",
      leaderEpoch: () => 1n,
      credentials,
      closeLimitMs: 100,
    });
    servers.push(server);
    return `127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
  }

  /** "welcome", or the error with which a worker that trusts `pem` is turned away. */
  function dial(endpoint: string, pem: string): Promise<"welcome" | AppError | undefined> {
    return new Promise((resolve) => {
      const message = (): void => {
        resolve("welcome");
        stream.cancel();
      };
      const options = { clock: systemClock, fence: FENCE, release: "", leaderEpoch: new LeaderEpoch(), answerLimitMs: 5_000 };
      const stream = new WorkerStream(
        endpoint,
        { message, closed: resolve },
        { ...options, credentials: controllerCredentials(pem, endpoint) },
      );
      stream.send({ $case: "register", value: Register.create({ workerId: "wk_a" }) });
    });
  }

  it("lets workers in that were given its authority, also under an address that the certificate does not name", async () => {
    expect(await dial(await serve([CONTROLLER_NAME]), authority.certificate)).to.equal("welcome");
    expect(await dial(await serve(["127.0.0.1"]), authority.certificate)).to.equal("welcome");
  });

  it("is not believed with a certificate of another authority, nor with that of a worker", async () => {
    const stranger = await dial(await serve([CONTROLLER_NAME]), newAuthority().certificate);
    expect(stranger).to.include({ code: "connection-lost", retry: "backoff" });
    const worker = await dial(await serve([workerName(FENCE, "wk_b")]), authority.certificate);
    expect(worker).to.include({ code: "connection-lost" });
  });

  it("is not spoken to in plain text", async () => {
    expect(await dial(await serve([CONTROLLER_NAME]), "")).to.include({ code: "connection-lost", retry: "backoff" });
  });
});

describe("TLS of the data plane", () => {
  const authority = newAuthority();
  const fake = new FakeRun();
  let exchange: WorkerExchange;
  let failures: AppError[];
  let port: number;

  const dataTls = (fence = FENCE, by = authority): DataTls => ({
    fence,
    authority: by.certificate,
    ...identity(by, [workerName(fence, "wk_a")]),
  });

  beforeEach(async () => {
    failures = [];
    const placement = [0, 1];
    const program = fake.windowed();
    const run = { credential: "secret", settings: { fence: 7n } } as WorkerStart["run"];
    const listener = new DataListener();
    ({ port } = await listener.listen({ host: "127.0.0.1", port: 0 }));
    const start = { run: { ...run, program }, worker: 0, placement, tls: dataTls() };
    exchange = new WorkerExchange(start, makeWorkerLinks(program, placement, 0), listener, (error) => failures.push(error as AppError));
  });

  afterEach(() => {
    exchange.close();
    expect(failures).to.deep.equal([]);
  });

  const hello = (): Buffer => encodeHello({ worker: 1, fence: 7n, credential: "secret" });

  /** What the worker answers to a hello over `socket`: 0 is a welcome; undefined: the connection was ended without a word. */
  function answer(socket: ReturnType<typeof connectPlain>): Promise<number | undefined> {
    return new Promise((resolve) => {
      socket.on("error", () => resolve(undefined));
      socket.on("close", () => resolve(undefined));
      socket.once("data", (data: Buffer) => resolve(data[0]));
      socket.write(hello());
    });
  }

  it("lets a worker of the run in", async () => {
    const socket = dialTls({ host: "127.0.0.1", port }, dataTls());
    expect(await answer(socket)).to.equal(0);
    // Without a goodbye that would be the end of the run.
    exchange.close();
    socket.destroy();
  });

  it("ends connections of workers of other runs, of other clusters, without a certificate and in plain text, and goes on", async () => {
    const address = { host: "127.0.0.1", port };
    for (const fence of [
      { ...FENCE, fence: 8n },
      { ...FENCE, jobId: "job_b" },
    ]) {
      const theirs = dataTls(fence);
      // It believes us, so that it is our refusal that is seen.
      const socket = connectTls({
        ...address,
        ca: theirs.authority,
        cert: theirs.certificate,
        key: theirs.privateKey,
        checkServerIdentity: () => undefined,
      });
      expect(await answer(socket)).to.equal(undefined);
    }
    const other = dataTls(FENCE, newAuthority());
    const socket = connectTls({
      ...address,
      ca: authority.certificate,
      cert: other.certificate,
      key: other.privateKey,
      checkServerIdentity: () => undefined,
    });
    expect(await answer(socket)).to.equal(undefined);
    expect(await answer(connectTls({ ...address, ca: authority.certificate, checkServerIdentity: () => undefined }))).to.equal(undefined);
    const plain = connectPlain(address);
    expect((await answer(plain)) === 0).to.equal(false);
    const fellow = dialTls(address, dataTls());
    expect(await answer(fellow)).to.equal(0);
    exchange.close();
    fellow.destroy();
  });

  it("is not spoken to a worker of another run", async () => {
    const socket = dialTls({ host: "127.0.0.1", port }, dataTls({ ...FENCE, runId: "run_b" }));
    const error = await new Promise<Error>((resolve) => socket.once("error", resolve));
    expect(error.message).to.contain("not of this run");
  });
});
