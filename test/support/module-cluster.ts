/**
 * Runs a compiled program at any parallelism in one thread, without slots: several instances of the module take turns at random, epochs are
 * taken while rows go on, and now and then everything is thrown away and started anew from the last complete epoch at another parallelism.
 * What it gives is to be what one undisturbed run gives.
 */
import { assert, must } from "../../src/core/assert.ts";
import { internalError } from "../../src/core/errors.ts";
import type { Prng } from "../../src/core/prng.ts";
import type { Program } from "../../src/program/program.ts";
import { type SplitState, splitTable } from "./cluster-source.ts";
import { ClusterSubtask, type Delivery, type SkippedRows, type SubtaskOwner, type VertexCheckpoint } from "./cluster-subtask.ts";
import type { CompiledProgram } from "./module-runner.ts";

/** How one case is run; drawn by `randomClusterCase`. */
export interface ClusterCase {
  readonly batchRows: number;
  /** Of the first start and of every restart. The run is stopped once for each but the last. */
  readonly parallelisms: readonly number[];
  /** An epoch begins on average after so many steps; 0: never. */
  readonly epochSteps: number;
  /** A start is stopped on average so many steps after it has completed `stopEpochs` epochs. */
  readonly stopSteps: number;
  readonly stopEpochs: number;
  /** Splits of a table at most. */
  readonly splits: number;
  /** See `OracleOptions`; needs a program with one source, whose table is one split then. */
  readonly watermarkEveryRows?: number;
}

/** What a run gave and went through. */
export interface ClusterResult {
  readonly sinks: Readonly<Record<string, readonly string[]>>;
  readonly late: number;
  readonly bad: number;
  /** Rows and groups that were dropped for an error of an expression or aggregate. */
  readonly errors: number;
  /** Complete epochs. */
  readonly epochs: number;
  readonly restarts: number;
  /** Restarts from an epoch, not from the beginning. */
  readonly restores: number;
  readonly rescales: number;
}

/** A case from a seed. */
export function randomClusterCase(prng: Prng): ClusterCase {
  const restarts = prng.chance(1, 2) ? 0 : prng.between(1, 3);
  return {
    batchRows: prng.pick([1, 2, 3, 7, 64, 1000, 8192]),
    parallelisms: Array.from({ length: restarts + 1 }, () => prng.pick([1, 1, 2, 2, 3, 4, 7])),
    epochSteps: restarts > 0 || prng.chance(1, 3) ? prng.pick([2, 10, 40]) : 0,
    stopSteps: prng.pick([2, 20, 100]),
    stopEpochs: prng.pick([0, 1, 1, 2, 3]),
    splits: prng.between(1, 6),
  };
}

/** A complete epoch. */
interface Checkpoint {
  readonly epoch: number;
  readonly parts: readonly VertexCheckpoint[];
  /** Everything that the sinks had been given, since the first start. */
  readonly lines: ReadonlyMap<number, readonly string[]>;
  readonly skipped: SkippedRows;
}

/** Runs `compiled` over `inputs` (by table name) to the end. Rejects nothing: traps and broken invariants are thrown. */
export function runCluster(
  { program, module }: CompiledProgram,
  inputs: Readonly<Record<string, Uint8Array>>,
  options: ClusterCase,
  prng: Prng,
): ClusterResult {
  const splits = program.vertices.flatMap(({ id, operator }) =>
    operator.kind === "source"
      ? splitTable(
          prng,
          id,
          must(inputs[operator.table], `input of ${operator.table}`),
          options.watermarkEveryRows === undefined ? options.splits : 1,
        )
      : [],
  );
  const cluster = new Cluster(program, module, options, splits, prng);
  return cluster.run();
}

/** Steps without an end after which a run is taken to hang. */
const MAX_STEPS = 2_000_000;
/** Turns of random subtasks without work after which none can have any. */
const MAX_FRUITLESS = 2000;

class Cluster {
  readonly #program: Program;
  readonly #module: WebAssembly.Module;
  readonly #options: ClusterCase;
  readonly #prng: Prng;
  readonly #first: readonly SplitState[];
  #subtasks: readonly ClusterSubtask[] = [];
  /** The newest complete epoch, and the one that the subtasks began with. */
  #checkpoint: Checkpoint | undefined;
  #base: Checkpoint | undefined;
  #epoch = 0;
  #pending: VertexCheckpoint[] | undefined;
  #epochs = 0;
  #restores = 0;
  #rescales = 0;
  #steps = 0;

  constructor(program: Program, module: WebAssembly.Module, options: ClusterCase, splits: readonly SplitState[], prng: Prng) {
    this.#program = program;
    this.#module = module;
    this.#options = options;
    this.#first = splits;
    this.#prng = prng;
  }

  run(): ClusterResult {
    const { parallelisms } = this.#options;
    for (const [i, parallelism] of parallelisms.entries()) {
      if (i > 0 && this.#checkpoint !== undefined) {
        this.#restores++;
        if (parallelism !== parallelisms[i - 1]) this.#rescales++;
      }
      this.#start(parallelism);
      const ended = this.#runUntil(i < parallelisms.length - 1);
      if (ended || i === parallelisms.length - 1) return this.#result(i);
      for (const { instance } of this.#subtasks) instance.close();
    }
    throw internalError("invariant", "a run has at least one start");
  }

  #start(parallelism: number): void {
    const checkpoint = this.#checkpoint;
    this.#base = checkpoint;
    this.#epoch = checkpoint?.epoch ?? 0;
    this.#pending = undefined;
    const restored = new Map<number, VertexCheckpoint[]>();
    for (const part of checkpoint?.parts ?? []) restored.set(part.vertex, [...(restored.get(part.vertex) ?? []), part]);
    const splits = checkpoint === undefined ? this.#first : checkpoint.parts.flatMap((part) => part.positions);
    const owner: SubtaskOwner = {
      program: this.#program,
      module: this.#module,
      prng: this.#prng,
      batchRows: this.#options.batchRows,
      watermarkEveryRows: this.#options.watermarkEveryRows,
      quiet: () => this.#subtasks.every((subtask) => subtask.quiet),
      deliver: (target, edge, source, delivery) => this.#deliver(target, edge, source, delivery),
      reported: (report) => this.#reported(report),
    };
    this.#subtasks = Array.from(
      { length: parallelism },
      (_, subtask) => new ClusterSubtask(owner, { subtask, parallelism, splits, epoch: this.#epoch, restored }),
    );
  }

  #deliver(target: number, edge: number, source: number, delivery: Delivery): void {
    must(this.#subtasks[target], `subtask ${target}`).receive(edge, source, delivery);
  }

  /** Runs to the end (true), or until chance says stop. Subtasks get turns of different lengths, so that some run ahead. */
  #runUntil(mayStop: boolean): boolean {
    const { epochSteps, stopSteps, stopEpochs } = this.#options;
    const epochs = this.#epochs;
    let fruitless = 0;
    while (!this.#subtasks.every((s) => s.ended)) {
      if (mayStop && this.#epochs >= epochs + stopEpochs && this.#prng.chance(1, stopSteps)) return false;
      if (epochSteps > 0 && this.#pending === undefined && this.#prng.chance(1, epochSteps)) this.#trigger();
      const subtask = this.#prng.pick(this.#subtasks);
      let worked = false;
      for (let turns = this.#prng.pick([1, 1, 1, 4, 20]); turns > 0 && subtask.step(); turns--) worked = true;
      fruitless = worked ? 0 : fruitless + 1;
      assert(fruitless < MAX_FRUITLESS, "no subtask has anything to do, but not all have ended");
      assert(++this.#steps < MAX_STEPS, "the run does not end");
    }
    return true;
  }

  #trigger(): void {
    this.#epoch++;
    this.#pending = [];
    for (const subtask of this.#subtasks) subtask.trigger(this.#epoch);
  }

  #reported(report: VertexCheckpoint): void {
    const pending = must(this.#pending, `epoch ${report.epoch}`);
    pending.push(report);
    if (pending.length < this.#program.vertices.length * this.#subtasks.length) return;
    this.#checkpoint = {
      epoch: this.#epoch,
      parts: pending,
      lines: this.#lines(pending),
      skipped: this.#skipped(pending.map((p) => p.skipped)),
    };
    this.#pending = undefined;
    this.#epochs++;
  }

  /** Lines of all sinks: those of the restored epoch, then those of this start, up to the barrier if there is one. */
  #lines(parts?: readonly VertexCheckpoint[]): ReadonlyMap<number, readonly string[]> {
    const lines = new Map<number, readonly string[]>();
    for (const { id, operator } of this.#program.vertices) {
      if (operator.kind !== "sink") continue;
      const own = this.#subtasks.flatMap((s, i) => {
        const written = s.lines.get(id) ?? [];
        return parts === undefined ? written : written.slice(0, parts.find((p) => p.vertex === id && p.subtask === i)?.lines);
      });
      lines.set(id, [...(this.#base?.lines.get(id) ?? []), ...own]);
    }
    return lines;
  }

  /** Those of the restored epoch and `own`. */
  #skipped(own: readonly SkippedRows[]): SkippedRows {
    const all = this.#base === undefined ? own : [this.#base.skipped, ...own];
    const total = (of: keyof SkippedRows): number => all.reduce((sum, s) => sum + s[of], 0);
    return { late: total("late"), bad: total("bad"), errors: total("errors") };
  }

  /** No row is lost between two vertices or inside one that takes each row by itself. */
  #checkLedger(): void {
    const sum = (of: (subtask: ClusterSubtask) => number): number => this.#subtasks.reduce((total, s) => total + of(s), 0);
    for (const { id } of this.#program.edges) {
      const [sent, received] = [sum((s) => s.sent.get(id) ?? 0), sum((s) => s.received.get(id) ?? 0)];
      assert(sent === received, `${sent} rows were sent on edge ${id}, ${received} received`);
    }
    for (const { id, operator } of this.#program.vertices) {
      if (operator.kind !== "compute" && operator.kind !== "encode") continue;
      for (const { instance } of this.#subtasks) {
        const { rowsIn, rowsOut, filtered, late, bad } = instance.stats(id);
        assert(
          rowsIn === rowsOut + filtered + late + bad,
          `vertex ${id}: ${rowsIn} rows in, ${rowsOut} out, ${filtered} filtered, ${bad} bad`,
        );
      }
    }
  }

  #result(restarts: number): ClusterResult {
    const sinks: Record<string, string[]> = {};
    for (const [vertex, lines] of this.#lines()) {
      const operator = this.#program.vertices[vertex]?.operator;
      if (operator?.kind === "sink") sinks[operator.table] = [...(sinks[operator.table] ?? []), ...lines];
    }
    const skipped = this.#skipped(this.#subtasks.flatMap((s) => s.skipped()));
    this.#checkLedger();
    for (const { instance } of this.#subtasks) instance.close();
    const counts = { epochs: this.#epochs, restarts, restores: this.#restores, rescales: this.#rescales };
    return { sinks, ...skipped, ...counts };
  }
}
