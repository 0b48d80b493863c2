/** Whether a machine is being emptied. Pure. */
import type { NodeSeen, TaintSeen } from "./objects.ts";

/** A machine that workers have to leave. */
export interface Drain {
  /** In words; another reason is another drain. */
  readonly reason: string;
  /** From now; undefined: no limit is known. */
  readonly deadlineMs: number | undefined;
}

/** Set by Kubernetes itself while it hears nothing of a node: who runs there is lost, not drained. */
const NOT_HEARD_OF: ReadonlySet<string> = new Set(["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);
/** What `kubectl cordon` adds besides the flag. */
const CORDON = "node.kubernetes.io/unschedulable";

/** What empties `node`: a cordon, a taint that evicts, or one of the taints `keys`, which tell of the node's end; undefined: nothing. */
export function drainOf(node: NodeSeen, keys: readonly string[]): Drain | undefined {
  const { unschedulable, taints } = node.spec;
  const telling = taints.filter((taint) => keys.includes(taint.key));
  const evicting = taints.filter((taint) => taint.effect === "NoExecute" && !NOT_HEARD_OF.has(taint.key) && !telling.includes(taint));
  const reasons = [
    ...(unschedulable || taints.some(({ key }) => key === CORDON) ? ["it is cordoned"] : []),
    ...[...telling, ...evicting].map((taint) => `taint ${describe(taint)}`),
  ];
  return reasons.length === 0 ? undefined : { reason: reasons.join(", "), deadlineMs: undefined };
}

function describe({ key, value, effect }: TaintSeen): string {
  return `${key}${value === "" ? "" : `=${value}`}:${effect}`;
}
