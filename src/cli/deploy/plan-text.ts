/** A plan for people and, as a document, for programs. Pure; holds no secret. */
import type { DeployPlan } from "./apply.ts";
import { type Change, diffLines, painter } from "./diff.ts";

/** How to show it. */
export interface PlanStyle {
  readonly colour: boolean;
  /** Every field of new jobs, too. */
  readonly full: boolean;
}

const MARKS = { new: "+", changed: "~", started: "+", none: " " } as const satisfies Record<Change, string>;
const WORDS: Readonly<Record<Change, string>> = {
  new: "will be made",
  changed: "will be changed",
  started: "will be started again",
  none: "no change",
};

/** The plan as text, its last line a summary. */
export function planText({ jobs, secrets, policies }: DeployPlan, { colour, full }: PlanStyle): string {
  const paint = painter(colour);
  const lines: string[] = [];
  for (const { path, origins } of secrets) {
    const items = Object.entries(origins).map(([name, origin]) => `${name} (${origin === "random" ? "made up" : `from the ${origin}`})`);
    lines.push(paint("+", `+ variable ${path}: ${items.join(", ").replaceAll("from the another job", "as in another job")}`));
  }
  for (const { name, jobId } of policies) lines.push(paint("+", `+ policy ${name} of the job ${jobId}`));
  for (const { template, change, diff, unplaced, warnings } of jobs) {
    lines.push(paint(MARKS[change], `${MARKS[change]} job ${template.jobId}: ${WORDS[change]}`));
    if (diff !== undefined && change !== "none") lines.push(...diffLines(diff, paint, full));
    if (change === "none") continue;
    for (const reason of unplaced) lines.push(paint("~", `  ! could not be placed now: ${reason}`));
    for (const warning of warnings) lines.push(paint("~", `  ! Nomad remarks: ${warning}`));
  }
  return `${lines.join("\n")}\n\n${summary({ jobs, secrets, policies })}\n`;
}

function summary({ jobs, secrets, policies }: DeployPlan): string {
  const count = (change: Change): number => jobs.filter((job) => job.change === change).length;
  const made = count("new") + count("started") + secrets.length + policies.length;
  if (made + count("changed") === 0) return "No changes: Nomad has what the values say.";
  return `Plan: ${made} to make, ${count("changed")} to change, ${count("none")} as they are.`;
}

/** The plan as `--json` prints it. */
export function planDocument({ jobs, secrets, policies }: DeployPlan) {
  return {
    changes: jobs.some(({ change }) => change !== "none") || secrets.length > 0 || policies.length > 0,
    variables: secrets.map(({ path, origins }) => ({ path, items: origins })),
    policies: policies.map(({ name, jobId }) => ({ name, job: jobId })),
    jobs: jobs.map(({ template, change, values, diff, unplaced, warnings }) => ({
      job: template.jobId,
      change,
      values,
      unplaced,
      warnings,
      diff: change === "none" ? undefined : diff,
    })),
  };
}
