/**
 * The state functions that every stateful vertex exports by the same names as `program/abi.ts`; restoring differs by
 * operator. STATE is the vertex' state (`runtime/state-snapshot.ts`).
 */
import { createHash } from "node:crypto";
import type { EntryLayout } from "./entry-layout.ts";
import type { Printer } from "./printer.ts";

/** Hex hash of the vertex' state schema: the columns of its tables in order. */
export function stateSchemaHash(layouts: readonly EntryLayout[]): string {
  return createHash("sha256")
    .update(JSON.stringify(layouts.map((l) => l.schema())))
    .digest("hex");
}

/** Prints barrier, snapshot, liveSegments, liveSegmentList and touchSegment. */
export function emitStateFunctions(p: Printer): void {
  const line = (signature: string, body: string): void => p.line(`export function ${signature} { ${body} }`);
  p.declare("let STATE: usize = 0;");
  line("barrier(epoch: i64): void", `${p.use("state-snapshot", "freezeState")}(STATE);`);
  line("snapshot(out: usize, capacity: usize): usize", `return ${p.use("state-snapshot", "snapshotState")}(STATE, out, capacity);`);
  line("liveSegments(): i32", `return ${p.use("state-snapshot", "segmentCount")}(STATE);`);
  line("liveSegmentList(): usize", `return ${p.use("state-snapshot", "segmentList")}(STATE);`);
  const touch = p.use("state-snapshot", "touchStateSegment");
  line("touchSegment(table: i32, partition: i64, segment: i32): void", `${touch}(STATE, <u32>table, partition, <u32>segment);`);
}

/** Prints the statements of `init` that make STATE with the layouts of its kinds of tables. */
export function emitMakeState(p: Printer, vertex: number, layouts: readonly EntryLayout[]): void {
  p.line(`STATE = ${p.use("state-snapshot", "makeState")}(${vertex});`);
  for (const [kind, layout] of layouts.entries()) {
    p.line(`${p.use("state-snapshot", "setLayout")}(STATE, ${kind}, ${p.bytes(layout.encode())});`);
  }
}
