/** The Nomad scheduler against its contract, on a real Nomad. Skipped unless NOMAD_ADDR is set; its nodes need the raw_exec driver. */
import { NomadStage } from "../support/nomad-stage.ts";
import { conformsToScheduler } from "../support/scheduler-conformance.ts";

describe("scheduler on a real Nomad", function () {
  const { NOMAD_ADDR: address = "" } = process.env;
  if (address === "") {
    it.skip("conforms (NOMAD_ADDR is not set)");
    return;
  }
  this.timeout(120_000);
  conformsToScheduler(async () => new NomadStage(address));
});
