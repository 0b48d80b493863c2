/**
 * A module in TypeScript behind the contract of `program/abi.ts`, so that slots, exchange and checkpoints are tested without a compiler. Rows
 * are three i64: key, time in ns, value; source lines are `key,timeMs,value`. Operators: source (a line that does not parse is bad data),
 * compute (drops negative values), window-aggregate (tumble: sum of values by key), updating-aggregate (running sum by key, written as
 * upserts), encode (lines `key,timeMs,value`), sink. State is one segment per window.
 */

import { FRAME_HEADER, FRAME_HEADER_SIZE, FRAME_KINDS, FRAME_MAGIC, FRAME_VERSION, type FrameKind } from "../../src/data/frame.ts";
import { keyGroup, subtaskOfGroup } from "../../src/data/key-group.ts";
import { ABI_VERSION, LATE_ROW, type ModuleExports, STATS, STATUS } from "../../src/program/abi.ts";
import { isDirect, type Program } from "../../src/program/program.ts";

const MEMORY_BYTES = 64 << 20;
const ROW_BYTES = 24;
const STATS_SIZE = 64;
const MIN_I64 = -(2n ** 63n);
/** Rows of a partitioning buffer that make it a frame. */
const FRAME_ROWS = 512;
/** Rows that one `pull` emits. */
const PULL_ROWS = 100;

interface Row {
  readonly key: bigint;
  readonly ns: bigint;
  readonly value: bigint;
}

interface Group {
  sum: bigint;
  changed: boolean;
}

interface VertexState {
  watermark: bigint;
  /** Window end (0 for updating) → key → group. */
  readonly windows: Map<bigint, Map<bigint, Group>>;
  readonly dirty: Set<bigint>;
  readonly pending: Row[];
  frozen: { live: readonly { partition: bigint; rows: number }[]; queue: { partition: bigint; rows: Row[] }[] };
}

/** The key hash of this module: good enough to spread keys. */
export function fakeHash(key: bigint): bigint {
  return BigInt.asUintN(64, (key + 1n) * 0x9e3779b97f4a7c15n);
}

/** What tests may look at and break. */
export interface FakeOptions {
  /** Adds this many to the `rowsOut` of every compute vertex: a defect for the ledger to find. */
  readonly miscount?: number;
  /** `scan` never returns once this many rows were read. */
  readonly hangAfterRows?: number;
}

/** A new module for `program`. */
export function makeModule(program: Program, options: FakeOptions = {}): ModuleExports {
  const buffer = new ArrayBuffer(MEMORY_BYTES);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const statsBase = 64;
  const queueEntry = statsBase + 64 * STATS_SIZE;
  const errorBase = queueEntry + 64;
  const errorCapacity = 1 << 20;
  let top = errorBase + errorCapacity;
  let errorUsed = 0;
  const free = new Map<number, number[]>();
  const sizes = new Map<number, number>();
  const inputs = new Map<number, { at: number; capacity: number }>();
  const queue: { frame: number; length: number; edge: number; target: number }[] = [];
  const partitions = new Map<string, Row[]>();
  let subtask = 0;
  let parallelism = 1;
  let fence = 0n;
  let scanned = { bytes: 0, rows: 0, watermark: MIN_I64 };
  let totalRows = 0;
  let provenance = { partition: 0xffffffff, position: -1n };
  const states: VertexState[] = program.vertices.map(() => ({
    watermark: MIN_I64,
    windows: new Map(),
    dirty: new Set(),
    pending: [],
    frozen: { live: [], queue: [] },
  }));
  const state = (vertex: number): VertexState => states[vertex] as VertexState;

  const allocate = (length: number): number => {
    let size = 4096;
    while (size < length) size *= 2;
    const pooled = free.get(size)?.pop();
    if (pooled !== undefined) return pooled;
    const at = Math.ceil(top / 64) * 64;
    top = at + size + 64;
    if (top > MEMORY_BYTES) throw new RangeError("fake memory exhausted");
    sizes.set(at, size);
    return at;
  };
  const release = (frame: number): void => {
    const size = sizes.get(frame);
    if (size === undefined) throw new RangeError(`frame ${frame} was not allocated`);
    const list = free.get(size) ?? [];
    if (list.includes(frame)) throw new RangeError(`frame ${frame} was freed twice`);
    list.push(frame);
    free.set(size, list);
  };
  const count = (vertex: number, counter: number, rows: number): void => {
    const at = statsBase + vertex * STATS_SIZE + counter;
    view.setBigUint64(at, view.getBigUint64(at, true) + BigInt(rows), true);
  };
  const report = (vertex: number, reason: number, payload: string): void => {
    const text = new TextEncoder().encode(payload).subarray(0, 1024);
    const size = (32 + text.length + 7) & ~7;
    if (errorUsed + size > errorCapacity) return;
    const at = errorBase + errorUsed;
    view.setUint32(at, size, true);
    view.setUint32(at + 4, vertex, true);
    view.setUint32(at + 8, reason, true);
    view.setUint32(at + 12, provenance.partition, true);
    view.setBigInt64(at + 16, provenance.position, true);
    view.setUint32(at + 24, 0xffffffff, true);
    view.setUint32(at + 28, text.length, true);
    bytes.set(text, at + 32);
    errorUsed += size;
  };

  const makeFrame = (
    kind: FrameKind,
    rows: number,
    body: Uint8Array,
    fields: Partial<Record<"edge" | "source" | "target" | "segment", number>>,
    argument = 0n,
  ): { frame: number; length: number } => {
    const length = Math.ceil((FRAME_HEADER_SIZE + body.length) / 64) * 64;
    const frame = allocate(Math.max(128, length));
    writeFrame(frame, kind, rows, body, fields, argument);
    return { frame, length: Math.max(128, length) };
  };
  const writeFrame = (
    at: number,
    kind: FrameKind,
    rows: number,
    body: Uint8Array,
    fields: Partial<Record<"edge" | "source" | "target" | "segment", number>>,
    argument: bigint,
  ): number => {
    const length = Math.max(128, Math.ceil((FRAME_HEADER_SIZE + body.length) / 64) * 64);
    bytes.fill(0, at, at + FRAME_HEADER_SIZE);
    view.setUint32(at + FRAME_HEADER.magic, FRAME_MAGIC, true);
    view.setUint16(at + FRAME_HEADER.version, FRAME_VERSION, true);
    view.setUint8(at + FRAME_HEADER.kind, FRAME_KINDS.indexOf(kind));
    view.setUint32(at + FRAME_HEADER.length, length, true);
    view.setUint32(at + FRAME_HEADER.rows, rows, true);
    view.setUint32(at + FRAME_HEADER.edge, fields.edge ?? 0, true);
    view.setUint16(at + FRAME_HEADER.source, fields.source ?? 0, true);
    view.setUint16(at + FRAME_HEADER.target, fields.target ?? 0, true);
    view.setUint32(at + FRAME_HEADER.segment, fields.segment ?? 0, true);
    view.setBigInt64(at + FRAME_HEADER.argument, argument, true);
    view.setBigUint64(at + FRAME_HEADER.fence, fence, true);
    view.setUint32(at + FRAME_HEADER.bytes, body.length, true);
    bytes.set(body, at + FRAME_HEADER_SIZE);
    return length;
  };
  const pack = (rows: readonly Row[]): Uint8Array => {
    const body = new Uint8Array(rows.length * ROW_BYTES);
    const v = new DataView(body.buffer);
    for (const [i, row] of rows.entries()) {
      v.setBigInt64(i * ROW_BYTES, row.key, true);
      v.setBigInt64(i * ROW_BYTES + 8, row.ns, true);
      v.setBigInt64(i * ROW_BYTES + 16, row.value, true);
    }
    return body;
  };
  const unpack = (frame: number): Row[] => {
    const rows = view.getUint32(frame + FRAME_HEADER.rows, true);
    return Array.from({ length: rows }, (_, i) => {
      const at = frame + FRAME_HEADER_SIZE + i * ROW_BYTES;
      return { key: view.getBigInt64(at, true), ns: view.getBigInt64(at + 8, true), value: view.getBigInt64(at + 16, true) };
    });
  };
  const line = (row: Row): string => `${row.key},${row.ns / 1_000_000n},${row.value}\n`;
  const enqueueEncoded = (edge: number, target: number, rows: number, body: Uint8Array): void => {
    queue.push({ ...makeFrame("encoded", rows, body, { edge, source: subtask, target: target & 0xffff }), edge, target });
  };

  const flushPartition = (edge: number, target: number): void => {
    const key = `${edge}/${target}`;
    const rows = partitions.get(key);
    if (rows === undefined || rows.length === 0) return;
    partitions.set(key, []);
    queue.push({ ...makeFrame("data", rows.length, pack(rows), { edge, source: subtask, target }), edge, target });
  };
  /** Rows leave `vertex` along all of its edges. */
  const emit = (vertex: number, rows: readonly Row[]): void => {
    count(vertex, STATS.rowsOut, rows.length);
    if (rows.length === 0) return;
    for (const edge of program.edges) {
      if (edge.source !== vertex) continue;
      if (isDirect(program, edge, parallelism)) {
        process(edge.target, rows);
        continue;
      }
      for (const row of rows) {
        const target =
          edge.exchange.kind === "keyed"
            ? subtaskOfGroup(keyGroup(fakeHash(row.key)), parallelism)
            : edge.exchange.kind === "gather"
              ? 0
              : subtask;
        const key = `${edge.id}/${target}`;
        const list = partitions.get(key) ?? [];
        list.push(row);
        partitions.set(key, list);
        if (list.length >= FRAME_ROWS) flushPartition(edge.id, target);
      }
    }
  };
  const encode = (vertex: number, rows: readonly Row[]): void => {
    const body = new TextEncoder().encode(rows.map(line).join(""));
    count(vertex, STATS.rowsOut, rows.length);
    for (const edge of program.edges) {
      if (edge.source !== vertex) continue;
      if (isDirect(program, edge, parallelism)) {
        count(edge.target, STATS.rowsIn, rows.length);
        enqueueEncoded(edge.id, 0xffffffff, rows.length, body);
      } else enqueueEncoded(edge.id, edge.exchange.kind === "gather" ? 0 : subtask, rows.length, body);
    }
  };
  const aggregate = (vertex: number, rows: readonly Row[], windowOf: (row: Row) => bigint): void => {
    const s = state(vertex);
    for (const row of rows) {
      const window = windowOf(row);
      if (window !== 0n && window <= s.watermark) {
        count(vertex, STATS.late, 1);
        report(vertex, LATE_ROW, line(row));
        continue;
      }
      const groups = s.windows.get(window) ?? new Map<bigint, Group>();
      s.windows.set(window, groups);
      const group = groups.get(row.key) ?? { sum: 0n, changed: true };
      group.sum += row.value;
      group.changed = true;
      groups.set(row.key, group);
      s.dirty.add(window);
    }
  };
  const process = (vertex: number, rows: readonly Row[]): void => {
    count(vertex, STATS.rowsIn, rows.length);
    const operator = program.vertices[vertex]?.operator;
    switch (operator?.kind) {
      case "compute": {
        const kept = rows.filter((row) => row.value >= 0n);
        count(vertex, STATS.filtered, rows.length - kept.length + (options.miscount ?? 0));
        return emit(vertex, kept);
      }
      case "window-aggregate": {
        const width = operator.window.kind === "tumble" ? operator.window.widthNs : 1_000_000_000n;
        return aggregate(vertex, rows, (row) => (row.ns / width + 1n) * width);
      }
      case "updating-aggregate":
        return aggregate(vertex, rows, () => 0n);
      case "encode":
        return encode(vertex, rows);
    }
  };

  const parse = (text: string): Row | undefined => {
    const match = /^(-?\d+),(\d+),(-?\d+)$/.exec(text);
    return match === null
      ? undefined
      : { key: BigInt(match[1] ?? 0), ns: BigInt(match[2] ?? 0) * 1_000_000n, value: BigInt(match[3] ?? 0) };
  };
  const scan = (vertex: number, from: number, to: number, last: number, maxRows: number, partition: number, position: bigint): number => {
    const rows: Row[] = [];
    let at = from;
    let seen = 0;
    scanned = { bytes: 0, rows: 0, watermark: MIN_I64 };
    while (at < to && seen < maxRows) {
      let end = bytes.indexOf(10, at);
      if (end < 0 || end >= to) {
        if (last === 0) break;
        end = to;
      }
      const text = Buffer.from(buffer, at, end - at).toString();
      provenance = { partition, position: position + BigInt(at - from) };
      const row = parse(text);
      seen++;
      if (row === undefined) {
        count(vertex, STATS.bad, 1);
        report(vertex, 1, text);
      } else {
        rows.push(row);
        if (row.ns > scanned.watermark) scanned.watermark = row.ns;
      }
      at = Math.min(end + 1, to);
    }
    totalRows += seen;
    if (options.hangAfterRows !== undefined && totalRows >= options.hangAfterRows) for (;;);
    provenance = { partition: 0xffffffff, position: -1n };
    scanned.bytes = at - from;
    scanned.rows = seen;
    count(vertex, STATS.rowsIn, seen);
    emit(vertex, rows);
    return status();
  };
  const status = (): number => {
    if (errorUsed > 0) return STATUS.errors;
    return states.some((s) => s.pending.length > 0) ? STATUS.more : STATUS.idle;
  };

  return {
    memory: { buffer },
    abiVersion: () => ABI_VERSION,
    init: (s, p, _batchRows, _limit, f) => {
      subtask = s;
      parallelism = p;
      fence = f;
    },
    inputBuffer: (vertex, capacity) => {
      const area = inputs.get(vertex);
      if (area !== undefined && area.capacity >= capacity) return area.at;
      const at = allocate(capacity + 64);
      inputs.set(vertex, { at, capacity });
      return at;
    },
    setTime: () => undefined,
    scan,
    scanBytes: () => scanned.bytes,
    scanRows: () => scanned.rows,
    scanWatermark: () => scanned.watermark,
    generate: (vertex, first, stride, rows, baseNs) => {
      const made = Array.from({ length: rows }, (_, i) => {
        const n = first + BigInt(i * stride);
        return { key: n % 10n, ns: baseNs + n * 1_000_000n, value: n };
      });
      scanned = { bytes: 0, rows, watermark: made.at(-1)?.ns ?? MIN_I64 };
      count(vertex, STATS.rowsIn, rows);
      emit(vertex, made);
      return status();
    },
    frameBuffer: allocate,
    push: (edge, frame) => {
      const target = program.edges[edge]?.target ?? 0;
      if (program.vertices[target]?.operator.kind === "sink") {
        count(target, STATS.rowsIn, view.getUint32(frame + FRAME_HEADER.rows, true));
        queue.push({ frame, length: view.getUint32(frame + FRAME_HEADER.length, true), edge, target: 0xffffffff });
        return status();
      }
      const rows = unpack(frame);
      release(frame);
      process(target, rows);
      return status();
    },
    pull: () => {
      for (const [vertex, s] of states.entries()) {
        if (s.pending.length === 0) continue;
        emit(vertex, s.pending.splice(0, PULL_ROWS));
        break;
      }
      return status();
    },
    watermark: (vertex, ns) => {
      const s = state(vertex);
      if (ns < s.watermark) throw new RangeError("watermark went back");
      s.watermark = ns;
      if (program.vertices[vertex]?.operator.kind !== "window-aggregate") return status();
      for (const end of [...s.windows.keys()].filter((e) => e <= ns).sort((a, b) => (a < b ? -1 : 1))) {
        for (const [key, group] of s.windows.get(end) ?? []) s.pending.push({ key, ns: end - 1_000_000n, value: group.sum });
        s.windows.delete(end);
        s.dirty.delete(end);
      }
      return status();
    },
    flush: (vertex) => {
      const s = state(vertex);
      for (const [key, group] of s.windows.get(0n) ?? []) {
        if (!group.changed) continue;
        group.changed = false;
        s.pending.push({ key, ns: 0n, value: group.sum });
      }
      return status();
    },
    flushEdge: (edge) => {
      for (let target = 0; target < parallelism; target++) flushPartition(edge, target);
    },
    outputPeek: () => {
      const entry = queue[0];
      if (entry === undefined) return 0;
      view.setUint32(queueEntry, entry.frame, true);
      view.setUint32(queueEntry + 4, entry.length, true);
      view.setUint32(queueEntry + 8, entry.edge, true);
      view.setUint32(queueEntry + 12, entry.target, true);
      return queueEntry;
    },
    outputPop: () => void queue.shift(),
    frameFree: release,
    outputBytes: () => queue.reduce((sum, entry) => sum + entry.length, 0),
    barrier: (vertex) => {
      const s = state(vertex);
      if (s.frozen.queue.length > 0) throw new RangeError("frozen twice");
      if (s.pending.length > 0) throw new RangeError("barrier while not idle");
      const rowsOf = (window: bigint): Row[] =>
        [...(s.windows.get(window) ?? [])].map(([key, group]) => ({ key, ns: window, value: group.sum }));
      s.frozen = {
        live: [...s.windows].map(([partition, groups]) => ({ partition, rows: groups.size })),
        queue: [...s.dirty].map((partition) => ({ partition, rows: rowsOf(partition) })),
      };
      s.dirty.clear();
    },
    snapshot: (vertex, out) => {
      const next = state(vertex).frozen.queue.shift();
      if (next === undefined) return 0;
      return writeFrame(out, "state", next.rows.length, pack(next.rows), { edge: vertex }, next.partition);
    },
    liveSegments: (vertex) => state(vertex).frozen.live.length,
    liveSegmentList: (vertex) => {
      const { live } = state(vertex).frozen;
      const at = allocate(live.length * 24);
      for (const [i, segment] of live.entries()) {
        view.setUint32(at + i * 24, 0, true);
        view.setUint32(at + i * 24 + 4, 0, true);
        view.setBigInt64(at + i * 24 + 8, segment.partition, true);
        view.setUint32(at + i * 24 + 16, segment.rows, true);
      }
      release(at);
      return at;
    },
    touchSegment: (vertex, _table, partition) => {
      if (state(vertex).windows.has(partition)) state(vertex).dirty.add(partition);
    },
    restore: (vertex, frame) => {
      const s = state(vertex);
      const window = view.getBigInt64(frame + FRAME_HEADER.argument, true);
      for (const row of unpack(frame)) {
        if (subtaskOfGroup(keyGroup(fakeHash(row.key)), parallelism) !== subtask) continue;
        const groups = s.windows.get(window) ?? new Map<bigint, Group>();
        s.windows.set(window, groups);
        groups.set(row.key, { sum: row.value, changed: false });
        s.dirty.add(window);
      }
      return STATUS.idle;
    },
    restoreWatermark: (vertex, ns) => {
      state(vertex).watermark = ns;
    },
    errorBuffer: () => errorBase,
    errorBytes: () => errorUsed,
    errorReset: () => {
      errorUsed = 0;
    },
    stats: (vertex) => {
      const s = state(vertex);
      const keys = [...s.windows.values()].reduce((sum, groups) => sum + groups.size, 0);
      view.setBigUint64(statsBase + vertex * STATS_SIZE + STATS.keys, BigInt(keys), true);
      return statsBase + vertex * STATS_SIZE;
    },
    fatalCode: () => 0,
    fatalArgument: () => 0n,
    stateBytes: () => 0n,
  };
}
