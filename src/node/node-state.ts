/**
 * What a node daemon keeps in its state directory over a restart: its id, the newest leader that it obeyed, and whether it is being emptied.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { externalError, toAppError } from "../core/errors.ts";
import { isId, makeId, type NodeId } from "../core/ids.ts";
import type { RandomSource } from "../core/prng.ts";

/** A drain that somebody asked for. */
export interface NodeDrain {
  /** Wall time at which workers that are still there are killed, milliseconds. */
  readonly byMs: number;
}

const schema = z.object({
  version: z.literal(1),
  nodeId: z.string(),
  leaderEpoch: z.string().transform(BigInt),
  drainByMs: z.number().optional(),
});

/** See the file's comment. Changes are written at once, atomically. */
export class NodeState {
  readonly #path: string;
  #id: NodeId;
  #leaderEpoch = 0n;
  #drain: NodeDrain | undefined;

  /** Of the daemon in `folder`, which is made if need be; a new one gets an id. Throws `io` if the file cannot be read. */
  constructor(folder: string, random: RandomSource) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#path = join(folder, "node.json");
    const found = this.#read();
    this.#id = found?.id ?? makeId("node", random);
    this.#leaderEpoch = found?.leaderEpoch ?? 0n;
    this.#drain = found?.drain;
    if (found === undefined) this.#write();
  }

  get id(): NodeId {
    return this.#id;
  }

  get drain(): NodeDrain | undefined {
    return this.#drain;
  }

  set drain(drain: NodeDrain | undefined) {
    this.#drain = drain;
    this.#write();
  }

  /** Throws `fenced` if a newer leader than that of `epoch` has been obeyed; otherwise it is the newest. */
  obey(epoch: bigint): void {
    if (epoch < this.#leaderEpoch) {
      throw externalError("fenced", `this node obeys leader ${this.#leaderEpoch}, leader ${epoch} is over`, { retry: "never" });
    }
    if (epoch === this.#leaderEpoch) return;
    this.#leaderEpoch = epoch;
    this.#write();
  }

  #read(): { readonly id: NodeId; readonly leaderEpoch: bigint; readonly drain: NodeDrain | undefined } | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch {
      return undefined;
    }
    try {
      const { nodeId, leaderEpoch, drainByMs } = schema.parse(JSON.parse(text));
      if (!isId("node", nodeId)) throw externalError("io", `"${nodeId}" is not the id of a node`, { retry: "never" });
      return { id: nodeId, leaderEpoch, drain: drainByMs === undefined ? undefined : { byMs: drainByMs } };
    } catch (error) {
      throw externalError("io", `the node's state "${this.#path}" cannot be read: ${toAppError(error).message}`, {
        retry: "never",
        hint: "Remove the file once no worker runs on this machine: the node gets another id.",
        cause: error,
      });
    }
  }

  #write(): void {
    const { byMs: drainByMs } = this.#drain ?? {};
    const text = JSON.stringify({ version: 1, nodeId: this.#id, leaderEpoch: String(this.#leaderEpoch), drainByMs });
    writeFileSync(`${this.#path}.new`, `${text}\n`, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }
}
