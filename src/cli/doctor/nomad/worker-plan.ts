/** A worker as one would be asked for by a pipeline without wishes of its own: its job, and whether Nomad would place it now. */
import type { Config } from "../../../core/config.ts";
import { makeId } from "../../../core/ids.ts";
import { systemRandom } from "../../../core/prng.ts";
import type { NomadJob } from "../../../scheduler/nomad/job.ts";
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

interface PlanAnswer {
  readonly FailedTGAllocs?: Readonly<Record<string, Metric>> | null;
  readonly Warnings?: string;
}

/** Why an allocation was not placed; what is looked at. */
interface Metric {
  readonly NodesEvaluated?: number;
  readonly NodesExhausted?: number;
  readonly ConstraintFiltered?: Readonly<Record<string, number>> | null;
  readonly DimensionExhausted?: Readonly<Record<string, number>> | null;
  readonly QuotaExhausted?: readonly string[] | null;
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
  const { FailedTGAllocs, Warnings = "" } = parseAnswer<PlanAnswer>(answer, "the plan");
  const [metric] = Object.values(FailedTGAllocs ?? {});
  if (metric !== undefined) return notPlaced(metric, Job);
  const resources = Job.TaskGroups[0]?.Tasks[0]?.Resources;
  const size = `${resources?.Cores === undefined ? `${resources?.CPU} MHz` : `${resources.Cores} cores`}, ${resources?.MemoryMB} MB`;
  if (Warnings !== "")
    return warn(`one worker (${size}) would be placed; Nomad remarks: ${Warnings}`, "Look at the worker's job: wadi nomad render.");
  return ok(`one worker (${size}) would be placed now`);
}

function notPlaced(metric: Metric, job: NomadJob): Finding {
  const { MemoryMB, CPU, Cores } = job.TaskGroups[0]?.Tasks[0]?.Resources ?? { MemoryMB: 0 };
  const wanted = `${Cores === undefined ? `${CPU} MHz` : `${Cores} cores`} and ${MemoryMB} MB`;
  const exhausted = Object.entries(metric.DimensionExhausted ?? {}).map(([what, nodes]) => `${what} is exhausted on ${nodes} nodes`);
  const filtered = Object.entries(metric.ConstraintFiltered ?? {}).map(([what, nodes]) => `"${what}" excludes ${nodes} nodes`);
  const quota = (metric.QuotaExhausted ?? []).map((what) => `quota ${what} is exhausted`);
  const reasons = [...exhausted, ...quota, ...filtered].join(", ") || `${metric.NodesEvaluated ?? 0} nodes could be looked at`;
  const fix =
    exhausted.length + quota.length > 0 ? ROOM : "Correct nomad.constraints, nomad.datacenters and nomad.driver, or start nodes that fit.";
  return fail(`a worker of ${wanted} would not be placed: ${reasons}`, fix);
}
