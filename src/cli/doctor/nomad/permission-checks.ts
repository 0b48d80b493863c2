/**
 * Checks of the token: valid, not about to expire, and each capability by an action that needs just that one and changes nothing: reading what
 * is not there, registering a job under an index that it cannot have, a variable that is removed at once.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../../core/clock.ts";
import { JOB_PREFIX } from "../../../scheduler/nomad/spec.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "../check.ts";
import { type Answer, parseAnswer, type Question, saidBy } from "./ask.ts";
import type { NomadCluster } from "./cluster.ts";
import { PROBE_ID, probeJob } from "./probe-job.ts";

const LIMIT_MS = 4_000;
const SILENT = "Look at the servers' load: they did not decide in time.";
const EXPIRY_WARN_MS = 86_400_000;
/** An index that no job has. */
const IMPOSSIBLE_INDEX = 2 ** 52;

/** Something that a capability allows. */
interface Trial {
  readonly capability: string;
  /** What Wadi needs it for. */
  readonly purpose: string;
  readonly question: Omit<Question, "signal">;
}

/** Checks of token and capabilities; all need "nomad-leader". */
export function permissionChecks(cluster: NomadCluster, clock: Clock): readonly Check[] {
  const after = { limitMs: LIMIT_MS, ifSilent: SILENT, needs: ["nomad-token", "nomad-namespace"] };
  const trials = trialsOf(cluster);
  return [
    {
      id: "nomad-token",
      title: "Nomad token",
      limitMs: LIMIT_MS,
      needs: ["nomad-leader"],
      ifSilent: SILENT,
      run: (signal) => checkToken(cluster, clock, signal),
    },
    ...trials.map((trial) => ({
      ...after,
      id: `nomad-acl-${trial.capability}`,
      title: `may ${trial.capability}`,
      run: (signal: AbortSignal) => checkTrial(cluster, trial, signal),
    })),
    { ...after, id: "nomad-registration", title: "job registration", run: (signal) => checkRegistration(cluster, signal) },
    { ...after, id: "nomad-acl-variables", title: "may write variables", run: (signal) => checkVariables(cluster, signal) },
    {
      ...after,
      needs: ["nomad-token"],
      id: "nomad-acl-node-read",
      title: "may node:read",
      run: (signal) => checkNodeRead(cluster, signal),
    },
  ];
}

function trialsOf({ namespace }: NomadCluster): readonly Trial[] {
  const Job = probeJob(namespace);
  return [
    { capability: "list-jobs", purpose: "finding its runs again", question: { path: `/v1/jobs?prefix=${PROBE_ID}` } },
    { capability: "read-job", purpose: "watching its runs", question: { path: `/v1/job/${PROBE_ID}-absent` } },
    {
      capability: "parse-job",
      purpose: "templates of the operator's own (submit-job includes it)",
      question: { method: "POST", path: "/v1/jobs/parse", body: { JobHCL: PROBE_HCL, Canonicalize: false } },
    },
    {
      capability: "plan-job",
      purpose: "saying whether workers would fit (submit-job includes it)",
      question: { method: "POST", path: `/v1/job/${Job.ID}/plan`, body: { Job, Diff: false } },
    },
  ];
}

const PROBE_HCL = `job "${PROBE_ID}" {
  type = "batch"
  group "probe" {
    task "probe" {
      driver = "raw_exec"
    }
  }
}`;

async function checkToken(cluster: NomadCluster, clock: Clock, signal: AbortSignal): Promise<Finding> {
  const { token } = cluster.agent;
  const answer = await cluster.ask({ path: "/v1/acl/token/self", signal });
  if (/ACL support disabled|"acls-disabled"/i.test(answer.text)) return ok("none is needed: ACLs are switched off");
  if (token === undefined)
    return warn(
      "there is none, and ACLs are switched on: only what is allowed to everybody will work",
      "Set NOMAD_TOKEN or nomad.token-file.",
    );
  const expiry = identityExpiryMs(token);
  if (expiry !== undefined) return expiryFinding("the workload identity", expiry, clock);
  if (/expired/i.test(answer.text)) return fail("the token has expired", "Create a new one (nomad acl token create) and set NOMAD_TOKEN.");
  if (answer.status !== 200)
    return fail(`the token is not valid: ${saidBy(answer)}`, "Set NOMAD_TOKEN to the secret id of an existing token.");
  const self = parseAnswer<{ Name?: string; Type?: string; ExpirationTime?: string | null }>(answer, "the token");
  const until = Date.parse(self.ExpirationTime ?? "");
  if (!Number.isNaN(until)) return expiryFinding(`token "${self.Name ?? ""}"`, until, clock);
  if (self.Type === "management")
    return warn(
      `token "${self.Name ?? ""}" may do everything`,
      "Give Wadi a token with the policy of the README instead of a management token.",
    );
  return ok(`"${self.Name ?? ""}", valid without limit`);
}

/** Expiry of a JWT by its own claim, wall time in ms; undefined: no JWT. Its signature is for Nomad to check. */
function identityExpiryMs(token: string): number | undefined {
  const [, claims = ""] = token.split(".");
  if (token.split(".").length !== 3) return undefined;
  try {
    const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString("utf8")) as { exp?: number };
    return exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
  } catch {
    return undefined;
  }
}

function expiryFinding(what: string, atMs: number, clock: Clock): Finding {
  const leftMs = atMs - Number(clock.nowNs() / 1_000_000n);
  if (leftMs <= 0) return fail(`${what} has expired`, "Create a new token (nomad acl token create) and set NOMAD_TOKEN.");
  if (leftMs > EXPIRY_WARN_MS) return ok(`${what} is valid`);
  const fix = "Renew it before then; a token file (nomad.token-file) is read again when it changes.";
  return warn(`${what} expires in ${Math.ceil(leftMs / 60_000)} minutes`, fix);
}

function denied(answer: Answer): boolean {
  return answer.status === 403 || /permission denied/i.test(answer.text);
}

function lacks(cluster: NomadCluster, capability: string, purpose: string): Finding {
  return fail(
    `the token lacks "${capability}" in namespace "${cluster.namespace}", which Wadi needs for ${purpose}`,
    `Add it to the token's policy: namespace "${cluster.namespace}" { capabilities = ["${capability}"] }.`,
  );
}

async function checkTrial(cluster: NomadCluster, { capability, purpose, question }: Trial, signal: AbortSignal): Promise<Finding> {
  const answer = await cluster.askInNamespace({ ...question, signal });
  if (denied(answer)) return lacks(cluster, capability, purpose);
  if (answer.status < 300 || answer.status === 404) return ok("yes");
  return fail(`Nomad refuses: ${saidBy(answer)}`, "Look at the servers' logs.");
}

/** A job that cannot exist yet at such an index is refused after all rights have been looked at: nothing is registered. */
async function checkRegistration(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const body = { Job: probeJob(cluster.namespace), EnforceIndex: true, JobModifyIndex: IMPOSSIBLE_INDEX };
  const answer = await cluster.askInNamespace({ method: "POST", path: "/v1/jobs", body, signal });
  if (/registration.*disabled|disabled.*registration/i.test(answer.text))
    return fail(
      "the operator has disabled job registration for tokens that are not for management",
      "Switch it on again: nomad operator scheduler set-config -reject-job-registration=false.",
    );
  if (denied(answer)) return lacks(cluster, "submit-job", "starting workers");
  if (/Enforcing job modify index/i.test(answer.text)) return ok("allowed");
  if (answer.status === 200) {
    await cluster.askInNamespace({ method: "DELETE", path: `/v1/job/${body.Job.ID}?purge=true`, signal });
    return ok("allowed");
  }
  return fail(`Nomad refuses to register a job: ${saidBy(answer)}`, "Look at the servers' logs and their admission rules.");
}

/** How the paths of Wadi's variables begin: credentials of runs, and records that fence runs which are over. A token need not reach others. */
const VARIABLES = [`nomad/jobs/${JOB_PREFIX}`, "wadi/"] as const;

async function checkVariables(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const findings = await Promise.all(VARIABLES.map((prefix) => checkVariable(cluster, prefix, signal)));
  return (
    findings.find(({ verdict }) => verdict !== "ok") ??
    ok(`write, read and destroy ${VARIABLES.map((prefix) => `${prefix}*`).join(" and ")}`)
  );
}

async function checkVariable(cluster: NomadCluster, prefix: string, signal: AbortSignal): Promise<Finding> {
  const path = `${prefix}${PROBE_ID}-${randomUUID().slice(0, 8)}`;
  const uri = `/v1/var/${encodeURIComponent(path)}`;
  const body = { Path: path, Namespace: cluster.namespace, Items: { probe: "wadi doctor" } };
  const written = await cluster.askInNamespace({ method: "PUT", path: uri, body, signal });
  const rule = `namespace "${cluster.namespace}" { variables { path "${prefix}*" { capabilities = ["write", "read", "list", "destroy"] } } }`;
  const fix = `Add it to the token's policy: ${rule}.`;
  if (denied(written)) return fail(`the token may not write the variables "${prefix}*"`, fix);
  if (written.status !== 200)
    return fail(`Nomad refuses to write a variable: ${saidBy(written)}`, "Look at the servers' keyring: nomad operator root keyring list.");
  const read = await cluster.askInNamespace({ path: uri, signal });
  const removed = await cluster.askInNamespace({ method: "DELETE", path: uri, signal });
  if (denied(removed)) return fail(`the token may not destroy the variables "${prefix}*"; "${path}" is left behind`, fix);
  return denied(read) ? fail(`the token may not read the variables "${prefix}*"`, fix) : ok(path);
}

async function checkNodeRead(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const answer = await cluster.ask({ path: "/v1/nodes?per_page=1", signal });
  if (denied(answer))
    return fail(
      "the token lacks node:read, which Wadi needs for drains and capacity",
      'Add node { policy = "read" } to the token\'s policy.',
    );
  return answer.status === 200 ? ok("yes") : skip(saidBy(answer));
}
