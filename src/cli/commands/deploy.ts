/** `wadi deploy plan|apply`: shows what an installation on Nomad would be, and brings it about. */
import type { LoadedConfig } from "../../core/config.ts";
import { type Applied, applyPlan, type DeployPlan, isInPlace } from "../deploy/apply.ts";
import { ask } from "../deploy/ask.ts";
import { type DeployArguments, type Deployment, openDeployment, planDeployment } from "../deploy/deployment.ts";
import { startExample } from "../deploy/example.ts";
import { planDocument, planText } from "../deploy/plan-text.ts";
import type { PolicyState } from "../deploy/policies.ts";
import { urlLines } from "../deploy/urls.ts";
import { EXIT, print, say } from "../output.ts";

/** Arguments of `plan`. */
export interface PlanArguments extends DeployArguments {
  readonly json: boolean;
  /** Whether every field of new jobs is shown. */
  readonly full: boolean;
}

/** Arguments of `apply`. */
export interface ApplyArguments extends PlanArguments {
  readonly yes: boolean;
  readonly example: boolean;
  readonly waitMs: number;
}

/** There are changes, as terraform's -detailed-exitcode says it. */
const CHANGES = 2;

/** Shows what `apply` would do; 0 if that is nothing, 2 if there are changes. */
export async function deployPlan(args: PlanArguments, loaded: LoadedConfig): Promise<number> {
  const deployment = await openDeployment(args, loaded);
  try {
    const { plan, policies } = await planDeployment(deployment);
    show(args, deployment, plan, policies);
    return isInPlace(plan) ? EXIT.done : CHANGES;
  } finally {
    deployment.client.close();
  }
}

function show({ json, full }: PlanArguments, deployment: Deployment, plan: DeployPlan, policies: PolicyState): void {
  if (json) return print(`${JSON.stringify(planDocument(plan), undefined, 2)}\n`);
  for (const note of deployment.notes) say(`note: ${note}`);
  for (const { name, jobId } of policies.unseen)
    say(`note: this token may not look at ACL policies; the job ${jobId} needs the policy "${name}" (nomad/README.md, step 2)`);
  print(planText(plan, { colour: process.stdout.isTTY, full }));
}

/** Brings Nomad to what the values say; 0 if all is healthy. */
export async function deployApply(args: ApplyArguments, loaded: LoadedConfig): Promise<number> {
  const deployment = await openDeployment(args, loaded);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  try {
    const { plan, policies } = await planDeployment(deployment);
    if (!args.json) show(args, deployment, plan, policies);
    if (!isInPlace(plan) && !args.yes && !(await ask("Apply these changes? (yes/no) ", "apply"))) {
      say("nothing was changed");
      return EXIT.failed;
    }
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    const applied = await applyPlan(deployment.client, plan, { waitMs: args.waitMs, signal: interrupted.signal, tell: say });
    if (interrupted.signal.aborted) return sayInterrupted(applied);
    if (args.example) say(await startExample(deployment, { limitMs: args.waitMs, signal: interrupted.signal }));
    await sayResult(args, deployment, applied);
    return EXIT.done;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    deployment.client.close();
  }
}

function sayInterrupted({ submitted, left }: Applied): number {
  say(
    `no longer waiting; submitted: ${submitted.join(", ") || "nothing"}${left.length === 0 ? "" : `; not submitted or not looked at: ${left.join(", ")}`}`,
  );
  say("Nomad goes on with what was submitted: `wadi deploy status` shows it, `wadi deploy apply` goes on from there.");
  return EXIT.interrupted;
}

async function sayResult(args: ApplyArguments, deployment: Deployment, { submitted, health }: Applied): Promise<void> {
  const urls = await urlLines(deployment, { link: process.stdout.isTTY });
  if (args.json) {
    const jobs = health.map(({ id, state, healthy, wanted, version }) => ({ id, state, healthy, wanted, version }));
    print(`${JSON.stringify({ submitted, jobs, urls: Object.fromEntries(urls.map(({ name, url }) => [name, url])) }, undefined, 2)}\n`);
    return;
  }
  say(submitted.length === 0 ? "nothing to change: all is in place and healthy" : "all is healthy");
  for (const { name, text } of urls) print(`${name.padEnd(12)}${text}\n`);
}
