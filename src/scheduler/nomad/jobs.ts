/** Nomad's jobs of runs and what belongs to them: register, plan, stop, purge, look at, and the variable with the run's credential. */
import { externalError, toAppError } from "../../core/errors.ts";
import type { RunSpec } from "../scheduler.ts";
import { type NomadAllocation, type NomadJobState, readAllocation, readEvaluation, readJob, readPlan, readVariable } from "./answers.ts";
import type { NomadAnswer, NomadClient } from "./client.ts";
import type { NomadJob } from "./job.ts";
import { placementReason } from "./reasons.ts";
import { variablePath, WORKER_NAME } from "./spec.ts";

/** What Nomad has of a run after a registration. */
export interface Registered {
  /** False: it was there already. */
  readonly created: boolean;
  /** It was there and has been stopped. */
  readonly stopped: boolean;
  readonly index: number;
}

interface Placing {
  readonly nomadJob: string;
  readonly untilMs: number;
  /** Of whoever waits already. */
  waiting: Promise<void> | undefined;
}

/** What Nomad says of a plan. */
export interface Planned {
  readonly missing: number | undefined;
  readonly reason: string;
  readonly warnings: readonly string[];
}

interface Registration {
  readonly JobModifyIndex?: number;
  readonly EvalID?: string;
  readonly Warnings?: string | null;
}

/** A job as it is submitted, and as people are shown it. */
export function sourceOf(job: NomadJob): string {
  return `${JSON.stringify(job, undefined, 2)}\n`;
}

/** https://github.com/hashicorp/nomad/blob/v1.11.2/nomad/job_endpoint.go, Job.Plan */
const NO_PLANS = /acl token lookup failed.*UUID must be 36 characters/;
/** So long a plan waits for the evaluations of registrations before it, milliseconds. */
const EVALUATION_MS = 3_000;
/** So long it waits for events of them before it asks, and how often it looks, milliseconds. */
const EVENT_MS = 200;
const EVENT_LOOK_MS = 10;
/** Registrations whose evaluation a plan waits for, and whose warnings are kept. */
const MOST_REMEMBERED = 64;

/** Items of a run's variable. */
const TOKEN = "run_token";
const CONTROLLERS = "controllers";
const CONTROLLER_CA = "controller_ca";
/** Where controllers were is worth trying, for a while. */
const CONTROLLERS_KEPT = 8;

/** See the file's comment. */
export class NomadJobs {
  readonly #client: NomadClient;
  readonly #isPlaced: (nomadJob: string) => boolean;
  /** Evaluations of registrations of ours a moment ago: a plan before their end would count their places as free. */
  readonly #placing = new Map<string, Placing>();
  /** What Nomad remarked at registrations, by job, until it is asked for. */
  readonly #warnings = new Map<string, readonly string[]>();

  /** `isPlaced`: whether all workers of a job are known to have their places. */
  constructor(client: NomadClient, isPlaced: (nomadJob: string) => boolean) {
    this.#client = client;
    this.#isPlaced = isPlaced;
  }

  /** What registering `job` would come to now; `missing` undefined: Nomad does not tell whom it only knows by a workload identity. */
  async plan(job: NomadJob): Promise<Planned> {
    await this.#evaluated();
    const answer = await this.#askPlan(job);
    if (answer === undefined) {
      const reason = "this Nomad plans no jobs for a workload identity, only for a token; jobs can be registered all the same";
      return { missing: undefined, reason, warnings: [] };
    }
    const { FailedTGAllocs, Warnings } = readPlan(answer.body);
    const metric = FailedTGAllocs[WORKER_NAME];
    const missing = metric === undefined ? 0 : metric.CoalescedFailures + 1;
    const workers = job.TaskGroups[0]?.Count ?? missing;
    const reason = missing === 0 ? "" : placementReason(missing, workers, metric);
    return { missing, reason, warnings: linesOf(Warnings) };
  }

  /** Undefined: Nomad before 2.0 takes whoever asks for the holder of an ACL token, and a workload identity is none. */
  async #askPlan(job: NomadJob): Promise<NomadAnswer | undefined> {
    try {
      return await this.#client.call({ method: "POST", path: `/v1/job/${job.ID}/plan`, body: { Job: job, Diff: false } });
    } catch (thrown) {
      if (NO_PLANS.test(toAppError(thrown).message)) return undefined;
      throw thrown;
    }
  }

  /** Registers `job` unless there is one of its id. Throws `already-exists` if that one is not of the specification with `hash`. */
  async register(job: NomadJob, hash: string): Promise<Registered> {
    const body = { Job: job, EnforceIndex: true, JobModifyIndex: 0, Submission: { Source: sourceOf(job), Format: "json" } };
    try {
      const answer = await this.#client.call({ method: "PUT", path: "/v1/jobs", body });
      const { JobModifyIndex: index = 0, EvalID: evaluation = "", Warnings } = (answer.body ?? {}) as Registration;
      this.#remember(job.ID, evaluation, Warnings ?? "");
      return { created: true, stopped: false, index };
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code !== "already-exists") throw error;
      const known = await this.read(job.ID);
      if (known === undefined) throw externalError("io", `the Nomad job "${job.ID}" went while it was registered`, { cause: error });
      if (known.Meta["spec_hash"] === hash) return { created: false, stopped: known.Stop, index: known.ModifyIndex };
      throw externalError("already-exists", `Nomad has another job "${job.ID}", which is not this run's`, {
        retry: "never",
        hint: "Somebody else registered it, or nomad.cluster-id of two installations is the same.",
      });
    }
  }

  /** What Nomad remarked when the job was registered; asked once, and only by whoever registered it. */
  takeWarnings(nomadJob: string): readonly string[] {
    const warnings = this.#warnings.get(nomadJob) ?? [];
    this.#warnings.delete(nomadJob);
    return warnings;
  }

  #remember(nomadJob: string, evaluation: string, warnings: string): void {
    if (warnings !== "") this.#warnings.set(nomadJob, linesOf(warnings));
    if (evaluation !== "")
      this.#placing.set(evaluation, { nomadJob, untilMs: this.#client.clock.elapsedMs() + EVALUATION_MS, waiting: undefined });
    for (const known of [this.#placing, this.#warnings]) {
      const oldest = known.size > MOST_REMEMBERED ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
    }
  }

  /** Waits for what was registered a moment ago. Never throws. */
  async #evaluated(): Promise<void> {
    const nowMs = this.#client.clock.elapsedMs();
    for (const [id, { untilMs }] of this.#placing) if (untilMs < nowMs) this.#placing.delete(id);
    const waits = [...this.#placing].map(([id, placing]) => {
      placing.waiting ??= this.#awaitEvaluation(id, placing).finally(() => this.#placing.delete(id));
      return placing.waiting;
    });
    await Promise.all(waits);
  }

  /** Waits until an evaluation is no longer pending, and not for long: never throws. Events tell it sooner than a question. */
  async #awaitEvaluation(id: string, { nomadJob, untilMs }: Placing): Promise<void> {
    const { clock } = this.#client;
    for (let waitedMs = 0; waitedMs < EVENT_MS; waitedMs += EVENT_LOOK_MS) {
      if (this.#isPlaced(nomadJob)) return;
      await clock.sleep(EVENT_LOOK_MS);
    }
    let index = 1;
    try {
      while (clock.elapsedMs() < untilMs) {
        const query = { index, wait: "500ms" };
        const answer = await this.#client.call({ path: `/v1/evaluation/${id}`, query });
        if (readEvaluation(answer.body).Status !== "pending") return;
        index = Math.max(1, answer.index);
      }
    } catch {
      // Whoever plans next hears of it.
    }
  }

  /** A job; undefined: Nomad does not know it. */
  async read(id: string): Promise<NomadJobState | undefined> {
    const { status, body } = await this.#client.call({ path: `/v1/job/${id}`, accept: [404] });
    return status === 404 ? undefined : readJob(body);
  }

  /** A job and its allocations. */
  async look(id: string) {
    const [job, answer] = await Promise.all([this.read(id), this.#client.call({ path: `/v1/job/${id}/allocations` })]);
    const rows: readonly NomadAllocation[] = Array.isArray(answer.body) ? answer.body.map(readAllocation) : [];
    return { job, allocations: rows, index: answer.index };
  }

  /** Tells Nomad to end a job. An unknown one is none to end. `purge`: and to forget it. */
  async deregister(id: string, purge = false): Promise<void> {
    const query = { purge, no_shutdown_delay: true };
    await this.#client.call({ method: "DELETE", path: `/v1/job/${id}`, query, accept: [404] });
  }

  /** Kills an allocation's task at once. */
  async kill(allocation: string, task: string): Promise<void> {
    const body = { Task: task, Signal: "SIGKILL" };
    await this.#client.call({ method: "PUT", path: `/v1/client/allocation/${allocation}/signal`, body, accept: [404] });
  }

  /** Writes a run's variable unless it is there: its workers may have read the token already, and every token of the run is accepted. */
  async writeVariable(nomadJob: string, { runToken, controllers, controllerCa = "" }: RunSpec): Promise<void> {
    const items = { [TOKEN]: runToken, [CONTROLLERS]: controllers.join(","), [CONTROLLER_CA]: controllerCa };
    const written = await this.#putVariable(nomadJob, items, 0);
    if (!written) await this.writeControllers(nomadJob, controllers);
  }

  /** Puts controllers first in a run's variable, if they are not all there; others stay, up to a few. A run without a variable is over. */
  async writeControllers(nomadJob: string, controllers: readonly string[]): Promise<void> {
    const { status, body } = await this.#client.call({ path: `/v1/var/${variablePath(nomadJob)}`, accept: [404] });
    if (status === 404) return;
    const { Items, ModifyIndex } = readVariable(body);
    const known = (Items[CONTROLLERS] ?? "").split(",").filter((endpoint) => endpoint !== "");
    if (controllers.every((endpoint) => known.includes(endpoint))) return;
    const text = [...new Set([...controllers, ...known])].slice(0, CONTROLLERS_KEPT).join(",");
    await this.#putVariable(nomadJob, { ...Items, [CONTROLLERS]: text }, ModifyIndex);
  }

  /** Destroys a run's variable. */
  async removeVariable(nomadJob: string): Promise<void> {
    await this.#client.call({ method: "DELETE", path: `/v1/var/${variablePath(nomadJob)}`, accept: [404] });
  }

  /** Whether the variable was as `index` says, and is now `items`. */
  async #putVariable(nomadJob: string, items: Readonly<Record<string, string>>, index: number): Promise<boolean> {
    const path = variablePath(nomadJob);
    const call = {
      method: "PUT",
      path: `/v1/var/${path}`,
      query: { cas: index },
      body: { Path: path, Items: items },
      accept: [409],
    } as const;
    return (await this.#client.call(call)).status !== 409;
  }
}

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}
