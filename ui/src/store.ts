/**
 * A value that components share and re-render on: session, theme, connectivity, route. No selectors, no middleware.
 */
import { useEffect, useState } from "preact/hooks";

/** A value with listeners. */
export interface Store<T> {
  get(): T;
  /** Tells listeners only if the value is another one. */
  set(value: T): void;
  /** Calls `listener` after every change; the result unsubscribes. */
  subscribe(listener: () => void): () => void;
}

/** A store that holds `initial`. */
export function createStore<T>(initial: T): Store<T> {
  const listeners = new Set<() => void>();
  let current = initial;
  return {
    get: () => current,
    set: (value) => {
      if (Object.is(value, current)) return;
      current = value;
      for (const listener of [...listeners]) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The store's value; the component renders again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(() => store.get());
  useEffect(() => {
    const update = () => setValue(() => store.get());
    update();
    return store.subscribe(update);
  }, [store]);
  return value;
}
