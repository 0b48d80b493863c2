/** Nomad's answer to "what would change" as lines that people read: a job, what happens to its allocations, then each field that differs. Pure. */

/** A field of Nomad's diff. */
export interface FieldDiff {
  readonly Type: string;
  readonly Name: string;
  readonly Old: string;
  readonly New: string;
  readonly Annotations?: readonly string[] | null;
}

/** A block of Nomad's diff. */
export interface ObjectDiff {
  readonly Type: string;
  readonly Name: string;
  readonly Fields?: readonly FieldDiff[] | null;
  readonly Objects?: readonly ObjectDiff[] | null;
  readonly Annotations?: readonly string[] | null;
  /** Of a group. */
  readonly Tasks?: readonly ObjectDiff[] | null;
  /** Of a group: allocations by what happens to them. */
  readonly Updates?: Readonly<Record<string, number>> | null;
  /** Of a job. */
  readonly TaskGroups?: readonly ObjectDiff[] | null;
  readonly ID?: string;
}

/** What happens to a job as a whole. */
export type Change = "new" | "changed" | "started" | "none";

/** How lines begin and are coloured. */
type Mark = "+" | "-" | "~" | " ";

/** ANSI colours, or none. */
export type Paint = (mark: Mark, text: string) => string;

const COLOURS: Readonly<Record<Mark, string>> = { "+": "32", "-": "31", "~": "33", " ": "0" };
/** Longer values are cut. */
const VALUE_LIMIT = 100;
/** Unchanged lines of a text around a change. */
const CONTEXT = 1;

/** Colours for a terminal; plain otherwise. */
export function painter(colour: boolean): Paint {
  return (mark, text) => (colour && mark !== " " ? `\u001b[${COLOURS[mark]}m${text}\u001b[0m` : text);
}

/** What happens to the job of `diff`. */
export function changeOf(diff: ObjectDiff | undefined): Change {
  if (diff === undefined || diff.Type === "None") return "none";
  if (diff.Type === "Added") return "new";
  const stop = (diff.Fields ?? []).find(({ Name }) => Name === "Stop");
  return stop?.Old === "true" ? "started" : "changed";
}

/** Lines of one job's diff, indented. Whole new jobs are told by their head only, unless `full`. */
export function diffLines(diff: ObjectDiff, paint: Paint, full: boolean): readonly string[] {
  const lines: string[] = [];
  if (diff.Type === "Added" && !full) return groupHeads(diff, paint);
  blockLines(diff, "  ", paint, lines);
  return lines;
}

function groupHeads(diff: ObjectDiff, paint: Paint): readonly string[] {
  return (diff.TaskGroups ?? []).map((group) => paint("+", `  + group "${group.Name}"${updatesText(group)}`));
}

function blockLines(block: ObjectDiff, indent: string, paint: Paint, lines: string[]): void {
  for (const field of block.Fields ?? []) if (field.Type !== "None") lines.push(...fieldLines(field, indent, paint));
  for (const object of block.Objects ?? []) childLines(object, object.Name, indent, paint, lines);
  for (const group of block.TaskGroups ?? []) childLines(group, `group "${group.Name}"${updatesText(group)}`, indent, paint, lines);
  for (const task of block.Tasks ?? []) childLines(task, `task "${task.Name}"${annotationText(task)}`, indent, paint, lines);
}

function childLines(child: ObjectDiff, head: string, indent: string, paint: Paint, lines: string[]): void {
  if (child.Type === "None") return;
  const mark = markOf(child.Type);
  lines.push(paint(mark, `${indent}${mark} ${head}`));
  blockLines(child, `${indent}    `, paint, lines);
}

function markOf(type: string): Mark {
  return type === "Added" ? "+" : type === "Deleted" ? "-" : "~";
}

function updatesText({ Updates }: ObjectDiff): string {
  const parts = Object.entries(Updates ?? {}).flatMap(([what, count]) => (count > 0 && what !== "ignore" ? [`${count} ${what}`] : []));
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function annotationText({ Annotations }: { readonly Annotations?: readonly string[] | null }): string {
  return (Annotations ?? []).length === 0 ? "" : ` (${(Annotations ?? []).join(", ")})`;
}

function fieldLines(field: FieldDiff, indent: string, paint: Paint): readonly string[] {
  const mark = markOf(field.Type);
  const name = `${indent}${mark} ${field.Name}`;
  if (field.Old.includes("\n") || field.New.includes("\n"))
    return [paint(mark, `${name}${annotationText(field)}:`), ...textLines(field.Old, field.New, `${indent}    `, paint)];
  const value =
    field.Type === "Added" ? shown(field.New) : field.Type === "Deleted" ? shown(field.Old) : `${shown(field.Old)} => ${shown(field.New)}`;
  return [paint(mark, `${name}: ${value}${annotationText(field)}`)];
}

function shown(text: string): string {
  const cut = text.length > VALUE_LIMIT ? `${text.slice(0, VALUE_LIMIT)}…` : text;
  return JSON.stringify(cut);
}

/** Lines that went and lines that came, between the lines that both texts begin and end with. */
function textLines(before: string, after: string, indent: string, paint: Paint): readonly string[] {
  const [old, now] = [before === "" ? [] : before.split("\n"), after === "" ? [] : after.split("\n")];
  let head = 0;
  while (head < Math.min(old.length, now.length) && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(old.length, now.length) - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const same = (lines: readonly string[]): string[] => lines.map((line) => `${indent}  ${line}`);
  return [
    ...same(old.slice(Math.max(0, head - CONTEXT), head)),
    ...old.slice(head, old.length - tail).map((line) => paint("-", `${indent}- ${line}`)),
    ...now.slice(head, now.length - tail).map((line) => paint("+", `${indent}+ ${line}`)),
    ...same(old.slice(old.length - tail, old.length - tail + CONTEXT)),
  ];
}
