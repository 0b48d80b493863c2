/** What all generators share: their buffers, and the end of `generate`. */

import { isVariable } from "../../data/data-type.ts";
import type { Column } from "../../data/schema.ts";
import type { SourceOperator } from "../../program/operator.ts";
import type { Printer } from "../printer.ts";

/** Nanoseconds of event time between two events. */
export function eventIntervalNs(operator: SourceOperator): bigint {
  const micros = operator.options["event_time_interval"];
  if (micros !== undefined) return BigInt(Math.round(Number(micros))) * 1000n;
  return BigInt(Math.max(1, Math.round(1e9 / Number(operator.options["event_rate"]))));
}

/** OUT, TIME and per column V (values), N (validity) and B (bytes), with `init`. */
export function emitGeneratorBuffers(p: Printer, columns: readonly Column[], textArea: number): void {
  p.declare("let OUT: usize = 0;\nlet TIME: usize = 0;");
  columns.forEach((_, c) => {
    p.declare(`let V${c}: usize = 0;\nlet N${c}: usize = 0;\nlet B${c}: usize = 0;`);
  });
  p.block("export function init(): void", () => {
    const reserve = p.use("memory", "reserve");
    p.line(`OUT = ${p.use("batch", "makeBatch")}(${columns.length + 1});\nTIME = ${reserve}(65536 + 64);`);
    columns.forEach((column, c) => {
      p.line(`V${c} = ${reserve}(65536 + 64);\nN${c} = ${reserve}(8192 + 64);`);
      if (isVariable(column.type)) p.line(`B${c} = ${reserve}(${textArea});`);
      p.line(`${p.use("batch", "setColumn")}(OUT, ${c}, V${c}, ${column.nullable ? `N${c}` : "0"}, B${c});`);
    });
    p.line(`${p.use("batch", "setColumn")}(OUT, ${columns.length}, TIME, 0, 0);`);
  });
}

/** Counts and emits OUT; the watermark is a second behind the last event, as for every table by default. */
export function emitGeneratorEnd(p: Printer, vertex: number): void {
  const last = "load<i64>(TIME + (<usize>(count - 1) << 3)) - 1000000000";
  p.line(`${p.use("row-errors", "clearProvenance")}();`);
  p.line(`${p.use("batch", "setBatchRows")}(OUT, <usize>count);`);
  p.line(`${p.use("stats", "countRowsIn")}(${vertex}, <usize>count);\n${p.use("stats", "countRowsOut")}(${vertex}, <usize>count);`);
  p.line(`${p.use("scan-result", "setScanResult")}(0, <usize>count, count == 0 ? i64.MIN_VALUE : ${last});`);
  p.line(`if (count > 0) ${p.import(`./e${vertex}.ts`, "emit")}(OUT);\nreturn 0;`);
}
