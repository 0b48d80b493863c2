/**
 * Amounts as Kubernetes writes them: "900m", "1.5", "512Mi", "1e3".
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
import { externalError } from "../../core/errors.ts";

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that `text` means, in units: processors, bytes; `undefined` if it is no quantity. */
export function readQuantity(text: string): number | undefined {
  const match = /^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = "", exponent, suffix = ""] = match;
  return Number(digits) * (exponent === undefined ? (SUFFIXES[suffix] ?? 1) : 10 ** Number(exponent));
}

/** As `readQuantity`, of the setting `name`: throws `invalid-config` if it is none. */
export function settingQuantity(name: string, text: string): number {
  const amount = readQuantity(text);
  if (amount !== undefined && amount > 0) return amount;
  throw externalError("invalid-config", `${name} must be an amount such as "900m" or "2Gi", not "${text}"`, { retry: "never" });
}

/** Thousandths of a processor as a quantity. */
export function cpuQuantity(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${Math.ceil(millis)}m`;
}

/** Bytes as a quantity: in Mi where that is exact. */
export function memoryQuantity(bytes: number): string {
  const whole = Math.ceil(bytes);
  return whole % 2 ** 20 === 0 ? `${whole / 2 ** 20}Mi` : String(whole);
}
