/** A vertex of a slot as of now: counters, event time and what waits. */
import type { Ports } from "../exchange/ports.ts";
import type { Instance } from "../instance.ts";
import type { VertexProgress } from "../slot-contract.ts";
import type { VertexTopology } from "../topology.ts";
import type { Backpressure } from "./backpressure.ts";
import type { Control } from "./control.ts";
import type { SinkTask } from "./sink-task.ts";
import type { SourceTask } from "./source-task.ts";

/** What is looked at. */
export interface VertexParts {
  readonly instance: Instance;
  readonly control: Control;
  readonly ports: Ports;
  readonly sink: SinkTask | undefined;
  readonly source: SourceTask | undefined;
  readonly backpressure: Backpressure;
}

/** See the file's comment. */
export function vertexProgress({ id, channels, inputs }: VertexTopology, parts: VertexParts): VertexProgress {
  const { instance, control, ports, sink, source, backpressure } = parts;
  const { ns, holder, idle } = control.tracker(id);
  const out = channels.map((edge) => edge.id);
  const into = [...new Set(inputs.filter(({ direct }) => !direct).map(({ edge }) => edge))];
  return {
    vertex: id,
    stats: instance.stats(id),
    watermarkNs: ns,
    holder,
    idle,
    ended: control.ended(id),
    bytesIn: sumOver(into, ports.receivedBytes) + (source?.bytes ?? 0),
    bytesOut: sumOver(out, ports.sentBytes) + (sink?.bytes ?? 0),
    queueBytes: sumOver(out, ports.waitingBytes) + (sink?.pendingBytes ?? 0),
    blockedMs: backpressure.ofVertex(id),
    lagBytes: source?.lagBytes,
  };
}

function sumOver(edges: readonly number[], bytes: Float64Array): number {
  return edges.reduce((sum, edge) => sum + (bytes[edge] ?? 0), 0);
}
