/**
 * The data plane of a worker's main thread: owns all sockets, carries frames from the slots' rings to other workers and from there into the
 * target slots' rings, and credits the other way. It looks at headers, never at a frame's body.
 *
 * A lost connection is the end of the run: frames may be lost with it, and the last checkpoint has them. A peer that has nothing more to say
 * says goodbye first.
 */
import { connect, type Socket } from "node:net";
import { must } from "../core/assert.ts";
import { externalError, toAppError } from "../core/errors.ts";
import { FRAME_HEADER, makeControlFrame } from "../data/frame.ts";
import { Doorbells } from "../dataflow/exchange/doorbell.ts";
import { RingReader, RingWriter } from "../dataflow/exchange/ring.ts";
import {
  type Credit,
  creditCutter,
  decodeCredit,
  encodeCredits,
  encodeHello,
  frameCutter,
  HELLO_BYTES,
  judgeHello,
  openFrame,
  refusalError,
  sealFrame,
} from "../dataflow/exchange/tcp.ts";
import type { DataListener } from "./data-listener.ts";
import { dialTls, proving } from "./data-tls.ts";
import type { PeerAddress, WorkerStart } from "./protocol.ts";
import type { RemoteRing, WorkerLinks } from "./slot-links.ts";

/** Bytes in a socket's send queue above which rings are not read. */
const SEND_LIMIT_BYTES = 1 << 20;
/** Bytes that wait for a ring above which a socket is not read. */
const RECEIVE_LIMIT_BYTES = 4 << 20;
/** Edge of the frame and of the credit that say goodbye. */
const GOODBYE = 0xffffffff;
const SMALLEST_FRAME = 128;
const CONNECT_TIMEOUT_MS = 10_000;
/** A worker that listens may still be fetching what it is to run; it takes connections when it has. */
const WELCOME_TIMEOUT_MS = 120_000;

/** Frames of one slot for one worker, read off their ring. */
class OutgoingRing {
  readonly remote: RemoteRing;
  readonly reader: RingReader;
  readonly thread: number;
  readonly #head = new Uint8Array(SMALLEST_FRAME);
  #frame: Buffer | undefined;
  #filled = 0;

  constructor(remote: RemoteRing, thread: number) {
    this.remote = remote;
    this.reader = new RingReader(remote.ring);
    this.thread = thread;
  }

  /** The next whole frame, sealed; undefined until it is there. */
  next(): Buffer | undefined {
    if (this.#frame === undefined) {
      if (this.reader.available() < SMALLEST_FRAME) return undefined;
      this.reader.peek(this.#head, 0, SMALLEST_FRAME);
      this.#frame = Buffer.allocUnsafe(new DataView(this.#head.buffer).getUint32(FRAME_HEADER.length, true));
      this.#filled = 0;
    }
    const frame = this.#frame;
    this.#filled += this.reader.read(frame, this.#filled, frame.length - this.#filled);
    if (this.#filled < frame.length) return undefined;
    this.#frame = undefined;
    sealFrame(frame);
    return frame;
  }
}

/** Frames of one worker for one slot, on their way into its ring. */
class IncomingRing {
  readonly remote: RemoteRing;
  readonly writer: RingWriter;
  readonly thread: number;
  readonly #queue: Uint8Array[] = [];
  #written = 0;
  /** Processed units that have been credited, by channel number. */
  readonly #credited = new Map<number, { readonly edge: number; readonly source: number; units: number }>();
  waitingBytes = 0;

  constructor(remote: RemoteRing, thread: number) {
    this.remote = remote;
    this.writer = new RingWriter(remote.ring);
    this.thread = thread;
  }

  accept(frame: Uint8Array, edge: number, source: number, parallelism: number): void {
    this.#queue.push(frame);
    this.waitingBytes += frame.length;
    const channel = edge * parallelism + source;
    if (!this.#credited.has(channel)) this.#credited.set(channel, { edge, source, units: this.writer.processed(channel) });
  }

  /** Writes what fits; asks to be woken for the rest. True if anything did. */
  flush(): boolean {
    if (this.#queue.length === 0) return false;
    const wrote = this.#write();
    if (this.#queue.length === 0) return wrote;
    this.writer.stall();
    return this.#write() || wrote;
  }

  #write(): boolean {
    let wrote = false;
    for (let frame = this.#queue[0]; frame !== undefined; frame = this.#queue[0]) {
      const n = this.writer.write(frame, this.#written, frame.length);
      this.#written += n;
      this.waitingBytes -= n;
      wrote ||= n > 0;
      if (this.#written < frame.length) return wrote;
      this.#queue.shift();
      this.#written = 0;
    }
    return wrote;
  }

  /** Credits since the last call. */
  takeCredits(credits: Credit[]): void {
    for (const [channel, credited] of this.#credited) {
      const units = this.writer.processed(channel);
      const delta = (units - credited.units) | 0;
      if (delta === 0) continue;
      credited.units = units;
      credits.push({ edge: credited.edge, source: credited.source, target: this.remote.subtask, bytes: delta << 6 });
    }
  }
}

/** See the file's comment. */
export class WorkerExchange {
  readonly #start: WorkerStart;
  readonly #fail: (error: unknown) => void;
  readonly #doorbells: Doorbells;
  readonly #listener: DataListener;
  readonly #outgoing: readonly OutgoingRing[];
  readonly #incoming: readonly IncomingRing[];
  /** Connections that we opened, by worker: frames out. */
  readonly #senders = new Map<number, Socket>();
  /** Connections that we accepted, by worker: frames in. */
  readonly #receivers = new Map<number, Socket>();
  #closing = false;
  #woken = false;
  #resume: (() => void) | undefined;
  readonly #ring = (): void => this.#wake();

  /** Takes the connections of `listener`, which listens. `fail` ends the run. */
  constructor(start: WorkerStart, links: WorkerLinks, listener: DataListener, fail: (error: unknown) => void) {
    this.#start = start;
    this.#listener = listener;
    this.#fail = (error) => {
      if (!this.#closing) fail(error);
    };
    this.#doorbells = new Doorbells(must(links.doorbells, "the worker's doorbells"), links.mainThread);
    const threadOf = (subtask: number): number => links.subtasks.indexOf(subtask);
    this.#outgoing = links.outgoing.map((remote) => new OutgoingRing(remote, threadOf(remote.subtask)));
    this.#incoming = links.incoming.map((remote) => new IncomingRing(remote, threadOf(remote.subtask)));
    const take = (socket: Socket): void => this.#accept(socket);
    listener.attach(start.tls === undefined ? take : proving(start.tls, take));
  }

  /** Connects to all others and begins to carry frames. */
  connect(peers: readonly PeerAddress[]): void {
    for (const peer of peers) if (peer.worker !== this.#start.worker) this.#dial(peer);
    this.#run().catch((error: unknown) => this.#fail(error));
  }

  /** Says goodbye and closes all connections. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    const { fence } = this.#start.run.settings;
    const goodbye = makeControlFrame({ kind: "end", edge: GOODBYE, source: 0, target: 0, fence });
    sealFrame(goodbye);
    for (const socket of this.#senders.values()) socket.end(goodbye);
    for (const socket of this.#receivers.values()) socket.end(encodeCredits([{ edge: GOODBYE, source: 0, target: 0, bytes: 0 }]));
    this.#listener.close();
    this.#wake();
  }

  #dial(peer: PeerAddress): void {
    const { run, worker, tls } = this.#start;
    const name = `${peer.host}:${peer.port}`;
    const socket = tls === undefined ? connect({ host: peer.host, port: peer.port, noDelay: true }) : dialTls(peer, tls);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(externalError("timeout", `worker at ${name} does not answer`)));
    socket.once("connect", () => socket.setTimeout(WELCOME_TIMEOUT_MS));
    socket.write(encodeHello({ worker, fence: run.settings.fence, credential: run.credential }));
    const state = { welcome: false, goodbye: false };
    const cutter = creditCutter();
    socket.on("data", (bytes) => {
      try {
        let rest: Uint8Array = bytes;
        if (!state.welcome) {
          const refusal = refusalError(bytes[0] ?? 255, name);
          if (refusal !== undefined) throw refusal;
          state.welcome = true;
          socket.setTimeout(0);
          this.#senders.set(peer.worker, socket);
          this.#wake();
          rest = bytes.subarray(1);
        }
        cutter.push(rest, (piece) => {
          const credit = decodeCredit(piece);
          if (credit.edge === GOODBYE) state.goodbye = true;
          else this.#credit(credit, peer.worker);
        });
      } catch (error) {
        this.#fail(error);
        socket.destroy();
      }
    });
    socket.on("drain", () => this.#wake());
    this.#watch(socket, `worker ${peer.worker} at ${name}`, state);
  }

  #accept(socket: Socket): void {
    const { run } = this.#start;
    const state = { worker: -1, goodbye: false };
    const name = `${socket.remoteAddress}:${socket.remotePort}`;
    let hello = Buffer.alloc(0);
    const cutter = frameCutter(run.settings.fence);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy());
    socket.on("data", (bytes) => {
      try {
        let rest: Buffer = bytes;
        if (state.worker < 0) {
          hello = Buffer.concat([hello, bytes]);
          if (hello.length < HELLO_BYTES) return;
          const verdict = judgeHello(hello.subarray(0, HELLO_BYTES), { fence: run.settings.fence, credential: run.credential });
          if ("refused" in verdict) {
            socket.end(Buffer.from([verdict.refused]));
            return;
          }
          state.worker = verdict.worker;
          this.#receivers.set(verdict.worker, socket);
          socket.setTimeout(0);
          socket.write(Buffer.from([0]));
          this.#watch(socket, `worker ${verdict.worker} at ${name}`, state);
          rest = hello.subarray(HELLO_BYTES);
        }
        cutter.push(rest, (frame) => this.#receive(frame, state));
        this.#flushIncoming();
        if (this.#waitingFor(state.worker) > RECEIVE_LIMIT_BYTES) socket.pause();
      } catch (error) {
        this.#fail(error);
        socket.destroy();
      }
    });
    // A stranger's connection (refused, or gone before it said hello) is no concern of the run.
    socket.on("error", () => undefined);
  }

  #watch(socket: Socket, name: string, state: { readonly goodbye: boolean }): void {
    let cause: unknown;
    socket.on("error", (error) => {
      cause = error;
    });
    socket.on("close", () => {
      if (state.goodbye) return;
      const error = cause === undefined ? undefined : toAppError(cause);
      this.#fail(error?.code === "timeout" ? error : externalError("connection-lost", `the connection with ${name} was lost`, { cause }));
    });
  }

  #receive(frame: Uint8Array, state: { readonly worker: number; goodbye: boolean }): void {
    openFrame(frame);
    const view = new DataView(frame.buffer, frame.byteOffset);
    const edge = view.getUint32(FRAME_HEADER.edge, true);
    if (edge === GOODBYE) {
      state.goodbye = true;
      return;
    }
    const target = view.getUint16(FRAME_HEADER.target, true);
    const ring = this.#incoming.find(({ remote }) => remote.subtask === target && remote.worker === state.worker);
    must(ring, `the ring of subtask ${target}`).accept(frame, edge, view.getUint16(FRAME_HEADER.source, true), this.#parallelism);
  }

  get #parallelism(): number {
    return this.#start.placement.length;
  }

  #waitingFor(worker: number): number {
    return this.#incoming.reduce((sum, ring) => sum + (ring.remote.worker === worker ? ring.waitingBytes : 0), 0);
  }

  #flushIncoming(): boolean {
    let wrote = false;
    for (const ring of this.#incoming) {
      if (!ring.flush()) continue;
      wrote = true;
      this.#doorbells.ring(ring.thread);
    }
    return wrote;
  }

  /** `worker` has processed bytes of one of our channels. */
  #credit({ edge, source, target, bytes }: Credit, worker: number): void {
    const found = this.#outgoing.find(({ remote }) => remote.subtask === source && remote.worker === worker);
    const ring = must(found, `the ring of subtask ${source}`);
    ring.reader.process(edge * this.#parallelism + target, bytes);
    if (ring.reader.takeStalled()) this.#doorbells.ring(ring.thread);
  }

  async #run(): Promise<void> {
    while (!this.#closing) {
      if (this.#turn()) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      this.#doorbells.startWaiting(this.#ring);
      if (!this.#turn() && !this.#woken) {
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
        });
      }
      this.#woken = false;
      this.#doorbells.stopWaiting();
    }
  }

  /** Something may have become possible. */
  #wake(): void {
    this.#woken = true;
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  #turn(): boolean {
    let worked = this.#flushIncoming();
    for (const [worker, socket] of this.#receivers) {
      if (socket.isPaused() && this.#waitingFor(worker) < RECEIVE_LIMIT_BYTES) socket.resume();
      const credits: Credit[] = [];
      for (const ring of this.#incoming) if (ring.remote.worker === worker) ring.takeCredits(credits);
      if (credits.length > 0) socket.write(encodeCredits(credits));
    }
    for (const ring of this.#outgoing) {
      const socket = this.#senders.get(ring.remote.worker);
      if (socket === undefined) continue;
      while (socket.writableLength < SEND_LIMIT_BYTES) {
        const frame = ring.next();
        if (ring.reader.takeStalled()) this.#doorbells.ring(ring.thread);
        if (frame === undefined) break;
        socket.write(frame);
        worked = true;
      }
    }
    return worked;
  }
}
