/**
 * `wadi upgrade plan|apply|rollback`: moves the pipelines of a cluster to another build of the workers, one after another. The controller moves one
 * pipeline by checkpoint hand-over and takes a build back that does not come up; this goes on only when the new build has run and taken a checkpoint,
 * and takes the wish for a build back that was given up.
 * A plan is a file that says what each pipeline runs now, so that the way back is known. Pipelines with the tag build=pinned stay.
 */
import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { jobShape, pipelineShape } from "../../api/schema/pipeline-shapes.ts";
import { systemClock } from "../../core/clock.ts";
import { externalError, toAppError, userError } from "../../core/errors.ts";
import type { ApiClient } from "../api-client.ts";
import { EXIT, print, say } from "../output.ts";
import { renderTable } from "../text-table.ts";
import { type ClientOptions, jobOf } from "./pipelines.ts";

type Pipeline = z.output<typeof pipelineShape>;
type Job = z.output<typeof jobShape>;

/** What is done with a pipeline. `later`: it does not run; it will have the build when it starts. */
const MOVES = ["move", "later", "pinned", "none"] as const;

const planSchema = z.strictObject({
  format: z.literal(1),
  build: z.string(),
  pipelines: z.array(z.strictObject({ id: z.string(), name: z.string(), from: z.string(), move: z.enum(MOVES), note: z.string() })),
});

/** A plan: what each pipeline's build was wished to be, and what becomes of it. */
export type UpgradePlan = z.infer<typeof planSchema>;
type Step = UpgradePlan["pipelines"][number];

/** How `apply` and `rollback` go. */
export interface UpgradeManner {
  /** Milliseconds for one pipeline. */
  readonly timeoutMs: number;
  /** Goes on with the others after one that failed. */
  readonly goOn: boolean;
}

const POLL_MS = 500;
const PIN_TAG = "build";
const PINNED = "pinned";
/** The controller acts on a wish within so long. */
const SETTLE_MS = 10_000;
const RUNNING = "Running";
const TERMINAL: ReadonlySet<string> = new Set(["Stopped", "Finished", "Failed", "Created"]);

/** `upgrade plan`: prints what would be moved to `build` and writes it to `file`. */
export async function planUpgrade({ client, json }: ClientOptions, build: string, file: string): Promise<number> {
  const pipelines = await client.all<Pipeline>("/pipelines");
  const steps = await Promise.all(pipelines.filter(({ preview }) => !preview).map(async (p) => stepOf(p, await jobOf(client, p), build)));
  const plan: UpgradePlan = { format: 1, build, pipelines: steps };
  await writeFile(file, `${JSON.stringify(plan, undefined, 2)}\n`);
  if (json) print(`${JSON.stringify(plan, undefined, 2)}\n`);
  else {
    const rows = steps.map(({ id, name, from, move, note }) => [id, name, named(from), move, note]);
    print(renderTable(["pipeline", "name", "build", "move", "note"], rows));
    say(`\nwrote ${file}; "wadi upgrade apply ${file}" moves ${steps.filter(({ move }) => move === "move").length} pipelines, one by one`);
  }
  return EXIT.done;
}

/** What becomes of a pipeline. */
function stepOf({ id, name, tags, worker_build: from }: Pipeline, job: Job, build: string): Step {
  const step = { id, name, from };
  if (tags[PIN_TAG] === PINNED) return { ...step, move: "pinned", note: `tag ${PIN_TAG}=${PINNED}` };
  if (from === build && job.running_worker_build === build) return { ...step, move: "none", note: "it has this build" };
  if (TERMINAL.has(job.state)) return { ...step, move: "later", note: `${job.state}: from its next start` };
  return { ...step, move: "move", note: `${job.state}, run ${job.run_id}` };
}

/** `upgrade apply`: carries out the plan in `file`; 1 if a pipeline did not come up with the build. */
export async function applyUpgrade(options: ClientOptions, file: string, manner: UpgradeManner): Promise<number> {
  const plan = await readPlan(file);
  const steps = plan.pipelines.filter(({ move }) => move === "move" || move === "later");
  return moveAll(options, steps, () => plan.build, manner);
}

/** `upgrade rollback`: gives every pipeline of the plan the build that it had. */
export async function rollbackUpgrade(options: ClientOptions, file: string, manner: UpgradeManner): Promise<number> {
  const plan = await readPlan(file);
  const steps = plan.pipelines.filter(({ move }) => move === "move" || move === "later").toReversed();
  return moveAll(options, steps, ({ from }) => from, manner);
}

async function readPlan(file: string): Promise<UpgradePlan> {
  const text = await readFile(file, "utf8").catch((thrown: unknown) => {
    throw userError("invalid-usage", `the plan "${file}" cannot be read: ${toAppError(thrown).message}`, {
      hint: 'Make one with "wadi upgrade plan".',
    });
  });
  try {
    return planSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw userError("invalid-usage", `"${file}" is no plan of an upgrade`, { hint: 'Make one with "wadi upgrade plan".', cause });
  }
}

async function moveAll(
  { client, json }: ClientOptions,
  steps: readonly Step[],
  buildOf: (step: Step) => string,
  manner: UpgradeManner,
): Promise<number> {
  let failed = 0;
  for (const [i, step] of steps.entries()) {
    const beganMs = systemClock.elapsedMs();
    const build = buildOf(step);
    const done = await move(client, step, build, manner.timeoutMs).catch((thrown: unknown) => toAppError(thrown));
    const failure = typeof done === "string" ? undefined : done;
    const seconds = Math.round((systemClock.elapsedMs() - beganMs) / 100) / 10;
    const outcome = typeof done === "string" ? done : done.message;
    if (json) print(`${JSON.stringify({ id: step.id, name: step.name, build, ok: failure === undefined, outcome, seconds })}\n`);
    else print(`[${i + 1}/${steps.length}] ${step.name} (${step.id}): ${outcome}, ${seconds} s\n`);
    if (failure === undefined) continue;
    failed++;
    if (manner.goOn) continue;
    say(`stopped: the ${steps.length - i - 1} pipelines after it keep their build`);
    break;
  }
  return failed === 0 ? EXIT.done : EXIT.failed;
}

/** Gives one pipeline a build and waits until it runs with it and has taken a checkpoint; what was done. Throws why it does not. */
async function move(client: ApiClient, { id }: Step, build: string, timeoutMs: number): Promise<string> {
  const pipeline = await pipelineOf(client, id);
  if (pipeline === undefined) return "deleted since the plan was made";
  if (pipeline.tags[PIN_TAG] === PINNED) return `pinned since the plan was made: it stays with ${named(pipeline.worker_build)}`;
  const before = await jobOf(client, { id });
  if (isOn(before, build)) return "it has this build";
  await client.call("PATCH", `/pipelines/${id}`, { worker_build: build });
  if (TERMINAL.has(before.state)) return `${before.state}: from its next start`;
  const refusal = await whyNotProved(client, { id, from: before.running_worker_build }, build, systemClock.elapsedMs() + timeoutMs);
  if (refusal === undefined) return "moved";
  // What will not come up is not tried again at the next start, nor taken for the build to go back to by the next plan.
  await takeBack(client, id, build, pipeline.worker_build);
  throw externalError("io", refusal, { retry: "never" });
}

/** Undefined: it is gone. */
async function pipelineOf(client: ApiClient, id: string): Promise<Pipeline | undefined> {
  try {
    return await client.call<Pipeline>("GET", `/pipelines/${id}`);
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code === "not-found") return undefined;
    throw error;
  }
}

function isOn(job: Job, build: string): boolean {
  return job.state === RUNNING && job.running_worker_build === build && job.worker_build === build;
}

/**
 * Waits until the pipeline has run with `build` for a checkpoint: undefined; or why it will not. The checkpoint by which it was handed over, by
 * the old build, may show when the new one runs already: what counts is one more. Throws `timeout`.
 */
async function whyNotProved(
  client: ApiClient,
  { id, from }: Pick<Step, "id" | "from">,
  build: string,
  deadlineMs: number,
): Promise<string | undefined> {
  let first: Job | undefined;
  for (;;) {
    const job = await jobOf(client, { id });
    // It may be on its way back to what it ran before.
    if (job.rejected_worker_build === build) return `it did not come up with ${named(build)} and stays with ${named(from)}`;
    if (job.state === "Failed") return `it failed: ${job.failure_reason?.error ?? "see its events"}`;
    if (TERMINAL.has(job.state)) return undefined;
    if (!isOn(job, build)) first = undefined;
    else if (first?.run_id !== job.run_id) first = job;
    else if (job.epoch > first.epoch) return undefined;
    if (systemClock.elapsedMs() > deadlineMs) {
      const message = `it is ${job.state} with ${named(job.running_worker_build)} and has taken no checkpoint with ${named(build)} in time`;
      throw externalError("timeout", message, { hint: 'It may still come up; "wadi upgrade rollback" takes it back.' });
    }
    await systemClock.sleep(POLL_MS);
  }
}

/** Wishes for the build `from` again, and waits until the controller knows. A pipeline that has gone meanwhile needs nothing. */
async function takeBack(client: ApiClient, id: string, build: string, from: string): Promise<void> {
  await client.call("PATCH", `/pipelines/${id}`, { worker_build: from });
  const deadlineMs = systemClock.elapsedMs() + SETTLE_MS;
  while ((await jobOf(client, { id })).rejected_worker_build === build && systemClock.elapsedMs() < deadlineMs) {
    await systemClock.sleep(POLL_MS);
  }
}

function named(build: string): string {
  return build === "" ? "the scheduler's build" : `build "${build}"`;
}
