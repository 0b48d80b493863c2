/** ES2024's non-blocking wait, which Node 20 has and TypeScript's ES2023 library does not declare. */
interface Atomics {
  /** Resolves when `index` is notified; at once (`async: false`) if the value there is not `value`. */
  waitAsync(
    array: Int32Array,
    index: number,
    value: number,
    timeoutMs?: number,
  ):
    | { readonly async: false; readonly value: "not-equal" | "timed-out" }
    | { readonly async: true; readonly value: Promise<"ok" | "timed-out"> };
}
