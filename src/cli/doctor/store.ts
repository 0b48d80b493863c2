/**
 * Checks of the object stores from this machine: a probe object is written, read, written again under the condition that it is absent, and
 * removed. Credentials are those of this process; workers may have others, which the probe allocation shows.
 */
import { randomUUID } from "node:crypto";
import type { Config } from "../../core/config.ts";
import { type AppError, type ErrorCode, toAppError } from "../../core/errors.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { openObjectStore, parseStoreUrl } from "../../storage/open.ts";
import { type Check, type Finding, fail, ok, warn } from "./check.ts";

const LIMIT_MS = 8_000;

const FIXES: Partial<Record<ErrorCode, string>> = {
  "not-found": "Create the bucket, or correct the setting.",
  "permission-denied":
    "Give these credentials s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket there, or this user the rights to the folder.",
  "connection-lost": "Start the store, or correct host and port of its endpoint in the setting.",
  "disk-full": "Free space there, or choose another location.",
  timeout: "Look at the store's load and at the network between here and there.",
};

/** Checks of `checkpoint-url` and, if it is another place, of `compiler.artifact-url`. */
export function storeChecks(config: Config): readonly Check[] {
  const artifacts = config["compiler.artifact-url"];
  const settings: [name: string, title: string, url: string][] = [["checkpoint-url", "checkpoint store", config["checkpoint-url"]]];
  if (artifacts !== undefined && artifacts !== config["checkpoint-url"])
    settings.push(["compiler.artifact-url", "artifact store", artifacts]);
  return settings.map(([setting, title, url]) => ({
    id: setting.replaceAll(/[^a-z]+/g, "-"),
    title,
    limitMs: LIMIT_MS,
    ifSilent: `Look whether "${url}" can be reached from here, or correct ${setting}.`,
    run: () => checkStore(setting, url, config["controller.scheduler"]),
  }));
}

async function checkStore(setting: string, url: string, scheduler: string): Promise<Finding> {
  let store: ObjectStore | undefined;
  try {
    store = await openObjectStore(url);
    const conditional = await tryObject(store);
    if (!conditional)
      return fail(
        `${setting} "${store.url}" overwrites an object that was to be written only if absent`,
        "Use a store that honours If-None-Match on writes: two controllers could both complete a checkpoint here.",
      );
    const far = scheduler === "nomad" || scheduler === "node" || scheduler === "kubernetes";
    if (far && parseStoreUrl(url).kind === "local")
      return warn(
        `${setting} "${store.url}" is a directory of this machine, and workers run on others`,
        "Use an s3:// URL, unless the directory is mounted on every node.",
      );
    return ok(`"${store.url}": write, read, conditional write and delete work`);
  } catch (thrown) {
    const error = toAppError(thrown);
    return fail(`${setting}: ${error.message}`, fixOf(error, setting));
  } finally {
    await store?.close().catch(() => undefined);
  }
}

/** Whether the second conditional write was refused. Throws what fails. Leaves nothing behind. */
async function tryObject(store: ObjectStore): Promise<boolean> {
  const path = `wadi-doctor-${randomUUID()}`;
  const bytes = new TextEncoder().encode(path);
  try {
    await store.put(path, bytes);
    const read = await store.get(path);
    if (Buffer.compare(Buffer.from(read), Buffer.from(bytes)) !== 0) return false;
    return await store.putIfAbsent(path, bytes).then(
      () => false,
      (thrown: unknown) => {
        const { code } = toAppError(thrown);
        if (code !== "already-exists" && code !== "unsupported") throw thrown;
        return code === "already-exists";
      },
    );
  } finally {
    await store.delete(path).catch(() => undefined);
  }
}

function fixOf(error: AppError, setting: string): string {
  const credentials = /no AWS credentials|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken/.test(error.message);
  if (credentials) return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY that are valid now, a profile, or give the machine a role.";
  if (error.code === "invalid-config") return error.hint ?? `Correct ${setting}.`;
  return FIXES[error.code] ?? error.hint ?? `Look at the store's own log, or correct ${setting}.`;
}
