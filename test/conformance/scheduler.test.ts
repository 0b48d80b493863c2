/** Schedulers against their contract. */
import { EmbeddedStage } from "../support/embedded-stage.ts";
import { MemoryCluster, MemoryScheduler } from "../support/memory-scheduler.ts";
import { NodeStage } from "../support/node-stage.ts";
import { ProcessStage } from "../support/process-stage.ts";
import { conformsToScheduler } from "../support/scheduler-conformance.ts";

describe("scheduler in memory", () => {
  conformsToScheduler(async () => {
    const cluster = new MemoryCluster(12);
    return {
      capacity: cluster.capacity,
      open: async () => new MemoryScheduler(cluster),
      settle: async () => cluster.settle(),
      crash: async (worker) => cluster.exit(worker.handle, { code: 1, signal: undefined, outOfMemory: false, reason: "crashed" }),
      close: async () => undefined,
    };
  });
});

describe("scheduler of processes", function () {
  this.timeout(30_000);
  conformsToScheduler(async () => new ProcessStage());
});

describe("scheduler of threads", function () {
  this.timeout(30_000);
  conformsToScheduler(async () => new EmbeddedStage());
});

describe("scheduler of nodes", function () {
  this.timeout(30_000);
  conformsToScheduler(async () => new NodeStage());
});
