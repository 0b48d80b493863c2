/** The tasks of one allocation on its client: started together, ended together, summed up as the allocation's client status. */
import type { Cluster } from "./cluster.ts";
import { type Allocation, type ClientNode, groupOf, type Task, type TaskState } from "./records.ts";
import { foldersOf } from "./task-environment.ts";
import { TaskRunner } from "./task-runner.ts";

/** What the client tells the servers of an allocation. */
export interface ClientReport {
  readonly allocation: string;
  readonly ClientStatus: string;
  readonly ClientDescription: string;
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
  readonly #services: string[] = [];

  constructor(cluster: Cluster, node: ClientNode, allocation: Allocation, folder: string, maxKillTimeoutMs: number, changed: () => void) {
    this.#cluster = cluster;
    this.allocation = allocation;
    const group = groupOf(allocation.Job, allocation.TaskGroup);
    const runner = (task: Task) => {
      const context = { cluster, node, allocation, task, folders: foldersOf(folder, allocation.ID, task.Name) };
      return new TaskRunner(context, { maxKillTimeoutMs, policy: task.RestartPolicy ?? group?.RestartPolicy ?? NO_RESTARTS, changed });
    };
    this.#tasks = new Map((group?.Tasks ?? []).map((task) => [task.Name, runner(task)]));
  }

  /** Starts the tasks. */
  start(): void {
    this.#register();
    for (const runner of this.#tasks.values()) {
      void runner.run().then((failed) => {
        this.#ended(runner, failed);
        if (this.over) this.#deregister();
      });
    }
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
    return { allocation: this.allocation.ID, ClientStatus: status ?? "", ClientDescription: description ?? "", TaskStates: states };
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
