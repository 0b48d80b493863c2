/**
 * Listening on a port, with an error that helps when the port is taken: it names the port, the setting that chooses it, and the process that
 * has it where /proc tells.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { type AppError, externalError, toAppError, userError } from "../core/errors.ts";

/** Where to listen. */
export interface ListenAddress {
  /** Address of an interface. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The setting that chooses the port: "api.http-port". */
  readonly setting: string;
}

/** Makes `server` listen; the port. Throws `already-exists` if the port is taken. */
export function listen(server: Server, address: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(listenError(address, error));
    server.once("error", fail);
    server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      server.off("error", fail);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Why `address` cannot be listened on, for servers that listen themselves; `error` is what they threw. */
export function listenError(address: ListenAddress, error: unknown): AppError {
  const { host, port, setting } = address;
  const { code, message } = toAppError(error);
  if (/EADDRINUSE|address already in use/i.test(message)) {
    const owner = portOwner(port);
    return userError("already-exists", `port ${port} of ${host} is taken${owner === undefined ? "" : ` by ${owner}`}`, {
      hint: `Stop that process, or set ${setting} to another port.`,
      cause: error,
    });
  }
  if (/EADDRNOTAVAIL|EACCES|ENOTFOUND/.test(message)) {
    return userError("invalid-config", `port ${port} of ${host} cannot be listened on: ${message}`, {
      hint: `See ${setting}.`,
      cause: error,
    });
  }
  return externalError(code, `port ${port} of ${host} cannot be listened on: ${message}`, { cause: error });
}

/** The state LISTEN in /proc/net/tcp: https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt */
const LISTENING = "0A";

/** The process that listens on TCP port `port`: `process 12 (node main.js)`; undefined where it cannot be seen. */
function portOwner(port: number): string | undefined {
  try {
    const sockets = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeningSockets(table, port)));
    if (sockets.size === 0) return undefined;
    const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && holdsSocket(name, sockets));
    return pid === undefined ? undefined : `process ${pid} (${commandOf(pid)})`;
  } catch {
    return undefined;
  }
}

function listeningSockets(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync(table, "utf8").split("\n").slice(1);
  const cells = rows.map((row) => row.trim().split(/\s+/));
  return cells.filter((row) => row[1]?.endsWith(suffix) && row[3] === LISTENING).map((row) => `socket:[${row[9]}]`);
}

/** Other users' processes do not show their files. */
function holdsSocket(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** The first words of a command line: arguments may hold what is nobody's business. */
function commandOf(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const program = (words[0] ?? "").split("/").at(-1) ?? "";
  const script = words.slice(1).find((word) => /\.[cm]?[jt]s$/.test(word) && !word.startsWith("-"));
  return script === undefined ? program : `${program} ${script.split("/").slice(-2).join("/")}`;
}
