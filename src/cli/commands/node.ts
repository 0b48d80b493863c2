/** `wadi node`: the daemon of a machine that offers slots to the node scheduler; and what an operator tells it: status, drain. */
import { cpus, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import type { Config, LoadedConfig } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { systemRandom } from "../../core/prng.ts";
import { NodeDaemon } from "../../node/daemon.ts";
import { DaemonClient } from "../../rpc/node-client.ts";
import { type ServerIdentity, wantsTls } from "../../rpc/tls.ts";
import { lockStateFolder } from "../../storage/state-lock.ts";
import { artifactCacheFolder } from "../compile.ts";
import { artifactUrl, checkToken, nodeClient, readText } from "../node-scheduler.ts";
import { EXIT, print } from "../output.ts";
import { processLauncher } from "../process-scheduler.ts";
import { type ProcessParts, runProcess } from "../service-process.ts";
import { configuredStateFolder, stateFolder } from "../state-folder.ts";
import { renderFields, renderTable } from "../text-table.ts";

/** Runs the daemon to its end; the exit code. */
export async function node(loaded: LoadedConfig): Promise<number> {
  const { config } = loaded;
  const folder = stateFolder(join(configuredStateFolder(config).path, "node"));
  const lock = lockStateFolder(folder.path);
  const launcher = processLauncher(config, folder);
  let daemon: NodeDaemon | undefined;
  const make = ({ logger, metrics, ready }: ProcessParts): NodeDaemon => {
    const host = config["node.bind-address"];
    const client = nodeClient(config);
    checkToken(client.token, "node.bind-address", host);
    return new NodeDaemon({
      folder: folder.path,
      launcher,
      machine: { name: config.hostname ?? hostname(), memoryBytes: totalmem(), processors: cpus().length },
      slots: config["node.task-slots"],
      bind: { host, port: config["node.rpc-port"] },
      advertisedHost: config.hostname ?? (host === "0.0.0.0" || host === "::" ? hostname() : host),
      identity: ownIdentity(config),
      endpoints: controllers(config),
      client,
      drainTimeoutMs: config["node.drain-timeout"],
      cacheFolder: artifactCacheFolder(config),
      artifactUrl: artifactUrl(config),
      clock: systemClock,
      random: systemRandom,
      logger,
      metrics,
      onListening: (port) => ready({ "node.rpc-port": port }),
    });
  };
  try {
    return await runProcess(
      {
        name: "node",
        status: () => ({ ok: daemon !== undefined, details: { ...daemon?.status } }),
        leave: async (signal) => daemon?.leave(signal),
        services: async (parts) => {
          daemon = make(parts);
          return [daemon];
        },
      },
      loaded,
    );
  } finally {
    launcher.close();
    lock.release();
  }
}

/** Which daemon is told, and how the answer is shown. */
export interface NodeTarget {
  /** "host:port"; undefined: the one that the settings describe. */
  readonly address: string | undefined;
  readonly json: boolean;
}

/** Shows what is on a node; the exit code. */
export async function nodeStatus({ address, json }: NodeTarget, { config }: LoadedConfig): Promise<number> {
  const daemon = new DaemonClient(address ?? ownAddress(config), nodeClient(config));
  try {
    const { nodeId, workers, freeSlots, draining, drainDeadlineMs, controller } = await daemon.list();
    const rows = workers.map(({ workerId, fence, slots, pid, stopping, exit }) => {
      const state = exit === undefined ? (stopping ? "stopping" : "running") : `ended: ${exit.reason}`;
      return { worker: workerId, job: fence?.jobId ?? "", run: String(fence?.fence ?? ""), slots, pid, state };
    });
    const state = draining ? `draining, ${Math.round(drainDeadlineMs / 1_000)} s left` : "ready";
    const fields = { node: nodeId, state, free_slots: freeSlots, controller: controller === "" ? "none answers" : controller };
    if (json) print(`${JSON.stringify({ ...fields, workers: rows })}\n`);
    else print(renderFields(fields));
    const cells = rows.map((row) => Object.values(row).map(String));
    if (!json && rows.length > 0) print(`\n${renderTable(["worker", "job", "run", "slots", "process", "state"], cells)}`);
    return EXIT.done;
  } finally {
    daemon.close();
  }
}

/** Empties a node, or takes that back; the exit code. */
export async function nodeDrain(
  { address, json, deadlineMs, cancel }: NodeTarget & { readonly deadlineMs: number | undefined; readonly cancel: boolean },
  { config }: LoadedConfig,
): Promise<number> {
  const daemon = new DaemonClient(address ?? ownAddress(config), nodeClient(config));
  try {
    const { workers } = await daemon.drain({ deadlineMs: deadlineMs ?? 0, cancel });
    const said = cancel ? "the node takes workers again" : `the node is being emptied: ${workers} worker${workers === 1 ? "" : "s"} left`;
    print(json ? `${JSON.stringify({ draining: !cancel, workers })}\n` : `${said}\n`);
    return EXIT.done;
  } finally {
    daemon.close();
  }
}

function ownAddress(config: Config): string {
  const host = config["node.bind-address"];
  return `${host === "0.0.0.0" ? "127.0.0.1" : host}:${config["node.rpc-port"]}`;
}

function controllers(config: Config): readonly string[] {
  return config["controller-endpoint"]
    .split(",")
    .map((url) =>
      url
        .trim()
        .replace(/^https?:\/\//, "")
        .replace(/\/$/, ""),
    )
    .filter((endpoint) => endpoint !== "");
}

/** What the daemon's port shows; undefined: plain text. */
function ownIdentity(config: Config): ServerIdentity | undefined {
  const host = config["node.bind-address"];
  if (!wantsTls(config["tls.mode"], host)) return undefined;
  const [certificate, key] = [config["tls.certificate"], config["tls.key"]];
  if (certificate === undefined || key === undefined) {
    throw userError("invalid-config", `node.bind-address is ${host}, which is beyond loopback, and the node has no certificate`, {
      hint: "Set tls.certificate and tls.key to files of a certificate that names the host, or tls.mode to off in a network that is yours alone.",
    });
  }
  return { certificate: readText("tls.certificate", certificate), privateKey: readText("tls.key", key) };
}
