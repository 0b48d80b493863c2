/** Worker processes that exchange rows over TCP. */
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import type { AppError } from "../../src/core/errors.ts";
import { makeControlFrame } from "../../src/data/frame.ts";
import { encodeHello, HELLO_BYTES, sealFrame, WIRE_VERSION } from "../../src/dataflow/exchange/tcp.ts";
import { DataListener } from "../../src/worker/data-listener.ts";
import type { WorkerStart } from "../../src/worker/protocol.ts";
import { makeWorkerLinks } from "../../src/worker/slot-links.ts";
import { WorkerExchange } from "../../src/worker/worker-exchange.ts";
import { FakeRun } from "../support/fake-run.ts";

const ROWS = 20_000;
const KEYS = 17;

describe("exchange over TCP", function () {
  this.timeout(60_000);

  it("gives the batch answer with two worker processes at parallelism 4, and every epoch balances", async () => {
    const fake = new FakeRun();
    fake.write(ROWS, KEYS);
    const summary = await fake.run(fake.windowed(), { parallelism: 4, workers: 2, stateUrl: fake.state, checkpointEveryRows: 1000 });
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
    expect(summary).to.include({ outcome: "finished", rowsIn: ROWS });
    expect(summary.imbalances).to.deep.equal([]);
  });

  it("stops at two worker processes and resumes in one, with another parallelism", async () => {
    const fake = new FakeRun();
    fake.write(ROWS, KEYS);
    await fake.run(fake.windowed(), {
      parallelism: 2,
      workers: 2,
      stateUrl: fake.state,
      checkpointEveryRows: 2000,
      stopAfterCheckpoint: 3,
    });
    const resumed = await fake.run(fake.windowed(), { parallelism: 3, stateUrl: fake.state });
    expect(resumed).to.include({ restoredEpoch: 3, rowsIn: ROWS - 12_000 });
    expect(fake.output()).to.deep.equal(fake.windowedAnswer(ROWS, KEYS));
  });

  it("fails the run with the cause when a row in another process is bad", async () => {
    const fake = new FakeRun();
    fake.write(ROWS, KEYS);
    const { appendFileSync } = await import("node:fs");
    appendFileSync(fake.input, "broken\n");
    const error: AppError = await fake.run(fake.windowed(), { parallelism: 2, workers: 2 }).then(
      () => expect.fail("the run did not fail"),
      (e: AppError) => e,
    );
    expect(error.code).to.equal("bad-data");
  });

  describe("handshake", () => {
    const fake = new FakeRun();
    let exchange: WorkerExchange;
    let failures: AppError[];
    let port: number;

    beforeEach(async () => {
      failures = [];
      const placement = [0, 1];
      const program = fake.windowed();
      const run = { credential: "secret", settings: { fence: 7n } } as WorkerStart["run"];
      const links = makeWorkerLinks(program, placement, 0);
      const listener = new DataListener();
      ({ port } = await listener.listen({ host: "127.0.0.1", port: 0 }));
      const start = { run: { ...run, program }, worker: 0, placement };
      exchange = new WorkerExchange(start, links, listener, (error) => failures.push(error as AppError));
    });

    afterEach(() => exchange.close());

    async function answer(bytes: Uint8Array): Promise<{ socket: Socket; code: number }> {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      socket.write(bytes);
      const code = await new Promise<number>((resolve) => socket.once("data", (data) => resolve(data[0] ?? -1)));
      return { socket, code };
    }

    it("welcomes a worker of the same run", async () => {
      const { code, socket } = await answer(encodeHello({ worker: 1, fence: 7n, credential: "secret" }));
      expect(code).to.equal(0);
      socket.destroy();
    });

    it("refuses another run, another credential and another version, each in its own words", async () => {
      expect((await answer(encodeHello({ worker: 1, fence: 8n, credential: "secret" }))).code).to.equal(3);
      expect((await answer(encodeHello({ worker: 1, fence: 7n, credential: "guess" }))).code).to.equal(4);
      const old = encodeHello({ worker: 1, fence: 7n, credential: "secret" });
      old.writeUInt16LE(WIRE_VERSION + 1, 4);
      expect((await answer(old)).code).to.equal(1);
      expect(old).to.have.length(HELLO_BYTES);
      expect(failures).to.deep.equal([]);
    });

    it("ends the run for a frame of another fence or a damaged one", async () => {
      const frame = makeControlFrame({ kind: "end", edge: 0, source: 1, target: 0, fence: 8n });
      sealFrame(frame);
      const first = await answer(encodeHello({ worker: 1, fence: 7n, credential: "secret" }));
      first.socket.write(frame);
      await new Promise((resolve) => first.socket.once("close", resolve));
      expect(failures[0]?.code).to.equal("fenced");
      expect(failures[0]?.message).to.contain("run fence 8, this run has 7");
      const damaged = makeControlFrame({ kind: "end", edge: 0, source: 1, target: 0, fence: 7n });
      sealFrame(damaged);
      damaged[60] = 1;
      const second = await answer(encodeHello({ worker: 1, fence: 7n, credential: "secret" }));
      second.socket.write(damaged);
      await new Promise((resolve) => second.socket.once("close", resolve));
      expect(failures.some((failure) => failure.code === "checksum-mismatch")).to.equal(true);
    });

    it("ends the run when a connection is lost without a goodbye", async () => {
      const { socket } = await answer(encodeHello({ worker: 1, fence: 7n, credential: "secret" }));
      const failed = new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          if (failures.length === 0) return;
          clearInterval(timer);
          resolve();
        }, 5);
      });
      socket.destroy();
      await failed;
      expect(failures[0]?.code).to.equal("connection-lost");
    });
  });
});
