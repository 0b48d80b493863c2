/**
 * The thread in which the SQL parser runs: one request, one answer. It exists because the parser is WebAssembly that can trap or loop, and
 * a trapped instance is of no further use; `parse.ts` then ends this thread and starts another.
 */
import { parentPort } from "node:worker_threads";
import { init, parse } from "@guanmingchiu/sqlparser-ts";

/** A text to parse: one statement. */
export interface ParserRequest {
  readonly text: string;
}

/**
 * `ready` once, when requests may be sent. Then per request the parser's tree (a list with one statement) or its message; `trapped` says that
 * the parser no longer answers even `SELECT 1`.
 */
export type ParserReply =
  | { readonly kind: "ready" }
  | { readonly kind: "tree"; readonly tree: unknown }
  | { readonly kind: "error"; readonly message: string; readonly trapped: boolean };

/** Arroyo's dialect is PostgreSQL's with STRUCT types: same tokens, same precedence of operators. */
const DIALECT = "postgresql";

function answer(text: string): ParserReply {
  try {
    return { kind: "tree", tree: parse(text, DIALECT) };
  } catch (error) {
    return { kind: "error", message: error instanceof Error ? error.message : String(error), trapped: !stillWorks() };
  }
}

function stillWorks(): boolean {
  try {
    return parse("SELECT 1", DIALECT).length === 1;
  } catch {
    return false;
  }
}

const port = parentPort;
if (port !== null) {
  await init();
  port.on("message", (request: ParserRequest) => port.postMessage(answer(request.text)));
  port.postMessage({ kind: "ready" } satisfies ParserReply);
}
