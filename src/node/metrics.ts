/** What Prometheus is told of a node. */
import { Counter, Gauge, type Registry } from "prom-client";

/** See the file's comment. */
export class NodeMetrics {
  readonly slots: Gauge;
  readonly freeSlots: Gauge;
  readonly workers: Gauge;
  readonly draining: Gauge;
  readonly registered: Gauge;
  readonly starts: Counter;
  readonly exits: Counter<"how">;
  readonly failedHeartbeats: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.slots = new Gauge({ name: "wadi_node_slots", help: "slots that the node offers", registers });
    this.freeSlots = new Gauge({ name: "wadi_node_free_slots", help: "slots that no worker has", registers });
    this.workers = new Gauge({ name: "wadi_node_workers", help: "worker processes that run", registers });
    this.draining = new Gauge({ name: "wadi_node_draining", help: "1 while the node is being emptied", registers });
    this.registered = new Gauge({ name: "wadi_node_registered", help: "1 while a controller answers heartbeats", registers });
    this.starts = new Counter({ name: "wadi_node_worker_starts_total", help: "workers that were started", registers });
    const help = "workers that have ended: done, failed or out-of-memory";
    this.exits = new Counter({ name: "wadi_node_worker_exits_total", help, labelNames: ["how"], registers });
    this.failedHeartbeats = new Counter({ name: "wadi_node_failed_heartbeats_total", help: "heartbeats without an answer", registers });
  }
}
