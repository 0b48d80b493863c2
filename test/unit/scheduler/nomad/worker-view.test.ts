/** What an allocation means as a worker. */
import { expect } from "chai";
import type { JobId, RunId } from "../../../../src/core/ids.ts";
import { readAllocation } from "../../../../src/scheduler/nomad/answers.ts";
import { exitOf, phaseOf, workerView } from "../../../../src/scheduler/nomad/worker-view.ts";

interface Event {
  readonly Type: string;
  readonly DisplayMessage?: string;
  readonly Details?: Readonly<Record<string, string>>;
}

const allocation = (fields: object, events: readonly Event[] = []) =>
  readAllocation({
    ID: "11111111-2222-3333-4444-555555555555",
    JobID: "w-x",
    NodeID: "node-1",
    NodeName: "one",
    DesiredStatus: "run",
    ClientStatus: "running",
    TaskStates: { worker: { State: "dead", Failed: true, Events: events } },
    ...fields,
  });
const key = { job: "job_a" as JobId, run: "run_a" as RunId, fence: 3n };

describe("an allocation as a worker", () => {
  const phases: readonly (readonly [client: string, desired: string, phase: string])[] = [
    ["pending", "run", "starting"],
    ["running", "run", "running"],
    ["running", "stop", "stopping"],
    ["running", "evict", "stopping"],
    ["pending", "stop", "stopping"],
    ["complete", "stop", "exited"],
    ["failed", "run", "exited"],
    ["lost", "stop", "lost"],
    ["unknown", "run", "lost"],
  ];
  for (const [ClientStatus, DesiredStatus, phase] of phases) {
    it(`is ${phase} where the client says ${ClientStatus} and the server wants ${DesiredStatus}`, () => {
      expect(phaseOf(allocation({ ClientStatus, DesiredStatus }))).to.equal(phase);
    });
  }

  it("has an exit code", () => {
    const row = allocation({ ClientStatus: "failed" }, [
      { Type: "Terminated", DisplayMessage: "Exit Code: 3", Details: { exit_code: "3", signal: "0", oom_killed: "false" } },
      { Type: "Not Restarting", DisplayMessage: "Policy allows no restarts" },
    ]);
    expect(exitOf(row)).to.deep.equal({ code: 3, signal: undefined, outOfMemory: false, reason: "Exit Code: 3" });
  });

  it("names the signal, also where only the exit code tells", () => {
    const Details = { exit_code: "137", signal: "9" };
    const killed = allocation({ ClientStatus: "failed" }, [{ Type: "Terminated", DisplayMessage: "Exit Code: 137, Signal: 9", Details }]);
    expect(exitOf(killed)).to.include({ code: undefined, signal: "SIGKILL" });
    const shell = allocation({ ClientStatus: "failed" }, [{ Type: "Terminated", Details: { exit_code: "143", signal: "0" } }]);
    expect(exitOf(shell)).to.include({ code: undefined, signal: "SIGTERM" });
  });

  it("knows an end for want of memory", () => {
    const Details = { exit_code: "137", signal: "0", oom_killed: "true" };
    const row = allocation({ ClientStatus: "failed" }, [{ Type: "Terminated", DisplayMessage: "OOM Killed", Details }]);
    expect(exitOf(row)).to.include({ outOfMemory: true, reason: "OOM killed" });
  });

  it("says how it ended by itself, whoever stopped its job afterwards", () => {
    const stopped = { ClientStatus: "failed", DesiredStatus: "stop", DesiredDescription: "alloc not needed due to job update" };
    const killed = { exit_code: "137", signal: "9", oom_killed: "false" };
    const row = allocation(stopped, [
      { Type: "Started" },
      { Type: "Terminated", DisplayMessage: "Exit Code: 137, Signal: 9", Details: killed },
      { Type: "Not Restarting", DisplayMessage: "Policy allows no restarts" },
    ]);
    expect(exitOf(row)).to.include({ signal: "SIGKILL", reason: "Exit Code: 137, Signal: 9" });
    const oom = { exit_code: "137", signal: "9", oom_killed: "true" };
    expect(exitOf(allocation(stopped, [{ Type: "Terminated", Details: oom }])).reason).to.equal("OOM killed");
  });

  it("says why Nomad ended it", () => {
    const stopped = { ClientStatus: "complete", DesiredStatus: "stop", DesiredDescription: "alloc is being migrated" };
    const row = allocation(stopped, [
      { Type: "Killing", DisplayMessage: "Sent interrupt. Waiting 30s before force killing" },
      { Type: "Terminated", DisplayMessage: "Exit Code: 0", Details: { exit_code: "0" } },
      { Type: "Killed", DisplayMessage: "Task successfully killed" },
    ]);
    expect(exitOf(row).reason).to.equal("alloc is being migrated");
  });

  it("says why it never started", () => {
    const row = allocation({ ClientStatus: "failed" }, [
      { Type: "Received", DisplayMessage: "Task received by client" },
      { Type: "Failed Artifact Download", DisplayMessage: "failed to download artifact: checksums did not match" },
      { Type: "Not Restarting", DisplayMessage: "Policy allows no restarts" },
    ]);
    expect(exitOf(row)).to.deep.equal({
      code: undefined,
      signal: undefined,
      outOfMemory: false,
      reason: "failed to download artifact: checksums did not match",
    });
  });

  it("says who took its place", () => {
    const row = allocation({ ClientStatus: "complete", DesiredStatus: "evict", PreemptedByAllocation: "abcdef0123" }, [
      { Type: "Terminated", DisplayMessage: "Exit Code: 0", Details: { exit_code: "0" } },
    ]);
    expect(exitOf(row).reason).to.equal("preempted by allocation abcdef01");
  });

  it("has an exit if and only if it has exited", () => {
    const setting = { key, slots: 4, link: undefined };
    expect(workerView(allocation({}), setting)).to.include({ phase: "running", exit: undefined, slots: 4, fence: 3n, note: "" });
    expect(workerView(allocation({ ClientStatus: "failed" }), setting).exit).to.not.equal(undefined);
    expect(workerView(allocation({ ClientStatus: "unknown" }), setting).note).to.equal('Nomad\'s client "one" does not answer');
  });
});
