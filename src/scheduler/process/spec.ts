/** Which specifications workers on one's own machine, as processes or threads, can be given, and what a plan says of them. Pure. */
import { type AppError, externalError } from "../../core/errors.ts";
import { sizeWorkers } from "../placement.ts";
import type { RunSpec, WorkerLaunch } from "../scheduler.ts";
import type { SchedulerPlan } from "../view.ts";

/** A name that looks like a secret's: it would be readable in the process' environment. */
const SECRET_NAME = /token|secret|passw|credential|private_?key|api_?key/i;

/** Refuses with `invalid-config` what the scheduler called `name` cannot hand over. */
export function checkSpec(name: string, spec: RunSpec): void {
  const secret = Object.keys(spec.environment).find((variable) => SECRET_NAME.test(variable));
  if (secret !== undefined) throw refused(`"${secret}" looks like a secret and would be readable in the worker's environment`);
  const [unknown] = Object.keys(spec.overrides);
  if (unknown !== undefined) throw refused(`the ${name} scheduler does not know the setting "${unknown}"`);
  const [reference] = spec.secrets;
  if (reference !== undefined) throw refused(`the ${name} scheduler hands over no secrets, such as "${reference.variable}"`);
}

function refused(message: string): AppError {
  return externalError("invalid-config", message, { retry: "never" });
}

/** A launch without what is secret or not known before. */
export type DescribedLaunch = Omit<WorkerLaunch, "runToken" | "worker">;

/** What a worker with `slots` slots of the run is launched with. */
export function launchOf(spec: RunSpec, slots: number): Omit<WorkerLaunch, "worker"> {
  const { job, run, fence, build, controllers, controllerCa, runToken, environment, resources } = spec;
  return { job, run, fence, build, slots, controllers, controllerCa, runToken, environment, memoryBytes: resources.memoryBytes * slots };
}

/** What starting `spec` would come to where `available` slots are left, `known`: it was started; `describe` gives a worker's line. */
export function planOf(spec: RunSpec, available: number, known: boolean, describe: (launch: DescribedLaunch) => string): SchedulerPlan {
  const sizes = sizeWorkers(spec.slots, spec.slotsPerWorker);
  const fits = known || spec.slots <= available;
  const text = sizes.map((slots) => {
    const { runToken: _, ...launch } = launchOf(spec, slots);
    return describe(launch);
  });
  return {
    text: `${text.join("\n")}\n`,
    format: "text",
    workers: sizes.length,
    missing: fits ? 0 : sizes.length,
    reason: fits ? "" : `${spec.slots} slots are needed and ${Math.max(0, available)} are free`,
    warnings: [],
  };
}
