/** Checks of the node scheduler: machines with the node daemon, as the controller wrote them down. */
import type { Config } from "../../core/config.ts";
import { openDatabase } from "../../db/connection.ts";
import { readNodes } from "../../db/nodes.ts";
import { databaseOptions } from "../database.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "./check.ts";

const LIMIT_MS = 5_000;
const NODES_MAX = 10_000;

/** The check; it needs those of the database. */
export function nodeChecks(config: Config): readonly Check[] {
  return [
    {
      id: "nodes",
      title: "nodes",
      limitMs: LIMIT_MS,
      needs: ["database", "database-schema"],
      ifSilent: "Look at the database's load.",
      run: () => checkNodes(config),
    },
  ];
}

async function checkNodes(config: Config): Promise<Finding> {
  if (config["database.type"] === "embedded") return skip("the embedded database is asked by wadi cluster alone: see its page Cluster");
  const db = openDatabase({ ...databaseOptions(config, "wadi doctor"), connections: 1, statementTimeoutMs: LIMIT_MS });
  try {
    const nodes = (await readNodes(db, NODES_MAX)).filter(({ scheduler }) => scheduler === "node");
    const ready = nodes.filter(({ state }) => state === "ready");
    if (nodes.length === 0)
      return fail(
        "no machine with the node daemon has registered",
        "Start `wadi node` on the machines, with controller-endpoint set to the controllers.",
      );
    if (ready.length === 0) return fail(`none of ${nodes.length} nodes is ready`, "Look at the daemons' logs, or end their drain.");
    const free = ready.reduce((sum, { freeSlots }) => sum + freeSlots, 0);
    if (free === 0)
      return warn(
        `${ready.length} nodes are ready, and none has a free slot`,
        "Start `wadi node` on more machines, or raise node.task-slots.",
      );
    return ok(`${ready.length} of ${nodes.length} ready, ${free} slots free`);
  } finally {
    void db.destroy().catch(() => undefined);
  }
}
