/**
 * A worker's output from Nomad's client: concatenated JSON objects without a separator, each a piece in base64. An interrupted stream is taken
 * up where it was. Nomad's own offset is the position after a piece within one file of the rotated ones.
 */
import { externalError, toAppError } from "../../core/errors.ts";
import type { LogPiece, LogQuery } from "../view.ts";
import type { NomadClient } from "./client.ts";

/** A frame of Nomad's log stream. */
interface Frame {
  readonly File?: string;
  readonly Offset?: number;
  readonly Data?: string;
  readonly FileEvent?: string;
}

/** A followed stream that breaks is taken up again so often in a row without a new byte. */
const ATTEMPTS = 3;
/** Between two looks at whether a followed task still runs, milliseconds. */
const QUIET_MS = 1_500;
const ALLOCATION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** See `Scheduler.logs`. */
export async function* readLogs(
  client: NomadClient,
  allocation: string,
  task: string,
  query: LogQuery,
  over: AbortSignal,
): AsyncIterable<LogPiece> {
  if (!ALLOCATION_ID.test(allocation)) throw externalError("not-found", `Nomad has no allocation "${allocation}"`, { retry: "never" });
  const signal = AbortSignal.any([query.signal, over]);
  // Without `follow` Nomad ends the stream at the end; with it, it waits for more of a task that has ended long ago.
  const follow = query.follow && (await isAlive(client, allocation));
  let position: number | undefined;
  let failures = 0;
  while (!signal.aborted) {
    const where = position === undefined ? startOf(query) : { origin: "start", offset: position };
    const quiet = new AbortController();
    const ended = AbortSignal.any([signal, quiet.signal]);
    // Nomad 2.0 keeps a followed stream open after the task has ended.
    if (follow) void endWhenQuiet({ client, allocation, quiet, ended, position: () => position });
    try {
      const path = `/v1/client/fs/logs/${allocation}`;
      const bytes = await client.stream({ path, query: { task, type: query.stream, follow, ...where } }, ended);
      for await (const frame of framesOf(bytes)) {
        const data = Buffer.from(frame.Data ?? "", "base64");
        if (data.length === 0) continue;
        const offset = position ?? Math.max(0, (frame.Offset ?? data.length) - data.length);
        position = offset + data.length;
        failures = 0;
        yield { stream: query.stream, offset, data };
        if (signal.aborted) return;
      }
      if (!follow || !(await isAlive(client, allocation))) return;
    } catch (thrown) {
      if (ended.aborted) return;
      const error = toAppError(thrown);
      failures += 1;
      if (error.code !== "connection-lost" || !follow || failures >= ATTEMPTS) throw clientError(error.message, error.code, thrown);
    } finally {
      quiet.abort();
    }
  }
}

interface Following {
  readonly client: NomadClient;
  readonly allocation: string;
  readonly quiet: AbortController;
  readonly ended: AbortSignal;
  readonly position: () => number | undefined;
}

/** Ends a followed stream once the task has ended and nothing came for a while. */
async function endWhenQuiet({ client, allocation, quiet, ended, position }: Following): Promise<void> {
  let before = position();
  let over = false;
  while (!ended.aborted) {
    await client.clock.sleep(QUIET_MS, ended);
    if (over && position() === before) return quiet.abort();
    before = position();
    over = !ended.aborted && !(await isAlive(client, allocation).catch(() => true));
  }
}

function startOf({ tailBytes }: LogQuery) {
  return tailBytes > 0 ? { origin: "end", offset: tailBytes } : { origin: "start", offset: 0 };
}

async function isAlive(client: NomadClient, allocation: string): Promise<boolean> {
  const { status, body } = await client.call({ path: `/v1/allocation/${allocation}`, accept: [404] });
  if (status === 404) throw externalError("not-found", `Nomad has no allocation "${allocation}"`, { retry: "never" });
  const { ClientStatus = "" } = body as { readonly ClientStatus?: string };
  return ClientStatus === "running" || ClientStatus === "pending" || ClientStatus === "unknown";
}

function clientError(message: string, code: string, cause: unknown) {
  if (code === "connection-lost") return externalError("connection-lost", `logs are not available: ${message}`, { cause });
  if (code === "not-found") return externalError("not-found", `there are no logs: ${message}`, { retry: "never", cause });
  return toAppError(cause);
}

/** JSON objects that follow each other without a separator. Strings in them have no braces that count and no raw line breaks. */
async function* framesOf(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Frame> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of bytes) {
    text += decoder.decode(chunk, { stream: true });
    let end = endOfObject(text);
    while (end > 0) {
      yield JSON.parse(text.slice(0, end)) as Frame;
      text = text.slice(end);
      end = endOfObject(text);
    }
  }
}

/** Where the first object of `text` ends; 0: it is not complete. */
export function endOfObject(text: string): number {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === "\\") i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "{") depth += 1;
    else if (c === "}" && --depth === 0) return i + 1;
  }
  return 0;
}
