/** Label and field selectors of lists and watches. */
import type { KubeObject } from "./objects.ts";
import { badRequest } from "./status.ts";

/** A predicate over objects. Throws a refusal for what is no selector. */
export function selectorOf(labelSelector: string, fieldSelector: string): (object: KubeObject) => boolean {
  const tests = [...splitTerms(labelSelector).map(labelTest), ...splitTerms(fieldSelector).map(fieldTest)];
  return (object) => tests.every((test) => test(object));
}

type Test = (object: KubeObject) => boolean;

function splitTerms(text: string): string[] {
  return text === "" ? [] : text.split(/,(?![^(]*\))/).map((term) => term.trim());
}

function labelTest(term: string): Test {
  const set = /^([\w./-]+) (in|notin) \(([^)]*)\)$/.exec(term);
  const label = ({ metadata }: KubeObject, name = ""): string | undefined => metadata.labels?.[name];
  if (set !== null) {
    const values = (set[3] ?? "").split(",").map((value) => value.trim());
    return (object) => values.includes(label(object, set[1]) ?? "") === (set[2] === "in");
  }
  const equal = /^([\w./-]+)\s*(==?|!=)\s*([\w.-]*)$/.exec(term);
  if (equal !== null) return (object) => (label(object, equal[1]) === equal[3]) === (equal[2] !== "!=");
  const present = /^(!?)([\w./-]+)$/.exec(term);
  if (present !== null) return (object) => (label(object, present[2]) !== undefined) === (present[1] === "");
  throw badRequest(`unable to parse requirement: ${term}`);
}

/** Fields by which the API server selects. */
const FIELDS: ReadonlySet<string> = new Set([
  "metadata.name",
  "metadata.namespace",
  "status.phase",
  "spec.nodeName",
  "involvedObject.name",
  "involvedObject.kind",
  "involvedObject.uid",
  "type",
  "reason",
]);

function fieldTest(term: string): Test {
  const match = /^([\w.]+)\s*(==?|!=)\s*([\w.-]*)$/.exec(term);
  if (match === null || !FIELDS.has(match[1] ?? "")) throw badRequest(`field label not supported: ${match?.[1] ?? term}`);
  const [, path = "", operator, wanted] = match;
  return (object) => {
    const value = path.split(".").reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);
    return ((value ?? "") === wanted) === (operator !== "!=");
  };
}
