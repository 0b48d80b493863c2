/**
 * The file `e<id>.ts` of a vertex: `emit(batch)` gives a batch to every outgoing edge, by a call where the edge is direct,
 * else through the output queue; `flushEdge` closes what waits in a partitioner.
 */

import { must } from "../core/assert.ts";
import { physicalColumns } from "../data/schema.ts";
import type { Edge, Program, Vertex } from "../program/program.ts";
import { inputs, outputs } from "../program/program.ts";
import { emitKeyHash } from "./key-hash.ts";
import { Printer } from "./printer.ts";
import { columnWidth } from "./value.ts";

/** Text of `e<id>.ts`. */
export function emitEdges(program: Program, vertex: Vertex): string {
  const p = new Printer();
  const edges = outputs(program, vertex.id);
  const columns = physicalColumns(vertex.output);
  const widths = p.bytes(Uint8Array.from(columns.map((c) => columnWidth(c.type))));
  for (const edge of edges) emitEdge(p, program, vertex, edge, widths, columns.length);
  emitAll(p, edges);
  emitInit(p, edges, widths, columns.length);
  return p.text();
}

function isEncoded(vertex: Vertex): boolean {
  return vertex.operator.kind === "encode";
}

/** `emit<edge>(batch)`. */
function emitEdge(p: Printer, program: Program, vertex: Vertex, edge: Edge, widths: string, columns: number): void {
  if (isEncoded(vertex)) return;
  const target = p.fresh("push");
  p.import(`./v${edge.target}.ts`, `push as ${target}`);
  const call = `${target}(batch, ${edge.port});`;
  const single = inputs(program, edge.target).length === 1;
  if (edge.exchange.kind === "keyed") {
    const keys = edge.exchange.keys.map((k) => ({ index: k, ...must(physicalColumns(vertex.output)[k], `key column ${k}`) }));
    for (const line of emitKeyHash(`hash${edge.id}`, keys).split("\n")) p.line(line);
    p.declare(`let partitioner${edge.id}: usize = 0;`);
    p.declare(`let hashes${edge.id}: usize = 0;`);
  }
  p.block(`function emit${edge.id}(batch: usize): void`, () => {
    if (edge.exchange.kind === "forward" && single) return p.line(call);
    p.block(`if (${p.use("exchange", "parallelism")} == 1)`, () => {
      p.line(call);
      p.line("return;");
    });
    if (edge.exchange.kind === "keyed") {
      p.line(`hash${edge.id}(batch, ${p.use("batch", "batchRows")}(batch), hashes${edge.id});`);
      p.line(`${p.use("exchange", "partition")}(partitioner${edge.id}, batch, hashes${edge.id});`);
    } else {
      const to = edge.exchange.kind === "gather" ? "0" : p.use("exchange", "subtask");
      p.line(`${p.use("exchange", "sendBatch")}(batch, ${widths}, ${columns}, ${edge.id}, ${to});`);
    }
  });
}

function emitAll(p: Printer, edges: readonly Edge[]): void {
  p.block("export function emit(batch: usize): void", () => {
    if (edges.length <= 1) {
      for (const edge of edges) p.line(`emit${edge.id}(batch);`);
      return;
    }
    const restore = p.use("row-errors", "setProvenance");
    p.line(`const partition = ${p.use("row-errors", "currentPartition")};`);
    p.line(`const described = ${p.use("row-errors", "positionsBatch")};`);
    p.line(`const positions = ${p.use("row-errors", "currentPositions")};`);
    for (const edge of edges) {
      p.line(`emit${edge.id}(batch);`);
      p.line(`${restore}(partition, described, described == 0 ? 0 : positions);`);
    }
  });
}

function emitInit(p: Printer, edges: readonly Edge[], widths: string, columns: number): void {
  const keyed = edges.filter((e) => e.exchange.kind === "keyed");
  p.block("export function init(): void", () => {
    if (keyed.length === 0) return;
    p.block(`if (${p.use("exchange", "parallelism")} > 1)`, () => {
      for (const edge of keyed) {
        p.line(`partitioner${edge.id} = ${p.use("exchange", "makePartitioner")}(${edge.id}, ${widths}, ${columns});`);
        p.line(`hashes${edge.id} = ${p.use("memory", "reserve")}(65536);`);
      }
    });
  });
  p.block("export function flushEdge(edge: i32): void", () => {
    for (const edge of keyed) {
      p.line(`if (edge == ${edge.id} && partitioner${edge.id} != 0) ${p.use("exchange", "flushPartitioner")}(partitioner${edge.id});`);
    }
  });
}
