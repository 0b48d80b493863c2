/** x */
import type { ScalarType } from "../../data/data-type.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
export function isTextFunction(name: string): boolean {
  return name !== "";
}
export function emitText(_s: RowScope, _n: string, _t: ScalarType, v: readonly Value[]): Value {
  return v[0] as Value;
}
