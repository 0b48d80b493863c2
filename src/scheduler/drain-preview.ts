/**
 * What draining a machine would do to the runs that have workers on it: which could come up elsewhere while they still run (make before break),
 * and which would have to be left first. Pure, from what the scheduler shows: a forecast for people, nothing is decided from it. Every run of the
 * machine moves at the same moment, and a run moves as a whole: it needs as many free slots elsewhere as it has.
 */
import type { SlotResources, WorkerView } from "./scheduler.ts";
import type { NodeView, SchedulerView } from "./view.ts";

/** What a slot needs of a machine that does not count slots. */
export interface SlotNeeds extends SlotResources {
  /** Whole processors of its own, instead of `cpuMillis`; 0 or absent: none. Counted where a machine says how many it has. */
  readonly cores?: number;
}

/** What would become of one run. */
export interface RunForecast {
  readonly job: string;
  readonly run: string;
  /** Its workers on the machine. */
  readonly workers: number;
  /** Slots of all its workers, on any machine. */
  readonly slots: number;
  readonly how: "make-before-break" | "checkpoint-then-move";
  /** In words, with numbers. */
  readonly reason: string;
}

/** The whole machine. */
export interface DrainPreview {
  /** The machine's id. */
  readonly node: string;
  readonly name: string;
  /** Slots that are free on other machines; undefined: some machine does not tell. */
  readonly freeSlots: number | undefined;
  /** In the order in which room was given to them: the smallest first. */
  readonly runs: readonly RunForecast[];
}

const GONE: ReadonlySet<WorkerView["phase"]> = new Set<WorkerView["phase"]>(["exited", "lost"]);

/** The forecast for `node`, an id or a name; undefined if there is no such machine. `resources`: of a slot, where machines do not count slots. */
export function previewDrain(node: string, view: SchedulerView, resources: SlotNeeds): DrainPreview | undefined {
  const machine = view.nodes.find(({ id }) => id === node) ?? view.nodes.find(({ name }) => name === node);
  if (machine === undefined) return undefined;
  const others = view.nodes.filter(({ id, state }) => id !== machine.id && state === "ready");
  const free = others.map((other) => freeSlots(other, resources));
  const known = free.every((slots) => slots !== undefined);
  const total = free.reduce<number>((sum, slots) => sum + (slots ?? 0), 0);
  let left = total;
  const forecasts = runsOn(machine.id, view.workers).map((run): RunForecast => {
    const fits = run.slots <= left;
    const reason = reasonOf(run.slots, left, others.length, known);
    if (fits) left -= run.slots;
    return { ...run, how: fits ? "make-before-break" : "checkpoint-then-move", reason };
  });
  return { node: machine.id, name: machine.name, freeSlots: known ? total : undefined, runs: forecasts };
}

function reasonOf(needed: number, free: number, machines: number, known: boolean): string {
  if (machines === 0) return "there is no other machine that is ready";
  const silent = known ? "" : ", as far as machines tell";
  return `${needed} slot${needed === 1 ? "" : "s"} needed elsewhere, ${free} free on ${machines} machine${machines === 1 ? "" : "s"}${silent}`;
}

/** Runs with workers on the machine, the smallest first. */
function runsOn(node: string, workers: readonly WorkerView[]): readonly Omit<RunForecast, "how" | "reason">[] {
  const living = workers.filter(({ phase }) => !GONE.has(phase));
  const runs = new Map<string, { job: string; run: string; workers: number; slots: number }>();
  for (const worker of living) {
    const run = runs.get(worker.run) ?? { job: worker.job, run: worker.run, workers: 0, slots: 0 };
    runs.set(worker.run, { ...run, slots: run.slots + worker.slots, workers: run.workers + (worker.node === node ? 1 : 0) });
  }
  const there = [...runs.values()].filter((run) => run.workers > 0);
  return there.sort((a, b) => a.slots - b.slots || (a.run < b.run ? -1 : 1));
}

/** Undefined: the machine does not tell. */
function freeSlots(machine: NodeView, needs: SlotNeeds): number | undefined {
  const { slots, cpu, memory } = machine;
  const { memoryBytes } = needs;
  if (slots !== undefined) return Math.max(0, slots.total - slots.used);
  const share = cpuOf(machine, needs);
  const byCpu = cpu === undefined || share === undefined ? undefined : Math.floor((cpu.total - cpu.used) / share);
  const byMemory = memory === undefined ? undefined : Math.floor((memory.total - memory.used) / memoryBytes);
  if (byCpu === undefined && byMemory === undefined) return undefined;
  return Math.max(0, Math.min(byCpu ?? Number.POSITIVE_INFINITY, byMemory ?? Number.POSITIVE_INFINITY));
}

/** Of the machine's processor time, in its own measure, what one slot takes; undefined: it does not say how many processors it has. */
function cpuOf({ cpu, attributes }: NodeView, { cores = 0, cpuMillis }: SlotNeeds): number | undefined {
  if (cores === 0) return cpuMillis;
  const all = Number(attributes["cores"] ?? 0);
  return cpu === undefined || !(all > 0) ? undefined : (cores * cpu.total) / all;
}
