/** Whether a node meets constraints: targets resolved against the node, all operators that the servers know. */
import { createHash } from "node:crypto";
import type { ClientNode } from "./node-records.ts";
import type { Constraint } from "./records.ts";

/** Value of a constraint's side on `node`; a text without `${…}` is itself; undefined: the node has no such thing. */
export function resolveTarget(target: string, node: ClientNode): string | undefined {
  if (!target.startsWith("${")) return target;
  const name = target.slice(2, -1);
  switch (name) {
    case "node.unique.id":
      return node.ID;
    case "node.unique.name":
      return node.Name;
    case "node.datacenter":
      return node.Datacenter;
    case "node.class":
      return node.NodeClass;
    case "node.pool":
      return node.NodePool;
    case "node.region":
      return "global";
    default:
      if (name.startsWith("attr.")) return node.Attributes[name.slice(5)];
      if (name.startsWith("meta.")) return node.Meta[name.slice(5)];
      return undefined;
  }
}

function order(left: string, right: string): number {
  const numbers = [Number(left), Number(right)] as const;
  if (!Number.isNaN(numbers[0]) && !Number.isNaN(numbers[1])) return numbers[0] - numbers[1];
  return left < right ? -1 : left > right ? 1 : 0;
}

function orderVersions(left: string, right: string): number {
  const parts = (text: string) => text.replace(/^v/, "").split(/[-+]/)[0]?.split(".").map(Number) ?? [];
  const [a, b] = [parts(left), parts(right)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A version against "op version" terms with commas between them; `~>` as Ruby's. */
function fitsVersion(version: string, terms: string): boolean {
  return terms.split(",").every((term) => {
    const [, operator = "=", wanted = ""] = /^\s*(>=|<=|!=|~>|=|>|<)?\s*(.+?)\s*$/.exec(term) ?? [];
    const difference = orderVersions(version, wanted);
    if (operator === "~>") {
      const prefix = wanted.split(".").slice(0, -1).join(".");
      return difference >= 0 && (version === prefix || version.startsWith(`${prefix}.`));
    }
    return fitsOrder(difference, operator);
  });
}

function fitsOrder(difference: number, operator: string): boolean {
  switch (operator) {
    case ">":
      return difference > 0;
    case ">=":
      return difference >= 0;
    case "<":
      return difference < 0;
    case "<=":
      return difference <= 0;
    case "!=":
      return difference !== 0;
    default:
      return difference === 0;
  }
}

function setOf(text: string): string[] {
  return text.split(",").map((one) => one.trim());
}

/** Whether `node` meets one constraint; those over several allocations (`distinct_…`) count as met here. */
export function meets(node: ClientNode, constraint: Constraint): boolean {
  const { Operand } = constraint;
  if (Operand === "distinct_hosts" || Operand === "distinct_property") return true;
  const left = resolveTarget(constraint.LTarget, node);
  const right = resolveTarget(constraint.RTarget, node);
  if (Operand === "is_set") return left !== undefined;
  if (Operand === "is_not_set") return left === undefined;
  if (Operand === "!=" || Operand === "not") return left !== right;
  if (left === undefined || right === undefined) return false;
  switch (Operand) {
    case "=":
    case "==":
    case "is":
      return left === right;
    case "regexp":
      return new RegExp(right).test(left);
    case "version":
    case "semver":
      return fitsVersion(left, right);
    case "set_contains":
    case "set_contains_all":
      return setOf(right).every((one) => setOf(left).includes(one));
    case "set_contains_any":
      return setOf(right).some((one) => setOf(left).includes(one));
    default:
      return fitsOrder(order(left, right), Operand);
  }
}

/** Name of a constraint in metrics. */
export function constraintName({ LTarget, Operand, RTarget }: Constraint): string {
  return `${LTarget} ${Operand} ${RTarget}`;
}

/** Whether the answer may differ between nodes of one class. */
export function escapesClass({ LTarget, RTarget }: Constraint): boolean {
  return [LTarget, RTarget].some((target) => /^\$\{(node\.unique\.|attr\.unique\.|meta\.unique\.)/.test(target));
}

/** Classes by a node's attributes, which stay the same object while the node changes otherwise. */
const classes = new WeakMap<object, string>();

/** Nodes with the same class are alike in all that is not unique: the servers look at one of them only. */
export function computedClass(node: ClientNode): string {
  const known = classes.get(node.Attributes);
  if (known !== undefined) return known;
  const plain = (map: Readonly<Record<string, string>>) =>
    Object.entries(map)
      .filter(([key]) => !key.startsWith("unique."))
      .sort();
  const drivers = Object.entries(node.Drivers).map(([name, { Detected, Healthy }]) => [name, Detected, Healthy]);
  const text = JSON.stringify([node.Datacenter, node.NodePool, node.NodeClass, plain(node.Attributes), plain(node.Meta), drivers]);
  const name = `v1:${BigInt(`0x${createHash("sha256").update(text).digest("hex").slice(0, 16)}`)}`;
  classes.set(node.Attributes, name);
  return name;
}
