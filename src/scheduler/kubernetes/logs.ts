/**
 * Output of a pod. Kubernetes keeps what a container wrote to both of its streams as one, and gives it from the beginning only: the end of it
 * is found by reading all of it once, and following skips what was read.
 */
import { externalError, toAppError } from "../../core/errors.ts";
import type { LogPiece, LogQuery } from "../view.ts";
import type { KubernetesClient } from "./client.ts";

/** See the file's comment. Either stream gives the output of both. */
export async function* podLogs(client: KubernetesClient, pod: string, query: LogQuery): AsyncGenerator<LogPiece> {
  const { stream, tailBytes, follow, signal } = query;
  const open = (more: object): Promise<AsyncIterable<Uint8Array>> => openLog(client, pod, { container: "worker", ...more }, signal);
  let had = 0;
  if (tailBytes > 0) {
    const { pieces, length } = await readEnd(await open({}), tailBytes, signal);
    for (const piece of pieces) yield { stream, offset: piece.offset, data: piece.data };
    had = length;
    if (!follow) return;
  }
  let offset = 0;
  try {
    for await (const data of await open(follow ? { follow: true } : {})) {
      if (signal.aborted) return;
      const fresh = offset + data.length <= had ? undefined : data.subarray(Math.max(0, had - offset));
      if (fresh !== undefined) yield { stream, offset: offset + data.length - fresh.length, data: fresh };
      offset += data.length;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface Piece {
  readonly offset: number;
  readonly data: Uint8Array;
}

/** The last `count` bytes of a stream; no more than that and a piece are held. */
async function readEnd(
  bytes: AsyncIterable<Uint8Array>,
  count: number,
  signal: AbortSignal,
): Promise<{ pieces: readonly Piece[]; length: number }> {
  let pieces: Piece[] = [];
  let length = 0;
  for await (const data of bytes) {
    if (signal.aborted) break;
    pieces.push({ offset: length, data });
    length += data.length;
    const keepFrom = length - count;
    pieces = pieces.filter((piece) => piece.offset + piece.data.length > keepFrom);
  }
  const keepFrom = Math.max(0, length - count);
  const cut = pieces.map(({ offset, data }) =>
    offset >= keepFrom ? { offset, data } : { offset: keepFrom, data: data.subarray(keepFrom - offset) },
  );
  return { pieces: cut, length };
}

async function openLog(client: KubernetesClient, pod: string, query: object, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const path = `/api/v1/namespaces/${await client.namespace()}/pods/${encodeURIComponent(pod)}/log`;
  try {
    return await client.stream(path, `the log of pod "${pod}"`, { ...query }, signal);
  } catch (thrown) {
    const error = toAppError(thrown);
    // Nothing was written yet, or it is not kept any more.
    if (error.code === "invalid-config") throw externalError("not-found", error.message, { retry: "never", cause: error });
    if (error.code === "io") throw externalError("connection-lost", error.message, { cause: error });
    throw error;
  }
}
