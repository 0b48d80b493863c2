/** What an installation would be: which jobs with which values, read by Nomad and compared with what it has. Asks, and changes nothing. */
import { toAppError, userError } from "../../core/errors.ts";
import { readPlan } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { placementCauses } from "../../scheduler/nomad/reasons.ts";
import { type Change, changeOf, type ObjectDiff } from "./diff.ts";
import { SERVICES, type Service } from "./services.ts";
import type { Template, TemplateSet } from "./templates.ts";
import { checkNames, hclAssignments, type ValueLayer, type Values, valuesFor } from "./values.ts";

/** A job with its values. */
export interface RenderedJob {
  readonly service: Service;
  readonly template: Template;
  readonly values: Values;
  /** The values as HCL assignments. */
  readonly variables: string;
}

/** A job as Nomad reads it and what submitting it would do. */
export interface PlannedJob extends RenderedJob {
  /** As `/v1/jobs/parse` answers. */
  readonly job: Readonly<Record<string, unknown>>;
  readonly change: Change;
  readonly diff: ObjectDiff | undefined;
  /** What it was compared with; 0: there is none. */
  readonly index: number;
  /** Why some allocations would not be placed now; empty: all would. */
  readonly unplaced: readonly string[];
  readonly warnings: readonly string[];
}

/** The jobs that `layers` ask for, with their values. Throws `invalid-config` naming what is missing or wrong. */
export function renderJobs(set: TemplateSet, layers: readonly ValueLayer[]): readonly RenderedJob[] {
  const files: ValueLayer = { from: "monitoring files", common: { ...set.monitoring }, jobs: {} };
  const wanted = wantedServices(set, layers);
  checkNames(layers, set.templates);
  return wanted.map((service) => {
    const template = templateOf(set, service.name);
    const fitting = { ...files, common: Object.fromEntries(Object.entries(files.common).filter(([name]) => isMapOf(template, name))) };
    const values = valuesFor(template, [fitting, ...layers]);
    checkDriver(template, values);
    return { service, template, values, variables: hclAssignments(values) };
  });
}

function isMapOf(template: Template, name: string): boolean {
  return template.variables.get(name)?.type === "map(string)";
}

/** In the order of submission: those that are listed, else the standard ones; no server of PostgreSQL where another is named. */
function wantedServices(set: TemplateSet, layers: readonly ValueLayer[]): readonly Service[] {
  const listed = layers.findLast(({ deploy }) => deploy !== undefined)?.deploy;
  if (listed !== undefined) return SERVICES.filter(({ name }) => listed.includes(name));
  const elsewhere = layers.some(({ common, jobs }) =>
    [common, jobs["controller"]].some((values) => (values?.["database_host"] ?? "") !== ""),
  );
  return SERVICES.filter(({ name, standard }) => standard && set.templates.has(name) && !(elsewhere && name === "postgres"));
}

function templateOf(set: TemplateSet, name: string): Template {
  const template = set.templates.get(name);
  if (template !== undefined) return template;
  throw userError("invalid-config", `there is no job template "${name}.nomad.hcl" in "${set.folder}"`, {
    hint: `There are ${[...set.templates.keys()].join(", ")}.`,
  });
}

/** A job that nothing says where its program is from would fail on the node, late and in other words. */
function checkDriver(template: Template, values: Values): void {
  const driver = values["driver"] ?? template.variables.get("driver")?.fallback?.replaceAll('"', "");
  if (driver !== "docker" || !template.variables.has("image") || (values["image"] ?? "") !== "") return;
  if (template.variables.get("image")?.fallback !== '""') return;
  throw userError("invalid-config", `the job "${template.name}" runs by docker and has no image`, {
    hint: `Set image = "name@sha256:…" under [jobs.${template.name}], or driver = "exec" or "raw_exec" under [values]; on one machine try --local.`,
  });
}

/** Lets Nomad read `rendered` and say what would change. Throws `invalid-config` for what Nomad refuses, naming the template. */
export async function planJob(client: NomadClient, rendered: RenderedJob): Promise<PlannedJob> {
  const job = await parseJob(client, rendered);
  const path = `/v1/job/${encodeURIComponent(rendered.template.jobId)}/plan`;
  const { body } = await client.call({ method: "POST", path, query: spaceOf(job), body: { Job: job, Diff: true, PolicyOverride: false } });
  const { FailedTGAllocs, Warnings, JobModifyIndex } = readPlan(body);
  const diff = (body as { readonly Diff?: ObjectDiff | null }).Diff ?? undefined;
  return {
    ...rendered,
    job,
    change: JobModifyIndex === 0 && diff === undefined ? "new" : changeOf(diff),
    diff,
    index: JobModifyIndex,
    unplaced: Object.entries(FailedTGAllocs).map(
      ([group, metric]) => `group "${group}": ${placementCauses(metric).join("; ") || "no room"}`,
    ),
    warnings: warningsOf(Warnings),
  };
}

/** Nomad lists its remarks under a heading that counts them. */
function warningsOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.trim().replace(/^\* /, ""));
  return lines.filter((line) => line !== "" && !/^\d+ warnings?:$/i.test(line));
}

/** Namespace of a job, for calls about it. */
export function spaceOf(job: Readonly<Record<string, unknown>>): { readonly namespace: string | undefined } {
  const namespace = job["Namespace"];
  return { namespace: typeof namespace === "string" && namespace !== "" ? namespace : undefined };
}

async function parseJob(client: NomadClient, { template, variables }: RenderedJob): Promise<Readonly<Record<string, unknown>>> {
  try {
    const body = { JobHCL: template.hcl, Variables: variables, Canonicalize: true };
    return (await client.call({ method: "POST", path: "/v1/jobs/parse", body })).body as Record<string, unknown>;
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.retry === "backoff" || error.code === "permission-denied") throw error;
    const text = error.message.replace(/^Nomad refuses POST \/v1\/jobs\/parse: /, "");
    throw userError("invalid-config", `Nomad cannot read the job "${template.name}": ${text}`, {
      detail: `Template: ${template.path}.`,
      hint: "Correct the value that it names; `wadi deploy plan --json` shows the values of every job.",
      cause: error,
    });
  }
}
