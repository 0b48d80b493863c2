/** The Nomad jobs of runs, whole, as they are submitted: a change of them is a change of what operators see. The input is settings, as JSON. */
import type { NomadJobSettings } from "../../../src/scheduler/nomad/settings.ts";
import { renderJob } from "../../../src/scheduler/nomad/spec.ts";
import { goldenFiles, goldenSuite } from "../../support/golden.ts";
import { idleJobSettings } from "../../support/nomad-stage.ts";
import { sampleSpec } from "../../support/scheduler-conformance.ts";

for (const path of goldenFiles("scheduler")) {
  goldenSuite(path, ({ input, args }) => {
    const change = JSON.parse(input === "" ? "{}" : input) as Partial<NomadJobSettings>;
    const spec = { ...sampleSpec(Number(args.get("slots") ?? 1)), slug: "orders-per-minute", fence: 7n };
    return JSON.stringify(renderJob(spec, idleJobSettings({ command: ["wadi", "worker"], ...change })), undefined, 1);
  });
}
