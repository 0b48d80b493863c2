/** Routes of client nodes: list, read, eligibility, drain, purge, their allocations. */

import { checkId } from "./allocation-routes.ts";
import type { Cluster } from "./cluster.ts";
import { denied, type Exchange, HttpError } from "./exchange.ts";
import { isObject } from "./job-decoder.ts";
import type { ClientNode } from "./node-records.ts";
import type { Nodes } from "./nodes.ts";
import { nodeStub, wireAllocation, wireNode } from "./wire.ts";

/** Routes of client nodes. */
export class NodeRoutes {
  readonly #cluster: Cluster;
  readonly #nodes: Nodes;

  constructor(cluster: Cluster, nodes: Nodes) {
    this.#cluster = cluster;
    this.#nodes = nodes;
  }

  /** GET /v1/nodes. */
  readonly list = async (exchange: Exchange): Promise<void> => {
    if (!exchange.caller.coarse("node", "read")) throw denied();
    const { state } = this.#cluster;
    const [prefix, resources, os] = [exchange.query("prefix"), exchange.flag("resources"), exchange.flag("os")];
    await exchange.blocking(["nodes"], () => {
      const found = [...state.nodes.values()].filter(({ ID }) => ID.startsWith(prefix));
      return { index: state.tableIndex("nodes"), body: found.map((node) => nodeStub(node, resources, os)) };
    });
  };

  #find(exchange: Exchange): ClientNode {
    const id = exchange.part(0);
    checkId(id, "node");
    const node = this.#cluster.state.nodes.get(id);
    if (node === undefined) throw new HttpError(404, "node not found");
    return node;
  }

  /** GET /v1/node/:id. */
  readonly read = async (exchange: Exchange): Promise<void> => {
    if (!exchange.caller.coarse("node", "read")) throw denied();
    const id = exchange.part(0);
    checkId(id, "node");
    await exchange.blocking(
      ["nodes"],
      () => {
        const node = this.#cluster.state.nodes.get(id);
        return node === undefined ? undefined : { index: node.ModifyIndex, body: wireNode(node, this.#cluster.httpAddress()) };
      },
      "node not found",
    );
  };

  /** GET /v1/node/:id/allocations. */
  readonly allocations = async (exchange: Exchange): Promise<void> => {
    if (!exchange.caller.coarse("node", "read")) throw denied();
    const id = exchange.part(0);
    const { state } = this.#cluster;
    await exchange.blocking(["allocs"], () => {
      const found = state.allocationsOfNode(id).filter(({ Namespace }) => exchange.caller.may(Namespace, "read-job"));
      return { index: state.tableIndex("allocs"), body: found.map((one) => wireAllocation(one)) };
    });
  };

  /** POST /v1/node/:id/{drain,eligibility,purge}. */
  readonly change = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    if (!exchange.caller.coarse("node", "write")) throw denied();
    const node = this.#find(exchange);
    const { state } = this.#cluster;
    const body = exchange.part(1) === "purge" ? {} : await exchange.json();
    switch (exchange.part(1)) {
      case "eligibility": {
        const wanted = body["Eligibility"];
        if (wanted !== "eligible" && wanted !== "ineligible")
          throw new HttpError(500, `invalid scheduling eligibility "${String(wanted)}"`);
        if (node.Drain && wanted === "eligible")
          throw new HttpError(500, "can not set node's scheduling eligibility to eligible while it is draining");
        this.#nodes.eligibility(node.ID, wanted === "eligible");
        break;
      }
      case "drain":
        this.#drain(node, body);
        break;
      case "purge":
        state.commit("NodeDeregistration", (write) => write.removeNode(node));
        break;
      default:
        throw new HttpError(404, "Invalid URL");
    }
    exchange.send({ EvalCreateIndex: 0, EvalIDs: null, Index: state.index, NodeModifyIndex: state.index }, state.index);
  };

  #drain(node: ClientNode, body: Readonly<Record<string, unknown>>): void {
    const spec = body["DrainSpec"];
    if (!isObject(spec)) {
      this.#nodes.cancelDrain(node.ID, body["MarkEligible"] === true);
      return;
    }
    const deadline = typeof spec["Deadline"] === "number" ? spec["Deadline"] : 0;
    this.#nodes.drain(node.ID, deadline === 0 ? undefined : deadline / 1e6, spec["IgnoreSystemJobs"] === true);
  }
}
