/**
 * Tokens, policies and workload identities as callers with capabilities. A policy's rules are HCL with `namespace`, `node`, `agent`, `operator` and
 * `variables` blocks, of which the subset is read that policies for Wadi use; "read" and "write" stand for the capabilities that they stand for there.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Cluster } from "./cluster.ts";
import { globFits } from "./placement.ts";
import { readToken } from "./signing-key.ts";

/** What a caller may do. */
export interface Caller {
  readonly management: boolean;
  /** A capability in a namespace, such as "submit-job". */
  may(namespace: string, capability: string): boolean;
  /** "read" or "write" of "node", "agent", "operator". */
  coarse(what: string, level: "read" | "write"): boolean;
  /** "read", "list", "write" or "destroy" of a variable. */
  variable(namespace: string, path: string, capability: string): boolean;
  /** Name of the token or of the workload. */
  readonly name: string;
}

/** Rules of one policy. */
export interface Rules {
  readonly namespaces: readonly {
    readonly pattern: string;
    readonly capabilities: ReadonlySet<string>;
    readonly variables: readonly PathRule[];
  }[];
  readonly coarse: Readonly<Record<string, string>>;
}

interface PathRule {
  readonly path: string;
  readonly capabilities: ReadonlySet<string>;
}

const READ = [
  "list-jobs",
  "parse-job",
  "read-job",
  "csi-list-volume",
  "csi-read-volume",
  "list-scaling-policies",
  "read-scaling-policy",
  "read-job-scaling",
];
const WRITE = [
  ...READ,
  "scale-job",
  "submit-job",
  "dispatch-job",
  "read-logs",
  "read-fs",
  "alloc-exec",
  "alloc-lifecycle",
  "csi-write-volume",
];
/** What `submit-job` stands for besides itself, from 1.11.2 on. */
const OF_SUBMIT = ["register-job", "deregister-job", "purge-job", "plan-job", "parse-job"];

const EVERYTHING: Caller = { management: true, may: () => true, coarse: () => true, variable: () => true, name: "" };

/** Blocks of the policy language: labels and bodies, nested. */
interface Block {
  readonly type: string;
  readonly label: string;
  readonly body: string;
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const opening = /([a-z_]+)\s*(?:"([^"]*)")?\s*\{/g;
  for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
    let depth = 1;
    let at = opening.lastIndex;
    while (at < text.length && depth > 0) {
      if (text[at] === "{") depth += 1;
      if (text[at] === "}") depth -= 1;
      at += 1;
    }
    blocks.push({ type: match[1] ?? "", label: match[2] ?? "", body: text.slice(opening.lastIndex, at - 1) });
    opening.lastIndex = at;
  }
  return blocks;
}

function capabilitiesOf(body: string): string[] {
  const list = /capabilities\s*=\s*\[([^\]]*)\]/.exec(body)?.[1] ?? "";
  return [...list.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? "");
}

function policyOf(body: string): string {
  // Only at this level: nested blocks have policies of their own.
  return /policy\s*=\s*"([a-z]+)"/.exec(body.replace(/\{[^{}]*\}/g, ""))?.[1] ?? "";
}

function expand(policy: string, capabilities: readonly string[]): Set<string> {
  if (policy === "deny" || capabilities.includes("deny")) return new Set(["deny"]);
  const all = new Set([...capabilities, ...(policy === "write" ? WRITE : policy === "read" ? READ : [])]);
  if (all.has("submit-job")) for (const one of OF_SUBMIT) all.add(one);
  return all;
}

/** Reads a policy. */
export function parseRules(text: string): Rules {
  const plain = text.replace(/(#|\/\/).*$/gm, "");
  const coarse: Record<string, string> = {};
  const namespaces: { pattern: string; capabilities: ReadonlySet<string>; variables: readonly PathRule[] }[] = [];
  for (const { type, label, body } of blocksOf(plain)) {
    if (type !== "namespace") {
      coarse[type] = policyOf(body);
      continue;
    }
    const nested = blocksOf(body).filter((one) => one.type === "variables");
    const outer = body.slice(0, body.search(/variables\s*\{/) < 0 ? undefined : body.search(/variables\s*\{/));
    const paths = nested
      .flatMap((one) => blocksOf(one.body))
      .map((one) => ({ path: one.label, capabilities: variableCapabilities(capabilitiesOf(one.body)) }));
    const capabilities = expand(policyOf(body), capabilitiesOf(outer));
    namespaces.push({ pattern: label === "" ? "default" : label, capabilities, variables: paths });
  }
  return { namespaces, coarse };
}

function variableCapabilities(given: readonly string[]): Set<string> {
  const all = new Set(given);
  if (all.has("write")) for (const one of ["list", "read", "destroy"]) all.add(one);
  if (all.has("read")) all.add("list");
  return all;
}

function callerOfRules(name: string, rules: readonly Rules[]): Caller {
  const inNamespace = (namespace: string) =>
    rules.flatMap(({ namespaces }) => namespaces.filter(({ pattern }) => globFits(pattern, namespace)));
  return {
    management: false,
    name,
    may: (namespace, capability) => {
      const fitting = inNamespace(namespace);
      return (
        !fitting.some(({ capabilities }) => capabilities.has("deny")) && fitting.some(({ capabilities }) => capabilities.has(capability))
      );
    },
    coarse: (what, level) => rules.some(({ coarse }) => coarse[what] === "write" || coarse[what] === level),
    variable: (namespace, path, capability) =>
      inNamespace(namespace).some(({ variables }) =>
        variables.some((rule) => globFits(rule.path, path) && rule.capabilities.has(capability)),
      ),
  };
}

/** What a workload may do without any policy: read its own variables and list services of its namespace. */
function callerOfWorkload(cluster: Cluster, claims: Readonly<Record<string, unknown>>): Caller | string {
  const allocation = cluster.state.allocations.get(String(claims["nomad_allocation_id"]));
  if (allocation === undefined || ["complete", "failed", "lost"].includes(allocation.ClientStatus)) return "allocation is terminal";
  const attached = [...cluster.state.policies.values()].filter(
    ({ JobACL }) => JobACL?.Namespace === allocation.Namespace && ["", allocation.JobID].includes(JobACL.JobID),
  );
  const given =
    attached.length === 0
      ? undefined
      : callerOfRules(
          "",
          attached.map(({ Rules: text }) => parseRules(text)),
        );
  const base = `nomad/jobs/${allocation.JobID}`;
  const own = ["nomad/jobs", base, `${base}/${allocation.TaskGroup}`, `${base}/${allocation.TaskGroup}/${String(claims["nomad_task"])}`];
  return {
    management: false,
    name: `workload ${allocation.ID}`,
    may: (namespace, capability) =>
      (namespace === allocation.Namespace && capability === "workload-services") || given?.may(namespace, capability) === true,
    coarse: (what, level) => given?.coarse(what, level) === true,
    variable: (namespace, path, capability) =>
      (namespace === allocation.Namespace && own.includes(path) && ["read", "list"].includes(capability)) ||
      given?.variable(namespace, path, capability) === true,
  };
}

/** Who asks, by the token in the headers; a text: the token is refused. */
export function callerOf(cluster: Cluster, headers: IncomingHttpHeaders): Caller | string {
  if (!cluster.options.acl) return EVERYTHING;
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? "")?.[1];
  const header = headers["x-nomad-token"];
  const secret = typeof header === "string" && header !== "" ? header : (bearer ?? "");
  if (secret === "") {
    const anonymous = cluster.state.policies.get("anonymous");
    return callerOfRules("anonymous", anonymous === undefined ? [] : [parseRules(anonymous.Rules)]);
  }
  if (secret.includes(".")) {
    const claims = readToken(cluster.signingKeys, secret, cluster.state.nowMs());
    return claims === undefined ? "Permission denied" : callerOfWorkload(cluster, claims);
  }
  const token = cluster.state.tokens.get(secret);
  if (token === undefined) return "ACL token not found";
  if (token.ExpirationTime !== undefined && Date.parse(token.ExpirationTime) <= cluster.state.nowMs()) return "ACL token expired";
  if (token.Type === "management") return { ...EVERYTHING, name: token.Name };
  const rules = token.Policies.flatMap((name) => cluster.state.policies.get(name) ?? []).map(({ Rules: text }) => parseRules(text));
  return callerOfRules(token.Name, rules);
}
