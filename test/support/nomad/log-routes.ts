/**
 * `GET /v1/client/fs/logs/:alloc`: output of a task as frames, which are JSON objects with nothing between them, or plain. A frame's `Offset` is the
 * position in its file after its data. With `follow`, an empty frame every second says that the connection lives.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { AllocationRoutes } from "./allocation-routes.ts";
import { checkId } from "./allocation-routes.ts";
import { type Cluster, goTime } from "./cluster.ts";
import { denied, type Exchange, HttpError } from "./exchange.ts";
import type { Allocation } from "./records.ts";
import { logFiles, readPiece } from "./task-logs.ts";

const FRAME_BYTES = 64 * 1024;
const BATCH_MS = 200;
const HEARTBEAT_MS = 1000;

/** Where a reader is: a file and a position in it. */
interface Position {
  index: number;
  offset: number;
}

/** Routes of a client's files. */
export class LogRoutes {
  readonly #cluster: Cluster;
  readonly #allocations: AllocationRoutes;

  constructor(cluster: Cluster, allocations: AllocationRoutes) {
    this.#cluster = cluster;
    this.#allocations = allocations;
  }

  #folder(exchange: Exchange, what: "read-logs" | "read-fs"): { allocation: Allocation; folder: string } {
    const id = exchange.part(0);
    if (id === "") throw new HttpError(400, "must provide a valid alloc id");
    checkId(id, "alloc");
    const allocation = this.#cluster.state.allocations.get(id);
    if (allocation === undefined) throw new HttpError(404, `Unknown allocation "${id}"`);
    const may = exchange.caller.may(allocation.Namespace, what) || exchange.caller.may(allocation.Namespace, "read-fs");
    if (!may) throw denied();
    return { allocation, folder: join(this.#allocations.agentOf(allocation).folder, id, "alloc", "logs") };
  }

  /** GET /v1/client/fs/logs/:alloc. */
  readonly logs = async (exchange: Exchange): Promise<void> => {
    const { allocation, folder } = this.#folder(exchange, "read-logs");
    const [task, stream, origin] = [exchange.query("task"), exchange.query("type"), exchange.query("origin") || "start"];
    if (task === "") throw new HttpError(400, "must provide task name");
    if (stream !== "stdout" && stream !== "stderr") throw new HttpError(400, "must provide log type (stdout/stderr)");
    if (origin !== "start" && origin !== "end") throw new HttpError(400, "invalid origin parameter. Must be start or end");
    const group = allocation.Job.TaskGroups?.find(({ Name }) => Name === allocation.TaskGroup);
    const spec = group?.Tasks.find(({ Name }) => Name === task);
    if (spec === undefined) throw new HttpError(400, `unknown task name "${task}"`);
    if (spec.LogConfig.Disabled) throw new HttpError(404, "logs are disabled");
    if ((allocation.TaskStates?.[task]?.StartedAt ?? null) === null)
      throw new HttpError(404, `task "${task}" not started yet. No logs available`);
    const offset = Number(exchange.query("offset") || "0");
    const plain = exchange.flag("plain");
    exchange.response.writeHead(200, { "Content-Type": plain ? "text/plain" : "application/json", Vary: "Origin" });
    const position = startOf(folder, task, stream, origin, offset);
    await this.#send(exchange, { folder, task, stream, plain, follow: exchange.flag("follow"), allocation: allocation.ID }, position);
  };

  async #send(
    exchange: Exchange,
    reader: { folder: string; task: string; stream: string; plain: boolean; follow: boolean; allocation: string },
    position: Position,
  ): Promise<void> {
    let quietMs = 0;
    const gone = () => exchange.response.destroyed || exchange.response.writableEnded;
    while (!gone()) {
      const sent = this.#available(exchange, reader, position);
      if (sent > 0) quietMs = 0;
      if (!reader.follow) break;
      if (sent === 0 && this.#over(reader.allocation)) break;
      await new Promise((resolve) => setTimeout(resolve, BATCH_MS));
      quietMs += BATCH_MS;
      if (quietMs >= HEARTBEAT_MS && !reader.plain) {
        quietMs = 0;
        if (!gone()) exchange.response.write("{}");
      }
    }
    if (!gone()) exchange.response.end();
  }

  #over(id: string): boolean {
    const status = this.#cluster.state.allocations.get(id)?.ClientStatus;
    return status === undefined || ["complete", "failed", "lost"].includes(status);
  }

  #available(exchange: Exchange, reader: { folder: string; task: string; stream: string; plain: boolean }, position: Position): number {
    let sent = 0;
    for (const file of logFiles(reader.folder, reader.task, reader.stream)) {
      if (file.index < position.index) continue;
      if (file.index > position.index) {
        position.index = file.index;
        position.offset = 0;
      }
      while (position.offset < file.size) {
        const data = readPiece(join(reader.folder, file.name), position.offset, Math.min(FRAME_BYTES, file.size - position.offset));
        if (data.length === 0) break;
        position.offset += data.length;
        sent += data.length;
        const frame = { Data: data.toString("base64"), File: `alloc/logs/${file.name}`, Offset: position.offset };
        exchange.response.write(reader.plain ? data : JSON.stringify(frame));
      }
    }
    return sent;
  }

  /** GET /v1/client/fs/{ls,stat,cat}/:alloc. */
  readonly files = async (exchange: Exchange): Promise<void> => {
    const [what] = exchange.parameters;
    exchange.parameters = exchange.parameters.slice(1);
    const { folder } = this.#folder(exchange, "read-fs");
    const root = join(folder, "..", "..");
    const path = join(root, join("/", exchange.query("path")));
    if (!existsSync(path)) throw new HttpError(404, `stat ${path}: no such file or directory`);
    const describe = (name: string, at: string) => {
      const found = statSync(at);
      return {
        FileMode: found.isDirectory() ? "drwxr-xr-x" : "-rw-r--r--",
        IsDir: found.isDirectory(),
        ModTime: goTime(found.mtimeMs),
        Name: name,
        Size: found.size,
      };
    };
    if (what === "ls") exchange.send(readdirSync(path).map((name) => describe(name, join(path, name))));
    else if (what === "stat") exchange.send(describe(path.split("/").at(-1) ?? "", path));
    else {
      if (/\/secrets(\/|$)/.test(exchange.query("path"))) throw new HttpError(403, "Reading secret file prohibited");
      exchange.response.writeHead(200, { "Content-Type": "application/octet-stream" });
      exchange.response.end(readFileSync(path));
    }
  };
}

/** Position of a reader: `offset` bytes from the first or from the last byte of all files together. */
function startOf(folder: string, task: string, stream: string, origin: string, offset: number): Position {
  const files = logFiles(folder, task, stream);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let from = origin === "start" ? offset : Math.max(0, total - offset);
  for (const { index, size } of files) {
    if (from < size) return { index, offset: from };
    from -= size;
  }
  const last = files.at(-1);
  return { index: last?.index ?? 0, offset: last?.size ?? 0 };
}
