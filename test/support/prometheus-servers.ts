/**
 * Prometheus and Pushgateway as processes on free ports of loopback, from Debian's packages `prometheus` and `prometheus-pushgateway`, and
 * promtool. They end with this process.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fetch from "node-fetch";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const START_LIMIT_MS = 60_000;
const [PROMETHEUS, PROMTOOL, PUSHGATEWAY] = ["prometheus", "promtool", "prometheus-pushgateway"] as const;

/** A server that answers. */
export interface MonitoringServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Why tests with these servers cannot run here; `undefined` if they can. */
export function prometheusAbsence(): string | undefined {
  const missing = [PROMETHEUS, PROMTOOL, PUSHGATEWAY].filter(
    (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).status !== 0,
  );
  return missing.length === 0 ? undefined : `no ${missing.join(", ")} (apt-get install prometheus prometheus-pushgateway)`;
}

/** Starts an empty Pushgateway. */
export async function startPushgateway(): Promise<MonitoringServer> {
  const [on = 0] = await freePorts(1);
  return start(PUSHGATEWAY, [`--web.listen-address=127.0.0.1:${on}`], `http://127.0.0.1:${on}`);
}

/** Starts a Prometheus with `config` (YAML) and other files beside it, by name; on `port`, or a free one. */
export async function startPrometheus(
  config: string,
  files: Readonly<Record<string, string>> = {},
  port?: number,
): Promise<MonitoringServer> {
  const folder = temporaryFolder("prometheus");
  for (const [name, text] of Object.entries({ ...files, "prometheus.yml": config })) writeFileSync(join(folder, name), text);
  const on = port ?? (await freePorts(1))[0] ?? 0;
  const args = [`--web.listen-address=127.0.0.1:${on}`, `--config.file=${join(folder, "prometheus.yml")}`];
  return start(PROMETHEUS, [...args, `--storage.tsdb.path=${join(folder, "data")}`], `http://127.0.0.1:${on}`);
}

/** Values of an instant query by Prometheus at `url`, with their labels. */
export async function query(
  url: string,
  expression: string,
): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]> {
  const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`);
  const body = (await answer.json()) as { data: { result: { metric: Record<string, string>; value: [number, string] }[] } };
  return body.data.result.map(({ metric, value: [, text] }) => ({ labels: metric, value: Number(text) }));
}

/** Runs promtool; what it said and whether it was content. */
export function promtool(...args: readonly string[]): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(PROMTOOL, args, { encoding: "utf8", timeout: 60_000 });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}

async function start(program: string, args: readonly string[], url: string): Promise<MonitoringServer> {
  const child = spawn(program, [...args], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ready = async (): Promise<true | undefined> => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`);
    const status = await fetch(`${url}/-/ready`).then(
      (answer) => answer.status,
      () => 0,
    );
    return status === 200 ? true : undefined;
  };
  await eventually(`${program} answers`, ready, START_LIMIT_MS);
  return { url, stop: () => stop(child, kill) };
}

async function stop(child: ChildProcess, kill: () => void): Promise<void> {
  process.off("exit", kill);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  kill();
  await ended;
}
