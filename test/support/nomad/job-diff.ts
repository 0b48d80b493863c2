/**
 * What a plan says differs between two versions of a job, in the shape of real servers: fields that changed, objects with all their fields, groups and
 * tasks by name. Annotations are not there.
 */
import { isObject, type Json } from "./job-decoder.ts";
import type { DesiredUpdates, Job } from "./records.ts";

type Kind = "None" | "Added" | "Deleted" | "Edited";

interface FieldDiff {
  readonly Type: Kind;
  readonly Name: string;
  readonly Old: string;
  readonly New: string;
  readonly Annotations: null;
}

interface ObjectDiff {
  readonly Type: Kind;
  readonly Name: string;
  readonly Fields: readonly FieldDiff[] | null;
  readonly Objects: readonly ObjectDiff[] | null;
}

/** What servers keep of a job and no user writes. */
const OWN = [
  "CreateIndex",
  "ModifyIndex",
  "JobModifyIndex",
  "SubmitTime",
  "Status",
  "StatusDescription",
  "Version",
  "Stable",
  "Stop",
  "ID",
  "Name",
];
/** Maps that are fields of their owner, not objects. */
const FLAT = new Set(["Env", "Meta"]);

const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);
const singular = (name: string): string => (name.endsWith("s") ? name.slice(0, -1) : name);
const textOf = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
const isPlain = (value: unknown): boolean => typeof value !== "object" || value === null;

function kindOf(old: unknown, now: unknown): Kind {
  if (JSON.stringify(old ?? null) === JSON.stringify(now ?? null)) return "None";
  if (old === undefined || old === null) return "Added";
  return now === undefined || now === null ? "Deleted" : "Edited";
}

/** Plain values of an object by the names that they have in a diff. */
function fieldsOf(value: Json): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, one] of Object.entries(value)) {
    if (Array.isArray(one) && one.every(isPlain)) for (const [index, item] of one.entries()) fields.set(`${name}[${index}]`, textOf(item));
    else if (FLAT.has(name) && isObject(one)) for (const [key, item] of Object.entries(one)) fields.set(`${name}[${key}]`, textOf(item));
    else if (isPlain(one)) fields.set(name, textOf(one));
  }
  return fields;
}

function diffFields(old: Json, now: Json, all: boolean): FieldDiff[] {
  const [before, after] = [fieldsOf(old), fieldsOf(now)];
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const diffs = names.map((Name): FieldDiff => {
    const [from, to] = [before.get(Name) ?? "", after.get(Name) ?? ""];
    const Type: Kind = from === to ? "None" : from === "" ? "Added" : to === "" ? "Deleted" : "Edited";
    return { Type, Name, Old: from, New: to, Annotations: null };
  });
  return diffs.filter(({ Type }) => all || Type !== "None");
}

function diffObject(Name: string, old: unknown, now: unknown): ObjectDiff {
  const [before, after] = [isObject(old) ? old : {}, isObject(now) ? now : {}];
  return { Type: kindOf(old, now), Name, Fields: orNull(diffFields(before, after, true)), Objects: orNull(diffObjects(before, after, [])) };
}

/** Objects that differ, also those in lists, by place. */
function diffObjects(old: Json, now: Json, without: readonly string[]): ObjectDiff[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((name) => !FLAT.has(name) && !without.includes(name));
  return names.sort().flatMap((name) => {
    const [before, after] = [old[name], now[name]];
    if (isObject(before) || isObject(after)) return [diffObject(name, before, after)].filter(({ Type }) => Type !== "None");
    const [left, right] = [Array.isArray(before) ? before : [], Array.isArray(after) ? after : []];
    if (![...left, ...right].some(isObject)) return [];
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_none, index) => diffObject(singular(name), left[index], right[index])).filter(
      ({ Type }) => Type !== "None",
    );
  });
}

function named(list: readonly Json[] | null | undefined): Map<string, Json> {
  return new Map((list ?? []).map((one) => [String(one["Name"]), one]));
}

function diffNamed<T>(
  old: readonly Json[] | null | undefined,
  now: readonly Json[] | null | undefined,
  make: (name: string, old?: Json, now?: Json) => T,
): T[] {
  const [before, after] = [named(old), named(now)];
  return [...new Set([...before.keys(), ...after.keys()])].sort().map((name) => make(name, before.get(name), after.get(name)));
}

const tasksOf = (group: Json | undefined): readonly Json[] => (group?.["Tasks"] as readonly Json[] | undefined) ?? [];

function diffTask(Name: string, old?: Json, now?: Json) {
  const [before, after] = [old ?? {}, now ?? {}];
  const Objects = orNull(diffObjects(before, after, []));
  return { Type: kindOf(old, now), Name, Fields: orNull(diffFields(before, after, false)), Objects, Annotations: null };
}

function updatesOf(updates: DesiredUpdates | undefined): Record<string, number> | null {
  const words: readonly (readonly [string, number | undefined])[] = [
    ["create", updates?.Place],
    ["destroy", updates?.Stop],
    ["migrate", updates?.Migrate],
    ["in-place update", updates?.InPlaceUpdate],
    ["create/destroy update", updates?.DestructiveUpdate],
    ["ignore", updates?.Ignore],
  ];
  const counted = words.filter((entry): entry is [string, number] => (entry[1] ?? 0) > 0);
  return counted.length === 0 ? null : Object.fromEntries(counted);
}

/** The diff of a plan. `updates`: what it would do, by group. */
export function diffJobs(old: Job | undefined, now: Job, updates: Readonly<Record<string, DesiredUpdates>>): Json {
  const spec = (job: Job | undefined): Json => Object.fromEntries(Object.entries(job ?? {}).filter(([name]) => !OWN.includes(name)));
  const [before, after] = [spec(old), spec(now)];
  const groups = diffNamed(
    before["TaskGroups"] as readonly Json[] | null,
    after["TaskGroups"] as readonly Json[] | null,
    (Name, from, to) => {
      const [left, right] = [from ?? {}, to ?? {}];
      return {
        Type: kindOf(from, to),
        Name,
        Fields: orNull(diffFields(left, right, false)),
        Objects: orNull(diffObjects(left, right, ["Tasks"])),
        Tasks: orNull(diffNamed(tasksOf(from), tasksOf(to), diffTask)),
        Updates: updatesOf(updates[Name]),
      };
    },
  );
  const again = old?.Stop === true ? [{ Type: "Edited", Name: "Stop", Old: "true", New: "false", Annotations: null }] : [];
  const Type = old === undefined ? "Added" : again.length > 0 ? "Edited" : kindOf(before, after);
  const Fields = orNull([...diffFields(before, after, false), ...again]);
  return { Type, ID: now.ID, Fields, Objects: orNull(diffObjects(before, after, ["TaskGroups"])), TaskGroups: groups };
}
