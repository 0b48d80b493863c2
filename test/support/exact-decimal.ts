/**
 * Exact decimals of binary floats and exact rounding of decimals to f32, by big integers: the oracle where JavaScript has
 * no function of its own (`Math.fround(Number(x))` rounds twice).
 */

/** A decimal text as digits · 10^exponent. */
function parseDecimal(text: string): { digits: bigint; exponent: bigint } {
  const match = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return { digits: 0n, exponent: 0n };
  const fraction = match[2] ?? "";
  return { digits: BigInt(`${match[1]}${fraction}`), exponent: BigInt(match[3] ?? "0") - BigInt(fraction.length) };
}

/** The sign of the decimal `text` (its magnitude) minus significand · 2^exponent. */
function compareMagnitude(text: string, significand: bigint, exponent: number): number {
  const { digits, exponent: power } = parseDecimal(text);
  let left = digits;
  let right = significand;
  if (power >= 0n) left *= 10n ** power;
  else right *= 10n ** -power;
  if (exponent >= 0) right <<= BigInt(exponent);
  else left <<= BigInt(-exponent);
  return left === right ? 0 : left > right ? 1 : -1;
}

const word = new DataView(new ArrayBuffer(4));

function f32FromBits(bits: number): number {
  word.setUint32(0, bits);
  return word.getFloat32(0);
}

/** The sign of the decimal minus the middle between the positive f32 with these bits and the next one. */
function compareToMiddle(text: string, bits: number): number {
  const biased = bits >>> 23;
  const fraction = bits & 0x7fffff;
  const significand = biased === 0 ? fraction : fraction | 0x800000;
  return compareMagnitude(text, BigInt(significand) * 2n + 1n, Math.max(biased, 1) - 151);
}

/** The f32 nearest to the decimal `text`, ties to even. */
export function nearestF32(text: string): number {
  const guess = Math.abs(Math.fround(Number(text)));
  word.setFloat32(0, guess);
  let bits = Math.min(word.getUint32(0), 0x7f7fffff);
  while (bits > 0 && compareToMiddle(text, bits - 1) < 0) bits--;
  if (bits > 0 && compareToMiddle(text, bits - 1) === 0 && (bits & 1) === 1) bits--;
  while (bits < 0x7f800000) {
    const above = compareToMiddle(text, bits);
    if (above < 0 || (above === 0 && (bits & 1) === 0)) break;
    bits++;
  }
  const value = f32FromBits(bits);
  return text.startsWith("-") ? -value : value;
}

/** The exact decimal digits of significand · 2^exponent, without an exponent. */
export function exactText(significand: bigint, exponent: number): string {
  if (exponent >= 0) return (significand << BigInt(exponent)).toString();
  const places = -exponent;
  const digits = (significand * 5n ** BigInt(places)).toString().padStart(places + 1, "0");
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
