/**
 * Filter and projection. The filter runs first and hands on a selection vector; outputs are computed densely, at most 16 a
 * function. Columns that pass through are aliases when every row passed, else gathered. A row that faults is reported and
 * taken out: the selection is made anew without it and the outputs run again, which keeps the hot loops free of it.
 */

import type { ScalarType } from "../../data/data-type.ts";
import { isVariable } from "../../data/data-type.ts";
import type { Column } from "../../data/schema.ts";
import { physicalColumns, timestampIndex } from "../../data/schema.ts";
import type { Expression } from "../../program/expression.ts";
import type { ComputeOperator } from "../../program/operator.ts";
import { inputSchema } from "../../program/program.ts";
import { emitCondition, emitExpression, expressionSize } from "../expression.ts";
import { Printer } from "../printer.ts";
import { RowScope } from "../scope.ts";
import { columnWidth, storeColumn } from "../value.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";

/** Outputs and expression nodes of one generated function at most. */
const OUTPUTS_MAX = 16;
const NODES_MAX = 160;

interface Output {
  readonly index: number;
  readonly expression: Expression;
}

/** Emits a compute vertex. */
export function emitCompute(context: EmitContext): VertexModule {
  const operator = context.vertex.operator as ComputeOperator;
  const input = inputSchema(context.program, context.vertex.id);
  const columns = physicalColumns(input);
  const hidden = columns
    .slice(input.columns.length)
    .map((c, i): Expression => ({ kind: "column", index: timestampIndex(input) + i, type: c.type, nullable: false }));
  const outputs = [...operator.outputs, ...hidden].map((expression, index) => ({ index, expression }));
  const p = new Printer();
  const computed = outputs.filter((o) => o.expression.kind !== "column");
  const groups = splitOutputs(computed);
  for (const output of outputs) declareOutput(p, output);
  p.declare("let SEL: usize = 0;\nlet OUT: usize = 0;\nlet FAULTS: usize = 0;\nlet POSITIONS: usize = 0;");
  const filterFaults = operator.filter !== undefined && emitFilter(p, context.vertex.id, columns, operator.filter);
  const faults = groups.reduce((earlier, group, i) => emitGroup(p, columns, group, i, earlier) || earlier, false);
  emitPassThrough(p, columns, outputs);
  emitPush(p, context.vertex.id, { filtered: operator.filter !== undefined, filterFaults, faults, groups: groups.length });
  emitInit(p, outputs);
  return { source: p.text(), expands: false, flushes: false, stateful: false };
}

/** Groups of outputs small enough for one function each. */
function splitOutputs(outputs: readonly Output[]): readonly (readonly Output[])[] {
  const groups: Output[][] = [];
  let nodes = NODES_MAX;
  for (const output of outputs) {
    const size = expressionSize(output.expression);
    const last = groups.at(-1);
    if (last === undefined || last.length >= OUTPUTS_MAX || nodes + size > NODES_MAX) {
      groups.push([output]);
      nodes = size;
    } else {
      last.push(output);
      nodes += size;
    }
  }
  return groups;
}

function declareOutput(p: Printer, output: Output): void {
  p.declare(`let V${output.index}: usize = 0;\nlet N${output.index}: usize = 0;`);
  if (isVariable(output.expression.type)) p.declare(`let B${output.index}: usize = 0;`);
}

/** `filter(batch): usize` fills SEL; returns whether it can fault. */
function emitFilter(p: Printer, vertex: number, columns: readonly Column[], filter: Expression): boolean {
  const scope = new RowScope(p, columns, "r");
  const body = p.capture(() => {
    p.block("  for (let r: usize = 0; r < n; r++)", () => {
      const condition = emitCondition(scope, filter);
      if (scope.faults) {
        p.block("if (fault != 0)", () => {
          p.line(`${p.use("row-report", "reportFault")}(${vertex}, fault, batch, r);`);
          p.line("fault = 0;");
          p.line("continue;");
        });
      }
      p.line("store<u32>(SEL + (m << 2), <u32>r);");
      p.line(`m += <usize>(${condition});`);
    });
  });
  p.line("/** Fills SEL with the rows for which the filter is true; returns their number. */");
  p.line("function filter(batch: usize, n: usize): usize {");
  p.append(scope.hoisted("batch"));
  p.line("  let m: usize = 0;");
  if (scope.faults) p.line("  let fault: i32 = 0;");
  p.append(withScratch(p, scope, body));
  p.line("  return m;");
  p.line("}");
  return scope.faults;
}

/** Inserts the scratch reset as the loop's first statement when the body makes text. */
function withScratch(p: Printer, scope: RowScope, body: readonly string[]): readonly string[] {
  if (!scope.scratch) return body;
  return [body[0] ?? "", `    ${p.use("scratch", "scratchReset")}();`, ...body.slice(1)];
}

/**
 * `compute<i>(batch, m): bool` computes some outputs for the selected rows; true if a row faulted. `earlier`: functions before this one have
 * filled FAULTS, to which this one only adds.
 */
function emitGroup(p: Printer, columns: readonly Column[], group: readonly Output[], index: number, earlier: boolean): boolean {
  const scope = new RowScope(p, columns, "r");
  const body = p.capture(() => {
    p.block("  for (let j: usize = 0; j < m; j++)", () => {
      p.line("const r: usize = dense ? j : <usize>load<u32>(SEL + (j << 2));");
      for (const output of group) emitOutput(p, scope, output);
      if (scope.faults) {
        p.line(`${earlier ? "if (fault != 0) " : ""}store<u8>(FAULTS + j, <u8>fault);`);
        p.line("any |= fault;");
        p.line("fault = 0;");
      }
    });
  });
  p.line(`function compute${index}(batch: usize, m: usize, dense: bool): bool {`);
  p.append(scope.hoisted("batch"));
  if (scope.faults) p.line("  let fault: i32 = 0;\n  let any: i32 = 0;");
  for (const output of group) {
    if (isVariable(output.expression.type)) p.line(`  let u${output.index}: usize = 0;\n  store<u32>(V${output.index}, 0);`);
  }
  p.append(withScratch(p, scope, body));
  p.line(scope.faults ? "  return any != 0;" : "  return false;");
  p.line("}");
  return scope.faults;
}

function emitOutput(p: Printer, scope: RowScope, output: Output): void {
  const value = emitExpression(scope, output.expression);
  const { index, expression } = output;
  if (expression.nullable) p.line(`store<u8>(N${index} + j, <u8>(${value.valid}));`);
  if (!isVariable(expression.type)) {
    p.line(storeColumn(expression.type, `V${index}`, "j", value.value));
    return;
  }
  const length = value.valid === "true" ? value.length : scope.bind("usize", `${value.valid} ? ${value.length} : 0`);
  p.line(`B${index} = ${p.use("memory", "growBlock")}(B${index}, u${index}, u${index} + ${length} + 64);`);
  p.line(`${p.use("selection", "copyLoose")}(B${index} + u${index}, ${value.value}, ${length});`);
  p.line(`u${index} += ${length};`);
  p.line(`store<u32>(V${index} + (j << 2), <u32>u${index}, 4);`);
}

/** `pass(batch, m, dense)` sets every output column that is an input column. */
function emitPassThrough(p: Printer, columns: readonly Column[], outputs: readonly Output[]): void {
  const passed = outputs.filter((o) => o.expression.kind === "column");
  p.block("function pass(batch: usize, m: usize, dense: bool): void", () => {
    if (passed.length === 0) return;
    p.block("if (dense)", () => {
      for (const o of passed)
        if (o.expression.kind === "column") p.line(`${p.use("batch", "aliasColumn")}(OUT, ${o.index}, batch, ${o.expression.index});`);
      p.line("return;");
    });
    for (const o of passed) emitGather(p, columns, o);
  });
}

function emitGather(p: Printer, columns: readonly Column[], output: Output): void {
  const { index, expression } = output;
  if (expression.kind !== "column") return;
  const validity = expression.nullable && columns[expression.index]?.nullable === true;
  const from = `${p.use("batch", "columnValues")}(batch, ${expression.index})`;
  if (validity)
    p.line(`${p.use("selection", "gather1")}(SEL, m, ${p.use("batch", "columnValidity")}(batch, ${expression.index}), N${index});`);
  const bytes = isVariable(expression.type) ? `B${index}` : "0";
  if (isVariable(expression.type)) {
    p.line(`B${index} = ${p.use("memory", "growBlock")}(B${index}, 0, ${p.use("selection", "selectedBytes")}(SEL, m, ${from}) + 64);`);
    p.line(
      `${p.use("selection", "gatherText")}(SEL, m, ${from}, ${p.use("batch", "columnBytes")}(batch, ${expression.index}), V${index}, B${index});`,
    );
  } else {
    p.line(`${p.use("selection", `gather${columnWidth(expression.type)}`)}(SEL, m, ${from}, V${index});`);
  }
  p.line(`${p.use("batch", "setColumn")}(OUT, ${index}, V${index}, ${validity ? `N${index}` : "0"}, ${bytes});`);
}

interface PushShape {
  readonly filtered: boolean;
  readonly filterFaults: boolean;
  readonly faults: boolean;
  readonly groups: number;
}

function emitPush(p: Printer, vertex: number, shape: PushShape): void {
  const emit = p.import(`./e${vertex}.ts`, "emit");
  p.block("function run(batch: usize, m: usize, dense: bool): bool", () => {
    p.line("let faulted = false;");
    for (let i = 0; i < shape.groups; i++) p.line(`if (compute${i}(batch, m, dense)) faulted = true;`);
    p.line("return faulted;");
  });
  p.block("export function push(batch: usize, port: i32): void", () => {
    p.line(`const n = ${p.use("batch", "batchRows")}(batch);`);
    p.line(`${p.use("stats", "countRowsIn")}(${vertex}, n);`);
    if (shape.filterFaults) p.line(`const badBefore = ${p.use("row-report", "faultsReported")};`);
    p.line(shape.filtered ? "let m = filter(batch, n);" : "let m = n;");
    const bad = shape.filterFaults ? " - <usize>(faultsReported - badBefore)" : "";
    if (shape.filtered) p.line(`${p.use("stats", "countFiltered")}(${vertex}, n - m${bad});`);
    p.line("if (m == 0) return;");
    p.line("let dense = m == n;");
    if (shape.faults) {
      p.block("if (run(batch, m, dense))", () => {
        p.line(`m = ${p.use("row-report", "dropFaults")}(${vertex}, batch, SEL, FAULTS, m, dense);`);
        p.line("if (m == 0) return;");
        p.line("dense = false;");
        p.line("run(batch, m, dense);");
      });
    } else p.line("run(batch, m, dense);");
    p.line("pass(batch, m, dense);");
    p.line("bind();");
    p.line(`${p.use("batch", "setBatchRows")}(OUT, m);`);
    p.line(`${p.use("row-report", "carryProvenance")}(batch, OUT, SEL, m, dense, POSITIONS);`);
    p.line(`${p.use("stats", "countRowsOut")}(${vertex}, m);`);
    p.line(`${emit}(OUT);`);
  });
}

/** `bind()` points OUT at the computed columns (text blocks move as they grow); `init()` reserves them. */
function emitInit(p: Printer, outputs: readonly Output[]): void {
  const computed = outputs.filter((o) => o.expression.kind !== "column");
  p.block("function bind(): void", () => {
    for (const { index, expression } of computed) {
      const bytes = isVariable(expression.type) ? `B${index}` : "0";
      p.line(`${p.use("batch", "setColumn")}(OUT, ${index}, V${index}, ${expression.nullable ? `N${index}` : "0"}, ${bytes});`);
    }
  });
  p.block("export function init(): void", () => {
    const reserve = p.use("memory", "reserve");
    p.line(`SEL = ${reserve}(8192 * 4 + 64);`);
    p.line(`FAULTS = ${reserve}(8192);`);
    p.line(`POSITIONS = ${reserve}(8192 * 8);`);
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${outputs.length});`);
    for (const { index, expression } of outputs) {
      p.line(`V${index} = ${reserve}(${valueBytes(expression.type)});`);
      if (expression.nullable) p.line(`N${index} = ${reserve}(8192 + 64);`);
      if (isVariable(expression.type)) p.line(`B${index} = ${p.use("memory", "allocateBlock")}(65536);`);
    }
  });
}

function valueBytes(type: ScalarType): number {
  return isVariable(type) ? 8193 * 4 + 64 : 8192 * columnWidth(type) + 64;
}
