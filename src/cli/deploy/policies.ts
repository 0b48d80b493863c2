/** ACL policies of the jobs' workload identities, where ACLs are on: which are missing or differ, and writing them. */
import { toAppError, userError } from "../../core/errors.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import type { PlannedJob } from "./plan.ts";
import { jobIdOf } from "./services.ts";
import type { TemplateSet } from "./templates.ts";

/** A policy as it should be. */
export interface WantedPolicy {
  readonly name: string;
  readonly description: string;
  readonly rules: string;
  readonly namespace: string;
  readonly jobId: string;
}

/** How the policies are. */
export interface PolicyState {
  /** Whether Nomad asks for tokens at all. */
  readonly acl: boolean;
  /** To be written. */
  readonly missing: readonly WantedPolicy[];
  /** Those that this token may not look at: an operator has to see to them. */
  readonly unseen: readonly WantedPolicy[];
}

/** What the jobs need and Nomad does not have. Throws `permission-denied` where ACLs are on and there is no valid token. */
export async function policyState(client: NomadClient, set: TemplateSet, jobs: readonly PlannedJob[]): Promise<PolicyState> {
  if (!(await hasAcl(client))) return { acl: false, missing: [], unseen: [] };
  const wanted = jobs.flatMap(({ service, job }) => {
    const rules = set.policies.get(service.name);
    const namespace = String(job["Namespace"] ?? "default");
    return rules === undefined ? [] : [wantedPolicy(service.name, rules, namespace)];
  });
  const missing: WantedPolicy[] = [];
  const unseen: WantedPolicy[] = [];
  for (const policy of wanted) {
    const fits = await isInPlace(client, policy).catch((thrown: unknown) => {
      if (toAppError(thrown).code !== "permission-denied") throw thrown;
      unseen.push(policy);
      return true;
    });
    if (!fits) missing.push(policy);
  }
  return { acl: true, missing, unseen };
}

/** Whether ACLs are on. Throws `permission-denied` for a token that Nomad does not know, and for none where one is needed. */
export async function hasAcl(client: NomadClient): Promise<boolean> {
  let self: unknown;
  try {
    const own = await client.call({ path: "/v1/acl/token/self", accept: [400] });
    if (own.status === 400) return false;
    self = own.body;
    // Without ACLs, releases since 2.0 answer the first question for an anonymous token.
    if ((await client.call({ path: "/v1/acl/policies", accept: [400, 404] })).status === 400) return false;
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code !== "permission-denied") throw error;
    if (self === undefined) throw noToken("it does not know the token of this command", error);
  }
  const { AccessorID } = (self ?? {}) as { readonly AccessorID?: string };
  if (AccessorID === "anonymous") throw noToken("this command has no token", undefined);
  return true;
}

function noToken(why: string, cause: unknown) {
  return userError("permission-denied", `Nomad's ACLs are on, and ${why}`, {
    hint: "Set NOMAD_TOKEN to a token that may submit jobs and write variables; a management token can also write the jobs' policies.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The policy of a job's file, in the namespace that the job is in. Pure. */
export function wantedPolicy(service: string, rules: string, namespace: string): WantedPolicy {
  const jobId = jobIdOf(service);
  return {
    name: namespace === "default" ? jobId : `${jobId}-${namespace}`,
    description: `What the job ${jobId} may do.`,
    rules: rules.replaceAll(/^namespace\s+"default"/gm, `namespace "${namespace}"`),
    namespace,
    jobId,
  };
}

async function isInPlace(client: NomadClient, { name, rules, namespace, jobId }: WantedPolicy): Promise<boolean> {
  const { status, body } = await client.call({ path: `/v1/acl/policy/${name}`, accept: [404] });
  if (status === 404) return false;
  const found = body as { readonly Rules?: string; readonly JobACL?: { readonly Namespace?: string; readonly JobID?: string } | null };
  return found.Rules === rules && found.JobACL?.Namespace === namespace && found.JobACL.JobID === jobId;
}

/** Writes a policy. */
export async function writePolicy(client: NomadClient, { name, description, rules, namespace, jobId }: WantedPolicy): Promise<void> {
  const body = { Name: name, Description: description, Rules: rules, JobACL: { Namespace: namespace, JobID: jobId } };
  await client.call({ method: "POST", path: `/v1/acl/policy/${name}`, body });
}

/** Removes a policy if it is there. */
export async function removePolicy(client: NomadClient, name: string): Promise<void> {
  await client.call({ method: "DELETE", path: `/v1/acl/policy/${name}`, accept: [404] });
}
