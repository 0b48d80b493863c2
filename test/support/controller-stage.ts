/** Controllers on a database with scripted workers, and the part of the API: rows of pipelines and jobs. */
import { Registry } from "prom-client";
import { Controller, type ControllerOptions } from "../../src/controller/controller.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadConfig } from "../../src/core/config.ts";
import { makeId } from "../../src/core/ids.ts";
import { makeLogger, silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/db/connection.ts";
import { migrateDatabase } from "../../src/db/migrate.ts";
import { encodeProgram } from "../../src/program/codec.ts";
import type { Program } from "../../src/program/program.ts";
import { sampleProgram } from "../unit/program/sample-program.ts";
import { eventually } from "./eventually.ts";
import { ScriptedCluster, ScriptedScheduler } from "./scripted-scheduler.ts";

/** A controller that runs. */
export interface RunningController {
  readonly controller: Controller;
  readonly db: Database;
  /** As a process is stopped: resolves when it is over. */
  stop(): Promise<void>;
}

/** What a test creates a job with. */
export interface JobInit {
  readonly parallelism?: number;
  readonly intervalMs?: number;
  readonly preview?: boolean;
}

/** See the file's comment. */
export class ControllerStage {
  readonly cluster: ScriptedCluster;
  readonly db: Database;
  readonly #options: DatabaseOptions;
  readonly #settings: string;
  readonly #running: RunningController[] = [];
  /** Compilations so far. */
  compiled = 0;

  private constructor(options: DatabaseOptions, settings: string, slots: number) {
    this.#options = options;
    this.#settings = settings;
    this.cluster = new ScriptedCluster(slots);
    this.db = openDatabase(options);
  }

  /** An empty database with the schema. `settings`: lines of TOML. */
  static async open(options: DatabaseOptions, settings = "", slots = 10_000): Promise<ControllerStage> {
    const stage = new ControllerStage(options, settings, slots);
    await migrateDatabase(stage.db, { clock: systemClock, claimant: "test", release: "test" });
    return stage;
  }

  /** Checkpoints in memory, of this database alone. */
  get #store(): string {
    return `checkpoint-url = "memory://${this.#options.database}${this.#options.host}"`;
  }

  /** Starts a controller; `more`: other parts; `head`: first lines of its configuration. */
  async start(more: Partial<ControllerOptions> = {}, database = this.#options, head = this.#store): Promise<RunningController> {
    const text = `${head}\n[controller]\nrpc-port = 0\n${this.#settings}`;
    const db = openDatabase(database);
    const controller = new Controller({
      db,
      scheduler: new ScriptedScheduler(this.cluster),
      compiler: {
        compile: async (program: Program) => {
          this.compiled += 1;
          return { hash: `${program.fingerprint}0`, wasm: new Uint8Array([0, 1, 2]), stateSchemas: {} };
        },
      },
      settings: loadConfig({ files: [{ path: "test.toml", text }], env: {} }).config,
      clock: systemClock,
      random: systemRandom,
      logger: process.env["WADI_TEST_LOG"] === undefined ? silentLogger : makeLogger({ level: "debug", format: "plaintext" }),
      metrics: new Registry(),
      ...more,
    });
    const ending = new AbortController();
    const over = controller.run(ending.signal);
    let stopped: Promise<void> | undefined;
    const running: RunningController = {
      controller,
      db,
      stop: () => {
        stopped ??= (async () => {
          ending.abort();
          await over;
          await db.destroy();
        })();
        return stopped;
      },
    };
    try {
      await Promise.race([controller.listening, over]);
    } catch (error) {
      await db.destroy();
      throw error;
    }
    this.#running.push(running);
    return running;
  }

  /** Creates a pipeline with its job, as the API does. The job's id. */
  async create({ parallelism = 1, intervalMs = 60_000, preview = false }: JobInit = {}): Promise<string> {
    const [job] = await this.createMany(1, { parallelism, intervalMs, preview });
    return job ?? "";
  }

  /** Creates `count` pipelines in two statements. */
  async createMany(count: number, { parallelism = 1, intervalMs = 60_000, preview = false }: JobInit = {}): Promise<readonly string[]> {
    const program = sampleProgram();
    const pipelines = Array.from({ length: count }, (_, i) => ({
      id: makeId("pipeline", systemRandom),
      name: `p ${i}`,
      slug: `p-${i}`,
      query: "",
      program: encodeProgram(program),
      program_version: 1,
      program_fingerprint: program.fingerprint,
      preview,
    }));
    const jobs = pipelines.map(({ id }) => ({
      id: makeId("job", systemRandom),
      pipeline_id: id,
      desired_parallelism: parallelism,
      desired_checkpoint_interval_us: intervalMs * 1000,
      ttl_us: preview ? 60_000_000 : null,
    }));
    await this.db("pipelines").insert(pipelines);
    await this.db("jobs").insert(jobs);
    await this.db.raw("notify wadi_jobs");
    return jobs.map(({ id }) => id);
  }

  /** Changes wishes, as the API does. */
  async wish(job: string, wishes: Readonly<Record<string, unknown>>): Promise<void> {
    await this.db("jobs")
      .where({ id: job })
      .update({ ...wishes, desired_revision: this.db.raw("desired_revision + 1") });
    await this.db.raw("notify wadi_jobs");
  }

  /** The job's row. */
  async row(job: string): Promise<Record<string, unknown> | undefined> {
    const rows = await this.db("jobs").where({ id: job }).select<Record<string, unknown>[]>();
    return rows[0];
  }

  /** How many jobs are in each state. */
  async states(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.db.raw<{ rows: { state: string; jobs: bigint }[] }>(
      "select state, count(*) as jobs from jobs group by state",
    );
    return new Map(rows.map(({ state, jobs }) => [state, Number(jobs)]));
  }

  /** Waits until the job is in `state`; its row. */
  reaches(job: string, state: string, limitMs = 10_000): Promise<Record<string, unknown>> {
    let last: unknown;
    const probe = async () => {
      const row = await this.row(job);
      last = row?.["state"];
      return row?.["state"] === state ? row : undefined;
    };
    return eventually(`job ${job} is ${state}`, probe, limitMs).catch((error: Error) => {
      error.message += ` (it is ${String(last)})`;
      throw error;
    });
  }

  /** Kinds of the job's timeline, in order. */
  async timeline(job: string): Promise<readonly string[]> {
    const rows = await this.db("job_events").where({ job_id: job }).orderBy("id").select<{ kind: string }[]>("kind");
    return rows.map(({ kind }) => kind);
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const running of this.#running) await running.stop();
    this.cluster.end();
    await this.db.destroy();
  }
}
