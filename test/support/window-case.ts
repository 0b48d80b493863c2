/**
 * Runs a generated window aggregate on several subtasks, with restarts, beside the naive computation of the same. Rows reach the
 * subtask that `data/key-hash.ts` says; a restart takes a snapshot while rows that will be replayed arrive, and goes on at
 * another parallelism.
 */
import { must } from "../../src/core/assert.ts";
import type { Prng } from "../../src/core/prng.ts";
import { TIMESTAMP } from "../../src/data/data-type.ts";
import { keyGroup, subtaskOfGroup } from "../../src/data/key-group.ts";
import { type KeyValue, keyHash } from "../../src/data/key-hash.ts";
import { type Column, physicalColumns, type RowSchema } from "../../src/data/schema.ts";
import type { Aggregate, Window, WindowAggregateOperator } from "../../src/program/operator.ts";
import { columnReference } from "./aggregate-case.ts";
import { canonicalKey, groupRows, naiveAggregate } from "./naive-aggregate.ts";
import { type Cells, type CompiledVertex, VertexInstance, type VertexSpec } from "./vertex-module.ts";

/** A window aggregate over `columns`. */
export function windowSpec(
  columns: readonly Column[],
  window: Window,
  keys: readonly number[],
  aggregates: readonly Aggregate[],
): VertexSpec {
  const bounds: Column[] = window.kind === "instant" ? [] : ["start", "end"].map((name) => ({ name, type: TIMESTAMP, nullable: false }));
  const results = aggregates.map((a, i): Column => ({ name: `a${i}`, type: a.type, nullable: a.function !== "count" }));
  const output: RowSchema = { updating: false, columns: [...keys.map((k) => must(columns[k], "key")), ...bounds, ...results] };
  const operator: WindowAggregateOperator = {
    kind: "window-aggregate",
    window,
    keys: keys.map((k) => columnReference(columns, k)),
    aggregates,
  };
  return {
    operator,
    inputs: [{ columns, updating: false }],
    output,
    exchange: keys.length === 0 ? { kind: "gather" } : { kind: "keyed", keys },
  };
}

/** A batch of rows, or a watermark. */
export type Step = { readonly rows: readonly Cells[] } | { readonly watermark: bigint };

function floorTo(at: bigint, width: bigint): bigint {
  const rest = at % width;
  return rest < 0n ? at - rest - width : at - rest;
}

/** Starts of the windows of a time. */
function windowStarts(window: Window, at: bigint): readonly bigint[] {
  if (window.kind === "instant") return [at];
  const slide = window.kind === "hop" ? window.slideNs : window.widthNs;
  const starts: bigint[] = [];
  for (let start = floorTo(at, slide); start + window.widthNs > at; start -= slide) starts.push(start);
  return starts;
}

/** What the operator should emit, and how many rows are late. */
export function naiveWindows(spec: VertexSpec, steps: readonly Step[]): { readonly rows: readonly Cells[]; readonly late: number } {
  const { window, keys, aggregates } = spec.operator as WindowAggregateOperator;
  const columns = physicalColumns(must(spec.inputs[0], "input"));
  const indexes = keys.map((k) => (k.kind === "column" ? k.index : -1));
  const width = window.kind === "instant" ? 1n : window.widthNs;
  const byWindow = new Map<bigint, Cells[]>();
  let watermark: bigint | undefined;
  let late = 0;
  for (const step of steps) {
    if ("watermark" in step) {
      watermark = step.watermark;
      continue;
    }
    for (const row of step.rows) {
      const starts = windowStarts(window, row[columns.length - 1] as bigint);
      const open = starts.filter((s) => watermark === undefined || s + width > watermark);
      if (open.length === 0 && starts.length > 0) late++;
      for (const start of open) byWindow.set(start, [...(byWindow.get(start) ?? []), row]);
    }
  }
  const rows = [...byWindow].flatMap(([start, all]) =>
    [...groupRows(all, indexes).values()].map((group) => {
      const first = must(group[0], "row");
      const key = indexes.map((k) => canonicalKey(first[k] ?? null, must(columns[k], "column").type));
      const bounds = window.kind === "instant" ? [] : [start, start + width];
      return [...key, ...bounds, ...aggregates.map((a) => naiveAggregate(a, group)), start + width - 1n];
    }),
  );
  return { rows, late };
}

/** Subtask that a row belongs to. */
export function subtaskOf(spec: VertexSpec, row: Cells, parallelism: number, port = 0): number {
  if (spec.exchange?.kind !== "keyed") return 0;
  const columns = must(spec.inputs[port], "input").columns;
  const { keys } = spec.exchange;
  const types = keys.map((k) => must(columns[k], "key").type);
  return subtaskOfGroup(keyGroup(keyHash(types, keys.map((k) => row[k] ?? null) as KeyValue[])), parallelism);
}

/** Emitted rows and the sum of late rows, over all subtasks and runs; checks that at a restart no frame is missing or left over. */
export function runWindows(
  compiled: CompiledVertex,
  steps: readonly Step[],
  random: Prng,
  restarts: ReadonlySet<number>,
): { rows: Cells[]; late: number } {
  const { spec } = compiled;
  let parallelism = 1 + random.below(3);
  let instances = start(compiled, parallelism);
  const rows: Cells[] = [];
  let late = 0;
  let watermark: bigint | undefined;
  const push = (batch: readonly Cells[]): void => {
    for (const [subtask, instance] of instances.entries()) {
      instance.push(
        batch.filter((row) => subtaskOf(spec, row, parallelism) === subtask),
        1 + random.below(64),
      );
    }
  };
  for (const [i, step] of steps.entries()) {
    if (restarts.has(i)) {
      const frames = checkpoint(instances, () => "rows" in step && push(step.rows.slice(0, 20)), "rows" in step ? step.rows : []);
      late += instances.reduce((sum, instance) => sum + instance.stat("late"), 0);
      parallelism = 1 + random.below(4);
      instances = start(compiled, parallelism);
      for (const instance of instances) {
        instance.restore(frames);
        if (watermark !== undefined) instance.exports.restoreWatermark(watermark);
      }
    }
    if ("rows" in step) push(step.rows);
    else {
      watermark = step.watermark;
      for (const instance of instances) rows.push(...instance.watermark(step.watermark));
    }
  }
  late += instances.reduce((sum, instance) => sum + instance.stat("late"), 0);
  return { rows, late };
}

function start(compiled: CompiledVertex, parallelism: number): VertexInstance[] {
  return Array.from({ length: parallelism }, (_, subtask) => new VertexInstance(compiled, subtask, parallelism));
}

/** Frames of a full checkpoint; rows keep coming while it is read, and they are lost with the instances. */
function checkpoint(instances: readonly VertexInstance[], more: () => void, lost: readonly Cells[]): Uint8Array[] {
  for (const instance of instances) instance.exports.barrier(1n);
  const lateBefore = instances.map((instance) => instance.stat("late"));
  if (lost.length > 0) more();
  const frames = instances.flatMap((instance) => instance.snapshot(more));
  // Late rows among those that will be replayed must not count twice.
  for (const [i, instance] of instances.entries()) {
    instance.view.setBigUint64((instance.exports.stats() >>> 0) + 24, BigInt(lateBefore[i] ?? 0), true);
  }
  return frames;
}
