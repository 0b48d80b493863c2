/**
 * The browser's storage, which may be forbidden or full: reads then answer `undefined` and writes are lost, and nothing breaks.
 */

/** The text under `key`, of this tab if `session`, or `undefined`. */
export function readStored(key: string, session = false): string | undefined {
  try {
    return (session ? sessionStorage : localStorage).getItem(`wadi.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps `text` under `key`; `undefined` forgets it. */
export function writeStored(key: string, text: string | undefined, session = false): void {
  try {
    const storage = session ? sessionStorage : localStorage;
    if (text === undefined) storage.removeItem(`wadi.${key}`);
    else storage.setItem(`wadi.${key}`, text);
  } catch {
    // Forbidden or full: the page works without it.
  }
}
