/**
 * A machine for the scripts of terraform/modules: a folder with what the instance's metadata, AWS and Nomad say, and the programs of
 * programs.sh before all others. Nothing leaves the folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const MODULES = fileURLToPath(new URL("../../../terraform/modules", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("programs.sh", import.meta.url));

/** How a script ended: its exit code and what it wrote to its log. */
export interface ScriptEnd {
  readonly code: number | null;
  readonly log: string;
}

/** See the file's comment. */
export class TestMachine {
  readonly folder = mkdtempSync(join(tmpdir(), "wadi-machine-"));
  readonly #running: ChildProcess[] = [];

  /** A server or client whose secrets are empty; `shared`: a machine whose AWS it shares. */
  constructor(role: "server" | "client", shared?: TestMachine) {
    const bin = join(this.folder, "bin");
    mkdirSync(bin);
    copyFileSync(PROGRAMS, join(this.folder, "programs.sh"));
    chmodSync(join(this.folder, "programs.sh"), 0o755);
    for (const name of ["aws", "curl", "systemctl", "nomad", "chgrp"]) symlinkSync(join(this.folder, "programs.sh"), join(bin, name));
    for (const name of ["metadata", "data/client"]) mkdirSync(join(this.folder, name), { recursive: true });
    for (const name of ["secrets", "parameters"]) {
      if (shared === undefined) mkdirSync(join(this.folder, name));
      else symlinkSync(join(shared.folder, name), join(this.folder, name));
    }
    this.write("data/client/client-id", "node-1");
    this.write("log", "");
    this.write("nomad-runs", "");
    this.write("allocations.json", "[]");
    this.metadata("instance-id", "i-1");
    this.metadata("local-ipv4", "10.20.0.5");
    this.write("cluster.env", environmentOf(role));
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  read(name: string): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** A value of the instance's metadata, such as `autoscaling/target-lifecycle-state`. */
  metadata(path: string, value: string): void {
    this.write(`metadata/${path.replaceAll("/", "_")}`, value);
  }

  secret(id: string, text: string): void {
    const place = `secrets/${id.replaceAll(/[^a-zA-Z0-9]/g, "_")}`;
    mkdirSync(join(this.folder, place), { recursive: true });
    this.write(`${place}/text`, text);
  }

  /** What tasks run on this node, by job and type. */
  allocations(...tasks: readonly { readonly job: string; readonly type: string }[]): void {
    const rows = tasks.map(({ job, type }) => ({ JobID: job, ClientStatus: "running", Job: { Type: type } }));
    this.write("allocations.json", JSON.stringify(rows));
  }

  /** What was called, in order. */
  get calls(): readonly string[] {
    return this.read("log")
      .split("\n")
      .filter((line) => line !== "");
  }

  /** Starts a script of a module; the answer is there when it ends. */
  run(module: string, script: string, ...args: readonly string[]): Promise<ScriptEnd> {
    const child = spawn("bash", [join(MODULES, module, "files", script), ...args], {
      cwd: this.folder,
      env: {
        PATH: [join(this.folder, "bin"), process.env["PATH"]].join(delimiter),
        TEST_MACHINE: this.folder,
        WADI_ENV: join(this.folder, "cluster.env"),
        WADI_LIB: join(MODULES, "nomad-cluster", "files"),
        WADI_RUN: join(this.folder, "run"),
        WADI_NOMAD_DATA: join(this.folder, "data"),
        WADI_DRAIN_PAUSE: "0.1",
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#running.push(child);
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
    });
    return once(child, "close").then(([code]) => ({ code: code as number | null, log }));
  }

  /** Ends what runs and removes the folder. */
  close(): void {
    for (const child of this.#running) if (child.exitCode === null) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function environmentOf(role: "server" | "client"): string {
  const values = {
    WADI_ROLE: role,
    WADI_NAME: "wadi",
    WADI_AWS_REGION: "eu-central-1",
    WADI_NOMAD_REGION: "global",
    WADI_GROUP: `wadi-${role}s`,
    WADI_TOKEN_SECRET: "token",
    WADI_DRAIN_HOOK: "wadi-drain",
    WADI_DRAIN_DEADLINE_SECONDS: "1800",
    WADI_CERTIFICATES_PARAMETER: "certificates",
    WADI_CA_PARAMETER: "ca",
    WADI_AUTHORITY_SECRETS: "authority",
    WADI_CLIENT_CERTIFICATE_SECRET: "client-certificate",
  };
  return Object.entries(values)
    .map(([name, value]) => `${name}="${value}"\n`)
    .join("");
}
