/**
 * Values for a Nomad of one machine, such as `nomad agent -dev`: every job by raw_exec, one instance each, this Wadi's own program, checkpoints on
 * disk, the servers that are installed. What is missing and optional is left out and said; without PostgreSQL it cannot be done.
 */
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { userError } from "../../core/errors.ts";
import { type NomadNode, readNode } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import type { TemplateSet } from "./templates.ts";
import type { Value, ValueLayer, Values } from "./values.ts";

/** What is on this machine. */
export interface Machine {
  /** Node.js and the program of Wadi. */
  readonly program: readonly [node: string, main: string];
  /** Directory of `initdb` and `postgres`. */
  readonly postgres: string | undefined;
  readonly prometheus: string | undefined;
  readonly pushgateway: string | undefined;
  /** Whether tasks run as root: Nomad's agent does. */
  readonly root: boolean;
  readonly user: string;
  /** For data and checkpoints; an absolute path. */
  readonly folder: string;
  /** Nomad's agent as host:port, for Prometheus. */
  readonly agent: string;
}

/** Values of one machine and what is to be said about them. */
export interface LocalPlan extends ValueLayer {
  readonly notes: readonly string[];
  readonly folder: string;
}

const DEBIAN_POSTGRES = "/usr/lib/postgresql";

/** The nodes of the cluster that are ready. */
export async function readyNodes(client: NomadClient): Promise<readonly NomadNode[]> {
  const { rows } = await client.list({ path: "/v1/nodes" });
  return rows.map(readNode).filter(({ Status }) => Status === "ready");
}

/** Whether `nodes` are one machine that has no docker: then one may deploy to it without being told how. */
export function isOneMachine(nodes: readonly NomadNode[]): boolean {
  const [node, ...others] = nodes;
  return node !== undefined && others.length === 0 && healthy(node, "raw_exec") && !healthy(node, "docker");
}

function healthy({ Drivers }: NomadNode, driver: string): boolean {
  const found = Drivers[driver];
  return found?.Detected === true && found.Healthy;
}

/** Looks around on this machine. Throws `invalid-usage` if Nomad has no node that is this machine and runs programs by raw_exec. */
export async function lookAround(client: NomadClient, folder: string | undefined): Promise<Machine> {
  const nodes = await readyNodes(client);
  if (nodes.length === 0)
    throw userError("invalid-usage", "Nomad has no node that is ready", { hint: "Start a client, such as nomad agent -dev." });
  const able = nodes.filter((node) => healthy(node, "raw_exec"));
  if (able.length === 0)
    throw userError("invalid-usage", "no node of this Nomad has the driver raw_exec, which --local needs", {
      hint: 'Start it with nomad agent -dev, or add plugin "raw_exec" { config { enabled = true } } to the client\'s configuration.',
    });
  if (nodes.length > 1)
    throw userError("invalid-usage", `this Nomad has ${nodes.length} nodes, and --local is for one machine`, {
      hint: "Write a values file: nomad/README.md shows one.",
    });
  const full = readNode((await client.call({ path: `/v1/node/${able[0]?.ID ?? ""}` })).body);
  const name = full.Attributes["unique.hostname"] ?? full.Name;
  if (name !== hostname())
    throw userError("invalid-usage", `the node "${name}" is not this machine ("${hostname()}"), and --local uses what is installed here`, {
      hint: "Run it on that machine, or write a values file.",
    });
  // Only an agent of root can offer exec.
  const root = healthy(able[0] as NomadNode, "exec") || userInfo().uid === 0;
  return {
    agent: new URL(client.address.startsWith("http") ? client.address : "http://127.0.0.1:4646").host,
    program: wadiProgram(),
    postgres: findPostgres(),
    prometheus: findProgram("prometheus"),
    pushgateway: findProgram("prometheus-pushgateway") ?? findProgram("pushgateway"),
    root,
    user: userInfo().username,
    folder: folder ?? (root ? "/var/lib/wadi" : join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "wadi-nomad")),
  };
}

/** This Wadi's own program as it is installed: `dist/` beside the sources or of a package. */
function wadiProgram(): readonly [string, string] {
  const main = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
  if (existsSync(main)) return [process.execPath, main];
  throw userError("invalid-usage", `Wadi is not built: "${main}" is not there`, { hint: "Run npm run build first." });
}

/** The newest server of Debian's packages, else the one on PATH. */
function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN_POSTGRES) ? readdirSync(DEBIAN_POSTGRES).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(DEBIAN_POSTGRES, version, "bin"));
  const onPath = findProgram("initdb");
  const all = onPath === undefined ? folders : [...folders, onPath.slice(0, onPath.lastIndexOf("/"))];
  return all.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/local/bin", "/usr/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const APT: Readonly<Record<string, string>> = { prometheus: "prometheus", pushgateway: "prometheus-pushgateway" };

/** Values for `machine`; values that no template of `set` has are left out. `elsewhere`: somebody named another database. Throws `invalid-config` without PostgreSQL. */
export function localValues(machine: Machine, set: TemplateSet, elsewhere: boolean): LocalPlan {
  const { folder, postgres, prometheus, pushgateway } = machine;
  if (postgres === undefined && !elsewhere)
    throw userError("invalid-config", "PostgreSQL is not installed on this machine", {
      hint: "Install it (apt-get install postgresql), or name a server with --set database_host=HOST and DATABASE_PASSWORD.",
    });
  const optional = Object.entries({ prometheus, pushgateway });
  const notes = optional.flatMap(([name, path]) =>
    path === undefined ? [`${name} is not installed and left out (apt-get install ${APT[name]}): charts show the last minutes only`] : [],
  );
  const there = optional.flatMap(([name, path]) => (path === undefined ? [] : [name]));
  const jobs: Record<string, Values> = {
    postgres: postgresValues(machine),
    controller: { memory: 512, cpu: 200 },
    api: { memory: 256, cpu: 100 },
    prometheus: {
      memory: 256,
      cpu: 100,
      disk: 1024,
      nomad_servers: [machine.agent],
      ...(prometheus === undefined ? {} : { command: prometheus }),
    },
    pushgateway: { cpu: 50, ...(pushgateway === undefined ? {} : { command: pushgateway }) },
  };
  return {
    from: "--local",
    notes,
    folder,
    deploy: [...(elsewhere ? [] : ["postgres"]), "controller", "api", ...there].filter((name) => set.templates.has(name)),
    common: declared(set, undefined, commonValues(machine)),
    jobs: Object.fromEntries(Object.entries(jobs).map(([name, values]) => [name, declared(set, name, values)])),
  };
}

function commonValues({ program, folder }: Machine): Values {
  const [node, main] = program;
  return {
    driver: "raw_exec",
    command: node,
    arguments: [main],
    instances: 1,
    settings: {
      "checkpoint-url": join(folder, "checkpoints"),
      "nomad.driver": "raw_exec",
      "nomad.command": [node, main, "worker"].join(","),
      // A laptop has few processors, and raw_exec holds nobody to what is reserved.
      "nomad.mhz-per-slot": "200",
      "nomad.memory-per-slot": "256MiB",
    },
  };
}

function postgresValues({ postgres, folder, root, user }: Machine): Values {
  return {
    cpu: 200,
    memory: 256,
    data_directory: join(folder, "postgres"),
    ...(root ? {} : { user: process.getuid?.() === 0 ? user : "" }),
    ...(postgres === undefined ? {} : { programs: postgres }),
  };
}

/** Those of `values` that the job's template, or any, declares. The program of Wadi is for its own jobs only. */
function declared(set: TemplateSet, job: string | undefined, values: Values): Values {
  const templates = job === undefined ? [...set.templates.values()] : [set.templates.get(job)];
  const known = (name: string): boolean => templates.some((template) => template?.variables.has(name) === true);
  return Object.fromEntries(Object.entries(values).filter(([name]): boolean => known(name))) as Readonly<Record<string, Value>>;
}
