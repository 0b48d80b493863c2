/**
 * Calls of user-defined functions: arguments into cells, the host's call, the result out of its cell (`runtime/udf.ts`). The function is not
 * called when a parameter that takes no NULL would get one.
 */
import { isVariable, type ScalarType } from "../../data/data-type.ts";
import { UDF_CELL } from "../../program/abi.ts";
import type { UdfExpression } from "../../program/expression.ts";
import { udfNumber } from "../../program/udf.ts";
import type { Printer } from "../printer.ts";
import { bothValid, type RowScope } from "../scope.ts";
import { localType, type Value } from "../value.ts";

/** Prints the call of `expression` on `values`, which are its arguments. */
export function emitUdf(scope: RowScope, expression: UdfExpression, values: readonly Value[]): Value {
  const { type, takesNull } = expression;
  const p = scope.printer;
  const text = isVariable(type);
  if (text) scope.scratch = true;
  const slot = scope.slot(type, true);
  const required = values.filter((_, i) => takesNull[i] !== true).map((v) => v.valid);
  const number = udfNumber(expression.definition);
  const call = (): void => {
    const frame = scope.bind("usize", `${p.use("udf", "udfFrame")}()`);
    for (const [i, value] of values.entries()) storeCell(p, frame, i, value);
    const outcome = scope.bind("i32", `${p.use("udf", text ? "callTextUdf" : "callUdf")}(${number}, ${values.length})`);
    p.block(`if (${outcome} == ${p.use("udf", "UDF_VALUE")})`, () => slot.assign(loadCell(type, frame, values.length)));
    p.block(`if (${outcome} == ${p.use("udf", "UDF_FAILURE")})`, () => p.line(scope.fault("UDF_FAILED")));
    p.block(`if (${outcome} == ${p.use("udf", "UDF_TOO_LARGE")})`, () => p.line(scope.fault("RESULT_TOO_LARGE")));
  };
  const valid = required.reduce(bothValid, "true");
  if (valid === "true") call();
  else p.block(`if (${valid})`, call);
  return expression.nullable ? slot.value : { ...slot.value, valid: "true" };
}

function storeCell(p: Printer, frame: string, index: number, value: Value): void {
  const at = index * UDF_CELL;
  if (isVariable(value.type)) {
    p.line(`store<u32>(${frame}, <u32>(${value.value}), ${at});`);
    p.line(`store<u32>(${frame}, <u32>(${value.length}), ${at + 8});`);
  } else if (value.type.kind === "float64") p.line(`store<f64>(${frame}, ${value.value}, ${at});`);
  else p.line(`store<i64>(${frame}, <i64>(${value.value}), ${at});`);
  p.line(`store<u32>(${frame}, <u32>(${value.valid}), ${at + 12});`);
}

function loadCell(type: ScalarType, frame: string, index: number): Value {
  const at = index * UDF_CELL;
  if (isVariable(type)) {
    return { type, valid: "true", value: `<usize>load<u32>(${frame}, ${at})`, length: `<usize>load<u32>(${frame}, ${at + 8})` };
  }
  if (type.kind === "float64") return { type, valid: "true", value: `load<f64>(${frame}, ${at})`, length: "" };
  if (type.kind === "boolean") return { type, valid: "true", value: `load<i64>(${frame}, ${at}) != 0`, length: "" };
  return { type, valid: "true", value: `<${localType(type)}>load<i64>(${frame}, ${at})`, length: "" };
}
