/** Workers on machines with the node daemon: the node scheduler of a controller, its memory in the database, and how both ends trust each other. */
import { readFileSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { externalError, toAppError, userError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import type { Database } from "../db/connection.ts";
import { deleteSchedulerRecords, readSchedulerRecords, writeSchedulerRecord } from "../db/scheduler-records.ts";
import type { NodeClientOptions } from "../rpc/node-client.ts";
import { type NodeRegistryHandler, nodeRegistryService, type RpcService } from "../rpc/node-server.ts";
import { isLoopback, wantsTls } from "../rpc/tls.ts";
import type { RecordStore } from "../scheduler/node/records.ts";
import { NodeScheduler } from "../scheduler/node/scheduler.ts";
import { release } from "./release.ts";
import { TermScheduler } from "./term-scheduler.ts";

/** What the node scheduler takes from its controller. */
export interface ControllerParts {
  readonly db: Database;
  /** Fencing epoch of the leader lease; 0 while this controller does not lead. */
  readonly leaderEpoch: () => bigint;
}

/** A worker ends itself at the latest so long after a controller renewed its lease last: what src/controller/run-messages.ts gives it. */
const WORKER_LEASE_MS = 12_000;
const RECORDS = "node";

/** The scheduler of nodes, which also serves their registry. */
export class NodeTermScheduler extends TermScheduler<NodeScheduler> {
  /** For the controller's RPC port. */
  readonly services: readonly RpcService[];

  /** Throws `invalid-config` where the controller listens beyond loopback and nodes need no token. */
  constructor(config: Config, logger: Logger, parts: ControllerParts) {
    const client = nodeClient(config);
    checkToken(client.token, "controller.bind-address", config["controller.bind-address"]);
    super("node", () => {
      const leaderEpoch = parts.leaderEpoch();
      const scheduler = new NodeScheduler({
        store: databaseStore(parts.db, leaderEpoch),
        client,
        leaderEpoch,
        leaseMs: config["node.lease"],
        workerLeaseMs: WORKER_LEASE_MS,
        artifactUrl: artifactUrl(config),
        clock: systemClock,
        random: systemRandom,
        logger,
      });
      return { scheduler, close: () => undefined };
    });
    const leading = (): NodeScheduler => {
      if (this.current !== undefined) return this.current;
      throw externalError("connection-lost", "this controller does not lead");
    };
    const handler: NodeRegistryHandler = {
      register: (request) => leading().register(request),
      heartbeat: (request) => leading().heartbeat(request),
    };
    this.services = [nodeRegistryService(handler, { token: client.token, release: client.release, logger })];
  }
}

/** URL of the store of compiled modules. */
export function artifactUrl(config: Config): string {
  return config["compiler.artifact-url"] ?? config["checkpoint-url"];
}

/** How node daemons and controllers call each other. Throws `invalid-config` if the token's file cannot be read. */
export function nodeClient(config: Config): NodeClientOptions {
  const ca = config["tls.ca"];
  const pem = ca === undefined ? "" : readText("tls.ca", ca);
  return { token: nodeToken(config), release: release(), clock: systemClock, authority: (endpoint) => authorityOf(config, pem, endpoint) };
}

function authorityOf(config: Config, pem: string, endpoint: string): string {
  const host = endpoint.replace(/:\d+$/, "");
  if (!wantsTls(config["tls.mode"], host)) return "";
  if (pem !== "") return pem;
  throw userError("invalid-config", `"${endpoint}" is beyond loopback and nobody is known who signs its certificate`, {
    hint: "Set tls.ca to the file of that authority, or tls.mode to off in a network that is yours alone.",
  });
}

function nodeToken(config: Config): string {
  const path = config["node.token-file"];
  return path === undefined ? (config["node.token"] ?? "") : readText("node.token-file", path).trim();
}

/** Throws `invalid-config` where somebody else could tell this process what to do: it listens beyond loopback and asks for no token. */
export function checkToken(token: string, setting: string, host: string): void {
  if (token !== "" || isLoopback(host)) return;
  throw userError("invalid-config", `${setting} is ${host}, which is beyond loopback, and there is no node token`, {
    hint: "Set node.token-file to a file with the same long random text on controllers and nodes.",
  });
}

/** The text of the file that `setting` names. Throws `invalid-config` if it cannot be read. */
export function readText(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw userError("invalid-config", `${setting}: ${toAppError(error).message}`, { cause: error });
  }
}

function databaseStore(db: Database, leaderEpoch: bigint): RecordStore {
  return {
    read: () => readSchedulerRecords(db, RECORDS),
    write: (key, record) => writeSchedulerRecord(db, RECORDS, leaderEpoch, { key, record }),
    remove: (keys) => deleteSchedulerRecords(db, RECORDS, leaderEpoch, keys),
  };
}
