/**
 * The Nomad scheduler against its contract: always on the fake Nomad, and on a real one where NOMAD_ADDR is set (its nodes need the raw_exec driver).
 * Seen to pass on Nomad 2.0.5, 1.11.2 and 1.8.4.
 */
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { connectionByEnvironment, NomadStage } from "../support/nomad-stage.ts";
import { conformsToScheduler, type SchedulerStage } from "../support/scheduler-conformance.ts";

/** A fake Nomad for one test. */
async function fakeStage(version: string): Promise<SchedulerStage> {
  const nomad = await FakeNomad.start({ version });
  const stage = new NomadStage(nomad.address);
  return {
    capacity: stage.capacity,
    open: () => stage.open(),
    settle: () => stage.settle(),
    crash: (worker) => stage.crash(worker),
    close: async () => {
      await stage.close();
      await nomad.stop();
    },
  };
}

for (const version of ["2.0.5", "1.11.2"]) {
  describe(`scheduler on a fake Nomad ${version}`, function () {
    this.timeout(60_000);
    conformsToScheduler(() => fakeStage(version));
  });
}

describe("scheduler on a real Nomad", function () {
  const { NOMAD_ADDR: address = "" } = process.env;
  if (address === "") {
    it.skip("conforms [set NOMAD_ADDR]");
    return;
  }
  this.timeout(120_000);
  conformsToScheduler(async () => new NomadStage(address, { connection: connectionByEnvironment(address) }));
});
