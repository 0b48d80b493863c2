/** Routes of variables: read, write and delete with compare-and-set, list; the servers' limits of path and size. */
import type { Cluster } from "./cluster.ts";
import { denied, type Exchange, HttpError } from "./exchange.ts";
import { isObject } from "./job-decoder.ts";
import type { Variable } from "./records.ts";
import { jobKey } from "./state.ts";

const PATH = /^[a-zA-Z0-9-_~/]{1,128}$/;
/** Sum of names and values, in bytes. */
const MAX_BYTES = 65_536;

function listed({ Items: _items, ...rest }: Variable): Readonly<Record<string, unknown>> {
  return rest;
}

/** Routes of variables. */
export class VariableRoutes {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** GET /v1/vars. */
  readonly list = async (exchange: Exchange): Promise<void> => {
    const { state } = this.#cluster;
    const prefix = exchange.query("prefix");
    await exchange.blocking(["variables"], () => {
      const found = [...state.variables.values()].filter((one) => {
        const inside = exchange.namespace === "*" || one.Namespace === exchange.namespace;
        return inside && one.Path.startsWith(prefix) && exchange.caller.variable(one.Namespace, one.Path, "list");
      });
      return { index: Math.max(1, state.tableIndex("variables")), body: found.sort((a, b) => (a.Path < b.Path ? -1 : 1)).map(listed) };
    });
  };

  /** GET /v1/var/:path. */
  readonly read = async (exchange: Exchange): Promise<void> => {
    const path = exchange.part(0);
    if (!exchange.caller.variable(exchange.namespace, path, "read")) throw denied();
    const { state } = this.#cluster;
    await exchange.blocking(
      ["variables"],
      () => {
        const found = state.variables.get(jobKey(exchange.namespace, path));
        return found === undefined ? undefined : { index: found.ModifyIndex, body: found };
      },
      "variable not found",
    );
  };

  /** The index of `cas`; undefined: unconditional. */
  #compare(exchange: Exchange): number | undefined {
    const text = exchange.query("cas");
    if (text === "") return undefined;
    if (!/^\d+$/.test(text)) throw new HttpError(400, `can not parse cas: strconv.ParseUint: parsing "${text}": invalid syntax`);
    return Number(text);
  }

  #conflict(exchange: Exchange, path: string, namespace: string, old: Variable | undefined): void {
    const visible = exchange.caller.variable(namespace, path, "read");
    const absent = { CreateIndex: 0, CreateTime: 0, Items: null, ModifyIndex: 0, ModifyTime: 0, Namespace: namespace, Path: path };
    const shown = old === undefined ? absent : visible ? old : { ...old, Items: null };
    // The servers forget the content type of this one answer.
    exchange.text(409, JSON.stringify(shown), { "X-Nomad-Index": String(this.#cluster.state.tableIndex("variables")) });
  }

  /** PUT /v1/var/:path. */
  readonly write = async (exchange: Exchange): Promise<void> => {
    const path = exchange.part(0);
    const body = await exchange.json();
    exchange.needLeader();
    const given = body["Namespace"];
    const namespace = typeof given === "string" && given !== "" ? given : exchange.namespace;
    if (exchange.query("namespace") !== "" && namespace !== exchange.namespace) throw new HttpError(400, "mismatched request namespace");
    if (!exchange.caller.variable(namespace, path, "write")) throw denied();
    if (!this.#cluster.state.namespaces.has(namespace))
      throw new HttpError(500, `variable "${path}" is in nonexistent namespace "${namespace}"`);
    if (!PATH.test(path)) throw new HttpError(400, `RPC Error:: 400,invalid path "${path}"`);
    if (path.startsWith("nomad/") && !path.startsWith("nomad/jobs") && !path.startsWith("nomad/job-templates")) {
      throw new HttpError(
        400,
        'RPC Error:: 400,only paths at "nomad/jobs" or "nomad/job-templates" and below are valid paths under the top-level "nomad" directory',
      );
    }
    const items = this.#items(body["Items"]);
    const old = this.#cluster.state.variables.get(jobKey(namespace, path));
    const compare = this.#compare(exchange);
    if (compare !== undefined && compare !== (old?.ModifyIndex ?? 0)) {
      this.#conflict(exchange, path, namespace, old);
      return;
    }
    const written = this.#cluster.state.commit("VarApplyStateRequest", (write) => write.variable(namespace, path, items));
    exchange.send(written, written.ModifyIndex);
  };

  #items(value: unknown): Readonly<Record<string, string>> {
    if (!isObject(value) || Object.keys(value).length === 0) throw new HttpError(400, "variable missing required Items object");
    const items: Record<string, string> = {};
    let size = 0;
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== "string")
        throw new HttpError(400, "json: cannot unmarshal non-string into Go struct field VariableItems of type string");
      items[key] = text;
      size += Buffer.byteLength(key) + Buffer.byteLength(text);
    }
    if (size > MAX_BYTES) throw new HttpError(400, "RPC Error:: 400,variables are limited to 64KiB in total size");
    return items;
  }

  /** DELETE /v1/var/:path. */
  readonly remove = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    const path = exchange.part(0);
    if (!exchange.caller.variable(exchange.namespace, path, "destroy")) throw denied();
    const { state } = this.#cluster;
    const old = state.variables.get(jobKey(exchange.namespace, path));
    const compare = this.#compare(exchange);
    if (compare !== undefined && compare !== (old?.ModifyIndex ?? 0)) {
      this.#conflict(exchange, path, exchange.namespace, old);
      return;
    }
    state.commit("VarApplyStateRequest", (write) => write.removeVariable(exchange.namespace, path));
    exchange.response.writeHead(204, { "X-Nomad-Index": String(state.index) });
    exchange.response.end();
  };
}
