/**
 * Reading the parser's tree, which is foreign data: serde's JSON of Rust enums (`"Name"` or `{"Name": body}`), in which an absent value is
 * `undefined` or `null`. Nothing here throws: what is not there is `undefined` or empty.
 */

/** A part of the parser's tree. */
export type Tree = unknown;

/** An enum value: its variant's name and what it carries. An unreadable one has an empty name. */
export interface Variant {
  readonly name: string;
  readonly body: Tree;
}

/** `tree` as an enum value. */
export function variantOf(tree: Tree): Variant {
  if (typeof tree === "string") return { name: tree, body: undefined };
  const keys = isRecord(tree) ? Object.keys(tree) : [];
  const name = keys.length === 1 ? keys[0] : undefined;
  return name === undefined ? { name: "", body: undefined } : { name, body: field(tree, name) };
}

/** The field `name` of a struct; `undefined` when it is absent or null. */
export function field(tree: Tree, name: string): Tree {
  return isRecord(tree) ? (tree[name] ?? undefined) : undefined;
}

/** The list in the field `name`, or an empty one. */
export function listIn(tree: Tree, name: string): readonly Tree[] {
  return listOf(field(tree, name));
}

/** `tree` as a list, or an empty one. */
export function listOf(tree: Tree): readonly Tree[] {
  return Array.isArray(tree) ? tree : [];
}

/** The text in the field `name`, or an empty one. */
export function textIn(tree: Tree, name: string): string {
  const value = field(tree, name);
  return typeof value === "string" ? value : "";
}

/** True if the field `name` is `true`. */
export function flagIn(tree: Tree, name: string): boolean {
  return field(tree, name) === true;
}

/** The first of `names` whose field says something: is present, not `false`, not an empty list and not a variant that means "none". */
export function firstPresent(tree: Tree, names: readonly string[]): string | undefined {
  return names.find((name) => {
    const value = field(tree, name);
    return value !== undefined && value !== false && value !== "None" && value !== "NONE" && !(Array.isArray(value) && value.length === 0);
  });
}

function isRecord(tree: Tree): tree is Readonly<Record<string, unknown>> {
  return typeof tree === "object" && tree !== null && !Array.isArray(tree);
}
