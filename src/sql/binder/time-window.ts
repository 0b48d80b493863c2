/**
 * `tumble(width)` and `hop(slide, width)`: the calls that make a GROUP BY windowed. Their arguments are INTERVAL literals or strings.
 */
import { intervalToNs, parseInterval } from "../../core/duration.ts";
import type { CallExpr, Expr } from "../ast.ts";
import type { TimeWindow } from "../streaming.ts";
import { type Environment, fail } from "./environment.ts";
import { bindExpression } from "./expression.ts";
import { intervalOf } from "./literal.ts";

/** The window that a call means, or `undefined` after reporting. `hop` with equal slide and width is `tumble`. */
export function bindTimeWindow(env: Environment, call: CallExpr): TimeWindow | undefined {
  const name = (call.name.parts[0]?.text ?? "").toLowerCase();
  if (name === "session") {
    fail(env, "unsupported-syntax", call.span, "session windows are not supported yet", {
      hint: "Use tumble(width) or hop(slide, width).",
    });
    return undefined;
  }
  const wanted = name === "tumble" ? 1 : 2;
  if (call.args.length !== wanted) {
    const signature = name === "tumble" ? "tumble(width)" : "hop(slide, width)";
    fail(env, "invalid-window", call.span, `${signature} takes ${wanted} argument${wanted === 1 ? "" : "s"}, not ${call.args.length}`);
    return undefined;
  }
  const sizes = call.args.map((a) => windowSize(env, name, a.value));
  const [first, second] = sizes;
  if (first === undefined || sizes.includes(undefined)) return undefined;
  if (second === undefined || second === first) return { kind: "tumble", widthNs: first };
  if (second < first) {
    fail(env, "invalid-window", call.span, "the width of a hop must not be smaller than its slide", {
      hint: "Arguments are hop(slide, width).",
    });
    return undefined;
  }
  return { kind: "hop", slideNs: first, widthNs: second };
}

function windowSize(env: Environment, name: string, expr: Expr): bigint | undefined {
  const interval =
    expr.kind === "string" ? parseInterval(expr.value) : intervalOf(bindExpression({ ...env, clause: "a window size" }, expr));
  if (interval === undefined) {
    fail(env, "invalid-window", expr.span, `an argument of ${name} must be an INTERVAL literal`, {
      hint: "Write for example INTERVAL '10 seconds'.",
    });
    return undefined;
  }
  const ns = intervalToNs(interval);
  if (ns === undefined) {
    fail(env, "invalid-window", expr.span, "a window size must not have months or years, whose length varies");
    return undefined;
  }
  if (ns <= 0n) {
    fail(env, "invalid-window", expr.span, "a window size must be positive");
    return undefined;
  }
  return ns;
}
