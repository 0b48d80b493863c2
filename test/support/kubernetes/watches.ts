/** Watches: what has changed since a version, then what changes, as lines of JSON, with bookmarks, and 410 where the changes are compacted away. */
import type { ServerResponse } from "node:http";
import type { KubeObject, Resource } from "./objects.ts";
import { expired } from "./status.ts";
import type { Change, ObjectStore } from "./store.ts";

export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly selects: (object: KubeObject) => boolean;
  /** "": from now, with all there is as added. */
  readonly resourceVersion: string;
  readonly bookmarks: boolean;
  readonly timeoutSeconds: number;
}

export class Watches {
  readonly #store: ObjectStore;
  readonly #open = new Set<() => void>();
  /** Milliseconds between two bookmarks; a real API server sends one about every minute. */
  bookmarkMs = 1_000;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Ends all watches, as a restart of the API server does. */
  drop(): void {
    for (const end of [...this.#open]) end();
  }

  serve(response: ServerResponse, request: WatchRequest): void {
    const { resource, resourceVersion, bookmarks } = request;
    response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
    const write = (type: string, object: object): void => void response.write(`${JSON.stringify({ type, object })}\n`);
    const known = resourceVersion === "" || resourceVersion === "0" ? [] : this.#store.since(Number(resourceVersion));
    if (known === undefined) {
      write("ERROR", expired(Number(resourceVersion), this.#store.version).status);
      response.end();
      return;
    }
    if (resourceVersion === "" || resourceVersion === "0")
      for (const object of this.#store.list(resource.plural, request.namespace)) if (request.selects(object)) write("ADDED", object);
    for (const change of known) tell(change, request, write);
    response.flushHeaders();
    const unsubscribe = this.#store.subscribe((change) => tell(change, request, write));
    const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
    const bookmark = setInterval(() => {
      if (bookmarks)
        write("BOOKMARK", {
          kind: resource.kind,
          apiVersion,
          metadata: { resourceVersion: String(this.#store.version), creationTimestamp: null },
        });
    }, this.bookmarkMs);
    const timeout = setTimeout(() => response.end(), request.timeoutSeconds * 1000);
    const end = (): void => void response.destroy();
    this.#open.add(end);
    response.once("close", () => {
      unsubscribe();
      clearInterval(bookmark);
      clearTimeout(timeout);
      this.#open.delete(end);
    });
  }
}

/** An object that a change makes fit the selector is added, one that it makes not fit is deleted. */
function tell({ type, plural, object, before }: Change, request: WatchRequest, write: (type: string, object: object) => void): void {
  if (plural !== request.resource.plural || (request.namespace !== undefined && object.metadata.namespace !== request.namespace)) return;
  const [was, is] = [before !== undefined && request.selects(before), type !== "DELETED" && request.selects(object)];
  if (was && !is) write("DELETED", object);
  else if (is) write(was ? "MODIFIED" : "ADDED", object);
}
