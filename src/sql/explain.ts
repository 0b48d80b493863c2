/**
 * EXPLAIN: what a script means, what runs, what it keeps and how time moves through it. Three forms of the same facts: text for people, JSON
 * for programs, and a Graphviz graph (https://graphviz.org/doc/info/lang.html).
 */
import { formatDuration } from "../core/duration.ts";
import type { Operator } from "../program/operator.ts";
import { printAggregate, printExchange, printExpression, printSchema } from "../program/print.ts";
import { inputs, type Program, type Vertex } from "../program/program.ts";
import { inputsOf, type LogicalNode, type LogicalPlan } from "./logical-plan.ts";
import type { PlannedScript } from "./plan.ts";
import { describeWindow } from "./vertex-name.ts";

/** Forms of an explanation. */
export type ExplainFormat = "text" | "json" | "graph";

/** Explains a planned script; ends with a newline. */
export function explainScript(planned: PlannedScript, format: ExplainFormat): string {
  switch (format) {
    case "text":
      return explainText(planned);
    case "json":
      return `${JSON.stringify(explainJson(planned), undefined, 2)}\n`;
    case "graph":
      return explainGraph(planned.program);
  }
}

/** What a vertex keeps between batches. `bounded`: its size does not grow with the length of the input. */
export interface StateExplanation {
  readonly holds: "nothing" | "positions" | "windows" | "groups" | "rows" | "commits";
  readonly bounded: boolean;
  readonly detail: string;
}

/** The state of an operator. */
export function explainState(operator: Operator): StateExplanation {
  switch (operator.kind) {
    case "compute":
    case "encode":
      return { holds: "nothing", bounded: true, detail: "none" };
    case "source":
      return { holds: "positions", bounded: true, detail: "position in each split" };
    case "sink":
      return { holds: "commits", bounded: true, detail: "what is staged since the last checkpoint" };
    case "window-aggregate":
      return { holds: "windows", bounded: true, detail: "groups of open windows, released when the watermark passes their end" };
    case "window-join":
      return { holds: "rows", bounded: true, detail: "rows of open windows, released when the watermark passes their end" };
    case "updating-aggregate":
      return explainGroups(operator.keys.length, operator.ttlMs);
  }
}

function explainGroups(keys: number, ttlMs: number): StateExplanation {
  if (keys === 0) return { holds: "groups", bounded: true, detail: "one group" };
  if (ttlMs === 0) return { holds: "groups", bounded: false, detail: "every group, forever" };
  return { holds: "groups", bounded: false, detail: `every group until it is untouched for ${formatDuration(BigInt(ttlMs) * 1_000_000n)}` };
}

/** Names of the sources whose watermarks a vertex waits for: its own is the least of theirs. */
export function watermarkSources(program: Program): readonly (readonly string[])[] {
  const sources: string[][] = [];
  for (const vertex of program.vertices) {
    const upstream = inputs(program, vertex.id).flatMap((e) => sources[e.source] ?? []);
    sources.push(vertex.operator.kind === "source" ? [vertex.operator.table] : [...new Set(upstream)]);
  }
  return sources;
}

function mode(vertex: Vertex): "append-only" | "updating" | "encoded" {
  if (vertex.operator.kind === "encode") return "encoded";
  return vertex.output.updating ? "updating" : "append-only";
}

function explainText(planned: PlannedScript): string {
  const lines = ["Logical plan", ...planLines(planned.bound), "", "Program", ...programLines(planned.program), "", "Watermarks"];
  return `${[...lines, ...watermarkLines(planned.program)].join("\n")}\n`;
}

/** The logical plan as lines: each sink, its nodes below it, indented by depth. Nodes are numbered; a shared one is shown once. */
export function planLines(plan: LogicalPlan): string[] {
  const numbers = new Map<LogicalNode, number>();
  return plan.sinks.flatMap((sink) => [
    `  insert into ${sink.name} (connector ${sink.connector}, format ${sink.format.kind})`,
    ...sink.inputs.flatMap((input) => nodeLines(input, 2, numbers)),
  ]);
}

/** A node with its inputs below it; one that was shown before is named by its number. */
function nodeLines(node: LogicalNode, depth: number, numbers: Map<LogicalNode, number>): string[] {
  const pad = "  ".repeat(depth);
  const known = numbers.get(node);
  if (known !== undefined) return [`${pad}see #${known}`];
  numbers.set(node, numbers.size + 1);
  const marks = [
    node.schema.updating ? "updating" : "",
    node.schema.window === undefined ? "" : `in ${describeWindow(node.schema.window.spec)}`,
  ];
  const suffix = marks.filter((m) => m !== "").join(", ");
  const head = `${pad}#${numbers.size} ${describeNode(node)}${suffix === "" ? "" : ` [${suffix}]`}`;
  return [head, ...inputsOf(node).flatMap((i) => nodeLines(i, depth + 1, numbers))];
}

function describeNode(node: LogicalNode): string {
  switch (node.kind) {
    case "scan":
      return `scan ${node.table.name} (${node.schema.columns.map((c) => c.name).join(", ")})`;
    case "compute": {
      const filter = node.filter === undefined ? "" : ` where ${printExpression(node.filter)}`;
      return `select ${node.outputs.map((o, i) => `${printExpression(o)} as ${node.schema.columns[i]?.name ?? ""}`).join(", ")}${filter}`;
    }
    case "aggregate": {
      const keys = node.keys.length === 0 ? "" : ` by ${node.keys.map((k) => printExpression(k)).join(", ")}`;
      const window = node.window === undefined ? "" : ` in ${describeWindow(node.window)}`;
      return `aggregate ${node.aggregates.map((a) => printAggregate(a)).join(", ") || "distinct"}${keys}${window}`;
    }
    case "window-join": {
      const keys = node.leftKeys.map(
        (k, i) => `${printExpression(k)} = ${node.rightKeys[i] === undefined ? "" : printExpression(node.rightKeys[i])}`,
      );
      return `${node.join} join on ${["window", ...keys].join(", ")}`;
    }
    case "union":
      return "union all";
  }
}

function programLines(program: Program): string[] {
  return program.vertices.flatMap((vertex) => {
    const state = explainState(vertex.operator);
    const from = inputs(program, vertex.id).map((e) => {
      const source = program.vertices[e.source] as Vertex;
      return `    from ${e.source} ${source.name}: ${printExchange(e.exchange)}, ${mode(source)}`;
    });
    const rows = vertex.operator.kind === "encode" || vertex.operator.kind === "sink" ? [] : [`    rows: ${printSchema(vertex.output)}`];
    const bound = state.holds === "nothing" ? "" : state.bounded ? " (bounded)" : " (unbounded)";
    return [`  ${vertex.id} ${vertex.name}`, ...from, ...rows, `    state: ${state.detail}${bound}`];
  });
}

function watermarkLines(program: Program): string[] {
  const sources = watermarkSources(program);
  return program.vertices.flatMap((vertex, i) => {
    const { operator } = vertex;
    if (operator.kind === "source") {
      const names = [...vertex.output.columns.map((c) => c.name), "_timestamp"];
      const written = printExpression(operator.watermark).replace(/#(\d+)/g, (_, n: string) => names[Number(n)] ?? `#${n}`);
      const idle = operator.idleMs === 0 ? "" : `, idle after ${formatDuration(BigInt(operator.idleMs) * 1_000_000n)}`;
      return [`  ${vertex.name}: ${written}${idle}`];
    }
    const waits = operator.kind === "window-aggregate" || operator.kind === "window-join";
    return waits ? [`  ${vertex.id} ${vertex.name} fires by the watermark of ${(sources[i] ?? []).join(", ")}`] : [];
  });
}

function explainJson(planned: PlannedScript): unknown {
  const { program } = planned;
  const sources = watermarkSources(program);
  return {
    fingerprint: program.fingerprint,
    logicalPlan: planLines(planned.bound).map((line) => line.slice(2)),
    vertices: program.vertices.map((vertex, i) => ({
      id: vertex.id,
      name: vertex.name,
      kind: vertex.operator.kind,
      fingerprint: vertex.fingerprint,
      changelog: mode(vertex),
      columns: vertex.output.columns.map((c) => ({ name: c.name, type: c.type.kind, nullable: c.nullable })),
      state: explainState(vertex.operator),
      watermark: {
        sources: sources[i],
        ...(vertex.operator.kind === "source"
          ? { expression: printExpression(vertex.operator.watermark), idleMs: vertex.operator.idleMs }
          : {}),
      },
    })),
    edges: program.edges.map((edge) => ({
      ...edge,
      changelog: mode(program.vertices[edge.source] as Vertex),
    })),
  };
}

function explainGraph(program: Program): string {
  const quote = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const nodes = program.vertices.map((v) => {
    const state = explainState(v.operator);
    const shape = state.holds === "nothing" ? "box" : "cylinder";
    return `  v${v.id} [shape=${shape}, label=${quote(v.name)}, tooltip=${quote(state.detail)}];`;
  });
  const edges = program.edges.map((e) => {
    const source = program.vertices[e.source] as Vertex;
    const style = source.output.updating ? ", style=dashed" : "";
    return `  v${e.source} -> v${e.target} [label=${quote(`${printExchange(e.exchange)} ${mode(source)}`)}${style}];`;
  });
  return `digraph program {\n  rankdir=TB;\n${[...nodes, ...edges].join("\n")}\n}\n`;
}
