/**
 * Keeps a list of Kubernetes objects up to date: a list is the truth, and a watch from its version tells what changes. A watch that ends is
 * opened again from the last version heard of, bookmarks included; one whose version is too old (410 Gone), and any after a while, is begun
 * with a list again. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
import { StringDecoder } from "node:string_decoder";
import type { Clock } from "../../core/clock.ts";
import { type AppError, externalError, toAppError } from "../../core/errors.ts";
import type { RandomSource } from "../../core/prng.ts";
import { backoffDelayMs } from "../../core/retry.ts";
import { type KubernetesClient, refusal } from "./client.ts";
import { parseStatus } from "./objects.ts";

/** Objects with names that change. */
interface Versioned {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
}

/** What is watched. */
export interface WatchOptions<T extends Versioned> {
  readonly client: KubernetesClient;
  readonly path: string;
  /** For messages: "pods". */
  readonly what: string;
  readonly labelSelector?: string;
  readonly parse: (value: unknown) => T;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** A whole list; `before` is what was known. */
  readonly onList: (items: readonly T[]) => void;
  readonly onChange: (kind: "changed" | "deleted", item: T) => void;
  /** undefined: the watch works; otherwise why not. */
  readonly onState: (trouble: AppError | undefined) => void;
}

const BACKOFF = { attempts: Number.POSITIVE_INFINITY, initialMs: 250, maxMs: 10_000 };
/** The server ends a watch after this long: it balances its load so. */
const WATCH_SECONDS = 290;
/** However well the watch works, everything is listed again after this long. */
const RELIST_MS = 15 * 60_000;

/** Watches until `signal` is aborted; never rejects. */
export async function keepWatching<T extends Versioned>(options: WatchOptions<T>, signal: AbortSignal): Promise<void> {
  const { clock, random, onState } = options;
  let failures = 0;
  let version = "";
  let listedAtMs = 0;
  while (!signal.aborted) {
    try {
      if (version === "" || clock.elapsedMs() - listedAtMs > RELIST_MS) {
        version = await listAll(options);
        listedAtMs = clock.elapsedMs();
        if (signal.aborted) return;
        onState(undefined);
      }
      version = await follow(options, version, signal, () => {
        failures = 0;
        onState(undefined);
      });
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      if (error.code === "version-mismatch") {
        version = "";
        continue;
      }
      failures += 1;
      onState(error);
      await clock.sleep(backoffDelayMs(failures, BACKOFF, random), signal);
    }
  }
}

async function listAll<T extends Versioned>({ client, path, what, labelSelector, parse, onList }: WatchOptions<T>): Promise<string> {
  const { items, version } = await client.list(path, what, { labelSelector });
  onList(items.map(parse));
  return version;
}

/** Tells changes after `version` until the server ends the watch; the last version heard of. */
async function follow<T extends Versioned>(
  options: WatchOptions<T>,
  version: string,
  signal: AbortSignal,
  opened: () => void,
): Promise<string> {
  const { client, path, what, labelSelector, parse, onChange } = options;
  const query = { watch: true, allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: WATCH_SECONDS, labelSelector };
  const stream = await client.stream(path, what, query, signal).catch((error: unknown) => {
    // 410 as the answer itself, not within the stream.
    if (/too old|Expired|Gone/.test(toAppError(error).message)) throw tooOld();
    throw error;
  });
  opened();
  let last = version;
  for await (const line of linesOf(stream)) {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: unknown };
    if (type === "ERROR") {
      const status = parseStatus(object);
      if (status?.code === 410 || status?.reason === "Expired" || status === undefined) throw tooOld();
      throw refusal(status, `watching ${what}`);
    }
    if (type === "BOOKMARK") {
      last = (object as Versioned).metadata.resourceVersion;
      continue;
    }
    const item = parse(object);
    last = item.metadata.resourceVersion;
    onChange(type === "DELETED" ? "deleted" : "changed", item);
  }
  return last;
}

function tooOld(): AppError {
  return externalError("version-mismatch", "the version to watch from is too old");
}

/** Lines of a stream of bytes; a piece that is cut off by its end is dropped. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + decoder.write(Buffer.from(piece))).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield line;
  }
}
