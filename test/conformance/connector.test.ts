/**
 * The contract of `connectors/connector.ts`, run over every source and sink of the registry: every row exactly once at any sequence of
 * parallelisms and stops, time that never goes back, sinks that hold exactly what was committed after any failure.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import type { ByteSource, EventSource, Sink, SinkCommit, SplitPosition } from "../../src/connectors/connector.ts";
import { SINKS, SOURCES } from "../../src/connectors/registry.ts";
import { CONNECTOR_SPECS } from "../../src/connectors/specs.ts";
import { must } from "../../src/core/assert.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { Prng } from "../../src/core/prng.ts";
import type { OptionValues } from "../../src/program/operator.ts";
import { checkpointed, drainBytes, drainEvents, subtaskContext } from "../support/source-driver.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROUNDS = 40;

interface SourceCase {
  readonly connector: string;
  /** Options of a bounded table, and the rows or event numbers it has. */
  make(prng: Prng, folder: string): { readonly options: OptionValues; readonly rows: readonly string[] };
}

/** Random lines of a file: any length, empty ones among them, CRLF now and then; each begins with a time that only goes up. */
function randomFile(prng: Prng, name: string, size: number): { readonly bytes: Buffer; readonly rows: string[] } {
  const rows: string[] = [];
  let text = "";
  const crlf = prng.chance(1, 4);
  const longest = prng.pick([5, 60, 3000, 20_000]);
  while (text.length < size) {
    const row = `${rows.length} ${name} ${"x".repeat(prng.below(longest))}`;
    rows.push(row);
    text += row + (crlf ? "\r\n" : "\n");
  }
  if (rows.length > 0 && prng.chance(1, 3)) text = text.replace(/\r?\n$/, "");
  return { bytes: Buffer.from(text), rows };
}

const FILE_SIZES = [0, 1, 4000, 4096, 9000, 70_000, 300_000];

const SOURCE_CASES: readonly SourceCase[] = [
  {
    connector: "single_file",
    make(prng, folder) {
      const { bytes, rows } = randomFile(prng, "a", prng.pick(FILE_SIZES));
      const compressed = prng.chance(1, 4);
      const path = join(folder, compressed ? "a.ndjson.gz" : "a.ndjson");
      writeFileSync(path, compressed ? gzipSync(bytes) : bytes);
      return { options: { path }, rows };
    },
  },
  {
    connector: "filesystem",
    make(prng, folder) {
      const rows: string[] = [];
      mkdirSync(join(folder, "deep"));
      for (let i = prng.between(1, 5); i > 0; i--) {
        const file = randomFile(prng, `f${i}`, prng.pick(FILE_SIZES.slice(0, 6)));
        const compressed = prng.chance(1, 4);
        const path = join(folder, prng.pick(["", "deep"]), `f${i}.ndjson${compressed ? ".gz" : ""}`);
        writeFileSync(path, compressed ? gzipSync(file.bytes) : file.bytes);
        rows.push(...file.rows);
      }
      writeFileSync(join(folder, ".wadi-unfinished"), "0 hidden\n");
      writeFileSync(join(folder, "deep", ".f.swp"), "0 hidden\n");
      return { options: { path: folder }, rows };
    },
  },
  ...["impulse", "nexmark"].map(
    (connector): SourceCase => ({
      connector,
      make(prng) {
        const count = prng.pick([0, 1, 50, 1000]);
        const options = { event_rate: 1000, message_count: count };
        return { options, rows: Array.from({ length: count }, (_, i) => String(i)) };
      },
    }),
  ),
];

/** Runs a source at random parallelisms with random stops until it ends; all rows in the order in which they came. */
async function runWithStops(connector: string, options: OptionValues, prng: Prng): Promise<{ rows: string[]; lives: number }> {
  const rows: string[] = [];
  let positions: readonly SplitPosition[] | undefined;
  for (let lives = 1; ; lives++) {
    const parallelism = prng.between(1, 7);
    const clock = new ManualClock();
    const sources = Array.from({ length: parallelism }, (_, s) =>
      must(SOURCES[connector], connector)(subtaskContext(options, s, parallelism, lives), clock),
    );
    for (const source of sources) await source.open(positions);
    await clock.advance(lives === 1 ? 300 : 10_000);
    let ended = true;
    const limit = lives > 6 ? Number.POSITIVE_INFINITY : prng.pick([0, 1, 20, 500]);
    for (const source of sources) ended = (await drainInto(rows, source, prng, limit)) && ended;
    positions = checkpointed(sources);
    const splits = positions.map((p) => p.split);
    expect(new Set(splits).size, "splits are unique").to.equal(splits.length);
    for (const source of sources) await source.close();
    if (ended) return { rows, lives };
    expect(lives, "the source ends").to.be.lessThan(40);
  }
}

async function drainInto(rows: string[], source: ByteSource | EventSource, prng: Prng, limit: number): Promise<boolean> {
  if (source.kind === "bytes") {
    const drained = await drainBytes(source, prng, limit);
    for (const row of drained.rows) rows.push(row);
    return drained.ended;
  }
  const drained = drainEvents(source, prng, limit);
  for (const event of drained.events) rows.push(event.toString());
  return drained.ended;
}

describe("connector contract: sources", function () {
  this.timeout(60_000);

  it("has a case for every source", () => {
    expect(SOURCE_CASES.map((c) => c.connector).sort()).to.deep.equal(Object.keys(SOURCES).sort());
    const specified = CONNECTOR_SPECS.filter((s) => s.uses.includes("source")).map((s) => s.name);
    expect(specified.sort()).to.deep.equal(Object.keys(SOURCES).sort());
  });

  for (const { connector, make } of SOURCE_CASES) {
    it(`${connector} gives every row exactly once at any parallelisms and stops`, async () => {
      let restarts = 0;
      for (let seed = 1; seed <= ROUNDS; seed++) {
        const prng = new Prng(seed);
        const folder = temporaryFolder("source");
        const { options, rows } = make(prng, folder);
        const run = await runWithStops(connector, options, prng);
        expect([...run.rows].sort(), `seed ${seed}`).to.deep.equal([...rows].sort());
        restarts += run.lives - 1;
        rmSync(folder, { recursive: true });
      }
      expect(restarts).to.be.greaterThan(ROUNDS / 2);
    });
  }
});

interface SinkCase {
  readonly connector: string;
  options(folder: string): OptionValues;
  /** Subtasks that write. */
  readonly writers: number;
  /** What a reader of the sink sees, sorted rows; undefined: nothing can be seen. */
  read?(folder: string): readonly string[];
}

const SINK_CASES: readonly SinkCase[] = [
  { connector: "blackhole", options: () => ({}), writers: 3 },
  { connector: "stdout", options: () => ({}), writers: 1 },
  { connector: "preview", options: () => ({}), writers: 1 },
  {
    connector: "single_file",
    options: (folder) => ({ path: join(folder, "below", "out.ndjson") }),
    writers: 1,
    read: (folder) => lines(readFileSync(join(folder, "below", "out.ndjson"))),
  },
  {
    connector: "filesystem",
    options: (folder) => ({ path: join(folder, "out") }),
    writers: 3,
    read: (folder) =>
      readdirSync(join(folder, "out"))
        .filter((name) => !name.startsWith("."))
        .flatMap((name) => lines(readFileSync(join(folder, "out", name)))),
  },
];

function lines(bytes: Buffer): string[] {
  return bytes.toString().split("\n").slice(0, -1);
}

/** One run of a sink over some epochs: writes rows, stages, commits; dies wherever `prng` says. */
class SinkRun {
  readonly #case: SinkCase;
  readonly #folder: string;
  readonly #prng: Prng;
  /** Rows of complete epochs. */
  readonly complete: string[] = [];
  /** Sinks of lives that ended badly: closed at the very end, as a killed process never does. */
  readonly #dead: Sink[] = [];
  #staged: readonly { readonly epoch: number; readonly commit: SinkCommit }[] = [];
  #rows = 0;
  #epoch = 0;

  constructor(sinkCase: SinkCase, folder: string, prng: Prng) {
    this.#case = sinkCase;
    this.#folder = folder;
    this.#prng = prng;
  }

  /** A life of the sink at some parallelism; the last one ends properly. */
  async live(run: number, dies: boolean): Promise<void> {
    const parallelism = this.#prng.between(1, 3);
    const make = must(SINKS[this.#case.connector], this.#case.connector);
    const options = this.#case.options(this.#folder);
    const sinks = Array.from({ length: parallelism }, (_, s) => make(subtaskContext(options, s, parallelism, run)));
    if (dies) this.#dead.push(...sinks);
    // Finish pending commits of the restored epoch, on any subtask and again; then open.
    for (const { epoch, commit } of [...this.#staged, ...this.#staged]) await this.#prng.pick(sinks).commit(epoch, commit);
    const restored = run === 1 ? undefined : this.#staged.map((s) => s.commit);
    for (const sink of sinks) await sink.open(restored);
    for (let epochs = this.#prng.between(1, 3); epochs > 0; epochs--) {
      const pending = await this.#write(sinks);
      if (dies && epochs === 1 && this.#prng.chance(1, 2)) return;
      const staged = await this.#stage(sinks);
      if (dies && epochs === 1 && this.#prng.chance(1, 2)) return;
      this.#staged = staged;
      this.complete.push(...pending);
      if (dies && epochs === 1 && this.#prng.chance(1, 2)) return;
      for (const { epoch, commit } of staged) await this.#prng.pick(sinks).commit(epoch, commit);
    }
    if (!dies) for (const sink of sinks) await sink.close(true);
  }

  /** Gives back what the dead hold open. */
  async bury(): Promise<void> {
    for (const sink of this.#dead) await sink.close(true);
  }

  async #write(sinks: readonly Sink[]): Promise<string[]> {
    const pending: string[] = [];
    for (const sink of sinks.slice(0, this.#case.writers)) {
      for (let n = this.#prng.below(4); n > 0; n--) {
        const rows = Array.from({ length: this.#prng.between(1, 5) }, () => `row ${this.#rows++}`);
        pending.push(...rows);
        if (this.#case.read !== undefined || this.#case.connector === "blackhole")
          await sink.write(Buffer.from(`${rows.join("\n")}\n`), rows.length);
      }
    }
    return pending;
  }

  async #stage(sinks: readonly Sink[]): Promise<{ epoch: number; commit: SinkCommit }[]> {
    const epoch = ++this.#epoch;
    const staged: { epoch: number; commit: SinkCommit }[] = [];
    for (const sink of sinks) {
      const commit = await sink.stage(epoch);
      if (commit !== undefined) staged.push({ epoch, commit: JSON.parse(JSON.stringify(commit)) as SinkCommit });
    }
    return staged;
  }
}

describe("connector contract: sinks", function () {
  this.timeout(60_000);

  it("has a case for every sink", () => {
    expect(SINK_CASES.map((c) => c.connector).sort()).to.deep.equal(Object.keys(SINKS).sort());
  });

  for (const sinkCase of SINK_CASES) {
    it(`${sinkCase.connector} holds exactly the rows of complete epochs, whatever dies when`, async () => {
      for (let seed = 1; seed <= ROUNDS; seed++) {
        const prng = new Prng(seed);
        const folder = temporaryFolder("sink");
        const run = new SinkRun(sinkCase, folder, prng);
        const lives = prng.between(1, 4);
        for (let life = 1; life <= lives; life++) await run.live(life, life < lives);
        if (sinkCase.read !== undefined) expect([...sinkCase.read(folder)].sort(), `seed ${seed}`).to.deep.equal([...run.complete].sort());
        const hidden = readdirSync(folder, { recursive: true }).filter((name) => String(name).includes(".wadi-"));
        expect(hidden, "nothing unfinished is left").to.deep.equal([]);
        await run.bury();
        rmSync(folder, { recursive: true });
      }
    });
  }
});
