/** The cluster of a demo as a child process: `wadi cluster` of the build, on the usual ports where they are free, stopped by one Ctrl-C of ours. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { ROOT } from "../process.ts";
import type { ApiAccess } from "./rest.ts";

const START_LIMIT_MS = 60_000;
const POLL_MS = 100;
const PORTS = { "api.http-port": 5115, "controller.rpc-port": 5116, "admin.http-port": 5114 };

/** A port as it is meant to be if it is free, else another. */
export async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const server = createServer();
    const listening = once(server, "listening");
    server.listen(port, "127.0.0.1");
    const found = await listening.then(
      () => (server.address() as AddressInfo).port,
      () => undefined,
    );
    await new Promise((resolve) => server.close(resolve));
    if (found !== undefined) return found;
  }
  throw new Error("there is no free port");
}

/** Resolves after `ms`. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** See the file's comment. */
export class DemoCluster {
  #child: ChildProcess | undefined;

  constructor() {
    process.on("exit", () => this.#child?.exitCode === null && this.#child.kill("SIGKILL"));
  }

  /** Starts it with `env` besides this process' environment; how to reach its API. Throws when it does not come up or `signal` is aborted. */
  async start(stateDir: string, signal: AbortSignal, env: NodeJS.ProcessEnv = {}): Promise<ApiAccess> {
    const ports = Object.fromEntries(
      await Promise.all(Object.entries(PORTS).map(async ([name, port]) => [name, await freePort(port)] as const)),
    );
    const variables = Object.entries(ports).map(([name, port]) => [
      `WADI__${name.replaceAll(".", "__").replaceAll("-", "_").toUpperCase()}`,
      String(port),
    ]);
    const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), "cluster", "--state-dir", stateDir], {
      cwd: ROOT,
      env: { ...process.env, ...Object.fromEntries(variables), ...env },
      stdio: ["ignore", "inherit", "inherit"],
      // Ctrl-C comes to this process, which passes it on once.
      detached: true,
    });
    this.#child = child;
    const url = `http://localhost:${ports["api.http-port"]}`;
    const deadlineMs = performance.now() + START_LIMIT_MS;
    while (child.exitCode === null && performance.now() < deadlineMs && !signal.aborted) {
      const status = await fetch(`http://localhost:${ports["admin.http-port"]}/status`).catch(() => undefined);
      if (status?.status === 200) return { url, token: readFileSync(join(stateDir, "session-token"), "utf8").trim() };
      await pause(POLL_MS);
    }
    throw new Error(signal.aborted ? "stopped" : "the cluster did not start");
  }

  /** Ctrl-C for the cluster; its exit code once it has ended. */
  async stop(): Promise<number> {
    const child = this.#child;
    if (child === undefined) return 0;
    const ended = once(child, "exit");
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? 1;
    child.kill("SIGINT");
    const [code] = (await ended) as [number | null];
    return code ?? 1;
  }

  /** A second Ctrl-C. */
  hurry(): void {
    this.#child?.kill("SIGINT");
  }
}
