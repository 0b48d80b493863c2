/**
 * How long a failover may take here and now. 3 s is the promise for a leader that is well; one whose machine is overloaded has asked for a longer
 * lease (controller/lease-pace.ts), and a test that shares its machine with others has to grant it.
 */
import { availableParallelism, loadavg } from "node:os";

const PROMISED_MS = 3_000;
/** The longest lease and what the promise allows besides the shortest. */
const OVERLOADED_MS = 9_000;
/** Processes that want to run for each processor, above which a machine is overloaded. */
const OVERLOAD = 2;

/** Milliseconds. */
export function failoverLimitMs(): number {
  return (loadavg()[0] ?? 0) > OVERLOAD * availableParallelism() ? OVERLOADED_MS : PROMISED_MS;
}
