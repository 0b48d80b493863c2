/**
 * The scripts that Terraform gives to instances, run as they are: when an instance may go, and where certificates come from. AWS, the metadata and
 * Nomad are stand-ins; bash, jq and openssl are real.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { TestMachine } from "../support/instance/test-machine.ts";
import { requires } from "../support/requirement.ts";

const LIMIT_MS = 30_000;
const LIFECYCLE = "autoscaling/target-lifecycle-state";

function absence(): string | undefined {
  const missing = ["bash", "jq", "openssl"].filter((name) => spawnSync(name, ["--version"]).error !== undefined);
  return missing.length === 0 ? undefined : `no ${missing.join(", ")}`;
}

function called(machine: TestMachine, line: string): Promise<true> {
  return eventually(`${line} in ${machine.calls.join("; ")}`, () => (machine.calls.includes(line) ? true : undefined), LIMIT_MS);
}

describe("scripts of an instance", function () {
  this.timeout(120_000);
  requires("jq", absence);
  const machines: TestMachine[] = [];
  afterEach(() => {
    for (const machine of machines.splice(0)) machine.close();
  });

  function machineOf(role: "server" | "client", shared?: TestMachine): TestMachine {
    const machine = new TestMachine(role, shared);
    machines.push(machine);
    machine.secret("token", "00000000-0000-0000-0000-000000000000");
    return machine;
  }

  it("a client goes only when no worker is left, and says that it lives meanwhile", async () => {
    const machine = machineOf("client");
    machine.allocations({ job: "w-trips", type: "batch" }, { job: "wadi-node", type: "system" });
    machine.metadata(LIFECYCLE, "Terminated");
    const end = machine.run("drain", "drain.sh");
    await called(machine, "record-lifecycle-action-heartbeat");
    expect(machine.calls).to.deep.equal(["drain 1800s", "record-lifecycle-action-heartbeat"]);

    machine.allocations({ job: "wadi-node", type: "system" });
    expect((await end).code).to.equal(0);
    expect(machine.calls.filter((line) => !line.startsWith("record"))).to.deep.equal([
      "drain 1800s",
      "stop nomad.service",
      "complete-lifecycle-action",
    ]);
  });

  it("a spot interruption shortens a drain that a recommendation began", async () => {
    const machine = machineOf("client");
    machine.allocations({ job: "w-trips", type: "batch" });
    machine.metadata("events/recommendations/rebalance", "{}");
    const end = machine.run("drain", "drain.sh");
    await called(machine, "drain 1800s");
    machine.metadata("spot/instance-action", "{}");
    await called(machine, "drain 100s");
    machine.allocations();
    expect((await end).code).to.equal(0);
    expect(machine.calls.at(-1)).to.equal("complete-lifecycle-action");
  });

  it("a drain that Nomad refuses is asked for again, and the client does not go before", async () => {
    const machine = machineOf("client");
    machine.write("refuse-drain", "");
    machine.metadata(LIFECYCLE, "Terminated");
    const end = machine.run("drain", "drain.sh");
    await eventually(
      "two refusals",
      () => (machine.calls.filter((line) => line === "drain refused").length >= 2 ? true : undefined),
      LIMIT_MS,
    );
    expect(machine.calls).not.to.include("complete-lifecycle-action");
    spawnSync("rm", [join(machine.folder, "refuse-drain")]);
    expect((await end).code).to.equal(0);
    expect(machine.calls).to.include("drain 1800s");
  });

  it("a server leaves the quorum, and not for a mere recommendation", async () => {
    const machine = machineOf("server");
    machine.metadata("events/recommendations/rebalance", "{}");
    const end = machine.run("drain", "drain.sh");
    machine.metadata(LIFECYCLE, "Terminated");
    expect((await end).code).to.equal(0);
    expect(machine.calls).to.deep.equal(["kill --signal=SIGINT nomad.service", "stop nomad.service", "complete-lifecycle-action"]);
  });

  function settings(machine: TestMachine, generations: readonly number[], issuing: number): void {
    machine.write("parameters/certificates", JSON.stringify({ generations, issuing, certificate_days: 30, supplied: false }));
  }

  /** Whether a certificate of this machine is signed by an authority that `other` trusts. */
  function trusts(other: TestMachine, machine: TestMachine): boolean {
    return (
      spawnSync("openssl", ["verify", "-CAfile", join(other.folder, "run/tls/ca.pem"), join(machine.folder, "run/tls/cert.pem")]).status ===
      0
    );
  }

  it("two servers that start at once make one authority, and clients trust both", async () => {
    const first = machineOf("server");
    const second = machineOf("server", first);
    settings(first, [1], 1);
    const ends = await Promise.all([first.run("nomad-cluster", "certificates.sh"), second.run("nomad-cluster", "certificates.sh")]);
    expect(
      ends.map((end) => end.code),
      ends.map((end) => end.log).join("\n"),
    ).to.deep.equal([0, 0]);
    expect(first.read("run/tls/ca.pem")).to.equal(second.read("run/tls/ca.pem")).and.to.include("BEGIN CERTIFICATE");
    const worker = machineOf("client", first);
    expect((await worker.run("nomad-cluster", "certificates.sh")).code).to.equal(0);
    for (const server of [first, second]) expect(trusts(worker, server) && trusts(server, worker)).to.equal(true);
    expect(worker.read("run/tls/key.pem")).to.include("PRIVATE KEY");
  });

  it("authorities change in three steps, at each of which everybody trusts everybody", async () => {
    const server = machineOf("server");
    const client = machineOf("client", server);
    const renew = async (machine: TestMachine): Promise<void> => {
      const end = await machine.run("nomad-cluster", "certificates.sh");
      expect(end.code, end.log).to.equal(0);
    };
    settings(server, [1], 1);
    await renew(server);
    await renew(client);
    for (const [generations, issuing] of [
      [[1, 2], 1],
      [[1, 2], 2],
      [[2], 2],
    ] as const) {
      settings(server, generations, issuing);
      // The server is ahead of the client by up to an hour.
      await renew(server);
      expect(trusts(client, server) && trusts(server, client), `${generations.join()}, ${issuing}`).to.equal(true);
      await renew(client);
      expect(trusts(client, server) && trusts(server, client), `${generations.join()}, ${issuing}`).to.equal(true);
    }
    expect(server.read("run/tls/ca.pem").match(/BEGIN CERTIFICATE/g)).to.have.lengthOf(1);
  });

  it("nothing is written and nobody is reloaded while certificates are good", async () => {
    const server = machineOf("server");
    settings(server, [1], 1);
    await server.run("nomad-cluster", "certificates.sh");
    const before = server.calls.length;
    expect((await server.run("nomad-cluster", "certificates.sh")).code).to.equal(0);
    expect(server.calls.slice(before)).to.deep.equal([]);
  });

  it("an authority that is to be supplied is waited for, with a word", async () => {
    const server = machineOf("server");
    server.write("parameters/certificates", JSON.stringify({ generations: [1], issuing: 1, certificate_days: 30, supplied: true }));
    const end = await server.run("nomad-cluster", "certificates.sh");
    expect(end.code).not.to.equal(0);
    expect(end.log).to.include("the secret authority/1 has no value");
  });
});
