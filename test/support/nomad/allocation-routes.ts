/** Routes of allocations, evaluations, deployments, services, and of what a client does with an allocation: restart, signal, statistics. */
import { checksOf } from "./checks.ts";
import type { Agent, Cluster } from "./cluster.ts";
import type { Evaluator } from "./evaluator.ts";
import { type Exchange, HttpError } from "./exchange.ts";
import type { Allocation } from "./records.ts";
import { allocationStub, wireAllocation, wireEvaluation } from "./wire.ts";

/** The 36 characters of an id, with the servers' words for everything else. */
export function checkId(id: string, what: string): void {
  if (id.length !== 36) throw new HttpError(500, `${what} lookup failed: index error: UUID must be 36 characters`);
}

function checkPrefix(prefix: string, what: string): void {
  const plain = prefix.replaceAll("-", "");
  if (plain.length % 2 === 1) throw new HttpError(500, `${what} lookup failed: index error: Input (without hyphens) must be even length`);
}

/** Routes of allocations. */
export class AllocationRoutes {
  readonly #cluster: Cluster;
  readonly #evaluator: Evaluator;

  constructor(cluster: Cluster, evaluator: Evaluator) {
    this.#cluster = cluster;
    this.#evaluator = evaluator;
  }

  /** GET /v1/allocations. */
  readonly list = async (exchange: Exchange): Promise<void> => {
    const visible = exchange.namespaces("read-job");
    const { state } = this.#cluster;
    const [prefix, states, resources] = [exchange.query("prefix"), exchange.flag("task_states", true), exchange.flag("resources")];
    checkPrefix(prefix, "alloc");
    const status = /^\s*(ClientStatus|JobID|NodeID)\s*==\s*"?([^"]*)"?\s*$/.exec(exchange.query("filter"));
    await exchange.blocking(["allocs"], () => {
      const found = [...state.allocations.values()].filter((one) => visible(one.Namespace) && one.ID.startsWith(prefix));
      const kept = status === null ? found : found.filter((one) => one[status[1] as "ClientStatus"] === status[2]);
      return { index: state.tableIndex("allocs"), body: kept.map((one) => allocationStub(one, states, resources)) };
    });
  };

  /** GET /v1/allocation/:id. */
  readonly read = async (exchange: Exchange): Promise<void> => {
    const id = exchange.part(0);
    checkId(id, "alloc");
    await exchange.blocking(
      ["allocs"],
      () => {
        const found = this.#cluster.state.allocations.get(id);
        if (found === undefined) return undefined;
        exchange.allow(found.Namespace, "read-job");
        return { index: found.ModifyIndex, body: wireAllocation(found) };
      },
      "alloc not found",
    );
  };

  /** Stops an allocation as an operator does: it is replaced, whatever the reschedule policy says. */
  stopAllocation(allocation: Allocation): string {
    const { state } = this.#cluster;
    return state.commit("AllocationUpdateDesiredStatus", (write) => {
      write.allocation({ ...allocation, DesiredTransition: { ...allocation.DesiredTransition, Migrate: true } });
      const { Job } = allocation;
      const request = { namespace: Job.Namespace, job: Job.ID, type: Job.Type, priority: Job.Priority, trigger: "alloc-stop" };
      return this.#evaluator.create(write, request).ID;
    });
  }

  /** POST /v1/allocation/:id/stop. */
  readonly stop = async (exchange: Exchange): Promise<void> => {
    exchange.needLeader();
    const allocation = this.#find(exchange.part(0));
    exchange.allow(allocation.Namespace, "alloc-lifecycle");
    const evaluation = this.stopAllocation(allocation);
    exchange.send({ EvalID: evaluation, Index: this.#cluster.state.index }, this.#cluster.state.index);
  };

  /** GET /v1/allocation/:id/{services,checks}. */
  readonly part = async (exchange: Exchange): Promise<void> => {
    const allocation = this.#find(exchange.part(0));
    exchange.allow(allocation.Namespace, "read-job");
    const { state } = this.#cluster;
    const services = [...state.services.values()].filter(({ AllocID }) => AllocID === allocation.ID);
    if (exchange.part(1) === "services") exchange.send(services, state.tableIndex("services"));
    else exchange.send(await checksOf(this.#cluster, allocation), state.index);
  };

  #find(id: string): Allocation {
    checkId(id, "alloc");
    const found = this.#cluster.state.allocations.get(id);
    if (found === undefined) throw new HttpError(404, "alloc not found");
    return found;
  }

  /** The agent that has an allocation: 404 where it is not known or does not answer. */
  agentOf(allocation: Allocation): Agent {
    const agent = this.#cluster.agents.get(allocation.NodeID);
    if (agent === undefined) throw new HttpError(404, "Unknown node");
    if (!agent.connected) throw new HttpError(404, "No path to node");
    return agent;
  }

  /** POST /v1/client/allocation/:id/{restart,signal} and GET …/stats. */
  readonly client = async (exchange: Exchange): Promise<void> => {
    checkId(exchange.part(0), "alloc");
    const allocation = this.#cluster.state.allocations.get(exchange.part(0));
    if (allocation === undefined) throw new HttpError(404, `Unknown allocation "${exchange.part(0)}"`);
    const what = exchange.part(1);
    const agent = this.agentOf(allocation);
    if (what === "stats") {
      exchange.allow(allocation.Namespace, "read-job");
      exchange.send(this.#stats(allocation));
      return;
    }
    exchange.allow(allocation.Namespace, "alloc-lifecycle");
    const body = exchange.request.headers["content-length"] === "0" ? {} : await exchange.json();
    const tasks = Object.keys(allocation.TaskStates ?? {});
    const named = body["TaskName"] ?? body["Task"];
    const wanted = typeof named === "string" && named !== "" ? [named] : tasks;
    try {
      for (const task of wanted) {
        if (what === "restart") await agent.restartTask(allocation.ID, task);
        else await agent.signalTask(allocation.ID, task, String(body["Signal"] ?? "SIGKILL"));
      }
    } catch (error) {
      throw new HttpError(500, error instanceof Error ? error.message : String(error));
    }
    exchange.send({ Index: 0 });
  };

  #stats(allocation: Allocation): unknown {
    const usage = { CpuStats: { Percent: 1, TotalTicks: 10 }, MemoryStats: { RSS: 32 * 1024 * 1024, Usage: 48 * 1024 * 1024 } };
    const tasks = Object.keys(allocation.TaskStates ?? {}).map((name) => [
      name,
      { Pids: {}, ResourceUsage: usage, Timestamp: this.#cluster.state.nowNs() },
    ]);
    return { ResourceUsage: usage, Tasks: Object.fromEntries(tasks), Timestamp: this.#cluster.state.nowNs() };
  }

  /** GET /v1/evaluations. */
  readonly evaluations = async (exchange: Exchange): Promise<void> => {
    const visible = exchange.namespaces("read-job");
    const { state } = this.#cluster;
    const [prefix, job, status] = [exchange.query("prefix"), exchange.query("job"), exchange.query("status")];
    checkPrefix(prefix, "eval");
    if (exchange.query("filter") !== "" && (job !== "" || status !== ""))
      throw new HttpError(400, "Filter expression cannot be used with other filter parameters");
    await exchange.blocking(["evals"], () => {
      const found = [...state.evaluations.values()].filter((one) => visible(one.Namespace) && one.ID.startsWith(prefix));
      const kept = found.filter((one) => (job === "" || one.JobID === job) && (status === "" || one.Status === status));
      return { index: state.tableIndex("evals"), body: kept.map(wireEvaluation) };
    });
  };

  /** GET /v1/evaluation/:id and …/allocations. */
  readonly evaluation = async (exchange: Exchange): Promise<void> => {
    const id = exchange.part(0);
    checkId(id, "eval");
    const { state } = this.#cluster;
    const found = () => {
      const evaluation = state.evaluations.get(id);
      if (evaluation !== undefined) exchange.allow(evaluation.Namespace, "read-job");
      return evaluation;
    };
    if (exchange.part(1) === "allocations") {
      found();
      return exchange.blocking(["allocs"], () => {
        const placed = [...state.allocations.values()].filter(({ EvalID }) => EvalID === id);
        return { index: state.tableIndex("allocs"), body: placed.map((one) => allocationStub(one)) };
      });
    }
    return exchange.blocking(
      ["evals"],
      () => {
        const evaluation = found();
        return evaluation === undefined ? undefined : { index: evaluation.ModifyIndex, body: wireEvaluation(evaluation) };
      },
      "eval not found",
    );
  };

  /** GET /v1/deployments and /v1/deployment/:id. */
  readonly deployments = async (exchange: Exchange): Promise<void> => {
    const { state } = this.#cluster;
    const visible = exchange.namespaces("read-job");
    const id = exchange.parameters.length === 0 ? undefined : exchange.part(0);
    await exchange.blocking(
      ["deployments"],
      () => {
        if (id === undefined) {
          return {
            index: state.tableIndex("deployments"),
            body: [...state.deployments.values()].filter(({ Namespace }) => visible(Namespace)),
          };
        }
        const found = state.deployments.get(id);
        return found === undefined ? undefined : { index: found.ModifyIndex, body: found };
      },
      "deployment not found",
    );
  };

  /** GET /v1/services. */
  readonly services = async (exchange: Exchange): Promise<void> => {
    this.#mayReadServices(exchange);
    const { state } = this.#cluster;
    const visible = (namespace: string) => exchange.namespace === "*" || namespace === exchange.namespace;
    await exchange.blocking(["services"], () => {
      const byName = new Map<string, Map<string, Set<string>>>();
      for (const { Namespace, ServiceName, Tags } of state.services.values()) {
        if (!visible(Namespace)) continue;
        const names = byName.get(Namespace) ?? new Map<string, Set<string>>();
        byName.set(Namespace, names.set(ServiceName, new Set([...(names.get(ServiceName) ?? []), ...Tags])));
      }
      const body = [...byName].map(([Namespace, names]) => ({
        Namespace,
        Services: [...names].sort().map(([ServiceName, tags]) => ({ ServiceName, Tags: [...tags] })),
      }));
      return { index: state.tableIndex("services"), body };
    });
  };

  #mayReadServices(exchange: Exchange): void {
    if (exchange.caller.may(exchange.namespace, "workload-services")) return;
    exchange.allow(exchange.namespace, "read-job");
  }

  /** GET /v1/service/:name. */
  readonly service = async (exchange: Exchange): Promise<void> => {
    this.#mayReadServices(exchange);
    const { state } = this.#cluster;
    await exchange.blocking(["services"], () => {
      const found = [...state.services.values()].filter(
        (one) => one.ServiceName === exchange.part(0) && one.Namespace === exchange.namespace,
      );
      return { index: state.tableIndex("services"), body: found };
    });
  };
}
