/**
 * `wadi support-bundle`: what somebody needs who helps from afar, in one file: versions, settings, the ends of the logs, what the API says of
 * pipelines, jobs and checkpoints, and metrics. Everything passes through the redaction; what could not be had is named in the bundle.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, freemem, release as kernel, tmpdir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { systemClock } from "../../core/clock.ts";
import { type LoadedConfig, printConfig, settingNames } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { SETTINGS } from "../../core/settings.ts";
import { formatTimestamp } from "../../core/time.ts";
import { writeArchive } from "../operate/archive.ts";
import { redact } from "../operate/redaction.ts";
import { EXIT, say } from "../output.ts";
import { release } from "../release.ts";
import { configuredStateFolder, type StateFolder } from "../state-folder.ts";

/** Of every log the end. */
const LOG_BYTES = 256 * 1024;
/** Logs at most, the newest. */
const LOGS_MAX = 200;
const ANSWER_MS = 5_000;
const JOBS_MAX = 50;

/** Arguments of the command. */
export interface SupportBundleArguments {
  /** The file to write; `wadi-support-<time>.tar.gz` in the working directory if undefined. */
  readonly out: string | undefined;
}

/** Writes the bundle; the exit code. */
export async function supportBundle(args: SupportBundleArguments, loaded: LoadedConfig): Promise<number> {
  const bundle = new Bundle(loaded);
  const created = formatTimestamp(systemClock.nowNs());
  const out = resolve(args.out ?? `wadi-support-${created.slice(0, 19).replaceAll(":", "").replace(/[ T]/, "-")}.tar.gz`);
  try {
    bundle.add("system.json", json(systemFacts(created)));
    bundle.add("settings.toml", printConfig(loaded.config));
    bundle.addLogs();
    await bundle.addAnswers();
    await bundle.write(out);
  } finally {
    bundle.dispose();
  }
  say(`wrote ${out}: ${bundle.files} files, secrets taken out. Look through it before you pass it on.`);
  for (const problem of bundle.problems) say(`not in it: ${problem}`);
  return EXIT.done;
}

function systemFacts(created: string): unknown {
  const { version, arch, platform } = process;
  const limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].find((path) => existsSync(path));
  return {
    created,
    release: release(),
    node: version,
    platform: `${platform} ${kernel()} ${arch}`,
    processors: cpus().map((cpu) => cpu.model),
    memory: { total: totalmem(), free: freemem(), container: limit === undefined ? undefined : readFileSync(limit, "utf8").trim() },
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

class Bundle {
  readonly problems: string[] = [];
  files = 0;
  readonly #loaded: LoadedConfig;
  readonly #folder: StateFolder;
  readonly #staging = mkdtempSync(join(tmpdir(), "wadi-support-"));
  readonly #secrets: string[];
  readonly #token: string | undefined;

  constructor(loaded: LoadedConfig) {
    this.#loaded = loaded;
    this.#folder = configuredStateFolder(loaded.config);
    const { sessionToken } = this.#folder;
    const session = existsSync(sessionToken) ? readFileSync(sessionToken, "utf8").trim() : undefined;
    this.#token = process.env["WADI_API_TOKEN"] ?? loaded.config["api.session-token"] ?? session;
    const settings = settingNames().filter((name) => SETTINGS[name].sensitive);
    this.#secrets = [session, this.#token, ...settings.map((name) => loaded.config[name])].filter(
      (s): s is string => typeof s === "string",
    );
  }

  add(path: string, text: string): void {
    const file = join(this.#staging, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, redact(text, this.#secrets));
    this.files++;
  }

  /** The ends of the cluster's and the workers' logs. */
  addLogs(): void {
    const { path, logs, workers } = this.#folder;
    const found = [...logFiles(logs), ...logFiles(workers)];
    if (found.length === 0) this.problems.push(`logs: there are none in ${path} (name the directory with --state-dir)`);
    const newest = found.map((file) => ({ file, at: lstatSync(file).mtimeMs })).sort((a, b) => b.at - a.at);
    if (newest.length > LOGS_MAX) this.problems.push(`the ${newest.length - LOGS_MAX} oldest of ${newest.length} logs`);
    for (const { file } of newest.slice(0, LOGS_MAX)) this.add(join("logs", file.slice(path.length + 1)), logEnd(file));
  }

  /** What the API and the metrics say. */
  async addAnswers(): Promise<void> {
    const { config } = this.#loaded;
    const api = `${config["api-endpoint"].replace(/\/$/, "")}/api/v1`;
    const pipelines = await this.#ask("api/pipelines.json", `${api}/pipelines?limit=100`);
    await this.#ask("metrics.txt", `http://${config["admin.bind-address"]}:${config["admin.http-port"]}/metrics`);
    if (pipelines === undefined) return;
    const jobs = await this.#ask("api/jobs.json", `${api}/jobs`);
    for (const { id, pipeline_id: pipeline } of rowsOf(jobs).slice(0, JOBS_MAX)) {
      const base = `${api}/pipelines/${String(pipeline)}/jobs/${String(id)}`;
      for (const part of ["errors", "checkpoints"]) await this.#ask(`api/${String(id)}/${part}.json`, `${base}/${part}`);
    }
  }

  async #ask(path: string, url: string): Promise<string | undefined> {
    try {
      const headers: Record<string, string> = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
      const text = await response.text();
      if (!response.ok) this.problems.push(`${path}: ${url} answered ${response.status}`);
      this.add(path, text);
      return response.ok ? text : undefined;
    } catch (error) {
      this.problems.push(`${path}: ${url} does not answer (${toAppError(error).message})`);
      return undefined;
    }
  }

  async write(out: string): Promise<void> {
    this.add("missing.txt", this.problems.map((problem) => `${problem}\n`).join(""));
    await writeArchive(this.#staging, out, () => true);
  }

  dispose(): void {
    rmSync(this.#staging, { recursive: true, force: true });
  }
}

function rowsOf(text: string | undefined): readonly Readonly<Record<string, unknown>>[] {
  if (text === undefined) return [];
  const value = JSON.parse(text) as { readonly data?: unknown };
  return Array.isArray(value.data) ? (value.data as Record<string, unknown>[]) : [];
}

/** Log files of `folder` and below; tokens and records of workers are not among them. */
function logFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return logFiles(path);
    return entry.isFile() && /\.log(?:\.\d+)?$/.test(entry.name) ? [path] : [];
  });
}

function logEnd(file: string): string {
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const length = Math.min(size, LOG_BYTES);
    const buffer = Buffer.alloc(length);
    const read = readSync(handle, buffer, 0, length, size - length);
    return (size > length ? `… the first ${size - length} bytes are left out\n` : "") + buffer.toString("utf8", 0, read);
  } finally {
    closeSync(handle);
  }
}
