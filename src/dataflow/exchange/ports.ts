/**
 * All channels of one slot: where the module's output queue goes (a sink, the own inbox, another slot's ring) and where frames come in. It
 * moves frames and counts rows and bytes; when a frame may be delivered is the slot's decision.
 */
import { must } from "../../core/assert.ts";
import { FRAME_HEADER, makeControlFrame } from "../../data/frame.ts";
import type { Edge } from "../../program/program.ts";
import { type Instance, TO_HOST } from "../instance.ts";
import type { Signal } from "../task/control.ts";
import { channelTargets, type Topology } from "../topology.ts";
import type { Doorbells } from "./doorbell.ts";
import { type InChannel, type InFrame, InLink } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { type RingMemory, RingReader, RingWriter } from "./ring.ts";

/** One end of a ring, as a slot gets it: for sending, or for receiving. */
export interface LinkMemory {
  readonly ring: RingMemory;
  /** Subtasks at the other end. */
  readonly subtasks: readonly number[];
  /** Number of the thread at the other end, for its doorbell. */
  readonly thread: number;
  /** Whose number, with the edge's, names a channel in the ring: the source's where many send through it, else the target's. */
  readonly creditBy: "source" | "target";
}

/** Number of a channel in a ring. */
export function creditNumber(
  link: Pick<LinkMemory, "creditBy">,
  edge: number,
  source: number,
  target: number,
  parallelism: number,
): number {
  return edge * parallelism + (link.creditBy === "source" ? source : target);
}

/** What connects a slot with the others. */
export interface SlotLinks {
  readonly outgoing: readonly LinkMemory[];
  readonly incoming: readonly LinkMemory[];
}

/** What ports are made of. */
export interface PortsInit {
  readonly topology: Topology;
  readonly instance: Instance;
  readonly fence: bigint;
  readonly links: SlotLinks;
  readonly doorbells: Doorbells | undefined;
  /** Credit of a channel in bytes. */
  readonly windowBytes: number;
  /** Takes an encoded frame for a sink vertex. */
  readonly toSink: (vertex: number, frame: number, length: number) => void;
}

interface OutLink {
  readonly outbox: Outbox;
  readonly memory: LinkMemory;
}

/** See the file's comment. */
export class Ports {
  /** Channels into this slot. */
  readonly channels: readonly InChannel[];
  /** Bytes of data frames, by edge, that wait in this slot to be sent (or, on its own channels, to be delivered). */
  readonly waitingBytes: Float64Array;
  /** Rows sent and received so far, by channel edge. */
  readonly sentRows: Float64Array;
  readonly receivedRows: Float64Array;
  /** Bytes of frames sent and received so far, by channel edge. */
  readonly sentBytes: Float64Array;
  readonly receivedBytes: Float64Array;
  readonly #init: PortsInit;
  readonly #view: DataView;
  readonly #byEdge: ReadonlyMap<number, ReadonlyMap<number, InChannel>>;
  readonly #inLinks: readonly { readonly link: InLink; readonly thread: number; readonly relayed: boolean }[];
  readonly #outLinks: readonly OutLink[];
  readonly #linkOf = new Map<number, OutLink>();
  readonly #targets = new Map<number, readonly number[]>();

  constructor(init: PortsInit) {
    this.#init = init;
    const { topology, instance, links } = init;
    const edges = topology.program.edges.length;
    this.#view = new DataView(instance.memory.buffer);
    this.waitingBytes = new Float64Array(edges);
    this.sentRows = new Float64Array(edges);
    this.receivedRows = new Float64Array(edges);
    this.sentBytes = new Float64Array(edges);
    this.receivedBytes = new Float64Array(edges);
    const owner = {
      memory: instance.memory,
      release: (pointer: number) => instance.freeFrame(pointer),
      waiting: (edge: number, bytes: number) => this.#addWaiting(edge, bytes),
    };
    this.#outLinks = links.outgoing.map((memory) => ({ memory, outbox: new Outbox(new RingWriter(memory.ring), owner, init.windowBytes) }));
    for (const link of this.#outLinks) for (const subtask of link.memory.subtasks) this.#linkOf.set(subtask, link);
    const inLinkOf = new Map<number, InLink>();
    this.#inLinks = links.incoming.map((memory) => {
      const creditOf = (edge: number, source: number): number => creditNumber(memory, edge, source, topology.subtask, topology.parallelism);
      const link = new InLink(new RingReader(memory.ring), creditOf, init.fence);
      for (const subtask of memory.subtasks) inLinkOf.set(subtask, link);
      return { link, thread: memory.thread, relayed: memory.creditBy === "source" };
    });
    this.channels = inChannels(topology, inLinkOf);
    this.#byEdge = indexChannels(this.channels);
  }

  #addWaiting(edge: number, bytes: number): void {
    this.waitingBytes[edge] = (this.waitingBytes[edge] ?? 0) + bytes;
  }

  /** Takes in what the rings hold. True if anything came. */
  poll(): boolean {
    const { instance } = this.#init;
    let came = false;
    for (const { link, thread } of this.#inLinks) {
      const took = link.poll(
        instance.memory,
        (length) => instance.frameBuffer(length),
        (edge, source, frame) => this.#channel(edge, source).queue.push(frame),
      );
      if (took && link.takeStalled()) this.#init.doorbells?.ring(thread);
      came ||= took;
    }
    return came;
  }

  #channel(edge: number, source: number): InChannel {
    return must(this.#byEdge.get(edge)?.get(source), `the channel of edge ${edge} from subtask ${source}`);
  }

  /** `frame`, taken off `channel`'s queue, is being delivered: counts its rows and gives its credit back. */
  delivered(channel: InChannel, frame: InFrame): void {
    this.receivedRows[channel.edge] = (this.receivedRows[channel.edge] ?? 0) + frame.rows;
    this.receivedBytes[channel.edge] = (this.receivedBytes[channel.edge] ?? 0) + frame.length;
    if (channel.link === undefined) return this.#addWaiting(channel.edge, -frame.length);
    channel.link.processed(channel, frame);
    const link = this.#inLinks.find((candidate) => candidate.link === channel.link);
    // The main thread passes credits on to another worker, so it always has to know.
    if (link !== undefined && (link.relayed || link.link.takeStalled())) this.#init.doorbells?.ring(link.thread);
  }

  /** Empties the module's output queue. */
  drain(): void {
    const { instance, topology, toSink } = this.#init;
    for (let entry = instance.nextOutput(); entry !== undefined; entry = instance.nextOutput()) {
      const { frame, length, edge, target } = entry;
      if (target === TO_HOST) {
        toSink(must(topology.program.edges[edge], `edge ${edge}`).target, frame, length);
        continue;
      }
      const rows = this.#view.getUint32(frame + FRAME_HEADER.rows, true);
      this.sentRows[edge] = (this.sentRows[edge] ?? 0) + rows;
      this.sentBytes[edge] = (this.sentBytes[edge] ?? 0) + length;
      if (target === topology.subtask) this.#keep(edge, frame, length, rows);
      else {
        const link = this.#link(target);
        link.outbox.enqueue(edge, creditNumber(link.memory, edge, topology.subtask, target, topology.parallelism), frame, length);
      }
    }
  }

  #link(target: number): OutLink {
    return must(this.#linkOf.get(target), `the link to subtask ${target}`);
  }

  #keep(edge: number, pointer: number, length: number, rows: number): void {
    this.#addWaiting(edge, length);
    const kind = "data" as const;
    this.#channel(edge, this.#init.topology.subtask).queue.push({
      kind,
      pointer,
      length,
      rows,
      argument: 0n,
      holderVertex: 0,
      holderPartition: 0,
    });
  }

  /** Sends `signal` to every target of channel `edge`, behind all rows on it. */
  send(edge: Edge, signal: Signal): void {
    const { instance, topology, fence } = this.#init;
    instance.flushEdge(edge.id);
    this.drain();
    const { subtask, parallelism } = topology;
    for (const target of this.#targetsOf(edge)) {
      const holderVertex = signal.holder?.vertex ?? 0;
      const holderPartition = signal.holder?.partition ?? 0;
      const { kind, argument } = signal;
      if (target === subtask) {
        this.#channel(edge.id, subtask).queue.push({ kind, pointer: 0, length: 0, rows: 0, argument, holderVertex, holderPartition });
        continue;
      }
      const link = this.#link(target);
      const frame = { kind, edge: edge.id, source: subtask, target, fence, argument, holderVertex, holderPartition };
      link.outbox.enqueueControl(edge.id, creditNumber(link.memory, edge.id, subtask, target, parallelism), makeControlFrame(frame));
    }
  }

  #targetsOf(edge: Edge): readonly number[] {
    let targets = this.#targets.get(edge.id);
    if (targets === undefined) {
      targets = channelTargets(edge, this.#init.topology.subtask, this.#init.topology.parallelism);
      this.#targets.set(edge.id, targets);
    }
    return targets;
  }

  /** Writes to the rings what they and the credits allow. True if anything was written. */
  flush(): boolean {
    let wrote = false;
    for (const { outbox, memory } of this.#outLinks) {
      if (!outbox.flush()) continue;
      wrote = true;
      this.#init.doorbells?.ring(memory.thread);
    }
    return wrote;
  }

  /** True when nothing waits to be sent or delivered. */
  get empty(): boolean {
    return this.channels.every((c) => c.queue.length === 0) && this.#outLinks.every(({ outbox }) => outbox.length === 0);
  }
}

function inChannels(topology: Topology, linkOf: ReadonlyMap<number, InLink>): readonly InChannel[] {
  return topology.vertices.flatMap((vertex) =>
    vertex.inputs.flatMap((input, i): readonly InChannel[] => {
      if (input.direct) return [];
      const link = input.source === topology.subtask ? undefined : must(linkOf.get(input.source), `the link from subtask ${input.source}`);
      return [{ edge: input.edge, source: input.source, target: vertex.id, input: i, queue: [], link }];
    }),
  );
}

function indexChannels(channels: readonly InChannel[]): ReadonlyMap<number, ReadonlyMap<number, InChannel>> {
  const index = new Map<number, Map<number, InChannel>>();
  for (const channel of channels) {
    const bySource = index.get(channel.edge) ?? new Map<number, InChannel>();
    bySource.set(channel.source, channel);
    index.set(channel.edge, bySource);
  }
  return index;
}
