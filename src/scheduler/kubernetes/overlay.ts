/**
 * Changes to a worker Job: the operator's, from the settings, without limits, and a pipeline's own, within a list of allowed paths. Tables are
 * merged, lists of things with names item by item, everything else is replaced. Pure.
 */
import { externalError } from "../../core/errors.ts";
import type { Tree, TreeTable } from "../../core/setting.ts";

/** `base` with `overlay` merged into it; neither is changed. */
export function mergeTree(base: Tree | undefined, overlay: Tree): Tree {
  if (isTable(base) && isTable(overlay)) {
    const merged: Record<string, Tree> = { ...base };
    for (const [name, item] of Object.entries(overlay)) merged[name] = mergeTree(base[name], item);
    return merged;
  }
  if (!isNamedList(base) || !isNamedList(overlay)) return overlay;
  const names = [...new Set([...base, ...overlay].map(({ name }) => name))];
  const find = (list: readonly Named[], name: string): Named | undefined => list.find((item) => item.name === name);
  return names.map((name) => {
    const [below, above] = [find(base, name), find(overlay, name)];
    return above === undefined ? (below as Tree) : mergeTree(below, above);
  });
}

/** Throws `invalid-config` unless all that `overlay` sets is at or below one of the `allowed` paths, such as "spec.template.spec.tolerations". */
export function checkOverlay(overlay: TreeTable, allowed: readonly string[]): void {
  const refused = leaves(overlay, "").find((path) => !allowed.some((prefix) => path === prefix || path.startsWith(`${prefix}.`)));
  if (refused === undefined) return;
  throw externalError("invalid-config", `a pipeline may not set "${refused}" of its Kubernetes Job`, {
    retry: "never",
    hint: "The setting kubernetes.worker.overlay-allowed lists what it may.",
  });
}

type Named = TreeTable & { readonly name: string };

function leaves(tree: Tree, path: string): string[] {
  const below = (name: string): string => (path === "" ? name : `${path}.${name}`);
  if (isTable(tree)) return Object.entries(tree).flatMap(([name, item]) => leaves(item, below(name)));
  if (isNamedList(tree)) {
    return tree.flatMap((item) =>
      Object.entries(item).flatMap(([key, value]) => (key === "name" ? [] : leaves(value, below(`${item.name}.${key}`)))),
    );
  }
  return [path];
}

function isTable(tree: Tree | undefined): tree is TreeTable {
  return typeof tree === "object" && !Array.isArray(tree);
}

function isNamedList(tree: Tree | undefined): tree is readonly Named[] {
  return (
    Array.isArray(tree) && tree.length > 0 && (tree as readonly Tree[]).every((item) => isTable(item) && typeof item["name"] === "string")
  );
}
