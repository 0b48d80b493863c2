/** The node daemons of a cluster as the scheduler calls them: one connection for each address, made when it is needed. */
import { DaemonClient, type NodeClientOptions } from "../../rpc/node-client.ts";

/** See the file's comment. */
export class Daemons {
  readonly #options: NodeClientOptions;
  readonly #clients = new Map<string, DaemonClient>();

  constructor(options: NodeClientOptions) {
    this.#options = options;
  }

  /** The daemon at `address`. */
  at(address: string): DaemonClient {
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = new DaemonClient(address, this.#options);
      this.#clients.set(address, client);
    }
    return client;
  }

  /** Lets go of connections to addresses that are not in use. */
  keep(addresses: ReadonlySet<string>): void {
    for (const [address, client] of this.#clients) {
      if (addresses.has(address)) continue;
      client.close();
      this.#clients.delete(address);
    }
  }

  close(): void {
    this.keep(new Set());
  }
}
