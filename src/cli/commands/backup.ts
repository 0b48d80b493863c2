/**
 * `wadi backup` and `wadi restore`: a stopped cluster's state directory in one file and back. It holds the embedded database and what else
 * lies there, checkpoints included if they are kept there; not the lock, sockets, the session's token and records of workers, which belong to
 * processes. A backup that does not hold the checkpoints says so.
 */
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { formatTimestamp } from "../../core/time.ts";
import { makeFolder } from "../../storage/make-folder.ts";
import { lockStateFolder } from "../../storage/state-lock.ts";
import { listArchive, unpackArchive, writeArchive } from "../operate/archive.ts";
import { EXIT, say } from "../output.ts";
import { release } from "../release.ts";
import { configuredStateFolder } from "../state-folder.ts";

/** Name of the file that says what an archive is. */
const LABEL = "wadi-backup.json";
const labelSchema = z.object({ format: z.literal(1), release: z.string(), created: z.string(), checkpoints: z.string() });
/** Top-level entries that belong to processes. */
const OF_PROCESSES: ReadonlySet<string> = new Set(["lock", "session-token", "workers"]);

/** Writes the state directory of `loaded` to `file`; the exit code. Refused while a cluster uses it. */
export async function backup(file: string, loaded: LoadedConfig): Promise<number> {
  const { config, origins } = loaded;
  const folder = configuredStateFolder(config);
  if (!existsSync(folder.path))
    throw userError("not-found", `there is no state directory "${folder.path}"`, { hint: "Name it with --state-dir." });
  const target = resolve(file);
  if (!relative(folder.path, target).startsWith("..")) {
    throw userError("invalid-usage", `the backup "${file}" cannot lie in the state directory itself`);
  }
  const lock = lockStateFolder(folder.path);
  const label = join(folder.path, LABEL);
  const outside = origins.has("checkpoint-url") ? config["checkpoint-url"] : "";
  try {
    const created = formatTimestamp(systemClock.nowNs());
    writeFileSync(label, `${JSON.stringify({ format: 1, release: release(), created, checkpoints: outside })}\n`);
    await writeArchive(folder.path, target, (path) => belongs(folder.path, path));
  } finally {
    rmSync(label, { force: true });
    lock.release();
  }
  say(`wrote ${file} (${lstatSync(target).size} bytes) from ${folder.path}`);
  if (outside !== "") say(`checkpoints are not in it: they are kept in ${outside}`);
  if (config["database.type"] === "postgres") say("the database is not in it: it is a PostgreSQL server of its own (use pg_dump)");
  return EXIT.done;
}

function belongs(folder: string, path: string): boolean {
  if (OF_PROCESSES.has(path.split("/")[0] ?? "")) return false;
  const entry = lstatSync(join(folder, path), { throwIfNoEntry: false });
  return entry !== undefined && (entry.isFile() || entry.isDirectory());
}

/** Makes the state directory of `loaded` from `file`; the exit code. It must not exist or be empty. */
export async function restore(file: string, loaded: LoadedConfig): Promise<number> {
  const folder = configuredStateFolder(loaded.config);
  if (existsSync(folder.path) && readdirSync(folder.path).length > 0) {
    throw userError("already-exists", `state directory "${folder.path}" is not empty`, {
      hint: "Restore into a new directory with --state-dir, or move the old one away first.",
    });
  }
  if (!(await listArchive(file)).includes(LABEL)) {
    throw userError("invalid-usage", `"${file}" is not a backup of Wadi: it has no ${LABEL}`);
  }
  makeFolder(dirname(folder.path));
  const staging = mkdtempSync(`${folder.path}.restore-`);
  try {
    await unpackArchive(file, staging);
    const label = readLabel(file, staging);
    rmSync(join(staging, LABEL));
    if (existsSync(folder.path)) rmdirSync(folder.path);
    renameSync(staging, folder.path);
    say(`restored ${folder.path} as it was on ${label.created} (release ${label.release})`);
    if (label.checkpoints !== "") say(`its checkpoints are expected in ${label.checkpoints}`);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return EXIT.done;
}

function readLabel(file: string, folder: string): z.infer<typeof labelSchema> {
  const parsed = labelSchema.safeParse(JSON.parse(readFileSync(join(folder, LABEL), "utf8")));
  if (parsed.success) return parsed.data;
  throw userError("version-mismatch", `"${file}" was made by another release, whose backups this one does not read`, {
    hint: "Restore it with the release that made it, then upgrade.",
  });
}
