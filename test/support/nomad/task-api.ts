/**
 * The Task API: the HTTP API on a socket in a task's secrets folder. It always asks for a token, which the task has as its workload identity, also
 * where the cluster does not use tokens otherwise.
 */
import { rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";
import { readToken } from "./signing-key.ts";

/** Longer paths cannot be bound on Linux. */
const MAX_PATH = 107;

/** 401 without a token, 403 with one that is not known; undefined: go on. */
function refusal(cluster: Cluster, headers: IncomingHttpHeaders): number | undefined {
  const header = headers["x-nomad-token"];
  const token = typeof header === "string" ? header : /^Bearer\s+(.+)$/i.exec(headers.authorization ?? "")?.[1];
  if (token === undefined || token === "") return 401;
  const known = cluster.state.tokens.has(token) || readToken(cluster.signingKeys, token, cluster.state.nowMs()) !== undefined;
  return known ? undefined : 403;
}

/** Opens the socket in `secrets`; undefined where its path is too long. */
export function openTaskApi(cluster: Cluster, secrets: string): Server | undefined {
  const path = join(secrets, "api.sock");
  if (Buffer.byteLength(path) > MAX_PATH) {
    cluster.note(`no task API: the path "${path}" is too long`);
    return undefined;
  }
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    const status = refusal(cluster, request.headers);
    if (status !== undefined) {
      response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
      response.end(status === 401 ? "Unauthorized" : "Forbidden");
      return;
    }
    cluster.answer(request, response);
  });
  server.on("error", (error) => cluster.note(`task API: ${error.message}`));
  server.listen(path);
  server.unref();
  return server;
}
