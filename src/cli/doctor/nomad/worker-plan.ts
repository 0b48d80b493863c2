/** A worker as one would be asked for by a pipeline without wishes of its own: its job, and whether Nomad would place it now. */
import type { Config } from "../../../core/config.ts";
import { makeId } from "../../../core/ids.ts";
import { systemRandom } from "../../../core/prng.ts";
import { type NomadMetric, readPlan } from "../../../scheduler/nomad/answers.ts";
import type { NomadJob } from "../../../scheduler/nomad/job.ts";
import { placementCauses } from "../../../scheduler/nomad/reasons.ts";
import { type NomadJobSettings, nomadJobSettings } from "../../../scheduler/nomad/settings.ts";
import { renderJob } from "../../../scheduler/nomad/spec.ts";
import { type Finding, fail, ok, warn } from "../check.ts";
import { parseAnswer, saidBy } from "./ask.ts";
import type { NomadCluster } from "./cluster.ts";
import { PROBE_ID } from "./probe-job.ts";

const CPU_MILLIS = 1_000;
/** A slot's own memory besides its state, as the controller asks for. */
const OVERHEAD_BYTES = 256 * 2 ** 20;

/** The job of one worker with the slots that the settings give one. Throws `invalid-config` for settings that contradict each other. */
export function oneWorkerJob(config: Config): NomadJob {
  const settings: NomadJobSettings = nomadJobSettings(config);
  const slots = settings.slotsPerWorker;
  const spec = {
    job: makeId("job", systemRandom),
    run: makeId("run", systemRandom),
    fence: 1n,
    pipeline: makeId("pipeline", systemRandom),
    slug: PROBE_ID,
    slots,
    slotsPerWorker: slots,
    resources: { cpuMillis: CPU_MILLIS, memoryBytes: config["pipeline.state-limit"] + OVERHEAD_BYTES },
    artifact: "",
    controllers: [],
    runToken: "",
    environment: {},
    secrets: [],
    overrides: {},
  };
  return renderJob(spec, settings);
}

const ROOM = "Add nodes, end other jobs, or lower nomad.slots-per-worker, nomad.mhz-per-slot or nomad.memory-per-slot.";

/** Asks Nomad whether it would place the worker. */
export async function planOneWorker(cluster: NomadCluster, config: Config, signal: AbortSignal): Promise<Finding> {
  const Job = oneWorkerJob(config);
  const answer = await cluster.askInNamespace({ method: "POST", path: `/v1/job/${Job.ID}/plan`, body: { Job, Diff: false }, signal });
  if (answer.status !== 200)
    return fail(
      `Nomad refuses the job of a worker: ${saidBy(answer)}`,
      "Correct the nomad.* settings of worker jobs; wadi nomad render shows the job.",
    );
  const { FailedTGAllocs, Warnings } = readPlan(parseAnswer<unknown>(answer, "the plan"));
  const [metric] = Object.values(FailedTGAllocs);
  if (metric !== undefined) return notPlaced(metric, Job);
  const remark = Warnings.includes("shutdown_delay") ? "" : Warnings;
  if (remark !== "")
    return warn(`one worker (${sizeOf(Job)}) would be placed; Nomad remarks: ${remark}`, "Look at its job: wadi nomad render.");
  return ok(`one worker (${sizeOf(Job)}) would be placed now`);
}

function sizeOf(job: NomadJob): string {
  const { MemoryMB, CPU, Cores } = job.TaskGroups[0]?.Tasks[0]?.Resources ?? { MemoryMB: 0 };
  return `${Cores === undefined ? `${CPU} MHz` : `${Cores} cores`}, ${MemoryMB} MB`;
}

function notPlaced(metric: NomadMetric, job: NomadJob): Finding {
  const exhausted = Object.keys(metric.DimensionExhausted).length + metric.QuotaExhausted.length > 0;
  const fix = exhausted ? ROOM : "Correct nomad.constraints, nomad.datacenters and nomad.driver, or start nodes that fit.";
  return fail(`a worker (${sizeOf(job)}) would not be placed: ${placementCauses(metric).join("; ")}`, fix);
}
