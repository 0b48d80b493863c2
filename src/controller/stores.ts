/** Object stores of checkpoints and artifacts, opened once per URL for the time of a term. */
import type { Config } from "../core/config.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { openObjectStore } from "../storage/open.ts";

/** See the file's comment. */
export class Stores {
  readonly #open = new Map<string, Promise<ObjectStore>>();
  readonly #settings: Config;

  constructor(settings: Config) {
    this.#settings = settings;
  }

  /** URL of the store of a pipeline's checkpoints; `own`: the pipeline's, if it has one. */
  stateUrl(own: string | undefined): string {
    return own ?? this.#settings["checkpoint-url"];
  }

  /** URL of the store of compiled modules. */
  get artifactUrl(): string {
    return this.#settings["compiler.artifact-url"] ?? this.#settings["checkpoint-url"];
  }

  /** The store at `url`. Throws `invalid-config` for a URL it cannot read. */
  async open(url: string): Promise<ObjectStore> {
    let store = this.#open.get(url);
    if (store === undefined) {
      store = openObjectStore(url);
      this.#open.set(url, store);
      // A URL that failed is tried anew: the failure may have been a missing credential.
      store.catch(() => this.#open.delete(url));
    }
    return store;
  }

  /** Closes all. */
  async close(): Promise<void> {
    const stores = [...this.#open.values()];
    this.#open.clear();
    for (const store of stores) {
      const opened = await store.catch(() => undefined);
      await opened?.close();
    }
  }
}
