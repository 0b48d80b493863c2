/**
 * A slot: one subtask's slice of the whole program on one module instance. Its loop is an event loop that turns at least every 5 ms: frames
 * that came in, source reads, expanding work, barriers and timers, each as a small step, so control is never late. It waits without
 * blocking, for a doorbell, a connector, a timer or a command.
 *
 * What follows from time and barriers is decided in `task/control.ts`; how frames move in `exchange/ports.ts`.
 */
import type { SinkCommit } from "../connectors/connector.ts";
import { must } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import { type AppError, toAppError } from "../core/errors.ts";
import { STATUS } from "../program/abi.ts";
import type { Edge } from "../program/program.ts";
import type { InChannel, InFrame } from "./exchange/inbox.ts";
import { Ports } from "./exchange/ports.ts";
import { IdlenessTimer } from "./idleness.ts";
import type { Instance } from "./instance.ts";
import { skippedRows } from "./row-errors.ts";
import { RowPacing } from "./row-pacing.ts";
import type { PhaseTiming, SlotInit, SlotProgress, SlotSettings } from "./slot-contract.ts";
import { Backpressure } from "./task/backpressure.ts";
import { Control, type Signal } from "./task/control.ts";
import { vertexProgress } from "./task/progress.ts";
import { EpochCounters, makeReport, timingOf } from "./task/reports.ts";
import { SinkTask } from "./task/sink-task.ts";
import { Sleeper } from "./task/sleeper.ts";
import { Snapshots } from "./task/snapshot.ts";
import { makeSourceTask, type SourceTask } from "./task/source-task.ts";
import type { Topology } from "./topology.ts";

/** Work between two looks at timers and commands. */
const TURN_MS = 5;
/** How long a failed slot waits for its connectors to close. */
const CLOSE_LIMIT_MS = 1000;

interface SourceState {
  readonly task: SourceTask;
  readonly pacing: RowPacing;
  readonly idleness: IdlenessTimer;
  /** Event time may have changed. */
  stale: boolean;
  /** Its end has been delivered. */
  ended: boolean;
}

/** See the file's comment. */
export class Slot {
  readonly #instance: Instance;
  readonly #topology: Topology;
  readonly #settings: SlotSettings;
  readonly #clock: Clock;
  readonly #init: SlotInit;
  readonly #control: Control;
  readonly #ports: Ports;
  readonly #snapshots: Snapshots;
  readonly #counters: EpochCounters;
  readonly #sleeper: Sleeper;
  readonly #sources: readonly SourceState[];
  readonly #sinks = new Map<number, SinkTask>();
  /** Epoch of the last report, by vertex. */
  readonly #reported: number[];
  /** Nothing passes a channel. */
  readonly #alone: boolean;
  #more = false;
  #failure: AppError | undefined;
  #closed = false;
  #done = false;
  #endedSent = false;
  /** Vertices that have ended may owe reports. */
  #reportDue = false;
  /** Newest epoch that the coordinator has announced. */
  #known: number;
  /** Newest epoch whose barrier this slot's sources have sent. */
  #injected: number;
  #stopRequested = false;
  #stopAfter: number;
  #sourceTurn = 0;
  #channelTurn = 0;
  #paused = false;
  readonly #backpressure: Backpressure;
  #unflushed = false;
  #lastEdgeFlushMs: number;
  #lastFlushMs: number;
  constructor(init: SlotInit) {
    const { instance, topology, settings, clock } = init;
    this.#init = init;
    this.#sleeper = new Sleeper(init.doorbells);
    this.#instance = instance;
    this.#topology = topology;
    this.#settings = settings;
    this.#clock = clock;
    const nowMs = clock.elapsedMs();
    this.#lastEdgeFlushMs = nowMs;
    this.#lastFlushMs = nowMs;
    this.#known = settings.restoredEpoch;
    this.#injected = settings.restoredEpoch;
    this.#stopAfter = settings.stopAfterCheckpoint ?? Number.POSITIVE_INFINITY;
    this.#reported = topology.vertices.map(() => settings.restoredEpoch);
    const owner = { instance, nowNs: () => clock.nowNs(), wake: () => this.wake(), fail: (error: unknown) => this.fail(error) };
    this.#control = new Control(topology, {
      instance,
      clock,
      nowMs: () => clock.nowNs() / 1_000_000n,
      send: (edge: Edge, signal: Signal) => this.#ports.send(edge, signal),
      barrierAt: (vertex, epoch, alignment) => this.#report(vertex, epoch, alignment),
      endedAt: () => {
        this.#reportDue = true;
      },
    });
    this.#ports = new Ports({
      topology,
      instance,
      fence: settings.fence,
      links: init.links,
      doorbells: init.doorbells,
      windowBytes: settings.windowBytes,
      toSink: (vertex, frame, length) => must(this.#sinks.get(vertex), `sink ${vertex}`).write(frame, length),
    });
    this.#backpressure = new Backpressure(topology, this.#ports.waitingBytes, this.#sinks);
    this.#alone = topology.parallelism === 1 && this.#ports.channels.length === 0;
    this.#snapshots = new Snapshots(instance, init.snapshots, clock, () => this.wake());
    this.#counters = new EpochCounters(instance, topology, this.#ports);
    for (const [vertex, sink] of init.sinks) this.#sinks.set(vertex, new SinkTask(vertex, sink, owner));
    this.#sources = [...init.sources].map(([vertex, source]) => ({
      task: makeSourceTask(vertex, source, owner),
      pacing: new RowPacing(settings.checkpointEveryRows, settings.restoredEpoch),
      idleness: new IdlenessTimer(init.idleMs(vertex), source.bounded, nowMs),
      stale: false,
      ended: false,
    }));
    for (const [vertex, ns] of init.restoredWatermarks) this.#control.restore(vertex, ns);
  }

  /** Runs until `close` is done. Throws what ended the slot otherwise; its connectors are closed in both cases. */
  async run(): Promise<void> {
    this.#control.start();
    for (const source of this.#sources) source.task.start();
    try {
      while (!this.#done) {
        const worked = this.#turn();
        if (this.#failure !== undefined) throw this.#failure;
        await (worked ? this.#sleeper.yield() : this.#sleep());
      }
    } catch (error) {
      // A connector that does not close must not keep the cause from being told.
      await Promise.race([this.#closeConnectors(false).catch(() => undefined), this.#clock.sleep(CLOSE_LIMIT_MS)]);
      throw toAppError(error);
    }
  }

  /** Epoch `epoch` has begun. `stop`: sources pause behind its barrier; told so again, by another controller, for a later one they go on. */
  trigger(epoch: number, stop: boolean): void {
    this.#known = Math.max(this.#known, epoch);
    if (stop) {
      this.#stopRequested = true;
      this.#stopAfter = Math.min(this.#settings.stopAfterCheckpoint ?? Number.POSITIVE_INFINITY, epoch);
    }
    this.#reportDue = true;
    this.wake();
  }

  /** Epoch `epoch` counts: publishes what the sinks staged, by vertex. */
  commit(epoch: number, staged: ReadonlyMap<number, SinkCommit>): void {
    const commits = [...staged].map(([vertex, commit]) =>
      must(this.#sinks.get(vertex), `sink ${vertex}`).timedCommit(epoch, commit, this.#clock),
    );
    Promise.all(commits).then(
      (phases) => this.#init.host.committed(epoch, phases),
      (error: unknown) => this.fail(error),
    );
  }

  /** `paused`: sources are not read until they may again. Barriers and rows under way go on. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.wake();
  }

  /** Ends the slot: everything is committed (`finished`), or the run is given up. */
  close(finished: boolean): void {
    this.#closed = true;
    this.#closeConnectors(finished).then(
      () => {
        this.#done = true;
        this.wake();
      },
      (error: unknown) => this.fail(error),
    );
  }

  /** Ends the slot with `error`. */
  fail(error: unknown): void {
    this.#failure ??= toAppError(error);
    this.wake();
  }

  /** Something may have become possible. */
  wake(): void {
    this.#sleeper.wake();
  }

  /** Counters and event times as of now. */
  progress(): SlotProgress {
    const vertices = this.#topology.vertices.map((vertex) => {
      const source = this.#sources.find(({ task }) => task.vertex === vertex.id)?.task;
      const parts = { instance: this.#instance, control: this.#control, ports: this.#ports, backpressure: this.#backpressure };
      return vertexProgress(vertex, { ...parts, sink: this.#sinks.get(vertex.id), source });
    });
    const rowsWritten = [...this.#sinks.values()].reduce((sum, sink) => sum + sink.rows, 0);
    const rowsRead = this.#sources.reduce((sum, source) => sum + source.pacing.rows, 0);
    return {
      vertices,
      rowsRead,
      rowsWritten,
      blockedMs: this.#backpressure.totalMs,
      stateBytes: this.#instance.stateBytes(),
      epoch: this.#injected,
    };
  }

  async #closeConnectors(finished: boolean): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.task.close()));
    await Promise.all([...this.#sinks.values()].map((sink) => sink.close(finished)));
  }

  /** One turn of the event loop: up to 5 ms of work. True if there was any. */
  #turn(): boolean {
    this.#init.beat?.();
    const deadline = this.#clock.elapsedMs() + TURN_MS;
    let worked = false;
    try {
      this.#timers();
      while (this.#failure === undefined && !this.#closed && this.#step()) {
        worked = true;
        if (this.#clock.elapsedMs() >= deadline) break;
      }
      if (this.#ports.flush()) worked = true;
      this.#checkEnded();
    } catch (error) {
      this.fail(error);
    }
    return worked;
  }

  /** The most urgent small piece of work; false if there is none. */
  #step(): boolean {
    this.#ports.poll();
    if (this.#more) return this.#pull();
    if (this.#control.busy) return this.#ran(this.#control.step());
    if (this.#reportDue) this.#reportEnded();
    if (this.#inject()) return true;
    const copied = this.#snapshots.ready;
    if (copied) this.#snapshots.slice();
    this.#backpressure.clear();
    return this.#deliver() || this.#read() || copied;
  }

  /** Sinks empty themselves, so expanding work can wait for them; it must not wait for channels, which may wait for us. */
  #pull(): boolean {
    return this.#backpressure.canPull() && this.#ran(this.#instance.pull());
  }

  /** Takes what a module call left: queued frames, error rows, and whether it has more to do. */
  #ran(status: number, source?: SourceTask): true {
    this.#more = status === STATUS.more || status === STATUS.errors;
    if (status === STATUS.errors || this.#instance.errorBytes() > 0) this.#errors(source);
    this.#ports.drain();
    this.#ports.flush();
    return true;
  }

  #errors(source: SourceTask | undefined): void {
    const describe = source === undefined ? undefined : (partition: number, position: bigint) => source.describe(partition, position);
    const skipped = skippedRows(this.#topology.program, this.#instance.drainErrors(), this.#settings.late, describe);
    if (skipped !== undefined) this.#init.host.skippedRows(skipped);
  }

  /** Sends the next barrier from all live sources at one moment, if it is due. */
  #inject(): boolean {
    const live = this.#sources.filter((source) => !source.ended);
    const epoch = this.#injected + 1;
    if (live.length === 0 || this.#injected >= this.#stopAfter) return false;
    const byRows = this.#settings.checkpointEveryRows > 0;
    const counted = byRows && live.every((source) => source.pacing.room(epoch) === 0);
    const asked = this.#known >= epoch && (!byRows || this.#stopRequested);
    if (!counted && !asked) return false;
    for (const source of live) {
      source.task.settle();
      source.stale = true;
    }
    this.#refreshWatermarks();
    for (const source of live) {
      this.#control.deliver(source.task.vertex, 0, { kind: "barrier", argument: BigInt(epoch), holder: undefined });
      source.task.start();
    }
    this.#injected = epoch;
    this.#known = Math.max(this.#known, epoch);
    this.#init.host.started(epoch);
    this.#reportDue = true;
    return true;
  }

  /** Delivers the next frame that may be delivered. */
  #deliver(): boolean {
    const { channels } = this.#ports;
    for (let i = 0; i < channels.length; i++) {
      const at = (this.#channelTurn + i) % channels.length;
      const channel = channels[at] as InChannel;
      const frame = channel.queue[0];
      if (frame === undefined || this.#control.blocked(channel.target, channel.input)) continue;
      if (frame.pointer !== 0 && !this.#backpressure.canFeed(channel.target)) continue;
      channel.queue.shift();
      this.#channelTurn = at + 1;
      this.#deliverFrame(channel, frame);
      return true;
    }
    return false;
  }

  #deliverFrame(channel: InChannel, frame: InFrame): void {
    if (frame.pointer === 0) {
      const holder = frame.kind === "watermark" ? { vertex: frame.holderVertex, partition: frame.holderPartition } : undefined;
      const kind = frame.kind as Signal["kind"];
      this.#control.deliver(channel.target, channel.input, { kind, argument: frame.argument, holder });
      return;
    }
    this.#control.wake(channel.target, channel.input);
    this.#unflushed = true;
    const status = this.#instance.push(channel.edge, frame.pointer);
    this.#ports.delivered(channel, frame);
    this.#ran(status);
  }

  /** Reads one batch from the next source that has one. */
  #read(): boolean {
    const nowMs = this.#clock.elapsedMs();
    const paused = this.#paused || this.#injected >= this.#stopAfter;
    for (let i = 0; i < this.#sources.length && !paused; i++) {
      const at = (this.#sourceTurn + i) % this.#sources.length;
      const source = this.#sources[at] as SourceState;
      if (source.ended) continue;
      if (source.task.ended) {
        this.#sourceEnded(source);
        return true;
      }
      if (!source.task.ready) continue;
      const room = Math.min(this.#settings.batchRows, source.pacing.room(this.#injected + 1));
      if (room === 0) continue;
      if (!this.#backpressure.canFeed(source.task.vertex)) {
        source.idleness.found(nowMs);
        continue;
      }
      this.#sourceTurn = at + 1;
      this.#readBatch(source, room, nowMs);
      return true;
    }
    // While more rows are coming, event time waits for the linger: small frames cost more than late firing.
    return (this.#alone || !this.#awaitsInput()) && this.#refreshWatermarks();
  }

  #readBatch(source: SourceState, room: number, nowMs: number): void {
    const { task } = source;
    const status = task.step(room);
    source.pacing.read(task.lastRows);
    source.stale = true;
    this.#unflushed = true;
    if (task.lastRows > 0) {
      source.idleness.found(nowMs);
      this.#control.wake(task.vertex, 0);
    }
    this.#ran(status, task);
    if (this.#alone) this.#refreshWatermarks();
  }

  #sourceEnded(source: SourceState): void {
    source.ended = true;
    source.stale = false;
    this.#control.deliver(source.task.vertex, 0, { kind: "end", argument: 0n, holder: undefined });
  }

  /** Passes on what the sources say about event time. True if that began a wave. */
  #refreshWatermarks(): boolean {
    for (const source of this.#sources) {
      if (!source.stale || source.ended) continue;
      source.stale = false;
      const watermark = source.task.watermark();
      if (watermark === undefined || watermark === "end") continue;
      const { vertex } = source.task;
      const holder = { vertex, partition: watermark.partition };
      this.#control.deliver(vertex, 0, { kind: "watermark", argument: watermark.ns, holder });
    }
    return this.#control.busy;
  }

  #report(vertex: number, epoch: number, alignment?: PhaseTiming): void {
    this.#reported[vertex] = epoch;
    // Rows in the partitioning buffers belong to this epoch.
    for (const edge of this.#topology.vertices[vertex]?.channels ?? []) this.#instance.flushEdge(edge.id);
    this.#ports.drain();
    const taken = this.#counters.take(vertex);
    const positions = this.#sources.find((source) => source.task.vertex === vertex)?.task.positions() ?? [];
    const watermarkNs = this.#control.tracker(vertex).ns;
    const { subtask } = this.#topology;
    const staging = this.#sinks.get(vertex)?.timedStage(epoch, this.#clock);
    Promise.all([this.#snapshots.freeze(vertex, epoch), staging]).then(
      ([state, staged]) => {
        const report = makeReport({ vertex, subtask, taken, positions, watermarkNs, state, staged: staged?.result });
        this.#init.host.reported(epoch, report, timingOf(state, alignment, staged?.span));
      },
      (error: unknown) => this.fail(error),
    );
  }

  /** A vertex that has ended stands for every later epoch as it is. */
  #reportEnded(): void {
    this.#reportDue = false;
    for (const { id } of this.#topology.vertices) {
      if (!this.#control.ended(id)) continue;
      for (let epoch = (this.#reported[id] ?? 0) + 1; epoch <= this.#known; epoch++) this.#report(id, epoch);
    }
  }

  #checkEnded(): void {
    if (this.#endedSent || this.#more || this.#control.busy || !this.#control.allEnded || !this.#ports.empty) return;
    this.#endedSent = true;
    this.#init.host.ended();
  }

  #timers(): void {
    const nowMs = this.#clock.elapsedMs();
    if (this.#closed) return;
    for (const source of this.#sources) {
      const { task, idleness, ended } = source;
      if (!ended && task.idle && idleness.isIdle(nowMs) && !this.#control.busy) {
        this.#control.deliver(task.vertex, 0, { kind: "idle", argument: 0n, holder: undefined });
      }
    }
    if (nowMs - this.#lastFlushMs >= this.#settings.flushIntervalMs && !this.#control.busy) {
      this.#lastFlushMs = nowMs;
      this.#control.flushUpdating();
    }
    if (this.#unflushed && nowMs - this.#lastEdgeFlushMs >= this.#settings.lingerMs) {
      if (!this.#control.busy) this.#refreshWatermarks();
      this.#flushEdges(nowMs);
    }
  }

  #flushEdges(nowMs: number): void {
    this.#lastEdgeFlushMs = nowMs;
    this.#unflushed = this.#sources.some(({ stale, ended }) => stale && !ended);
    for (const vertex of this.#topology.vertices) for (const edge of vertex.channels) this.#instance.flushEdge(edge.id);
    this.#ports.drain();
    this.#ports.flush();
  }

  /** Waits for a reason to turn again. */
  async #sleep(): Promise<void> {
    if ((await this.#sleeper.doze()) || this.#flushedBeforeSleep()) return;
    // A sleep costs more than a turn of the event loop, and a connector that reads ahead may have been done for long.
    if (this.#awaitsInput() && (await this.#sleeper.glance())) return;
    const began = this.#clock.elapsedMs();
    await this.#sleeper.sleep(
      () => this.#ports.poll() || this.#ports.flush(),
      () => this.#sleepMs(began),
    );
    this.#backpressure.slept(this.#clock.elapsedMs() - began);
  }

  /** Rows in partitioning buffers wait for more only while a source is about to bring more, and never longer than the linger. */
  #flushedBeforeSleep(): boolean {
    if (!this.#unflushed || this.#awaitsInput()) return false;
    this.#flushEdges(this.#clock.elapsedMs());
    return true;
  }

  /** Whether a source has a read under way. */
  #awaitsInput(): boolean {
    return this.#sources.some(({ task, ended }) => !ended && !task.idle && !task.ended && !task.ready);
  }

  #sleepMs(nowMs: number): number {
    let ms = Math.max(0, this.#settings.flushIntervalMs - (nowMs - this.#lastFlushMs));
    if (this.#unflushed) ms = Math.min(ms, this.#settings.lingerMs - (nowMs - this.#lastEdgeFlushMs));
    for (const { task, idleness, ended } of this.#sources) {
      const due = ended || !task.idle || this.#control.tracker(task.vertex).idle ? undefined : idleness.dueInMs(nowMs);
      if (due !== undefined) ms = Math.min(ms, due);
    }
    return Math.max(1, ms);
  }
}
