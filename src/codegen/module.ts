/**
 * Program → generated sources → artifact. Every vertex becomes two files (`v<id>.ts` its operator, `e<id>.ts` its edges);
 * `main.ts` dispatches the ABI's exports to them by number.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { physicalColumns } from "../data/schema.ts";
import { ABI_VERSION } from "../program/abi.ts";
import type { OperatorKind } from "../program/operator.ts";
import type { Program, Vertex } from "../program/program.ts";
import { inputSchema } from "../program/program.ts";
import { emitEdges } from "./edge.ts";
import { emitCompute } from "./operator/compute.ts";
import { emitEncode } from "./operator/encode.ts";
import { emitSource } from "./operator/source.ts";
import { emitUpdatingAggregate } from "./operator/updating-aggregate.ts";
import { emitWindowAggregate } from "./operator/window-aggregate.ts";
import { emitWindowJoin } from "./operator/window-join.ts";
import { Printer } from "./printer.ts";
import type { VertexEmitter, VertexModule } from "./vertex.ts";

/** Generated text of a program. */
export interface GeneratedModule {
  /** Path → text, `generated/main.ts` being the entry. */
  readonly sources: ReadonlyMap<string, string>;
  /** State-schema hash of every stateful vertex. */
  readonly stateSchemas: ReadonlyMap<number, string>;
  /** Hex SHA-256 over sources, runtime and ABI version: the artifact's name. */
  readonly hash: string;
}

/** Path of the generated entry file. */
export const ENTRY = "generated/main.ts";

const EMITTERS: Readonly<Record<Exclude<OperatorKind, "sink">, VertexEmitter>> = {
  source: emitSource,
  compute: emitCompute,
  "window-aggregate": emitWindowAggregate,
  "updating-aggregate": emitUpdatingAggregate,
  "window-join": emitWindowJoin,
  encode: emitEncode,
};

interface Emitted {
  readonly vertex: Vertex;
  readonly module: VertexModule;
}

/** Generates all sources of `program`. */
export function generateModule(program: Program): GeneratedModule {
  const sources = new Map<string, string>();
  const stateSchemas = new Map<number, string>();
  const emitted: Emitted[] = [];
  for (const vertex of program.vertices) {
    const { operator } = vertex;
    if (operator.kind === "sink") continue;
    const module = EMITTERS[operator.kind]({ program, vertex });
    emitted.push({ vertex, module });
    sources.set(`generated/v${vertex.id}.ts`, module.source);
    sources.set(`generated/e${vertex.id}.ts`, emitEdges(program, vertex));
    if (module.stateSchema !== undefined) stateSchemas.set(vertex.id, module.stateSchema);
  }
  sources.set(ENTRY, emitMain(program, emitted));
  return { sources, stateSchemas, hash: hashModule(sources) };
}

let runtimeHash: string | undefined;

/** Hash over the runtime's sources, computed once. */
function hashRuntime(): string {
  if (runtimeHash === undefined) {
    const folder = fileURLToPath(new URL("../runtime/", import.meta.url));
    const hash = createHash("sha256");
    for (const name of readdirSync(folder).sort()) if (name.endsWith(".ts")) hash.update(name).update(readFileSync(folder + name));
    runtimeHash = hash.digest("hex");
  }
  return runtimeHash;
}

function hashModule(sources: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256").update(`abi ${ABI_VERSION} ${hashRuntime()}`);
  for (const [path, text] of sources) hash.update(path).update(text);
  return hash.digest("hex");
}

/** An export whose body picks the vertex. */
interface Dispatch {
  readonly name: string;
  readonly parameters: string;
  readonly call: string;
  readonly result: string;
  readonly otherwise: string;
  readonly vertices: readonly Vertex[];
}

function emitMain(program: Program, emitted: readonly Emitted[]): string {
  const p = new Printer();
  emitInit(p, emitted);
  for (const dispatch of dispatches(emitted)) emitDispatch(p, dispatch);
  emitPush(p, program);
  emitPull(
    p,
    emitted.filter((e) => e.module.expands || e.module.flushes),
  );
  emitFlushEdge(p, program);
  emitRuntimeExports(p);
  return p.text();
}

function emitInit(p: Printer, emitted: readonly Emitted[]): void {
  p.line(`export function abiVersion(): i32 { return ${ABI_VERSION}; }`);
  p.block("export function init(subtask: i32, parallelism: i32, batchRows: i32, stateLimit: f64, fence: i64): void", () => {
    p.line(`${p.use("exchange", "setSubtask")}(subtask, parallelism);`);
    p.line(`${p.use("frame", "setFrameOrigin")}(subtask, <u64>fence);`);
    p.line(`${p.use("memory", "setStateLimit")}(<u64>stateLimit);`);
    for (const { vertex } of emitted) {
      p.line(`${p.importAs(`./v${vertex.id}.ts`, "init", `init${vertex.id}`)}();`);
      p.line(`${p.importAs(`./e${vertex.id}.ts`, "init", `initEdges${vertex.id}`)}();`);
    }
  });
}

function dispatches(emitted: readonly Emitted[]): readonly Dispatch[] {
  const having = (test: (e: Emitted) => boolean): readonly Vertex[] => emitted.filter(test).map((e) => e.vertex);
  const bytes = having((e) => e.vertex.operator.kind === "source" && e.vertex.operator.format !== undefined);
  const events = having((e) => e.vertex.operator.kind === "source" && e.vertex.operator.format === undefined);
  const stateful = having((e) => e.module.stateful);
  const d = (name: string, parameters: string, result: string, otherwise: string, vertices: readonly Vertex[]): Dispatch => {
    const call = parameters
      .split(", ")
      .filter((s) => s !== "")
      .map((s) => s.split(":")[0])
      .join(", ");
    return { name, parameters, call, result, otherwise, vertices };
  };
  return [
    d("inputBuffer", "capacity: usize", "usize", "0", bytes),
    d("scan", "from: usize, to: usize, last: i32, maxRows: i32, partition: i32, position: i64", "i32", "0", bytes),
    d("generate", "first: i64, stride: i32, count: i32, baseNs: i64", "i32", "0", events),
    d(
      "watermark",
      "ns: i64",
      "i32",
      "0",
      having((e) => e.module.expands),
    ),
    d(
      "flush",
      "nowMs: i64",
      "i32",
      "0",
      having((e) => e.module.flushes),
    ),
    d("barrier", "epoch: i64", "void", "", stateful),
    d("snapshot", "out: usize, capacity: usize", "usize", "0", stateful),
    d("liveSegments", "", "i32", "0", stateful),
    d("liveSegmentList", "", "usize", "0", stateful),
    d("touchSegment", "table: i32, partition: i64, segment: i32", "void", "", stateful),
    d("restore", "frame: usize", "i32", "0", stateful),
    d(
      "restoreWatermark",
      "ns: i64",
      "void",
      "",
      having((e) => e.module.stateful && e.module.expands && !e.module.flushes),
    ),
  ];
}

function emitDispatch(p: Printer, { name, parameters, call, result, otherwise, vertices }: Dispatch): void {
  const head = parameters === "" ? "vertex: i32" : `vertex: i32, ${parameters}`;
  const status = result === "i32" && name !== "liveSegments";
  p.block(`export function ${name}(${head}): ${result}`, () => {
    for (const vertex of vertices) {
      const local = `${name}${vertex.id}`;
      p.import(`./v${vertex.id}.ts`, `${name} as ${local}`);
      const invoke = `${local}(${call})`;
      const text = result === "void" ? `{ ${invoke}; return; }` : `return ${status ? `status(${invoke})` : invoke};`;
      p.line(`if (vertex == ${vertex.id}) ${text}`);
    }
    if (otherwise !== "") p.line(`return ${otherwise};`);
  });
}

/** `push(edge, frame)`: reads the frame as a batch and hands it to the edge's target; sinks queue encoded frames for the host. */
function emitPush(p: Printer, program: Program): void {
  p.block("export function push(edge: i32, frame: usize): i32", () => {
    p.line(`if (!${p.use("frame", "frameReadable")}(frame)) { ${p.use("memory", "setFatal")}(3, 0); return status(0); }`);
    for (const edge of program.edges) {
      p.block(`if (edge == ${edge.id})`, () => {
        if (program.vertices[edge.target]?.operator.kind === "sink") {
          p.line(
            `${p.use("exchange", "queueFrame")}(frame, ${p.use("frame", "frameLength")}(frame), ${edge.id}, ${p.use("exchange", "HOST")});`,
          );
          p.line("return status(0);");
          return;
        }
        const columns = physicalColumns(inputSchema(program, edge.target, edge.port)).length;
        p.declare(`const BATCH${edge.id}: usize = ${p.use("batch", "makeBatch")}(${columns});`);
        const push = `push${edge.target}`;
        p.import(`./v${edge.target}.ts`, `push as ${push}`);
        p.line(`${p.use("frame", "readFrame")}(frame, BATCH${edge.id});`);
        p.line(`${p.use("row-errors", "clearProvenance")}();`);
        p.line(`${push}(BATCH${edge.id}, ${edge.port});`);
        p.line(`${p.use("memory", "releaseBlock")}(frame);`);
        p.line("return status(0);");
      });
    }
    p.line("return status(0);");
  });
}

/** `pull()`: the first vertex in topological order that has something to say says one batch of it. */
function emitPull(p: Printer, emitted: readonly Emitted[]): void {
  p.block("export function pull(): i32", () => {
    for (const { vertex } of emitted) {
      p.import(`./v${vertex.id}.ts`, `pull as pull${vertex.id}`);
      p.line(`if (pull${vertex.id}() != 0) return status(1);`);
    }
    p.line("return status(0);");
  });
}

function emitFlushEdge(p: Printer, program: Program): void {
  p.block("export function flushEdge(edge: i32): void", () => {
    for (const vertex of program.vertices) {
      const keyed = program.edges.filter((e) => e.source === vertex.id && e.exchange.kind === "keyed");
      if (keyed.length === 0) continue;
      p.import(`./e${vertex.id}.ts`, `flushEdge as flushEdges${vertex.id}`);
      p.line(`flushEdges${vertex.id}(edge);`);
    }
  });
}

/** Exports that need no vertex: name, parameters and result, file and name in the runtime. */
const RUNTIME_EXPORTS: readonly (readonly [string, string, string])[] = [
  ["outputPeek(): usize", "exchange", "outputPeek()"],
  ["outputPop(): void", "exchange", "outputPop()"],
  ["outputBytes(): usize", "exchange", "outputBytes()"],
  ["frameBuffer(length: usize): usize", "memory", "allocateBlock(length + 64)"],
  ["frameFree(frame: usize): void", "memory", "releaseBlock(frame)"],
  ["scanBytes(): usize", "scan-result", "consumedBytes"],
  ["scanRows(): i32", "scan-result", "consumedRows"],
  ["scanWatermark(): i64", "scan-result", "batchWatermark"],
  ["setTime(ns: i64): void", "scan-result", "setReadTime(ns)"],
  ["errorBuffer(): usize", "row-errors", "errorBufferAddress()"],
  ["errorBytes(): usize", "row-errors", "errorBufferBytes()"],
  ["errorReset(): void", "row-errors", "resetErrorBuffer()"],
  ["stats(vertex: i32): usize", "stats", "statsOf(vertex)"],
  ["fatalCode(): i32", "memory", "fatalCode"],
  ["fatalArgument(): i64", "memory", "fatalArgument"],
  ["stateBytes(): u64", "memory", "stateBytes()"],
];

/** The exports above, and `status`, which lets errors and fatal conditions override an outcome. */
function emitRuntimeExports(p: Printer): void {
  p.block("function status(outcome: i32): i32", () => {
    p.line(`if (${p.useAs("memory", "fatalCode", "_fatalCode")} != 0) return 3;`);
    p.line(`return ${p.useAs("row-errors", "errorBufferBytes", "_errorBufferBytes")}() != 0 ? 2 : outcome;`);
  });
  for (const [signature, file, call] of RUNTIME_EXPORTS) {
    const name = /^\w+/.exec(call)?.[0] ?? call;
    p.useAs(file, name, `_${name}`);
    p.line(`export function ${signature} { ${signature.endsWith("void") ? "" : "return "}_${call}; }`);
  }
}
