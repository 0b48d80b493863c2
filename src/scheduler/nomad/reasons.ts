/** Why workers are not placed, in plain words with numbers, of what Nomad's scheduler counted. Pure. */
import type { NomadMetric } from "./answers.ts";

/** "2 of 4 workers not placed: memory exhausted on 2 nodes; …". `missing` and `workers` count workers. */
export function placementReason(missing: number, workers: number, metric: NomadMetric | undefined): string {
  const causes = metric === undefined ? [] : placementCauses(metric);
  const what = `${missing} of ${workers} ${workers === 1 ? "worker" : "workers"} not placed`;
  return causes.length === 0 ? what : `${what}: ${causes.join("; ")}`;
}

/** Each cause with how many nodes it counts for, the most frequent first. */
export function placementCauses(metric: NomadMetric): readonly string[] {
  const { NodesEvaluated, NodesInPool, NodesAvailable, ConstraintFiltered, ClassFiltered, DimensionExhausted, QuotaExhausted } = metric;
  const causes = [
    ...byCount(DimensionExhausted).map(([dimension, nodes]) => `${dimensionName(dimension)} exhausted on ${nodeCount(nodes)}`),
    ...byCount(withLikes(ConstraintFiltered)).map(([constraint, nodes]) => `${constraintWords(constraint)} rules out ${nodeCount(nodes)}`),
    ...QuotaExhausted.map((quota) => `quota exhausted: ${quota}`),
  ];
  if (causes.length === 0) {
    causes.push(...byCount(ClassFiltered).map(([name, nodes]) => `node class "${name}" rules out ${nodeCount(nodes)}`));
  }
  if (NodesEvaluated === 0) {
    const empty = Object.entries(NodesAvailable).filter(([, nodes]) => nodes === 0);
    const where = empty.length === 0 ? "" : ` in data centre ${empty.map(([name]) => `"${name}"`).join(", ")}`;
    causes.push(NodesInPool === 0 ? `no node is ready in the node pool${where}` : `no node is eligible${where}`);
  }
  return causes;
}

/** Nodes of a class that was ruled out before are not looked at again: they count for the one reason there is. */
function withLikes(filtered: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const { [LIKES]: likes = 0, ...others } = filtered;
  const [only, ...more] = Object.entries(others);
  if (likes === 0 || only === undefined || more.length > 0) return filtered;
  return { [only[0]]: only[1] + likes };
}

const LIKES = "computed class ineligible";

function byCount(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(counts).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

function nodeCount(nodes: number): string {
  return nodes === 1 ? "1 node" : `${nodes} nodes`;
}

const DIMENSIONS: Readonly<Record<string, string>> = {
  cpu: "processor time (MHz)",
  cores: "processor cores",
  memory: "memory",
  disk: "disk space",
  "network: port collision": "free ports",
};

function dimensionName(dimension: string): string {
  return DIMENSIONS[dimension] ?? dimension;
}

function constraintWords(constraint: string): string {
  if (constraint === "missing drivers") return "a missing or unhealthy task driver";
  if (constraint === "distinct_hosts") return "one worker per node (distinct_hosts)";
  if (constraint === LIKES) return "being like one of these";
  if (constraint === "missing network") return "a missing network";
  return `constraint "${constraint}"`;
}
