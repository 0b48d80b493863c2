/** Waiting for a condition, with a deadline. */
import { AssertionError } from "chai";

const POLL_MS = 20;

/** What `probe` answers first that is not undefined. Fails with `what` after `limitMs` milliseconds; an error of `probe` ends the waiting. */
export async function eventually<T>(what: string, probe: () => T | undefined | Promise<T | undefined>, limitMs = 10_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new AssertionError(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
