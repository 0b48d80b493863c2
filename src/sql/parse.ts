/**
 * A script → statements and findings. Limits, tokens, pre-pass and the conversion of the parser's tree run here; the parser itself runs in
 * a thread with a time limit, because it is WebAssembly that can trap or loop, and is replaced when it does.
 */
import type { Worker } from "node:worker_threads";
import { type Clock, systemClock } from "../core/clock.ts";
import { internalError } from "../core/errors.ts";
import { startThreadFile } from "../core/thread-file.ts";
import type { Expr } from "./ast.ts";
import { ConvertContext } from "./convert/context.ts";
import type { TableExpressions } from "./convert/create-table.ts";
import { convertQuery } from "./convert/query.ts";
import { convertStatement } from "./convert/statement.ts";
import { DiagnosticCollector } from "./diagnostics.ts";
import { EditedText } from "./edited-text.ts";
import { tokenize } from "./lexer.ts";
import { checkScriptSize, checkStatementCount, checkStatementShape } from "./limits.ts";
import { ParameterTable } from "./parameter.ts";
import type { ParsedScript } from "./parsed-script.ts";
import { reportParserMessage } from "./parser-message.ts";
import type { ParserReply, ParserRequest } from "./parser-thread.ts";
import { type Prepared, prepare } from "./prepass.ts";
import type { Span } from "./source-text.ts";
import type { Statement } from "./statement.ts";
import { splitStatements, type TokenStream } from "./token-stream.ts";

/** Settings of a `SqlParser`. */
export interface SqlParserOptions {
  /** Longest time for one statement in the parser, in milliseconds; 2,000 by default. */
  readonly timeLimitMs?: number;
  readonly clock?: Clock;
}

/** What became of one text in the parser's thread. */
type Outcome =
  | { readonly kind: "tree"; readonly tree: unknown }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "failed"; readonly reason: string };

/** Parses scripts. One parser serves many scripts, one after the other; its thread does not keep the process alive between them. */
export class SqlParser {
  readonly #timeLimitMs: number;
  readonly #clock: Clock;
  #thread: Promise<Worker> | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #replaced = 0;

  constructor(options: SqlParserOptions = {}) {
    this.#timeLimitMs = options.timeLimitMs ?? 2000;
    this.#clock = options.clock ?? systemClock;
  }

  /** How often a thread that trapped or overran its time was ended. */
  get replacedThreads(): number {
    return this.#replaced;
  }

  /** Starts the thread, so that the first script finds it ready. A failure to start is reported by `parse`. */
  warmUp(): void {
    this.#start().catch(() => undefined);
  }

  /**
   * Parses `sql`, with `parameters` by name for its `$name` tokens. Never rejects for what the script says: that is in the result's
   * diagnostics. Rejects with an internal error if the thread cannot be started or the parser is closed.
   */
  parse(sql: string, parameters: ReadonlyMap<string, string> = new Map()): Promise<ParsedScript> {
    const result = this.#queue.then(() => this.#parseScript(sql, parameters));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Ends the thread, after the scripts under way. */
  async close(): Promise<void> {
    await this.#queue;
    this.#isClosed = true;
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread !== undefined) await (await thread).terminate();
  }

  async #parseScript(sql: string, parameters: ReadonlyMap<string, string>): Promise<ParsedScript> {
    const diagnostics = new DiagnosticCollector(sql);
    const statements: Statement[] = [];
    const result: ParsedScript = { sql, statements, diagnostics };
    if (!checkScriptSize(sql, diagnostics)) return result;
    const streams = splitStatements(tokenize(sql, diagnostics));
    if (streams.length === 0 && !diagnostics.hasErrors) diagnostics.error("empty-script", undefined, "the script holds no statement");
    if (!checkStatementCount(streams, diagnostics)) return result;
    const table = new ParameterTable(parameters);
    for (const stream of streams) {
      const statement = await this.#parseStatement(stream, table, diagnostics);
      if (statement !== undefined) statements.push(statement);
    }
    table.reportUnused(diagnostics);
    return result;
  }

  async #parseStatement(stream: TokenStream, parameters: ParameterTable, diagnostics: DiagnosticCollector): Promise<Statement | undefined> {
    if (!checkStatementShape(stream, diagnostics)) return undefined;
    const errorsBefore = diagnostics.errorCount;
    const prepared = prepare(stream, parameters, diagnostics);
    // An unterminated string swallows the rest of the script: it is reported already, and the parser would say less about it.
    if (diagnostics.errorCount > errorsBefore || stream.tokens.some((token) => token.kind === "invalid" && token.end - token.start > 2))
      return undefined;
    const { start, end } = stream.span(0, stream.length - 1);
    const edited = new EditedText(diagnostics.source.text, start, end, prepared.edits);
    const tree = await this.#tree(edited, stream, diagnostics);
    const expressions = await this.#tableExpressions(prepared, diagnostics);
    if (tree === undefined) return undefined;
    const statement = convertStatement(new ConvertContext(prepared, edited, diagnostics, convertQuery), tree, expressions);
    return diagnostics.errorCount > errorsBefore ? undefined : statement;
  }

  /** Parses the expressions that the pre-pass took out of CREATE TABLE. */
  async #tableExpressions(prepared: Prepared, diagnostics: DiagnosticCollector): Promise<TableExpressions> {
    const partitionedBy: Expr[] = [];
    for (const span of prepared.partitionedBy) {
      const expr = await this.#expression(prepared, span, diagnostics);
      if (expr !== undefined) partitionedBy.push(expr);
    }
    const watermark = prepared.watermark?.expr;
    return { partitionedBy, watermark: watermark === undefined ? undefined : await this.#expression(prepared, watermark, diagnostics) };
  }

  async #expression(prepared: Prepared, span: Span, diagnostics: DiagnosticCollector): Promise<Expr | undefined> {
    const inside = prepared.edits.filter(
      (edit) => edit.start >= span.start && edit.end <= span.end && !(edit.start === span.start && edit.end === span.end),
    );
    const edited = new EditedText(diagnostics.source.text, span.start, span.end, inside, "SELECT ");
    const first = prepared.stream.indexFrom(span.start);
    const part = prepared.stream.slice(first, prepared.stream.indexFrom(span.end));
    const tree = await this.#tree(edited, part, diagnostics);
    if (tree === undefined) return undefined;
    const context = new ConvertContext(prepared, edited, diagnostics, convertQuery);
    const statement = convertStatement(context, tree, { watermark: undefined, partitionedBy: [] });
    const body = statement?.kind === "select-statement" ? statement.query.body : undefined;
    const item = body?.kind === "select" && body.projection.length === 1 && body.from.length === 0 ? body.projection[0] : undefined;
    if (item?.kind === "expr" && item.alias === undefined) return item.expr;
    diagnostics.error("syntax", span, "expected one expression");
    return undefined;
  }

  /** The tree of the one statement in `edited`; `undefined` after a finding. */
  async #tree(edited: EditedText, stream: TokenStream, diagnostics: DiagnosticCollector): Promise<unknown> {
    const outcome = await this.#ask(edited.text);
    if (outcome.kind === "tree") return Array.isArray(outcome.tree) ? outcome.tree[0] : undefined;
    if (outcome.kind === "error") reportParserMessage(outcome.message, edited, stream, diagnostics);
    else {
      diagnostics.error("parser-failed", stream.span(0, 0), `the parser ${outcome.reason} on this statement`, {
        hint: "Simplify the statement: split long expressions, or use views.",
      });
    }
    return undefined;
  }

  // ------------------------------------------------------------------------------------------------- thread

  async #ask(text: string): Promise<Outcome> {
    const thread = await this.#start();
    thread.ref();
    const request: ParserRequest = { text };
    thread.postMessage(request);
    const reply = await Promise.race([nextReply(thread), this.#overrun(thread)]);
    thread.unref();
    if (reply === "overrun") return this.#fail(thread, `took longer than ${this.#timeLimitMs} ms`);
    if (reply.kind === "tree") return reply;
    if (reply.kind === "ended" || (reply.kind === "error" && reply.trapped)) return this.#fail(thread, "crashed");
    return { kind: "error", message: reply.kind === "error" ? reply.message : "unexpected reply" };
  }

  /** Resolves after the time limit, unless the thread answers first. */
  async #overrun(thread: Worker): Promise<"overrun"> {
    const answered = new AbortController();
    const stop = (): void => answered.abort();
    thread.once("message", stop);
    thread.once("exit", stop);
    await this.#clock.sleep(this.#timeLimitMs, answered.signal);
    thread.off("message", stop);
    thread.off("exit", stop);
    return "overrun";
  }

  async #fail(thread: Worker, reason: string): Promise<Outcome> {
    this.#replaced++;
    this.#thread = undefined;
    await thread.terminate();
    return { kind: "failed", reason };
  }

  #start(): Promise<Worker> {
    if (this.#isClosed) throw internalError("invariant", "the SQL parser is closed");
    this.#thread ??= startThread().catch((error: unknown) => {
      this.#thread = undefined;
      throw error;
    });
    return this.#thread;
  }
}

async function startThread(): Promise<Worker> {
  const thread = startThreadFile("parser-thread", import.meta.url);
  const first = await nextReply(thread);
  if (first.kind === "ready") return thread;
  throw internalError("invariant", "the SQL parser's thread did not start", { detail: first.kind === "ended" ? first.reason : first.kind });
}

type Answer = ParserReply | { readonly kind: "ended"; readonly reason: string };

/** The next message of the thread, or its end. */
function nextReply(thread: Worker): Promise<Answer> {
  return new Promise((resolve) => {
    const finish = (answer: Answer): void => {
      thread.off("message", finish);
      thread.off("error", onError);
      thread.off("exit", onExit);
      resolve(answer);
    };
    const onError = (error: unknown): void => finish({ kind: "ended", reason: error instanceof Error ? error.message : String(error) });
    const onExit = (code: number): void => finish({ kind: "ended", reason: `exit code ${code}` });
    thread.on("message", finish);
    thread.on("error", onError);
    thread.on("exit", onExit);
  });
}
