/** Who a worker is, as its environment tells. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { workerAddresses, workerIdentity } from "../../../src/cli/worker-identity.ts";
import { loadConfig } from "../../../src/core/config.ts";
import { Prng } from "../../../src/core/prng.ts";
import { refusal } from "../../support/rejection.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const FACTS = { hostName: "machine", addresses: new Set(["127.0.0.1", "10.0.0.5"]) };

describe("the environment of a worker", () => {
  const folder = temporaryFolder("identity");
  const token = join(folder, "token");
  const ENV = { WADI_JOB_ID: "job_a", WADI_RUN_ID: "run_a", WADI_RUN_FENCE: "3", WADI_RUN_TOKEN_FILE: token };
  const config = (env: Record<string, string> = {}) => loadConfig({ files: [], env }).config;
  const identity = (env: Record<string, string>, settings: Record<string, string> = {}) =>
    workerIdentity({ ...ENV, ...env }, config(settings), "WADI__WORKER__BIND_ADDRESS" in settings, FACTS, new Prng(1));

  before(() => writeFileSync(token, "a-token\n"));

  it("of Nomad's task gives everything: handle, machine, files, addresses", () => {
    const found = identity({
      WADI_WORKER_HANDLE: "8d4f0dbb-0d2a-4d2f-9b52-2f5a3c1d0e01",
      WADI_MACHINE: "node-1",
      WADI_TASK_SLOTS: "4",
      WADI_CONTROLLERS_FILE: "/secrets/controllers",
      WADI_IDENTITY_FILE: "/secrets/nomad_wadi.jwt",
      WADI_CONTROLLER_CA_FILE: "/secrets/controller-ca.pem",
      WADI_DATA_HOST: "10.0.0.5",
      WADI_DATA_PORT: "21001",
      WADI_ADMIN_PORT: "21002",
    });
    expect(found).to.deep.include({
      fence: { jobId: "job_a", runId: "run_a", fence: 3n },
      slots: 4,
      handle: "8d4f0dbb-0d2a-4d2f-9b52-2f5a3c1d0e01",
      machine: "node-1",
      endpoints: { kind: "file", path: "/secrets/controllers" },
      credential: "a-token",
      identityFile: "/secrets/nomad_wadi.jwt",
      controllerCaFile: "/secrets/controller-ca.pem",
      addresses: { bindHost: "10.0.0.5", dataHost: "10.0.0.5", dataPort: 21001, adminHost: "10.0.0.5", adminPort: 21002 },
    });
  });

  it("with a handle and no id gives the same id every time, and another to another handle", () => {
    const [first, again, other] = ["alloc-1", "alloc-1", "alloc-2"].map((handle) => identity({ WADI_WORKER_HANDLE: handle }).workerId);
    expect(first).to.match(/^wk_[0-9a-z]{16}$/);
    expect(again).to.equal(first);
    expect(other).not.to.equal(first);
    expect(identity({ WADI_WORKER_HANDLE: "alloc-1", WADI_WORKER_ID: "wk_given" }).workerId).to.equal("wk_given");
  });

  it("without a scheduler's words gives loopback, a machine of its own name and the configured controllers", () => {
    expect(identity({})).to.deep.include({
      machine: "machine",
      slots: 16,
      endpoints: { kind: "list", endpoints: ["localhost:5116"] },
      identityFile: undefined,
      controllerCaFile: undefined,
      addresses: { bindHost: "127.0.0.1", dataHost: "127.0.0.1", dataPort: 0, adminHost: "127.0.0.1", adminPort: 0 },
    });
    const { endpoints } = identity({ WADI_CONTROLLER_ENDPOINTS: "http://a:1, b:2,[::1]:3" });
    expect(endpoints).to.deep.equal({ kind: "list", endpoints: ["a:1", "b:2", "[::1]:3"] });
  });

  it("of a container with a network of its own listens on all of its interfaces and is found where the scheduler says", () => {
    const env = { WADI_DATA_HOST: "192.168.1.9", WADI_DATA_PORT: "21001" };
    expect(workerAddresses(env, config(), false, FACTS)).to.include({ bindHost: "0.0.0.0", dataHost: "192.168.1.9", dataPort: 21001 });
    const chosen = config({ WADI__WORKER__BIND_ADDRESS: "10.0.0.5" });
    expect(workerAddresses(env, chosen, true, FACTS)).to.include({ bindHost: "10.0.0.5", dataHost: "192.168.1.9" });
    const wide = config({ WADI__WORKER__BIND_ADDRESS: "0.0.0.0" });
    expect(workerAddresses({}, wide, true, FACTS)).to.include({ bindHost: "0.0.0.0", dataHost: "machine" });
    const named = config({ WADI__WORKER__BIND_ADDRESS: "0.0.0.0", WADI__HOSTNAME: "worker.example" });
    expect(workerAddresses({}, named, true, FACTS)).to.include({ dataHost: "worker.example", adminHost: "worker.example" });
  });

  it("that lacks something or makes no sense is refused with the variable's name", async () => {
    await refusal(() => identity({ WADI_JOB_ID: "" }), "invalid-usage", "WADI_JOB_ID is not set");
    await refusal(() => identity({ WADI_TASK_SLOTS: "many" }), "invalid-usage", "WADI_TASK_SLOTS must be an integer");
    await refusal(() => identity({ WADI_DATA_PORT: "70000" }), "invalid-usage", "WADI_DATA_PORT must be a port");
    await refusal(() => identity({ WADI_CONTROLLER_ENDPOINTS: "nonsense" }), "invalid-usage", '"nonsense"');
    await refusal(() => identity({ WADI_RUN_TOKEN_FILE: join(folder, "none") }), "not-found", "the run token cannot be read");
  });
});
