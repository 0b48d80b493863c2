/**
 * The client agent of one node: starts and stops what the servers have placed there, reports what happens in batches, and goes on with its tasks
 * while it does not reach the servers.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { externalError } from "../../../src/core/errors.ts";
import { AllocationRunner, type ClientReport } from "./allocation-runner.ts";
import type { Agent, Cluster } from "./cluster.ts";
import { groupOf } from "./records.ts";
import { nodeNames, nomadVariables, taskEnvironment } from "./task-environment.ts";

/** What an agent needs besides the cluster. */
export interface AgentOptions {
  readonly maxKillTimeoutMs: number;
  readonly folder: string;
  /** Gives reports to the servers; false: there is no leader now. */
  readonly deliver: (node: string, reports: readonly ClientReport[]) => boolean;
}

/** Runs what is placed on one node. */
export class NodeAgent implements Agent {
  readonly nodeId: string;
  readonly folder: string;
  readonly #cluster: Cluster;
  readonly #options: AgentOptions;
  readonly #runners = new Map<string, AllocationRunner>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #rendering: NodeJS.Timeout | undefined;
  #connected = true;
  #dead = false;
  #stopOnClient: NodeJS.Timeout[] = [];

  constructor(cluster: Cluster, nodeId: string, options: AgentOptions) {
    this.#cluster = cluster;
    this.nodeId = nodeId;
    this.folder = options.folder;
    this.#options = options;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get maxKillTimeoutMs(): number {
    return this.#options.maxKillTimeoutMs;
  }

  /** Starts what is new and stops what the servers do not want any more. */
  sync(): void {
    if (!this.#connected || this.#dead) return;
    const node = this.#cluster.state.nodes.get(this.nodeId);
    if (node === undefined) return;
    for (const allocation of this.#cluster.state.allocationsOfNode(this.nodeId)) {
      const runner = this.#runners.get(allocation.ID);
      const over = ["complete", "failed", "lost"].includes(allocation.ClientStatus);
      if (runner !== undefined) {
        runner.allocation = allocation;
        if (allocation.DesiredStatus !== "run") runner.stop();
      } else if (!over) {
        // Also one that is stopped before it was begun: the client reports its end.
        const made = new AllocationRunner(this.#cluster, node, allocation, this.folder, this.#options.maxKillTimeoutMs, () =>
          this.#report(allocation.ID),
        );
        this.#runners.set(allocation.ID, made);
        if (allocation.DesiredStatus !== "run") made.stop();
        made.start();
      }
    }
    for (const [id, runner] of this.#runners) {
      if (this.#cluster.state.allocations.has(id)) continue;
      runner.stop();
      if (!runner.over) continue;
      this.#runners.delete(id);
      if (!this.#cluster.options.phantom) rmSync(join(this.folder, id), { recursive: true, force: true });
    }
  }

  #report(allocation: string): void {
    this.#changed.add(allocation);
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, this.#cluster.options.clientUpdateMs);
  }

  /** Tells the servers what has changed; what they do not take is told again. */
  flush(): void {
    if (!this.#connected || this.#dead || this.#changed.size === 0) return;
    const reports = [...this.#changed].flatMap((id) => this.#runners.get(id)?.report() ?? []);
    if (this.#options.deliver(this.nodeId, reports)) this.#changed.clear();
    else this.#later();
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, 100);
  }

  /** Variables or services have changed: templates may have to be rendered. */
  dataChanged(): void {
    // Several changes together are one rendering.
    this.#rendering ??= setTimeout(() => {
      this.#rendering = undefined;
      if (!this.#connected || this.#dead) return;
      for (const runner of this.#runners.values()) runner.dataChanged();
    }, 10);
  }

  /** The servers are out of reach; `killed`: because the machine has died, with all that ran on it. */
  disconnect(killed: boolean): void {
    this.#connected = false;
    if (killed) {
      this.#dead = true;
      for (const runner of this.#runners.values()) runner.abandon();
      return;
    }
    for (const runner of this.#runners.values()) {
      const after = groupOf(runner.allocation.Job, runner.allocation.TaskGroup)?.Disconnect?.StopOnClientAfter;
      if (after === null || after === undefined) continue;
      this.#stopOnClient.push(setTimeout(() => runner.stop(), after / 1e6));
    }
  }

  /** The servers are reached again; a machine that had died starts again what it should run. */
  reconnect(): void {
    this.#connected = true;
    for (const timer of this.#stopOnClient.splice(0)) clearTimeout(timer);
    if (this.#dead) {
      this.#dead = false;
      this.#runners.clear();
    }
    for (const id of this.#runners.keys()) this.#changed.add(id);
  }

  #runner(allocation: string, task: string): AllocationRunner {
    const runner = this.#runners.get(allocation);
    if (runner === undefined) throw externalError("not-found", `Unknown allocation "${allocation}"`);
    if (runner.task(task) === undefined) throw externalError("not-found", `Could not find task runner for task: ${task}`);
    return runner;
  }

  async restartTask(allocation: string, task: string): Promise<void> {
    const runner = this.#runner(allocation, task);
    if (runner.task(task)?.state.State !== "running") throw externalError("io", "Task not running");
    runner.task(task)?.restart();
  }

  async signalTask(allocation: string, task: string, signal: string): Promise<void> {
    if (this.#runner(allocation, task).task(task)?.signal(signal) !== true) throw externalError("io", "Task not running");
  }

  pids(allocation: string): number[] {
    return this.#runners.get(allocation)?.pids ?? [];
  }

  async runInTask(
    allocation: string,
    task: string,
    command: readonly string[],
    write: (stream: "stdout" | "stderr", data: Buffer) => void,
  ): Promise<number> {
    const context = this.#runner(allocation, task).task(task)?.context;
    const [program = "", ...args] = command;
    if (context === undefined) return 1;
    const { cluster, node, folders } = context;
    const own = nomadVariables(cluster, node, context.allocation, context.task, folders);
    const environment = taskEnvironment(own, nodeNames(cluster, node), context.task);
    const child = spawn(program, args, { cwd: folders.task, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (data: Buffer) => write("stdout", data));
    child.stderr.on("data", (data: Buffer) => write("stderr", data));
    return await new Promise<number>((resolve) => {
      child.once("error", () => resolve(127));
      child.once("close", (code) => resolve(code ?? 137));
    });
  }

  /** Ends the phantom tasks of an allocation by themselves. */
  endPhantom(allocation: string, code: number): void {
    this.#runners.get(allocation)?.finish(code);
  }

  /** Ends everything at once. */
  close(): void {
    this.#dead = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#rendering);
    for (const timer of this.#stopOnClient) clearTimeout(timer);
    for (const runner of this.#runners.values()) runner.abandon();
  }
}
