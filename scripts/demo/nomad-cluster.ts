/**
 * The Nomad of the demo: the one that NOMAD_ADDR names, else agents that are started from the `nomad` on PATH (one server with a client, one more
 * client, so that there is somewhere to move), else the repository's simulator. What the demo starts it stops and removes.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, pause } from "./cluster.ts";

/** A Nomad to run on. */
export interface DemoNomad {
  readonly address: string;
  /** In one line, for people: what it is and whose. */
  readonly label: string;
  /** Whether the demo started it: then its nodes are nobody else's. */
  readonly own: boolean;
  /** Whether it has a web interface. */
  readonly ui: boolean;
  stop(): Promise<void>;
}

/** Looked for on PATH. */
const PROGRAM = "nomad";
const READY_LIMIT_MS = 40_000;
const POLL_MS = 200;
const STOP_LIMIT_MS = 5_000;

/** See the file's comment. `folder` is for what agents keep. */
export async function openNomad(folder: string, signal: AbortSignal): Promise<DemoNomad> {
  const { NOMAD_ADDR: address = "" } = process.env;
  if (address !== "") return { address, label: `the Nomad of NOMAD_ADDR, ${address}`, own: false, ui: true, stop: async () => undefined };
  const version = versionOnPath();
  return version === undefined ? startSimulator() : startAgents(folder, version, signal);
}

/** The version of the program on PATH; undefined: there is none that runs. */
function versionOnPath(): string | undefined {
  const found = spawnSync(PROGRAM, ["version"], { encoding: "utf8" });
  return found.status === 0 ? (/Nomad v(\S+)/.exec(found.stdout)?.[1] ?? "of an unknown version") : undefined;
}

async function startSimulator(): Promise<DemoNomad> {
  const { FakeNomad } = await import("../../test/support/nomad/fake-nomad.ts");
  const nodes = ["demo-1", "demo-2"].map((name) => ({ name, cpuMhz: 4_000, memoryMb: 8_192, drivers: ["raw_exec"] }));
  const nomad = await FakeNomad.start({ nodes });
  const label = `the repository's SIMULATOR of Nomad at ${nomad.address} (no nomad on PATH, NOMAD_ADDR not set): its API, not HashiCorp's program`;
  return { address: nomad.address, label, own: true, ui: false, stop: () => nomad.stop() };
}

interface Ports {
  readonly http: number;
  readonly rpc: number;
  readonly serf: number;
}

async function threePorts(): Promise<Ports> {
  const [http = 0, rpc = 0, serf = 0] = [await freePort(0), await freePort(0), await freePort(0)];
  return { http, rpc, serf };
}

async function startAgents(folder: string, version: string, signal: AbortSignal): Promise<DemoNomad> {
  const [first, second] = [await threePorts(), await threePorts()];
  const agents = [startAgent(folder, "demo-1", first, undefined)];
  const address = `http://127.0.0.1:${first.http}`;
  const stop = async (): Promise<void> => {
    await Promise.all(agents.map(stopAgent));
    unmountLeftovers(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    agents.push(startAgent(folder, "demo-2", second, `127.0.0.1:${first.rpc}`));
    await untilNodes(folder, address, agents, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, label: `Nomad ${version} from PATH: a server and two clients on this machine, ${address}`, own: true, ui: true, stop };
}

/** One agent: a server and a client, or with `server` a client of that one. */
function startAgent(folder: string, name: string, ports: Ports, server: string | undefined): ChildProcess {
  const data = join(folder, name);
  mkdirSync(data, { recursive: true });
  const file = join(folder, `${name}.hcl`);
  const role = server === undefined ? "server {\n  enabled = true\n  bootstrap_expect = 1\n}" : "";
  const found = server === undefined ? "" : `  servers = ["${server}"]\n`;
  const quiet = "env_aws,env_gce,env_azure,env_digitalocean,vault,consul";
  writeFileSync(
    file,
    `name = "${name}"\ndata_dir = "${data}"\nbind_addr = "127.0.0.1"\nadvertise {\n  http = "127.0.0.1"\n  rpc = "127.0.0.1"\n  serf = "127.0.0.1"\n}\nlog_level = "WARN"\ndisable_update_check = true\n` +
      `ports {\n  http = ${ports.http}\n  rpc = ${ports.rpc}\n  serf = ${ports.serf}\n}\n${role}\n` +
      `client {\n  enabled = true\n  network_interface = "lo"\n  cgroup_parent = "wadi-${name}-${process.pid}"\n${found}  options = { "fingerprint.denylist" = "${quiet}" }\n}\n` +
      `plugin "raw_exec" {\n  config {\n    enabled = true\n  }\n}\n`,
  );
  const { AWS_CA_BUNDLE: _, ...env } = process.env;
  const log = openSync(join(folder, `${name}.log`), "w");
  const child = spawn(PROGRAM, ["agent", "-config", file], { stdio: ["ignore", log, log], env, detached: true });
  closeSync(log);
  child.on("error", () => undefined);
  process.on("exit", () => child.exitCode === null && child.kill("SIGKILL"));
  return child;
}

async function untilNodes(folder: string, address: string, agents: readonly ChildProcess[], signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + READY_LIMIT_MS;
  while (performance.now() < deadlineMs && !signal.aborted) {
    const dead = agents.findIndex(({ exitCode }) => exitCode !== null);
    if (dead >= 0) throw new Error(`the Nomad agent demo-${dead + 1} ended: ${lastWords(join(folder, `demo-${dead + 1}.log`))}`);
    const answer = await fetch(`${address}/v1/nodes`).catch(() => undefined);
    const nodes = answer?.ok === true ? ((await answer.json()) as { Status: string }[]) : [];
    if (nodes.filter(({ Status }) => Status === "ready").length >= agents.length) return;
    await pause(POLL_MS);
  }
  throw new Error(signal.aborted ? "stopped" : "the Nomad agents did not get ready");
}

function lastWords(log: string): string {
  return readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
}

async function stopAgent(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await ended;
  clearTimeout(timer);
}

/** Secrets of allocations are small file systems of their own, which an agent that ends leaves mounted. */
function unmountLeftovers(folder: string): void {
  const mounts = spawnSync("cat", ["/proc/mounts"], { encoding: "utf8" }).stdout.split("\n");
  const ours = mounts.map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(folder));
  for (const path of ours) spawnSync("umount", [path], { stdio: "ignore" });
}
