/** Floating-point functions that WebAssembly lacks. Transcendental ones are the host's `Math`, imported under "env". */

// @ts-ignore: decorator
@external("env", "exp")
export declare function exp(x: f64): f64;
// @ts-ignore: decorator
@external("env", "ln")
export declare function ln(x: f64): f64;
// @ts-ignore: decorator
@external("env", "log10")
export declare function log10(x: f64): f64;
// @ts-ignore: decorator
@external("env", "log2")
export declare function log2(x: f64): f64;
// @ts-ignore: decorator
@external("env", "pow")
export declare function pow(x: f64, y: f64): f64;

/** −1, 0 or 1: a total order in which NaN equals NaN and is greatest. */
export function compareFloat(a: f64, b: f64): i32 {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a == b) return 0;
  const aNan = a != a;
  const bNan = b != b;
  return <i32>aNan - <i32>bNan;
}

/** −1, 0 (never −0) or 1 by sign; NaN stays NaN. */
export function signum(x: f64): f64 {
  return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x;
}

/** The nearest integer, halves away from zero. Adding 0.5 first would lift the largest number below 0.5 to 1. */
function roundWhole(x: f64): f64 {
  const whole = f64.trunc(x);
  return abs<f64>(x - whole) >= 0.5 ? whole + copysign<f64>(1, x) : whole;
}

/**
 * `x` rounded to `digits` decimals (negative: tens, hundreds…), halves away from zero. As in DataFusion, digits beyond the range of f64
 * give NaN or an infinity.
 */
export function roundTo(x: f64, digits: i64): f64 {
  if (x - x != 0) return x;
  if (digits == 0) return roundWhole(x);
  const scale = pow(10, <f64>digits);
  return roundWhole(x * scale) / scale;
}

/** IEEE remainder with the sign of the dividend, as C's fmod: exact, by shifted subtraction. */
export function remainder(x: f64, y: f64): f64 {
  if (y == 0 || x - x != 0 || y != y) return NaN;
  if (y - y != 0) return x;
  let rest = abs<f64>(x);
  const divisor = abs<f64>(y);
  while (rest >= divisor) {
    let step = divisor;
    while (rest / 2 >= step) step *= 2;
    rest -= step;
  }
  return copysign<f64>(rest, x);
}
