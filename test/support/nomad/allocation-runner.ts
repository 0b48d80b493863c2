/**
 * The tasks of one allocation on its client: prestart tasks first, the others started and ended together, summed up as the allocation's client status
 * and its health for the deployment.
 */
import type { Cluster } from "./cluster.ts";
import { HealthWatch } from "./health-watch.ts";
import type { ClientNode } from "./node-records.ts";
import { type Allocation, groupOf, isMainTask, type Task, type TaskState } from "./records.ts";
import { foldersOf } from "./task-environment.ts";
import { TaskRunner } from "./task-runner.ts";

/** What the client tells the servers of an allocation. */
export interface ClientReport {
  readonly allocation: string;
  readonly ClientStatus: string;
  readonly ClientDescription: string;
  /** For its deployment; undefined: not decided yet. */
  readonly healthy: boolean | undefined;
  readonly TaskStates: Readonly<Record<string, TaskState>>;
}

const NO_RESTARTS = { Attempts: 0, Delay: 0, Interval: 0, Mode: "fail" };

/** Runs one allocation until it is over. */
export class AllocationRunner {
  readonly #tasks: ReadonlyMap<string, TaskRunner>;
  readonly #cluster: Cluster;
  allocation: Allocation;
  #stopping = false;
  #registered = false;
  #healthy: boolean | undefined;
  #watch: HealthWatch | undefined;
  readonly #changed: () => void;
  readonly #services: string[] = [];

  constructor(cluster: Cluster, node: ClientNode, allocation: Allocation, folder: string, maxKillTimeoutMs: number, changed: () => void) {
    this.#cluster = cluster;
    this.allocation = allocation;
    this.#changed = changed;
    const endless = allocation.Job.Type === "service" || allocation.Job.Type === "system";
    const group = groupOf(allocation.Job, allocation.TaskGroup);
    const runner = (task: Task) => {
      const context = { cluster, node, allocation, task, folders: foldersOf(folder, allocation.ID, task.Name) };
      const policy = task.RestartPolicy ?? group?.RestartPolicy ?? NO_RESTARTS;
      return new TaskRunner(context, { maxKillTimeoutMs, policy, endless: endless && isMainTask(task), changed });
    };
    this.#tasks = new Map((group?.Tasks ?? []).map((task) => [task.Name, runner(task)]));
  }

  /** Starts the tasks. */
  start(): void {
    this.#register();
    this.#watchHealth();
    void this.#run();
  }

  /** Prestart tasks have to succeed before others begin; poststop tasks run when all others are over. */
  async #run(): Promise<void> {
    const all = [...this.#tasks.values()];
    const phase = ({ context: { task } }: TaskRunner) => (this.#cluster.options.phantom ? "" : (task.Lifecycle?.Hook ?? ""));
    const prepares = (runner: TaskRunner) => phase(runner) === "prestart" && !isMainTask(runner.context.task);
    const beside = all.filter((runner) => phase(runner) === "prestart" && isMainTask(runner.context.task)).map((one) => this.#runOne(one));
    await Promise.all(all.filter(prepares).map((one) => this.#runOne(one)));
    const main = all.filter((runner) => phase(runner) === "" || phase(runner) === "poststart").map((one) => this.#runOne(one));
    await Promise.all([...beside, ...main]);
    await Promise.all(all.filter((runner) => phase(runner) === "poststop").map((one) => this.#runOne(one)));
    this.#watch?.stop();
    this.#deregister();
  }

  async #runOne(runner: TaskRunner): Promise<void> {
    const failed = await runner.run();
    this.#ended(runner, failed);
  }

  #watchHealth(): void {
    const group = groupOf(this.allocation.Job, this.allocation.TaskGroup);
    if (group?.Update === null || group === undefined || this.allocation.DeploymentID === "" || this.#cluster.options.phantom) return;
    this.#watch = new HealthWatch({
      cluster: this.#cluster,
      group,
      allocation: () => this.allocation,
      states: () => Object.fromEntries([...this.#tasks].map(([name, { state }]) => [name, state])),
      decided: (healthy) => {
        this.#healthy = healthy;
        this.#changed();
      },
    });
  }

  #ended(ended: TaskRunner, failed: boolean): void {
    const leader = ended.context.task.Leader;
    if (this.#stopping || (!failed && !leader)) return;
    for (const runner of this.#tasks.values()) {
      if (runner === ended) continue;
      if (failed) runner.kill("Sibling Task Failed", `Task's sibling "${ended.context.task.Name}" failed`);
      else runner.kill("Leader Task Dead", "Leader Task in Group dead");
    }
  }

  /** Whether all tasks are over. */
  get over(): boolean {
    return [...this.#tasks.values()].every(({ state }) => state.State === "dead");
  }

  /** The servers' wish: everything stops. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#watch?.stop();
    this.#deregister();
    const shutdownMs = (groupOf(this.allocation.Job, this.allocation.TaskGroup)?.ShutdownDelay ?? 0) / 1e6;
    const kill = () => {
      for (const runner of this.#tasks.values()) runner.kill();
    };
    if (shutdownMs > 0 && !this.#cluster.options.phantom) setTimeout(kill, shutdownMs);
    else kill();
  }

  /** Ends phantom tasks by themselves. */
  finish(code: number): void {
    for (const runner of this.#tasks.values()) runner.finish(code);
  }

  /** As when the machine dies. */
  abandon(): void {
    this.#watch?.stop();
    for (const runner of this.#tasks.values()) runner.abandon();
  }

  /** Variables or services have changed. */
  dataChanged(): void {
    for (const runner of this.#tasks.values()) runner.dataChanged();
  }

  /** The runner of a task. */
  task(name: string): TaskRunner | undefined {
    return this.#tasks.get(name);
  }

  /** Process ids of the tasks that run. */
  get pids(): number[] {
    return [...this.#tasks.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** What the servers are told now. */
  report(): ClientReport {
    const states = Object.fromEntries([...this.#tasks].map(([name, { state }]) => [name, state]));
    const all = Object.values(states);
    const has = (test: (state: TaskState) => boolean) => all.some(test);
    const [status, description] = has(({ Failed, State }) => Failed && State === "dead")
      ? ["failed", "Failed tasks"]
      : has(({ State }) => State === "running")
        ? ["running", "Tasks are running"]
        : has(({ State }) => State === "pending")
          ? ["pending", "No tasks have started"]
          : ["complete", "All tasks have completed"];
    return {
      allocation: this.allocation.ID,
      ClientStatus: status ?? "",
      ClientDescription: description ?? "",
      healthy: this.#healthy,
      TaskStates: states,
    };
  }

  #register(): void {
    const group = groupOf(this.allocation.Job, this.allocation.TaskGroup);
    const owned = [...(group?.Services ?? []).map((service) => ({ service, owner: `group-${group?.Name}` }))];
    for (const task of group?.Tasks ?? []) for (const service of task.Services ?? []) owned.push({ service, owner: task.Name });
    const native = owned.filter(({ service }) => service.Provider === "nomad");
    if (native.length === 0) return;
    this.#registered = true;
    const node = this.#cluster.state.nodes.get(this.allocation.NodeID);
    this.#cluster.state.commit("ServiceRegistration", (write) => {
      for (const { service, owner } of native) {
        const port = this.allocation.placement.ports.find(({ Label }) => Label === service.PortLabel);
        const id = `_nomad-task-${this.allocation.ID}-${owner}-${service.Name}-${service.PortLabel}`;
        this.#services.push(id);
        write.service({
          ID: id,
          ServiceName: service.Name,
          Namespace: this.allocation.Namespace,
          NodeID: this.allocation.NodeID,
          Datacenter: node?.Datacenter ?? "",
          JobID: this.allocation.JobID,
          AllocID: this.allocation.ID,
          Tags: service.Tags ?? [],
          Address: port?.HostIP ?? node?.Address ?? "",
          Port: port?.Value ?? Number(service.PortLabel === "" ? 0 : service.PortLabel),
        });
      }
    });
  }

  #deregister(): void {
    if (!this.#registered) return;
    this.#registered = false;
    const mine = this.#services.flatMap((id) => this.#cluster.state.services.get(id) ?? []);
    if (mine.length === 0) return;
    this.#cluster.state.commit("ServiceDeregistration", (write) => {
      for (const service of mine) write.removeService(service);
    });
  }
}
