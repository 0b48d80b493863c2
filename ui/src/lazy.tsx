/**
 * Components whose code is fetched when they are first shown, so that the first page does not wait for the editor.
 */
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Note } from "./components/note.tsx";

/** A component that stands empty until `load` has brought the real one. */
export function lazy<P extends object>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
  let loaded: FunctionComponent<P> | undefined;
  return function Lazy(props: P) {
    const [Loaded, setLoaded] = useState<FunctionComponent<P> | undefined>(() => loaded);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (loaded !== undefined) return;
      load().then(
        (component) => {
          loaded = component;
          setLoaded(() => component);
        },
        () => setFailed(true),
      );
    }, []);
    if (failed) return <Note tone="bad">A part of the page could not be loaded. Reload the page when the API answers again.</Note>;
    return Loaded === undefined ? <div class="lazy" /> : <Loaded {...props} />;
  };
}
