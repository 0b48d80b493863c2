/** A worker's way to whoever leads, among several controllers. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { type AppError, externalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { Prng } from "../../src/core/prng.ts";
import { Register, type Welcome, Welcome as WelcomeMessage } from "../../src/gen/controller.ts";
import { leaderMoved } from "../../src/rpc/refusal.ts";
import { WorkerServer } from "../../src/rpc/worker-server.ts";
import { ControllerLink } from "../../src/worker/controller-link.ts";
import { EndpointList, type EndpointSource } from "../../src/worker/endpoint-list.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const FENCE = { jobId: "job_a", runId: "run_a", fence: 1n };

/** A controller that answers registrations as it is told to. */
class Controller {
  endpoint = "";
  registrations = 0;
  answer: () => Welcome = () => WelcomeMessage.create();
  #server: WorkerServer | undefined;

  async listen(port = 0): Promise<void> {
    const handler = {
      admit: async () => {
        this.registrations += 1;
        return this.answer();
      },
      opened: () => undefined,
      message: () => undefined,
      closed: () => undefined,
    };
    const options = { clock: systemClock, logger: silentLogger, release: "test", leaderEpoch: () => 1n, closeLimitMs: 100 };
    this.#server = new WorkerServer(handler, options);
    this.endpoint = `127.0.0.1:${await this.#server.listen("127.0.0.1", port)}`;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}

describe("the way to the leader", () => {
  const controllers: Controller[] = [];
  let stop: AbortController;
  let welcomes: number;
  let refusals: AppError[];

  beforeEach(async () => {
    stop = new AbortController();
    welcomes = 0;
    refusals = [];
    for (let i = 0; i < 3; i++) {
      const controller = new Controller();
      await controller.listen();
      controllers.push(controller);
    }
  });

  afterEach(async () => {
    stop.abort();
    for (const controller of controllers.splice(0)) await controller.close();
  });

  const endpoints = (): string[] => controllers.map(({ endpoint }) => endpoint);
  const at = (index: number): Controller => controllers[index] as Controller;

  const list = (addresses: readonly string[]): EndpointSource => ({ kind: "list", endpoints: addresses });

  function link(to: EndpointSource = list(endpoints())): ControllerLink {
    const handler = {
      register: () => Register.create({ workerId: "wk_a" }),
      welcome: () => {
        welcomes += 1;
      },
      message: () => undefined,
      lost: () => undefined,
      refused: (error: AppError) => refusals.push(error),
    };
    const made = new ControllerLink(handler, {
      endpoints: new EndpointList(to, silentLogger),
      authority: () => "",
      fence: FENCE,
      release: "test",
      clock: systemClock,
      random: new Prng(1),
      logger: silentLogger,
    });
    made.run(stop.signal).catch(() => undefined);
    return made;
  }

  async function until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!condition()) {
      if (performance.now() > deadline) expect.fail("it did not happen");
      await systemClock.sleep(5);
    }
  }

  it("is found though the others do not know who leads", async () => {
    for (const standby of [at(0), at(1)]) {
      standby.answer = () => {
        throw leaderMoved(undefined, endpoints());
      };
    }
    const tie = link();
    await until(() => tie.connected);
    expect(at(2).registrations).to.equal(1);
  });

  it("is found though one of the others is mistaken about who leads", async () => {
    at(0).answer = () => {
      throw leaderMoved("127.0.0.1:1", endpoints());
    };
    at(1).answer = () => {
      throw leaderMoved(undefined, endpoints());
    };
    const tie = link();
    await until(() => tie.connected);
    expect(at(2).registrations).to.equal(1);
  });

  it("is taken at once when a standby knows it, also if it was not on our list", async () => {
    at(0).answer = () => {
      throw leaderMoved(at(2).endpoint, endpoints());
    };
    const tie = link(list([at(0).endpoint]));
    await until(() => tie.connected);
    expect([at(0).registrations, at(1).registrations, at(2).registrations]).to.deep.equal([1, 0, 1]);
  });

  it("is taken again after it was away, and another if that leads now", async () => {
    const tie = link();
    await until(() => tie.connected);
    const port = Number(at(0).endpoint.split(":")[1]);
    await at(0).close();
    await until(() => tie.connected && at(1).registrations === 1);
    await at(0).listen(port);
    await at(1).close();
    await until(() => tie.connected && welcomes === 3);
  });

  it("is found in a file that is written after the worker has begun, and again when the file is rewritten", async () => {
    const path = join(temporaryFolder("endpoints"), "controllers");
    const tie = link({ kind: "file", path });
    await systemClock.sleep(50);
    writeFileSync(path, `${at(0).endpoint}\n`);
    await until(() => tie.connected);
    expect(at(0).registrations).to.equal(1);
    writeFileSync(path, `# moved\n${at(1).endpoint}\n${at(2).endpoint}\n`);
    await at(0).close();
    await until(() => tie.connected && welcomes === 2);
    expect(at(1).registrations).to.equal(1);
  });

  it("stays known when the file is emptied or goes", async () => {
    const path = join(temporaryFolder("endpoints"), "controllers");
    writeFileSync(path, at(0).endpoint);
    const tie = link({ kind: "file", path });
    await until(() => tie.connected);
    const port = Number(at(0).endpoint.split(":")[1]);
    for (const [round, spoil] of [() => writeFileSync(path, "\n"), () => rmSync(path)].entries()) {
      spoil();
      await at(0).close();
      await until(() => !tie.connected);
      await at(0).listen(port);
      await until(() => tie.connected && welcomes === round + 2);
    }
  });

  it("is looked for elsewhere when the leader says nothing more, if there is an elsewhere", async () => {
    const lease = { durationMs: 150, epochComplete: 0n, acknowledgedSequence: 0n };
    at(0).answer = () => WelcomeMessage.create({ lease });
    const path = join(temporaryFolder("endpoints"), "controllers");
    writeFileSync(path, at(0).endpoint);
    const tie = link({ kind: "file", path });
    await until(() => tie.connected);
    await systemClock.sleep(900);
    expect([tie.connected, at(0).registrations], "there is nobody else").to.deep.equal([true, 1]);
    writeFileSync(path, at(1).endpoint);
    await until(() => at(1).registrations === 1 && tie.connected);
  });

  it("is looked for no more once a controller has said that nobody will ever welcome us", async () => {
    at(0).answer = () => {
      throw externalError("permission-denied", "wrong run token", { retry: "never" });
    };
    const tie = link();
    await until(() => refusals.length === 1);
    expect(refusals[0]).to.include({ code: "permission-denied", message: "wrong run token" });
    expect([tie.connected, at(0).registrations, at(1).registrations]).to.deep.equal([false, 1, 0]);
  });
});
