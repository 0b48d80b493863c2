/** Counts rows and forgets them: for measuring. */
import type { Sink } from "../connector.ts";

/** A sink that keeps nothing. */
export function makeBlackholeSink(): Sink {
  return {
    open: async () => {},
    write: async () => {},
    stage: async () => undefined,
    commit: async () => {},
    close: async () => {},
  };
}
