/**
 * PostgreSQL's wire protocol for several clients of one PGlite, which has a single session: whole requests run one after another. A request
 * is what a client sends up to its Sync, or one simple query: run as one they cannot mix. A client in a transaction keeps the session until
 * it ends, at most `idleLimitMs` without a word: one that hangs, or was stopped by a signal, loses its transaction and its connection, not
 * everybody's database. Notifications reach all clients that listen to something.
 *
 * Why not `pglite-socket`, whose place this takes: its 0.2 runs single messages, so that clients get each other's rows
 * (https://github.com/electric-sql/pglite/issues/1046), waits for a silent transaction for ever, and stops for good after one error.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { createServer, type Server, type Socket } from "node:net";
import type { PGlite } from "@electric-sql/pglite";
import type { Clock } from "../core/clock.ts";
import { type AppError, internalError } from "../core/errors.ts";

/** What the server is made with. */
export interface EmbeddedServerOptions {
  readonly db: PGlite;
  /** Path of the unix socket; it must not exist. */
  readonly path: string;
  /** A transaction without a request for so long ends, milliseconds. */
  readonly idleLimitMs: number;
  readonly clock: Clock;
  /** The database broke and runs nothing any more. */
  readonly onFailure: (error: AppError) => void;
}

const code = (letter: string): number => letter.charCodeAt(0);
/** Messages after which a client waits for an answer: Sync, Query, FunctionCall, Flush, CopyDone, CopyFail. */
const ENDS_REQUEST: ReadonlySet<number> = new Set([..."SQFHcf"].map(code));
/** Of these, those that leave the request unfinished. */
const FLUSH = code("H");
const TERMINATE = code("X");
const NOTIFICATION = code("A");
/** Codes in the place of a protocol version: SSL, GSS encryption, cancelling. */
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
const SYNC = Uint8Array.of(code("S"), 0, 0, 0, 4);
/** No message is longer: a client that says otherwise does not speak the protocol. */
const MESSAGE_MAX = 256 * 2 ** 20;

/** One client. */
class Client {
  readonly socket: Socket;
  /** Whole requests that wait. */
  readonly requests: Buffer[] = [];
  started = false;
  listens = false;
  gone = false;
  #input: Buffer = Buffer.alloc(0);
  /** Bytes of `#input` that are whole messages of an unfinished request. */
  #scanned = 0;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Takes bytes; false if they are not the protocol, or the client says goodbye. */
  take(bytes: Buffer): boolean {
    this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
    while (!this.started) {
      const length = this.#input.length < 8 ? Number.POSITIVE_INFINITY : this.#input.readUInt32BE(0);
      if (this.#input.length < length) return this.#input.length < 8 || length <= MESSAGE_MAX;
      if (!this.#begin(length)) return false;
    }
    return this.#scan();
  }

  #begin(length: number): boolean {
    const version = this.#input.readUInt32BE(4);
    if (length < 8 || version === CANCEL_REQUEST) return false;
    if (version === SSL_REQUEST || version === GSS_REQUEST) {
      this.#cut(length);
      this.socket.write("N");
      return true;
    }
    this.started = true;
    this.requests.push(this.#cut(length));
    return true;
  }

  #scan(): boolean {
    for (;;) {
      const left = this.#input.length - this.#scanned;
      if (left < 5) return true;
      const length = 1 + this.#input.readUInt32BE(this.#scanned + 1);
      if (length > MESSAGE_MAX || length < 5) return false;
      if (left < length) return true;
      const type = this.#input[this.#scanned] as number;
      if (type === TERMINATE) return false;
      this.#scanned += length;
      if (ENDS_REQUEST.has(type)) this.requests.push(this.#cut(this.#scanned));
    }
  }

  #cut(length: number): Buffer {
    const head = this.#input.subarray(0, length);
    this.#input = this.#input.subarray(length);
    this.#scanned = 0;
    return head;
  }
}

/** See the file's comment. */
export class EmbeddedServer {
  readonly #options: EmbeddedServerOptions;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  /** Those with a request, in the order in which they came. */
  #waiting: Client[] = [];
  /** Has the session: it is in a transaction or in the middle of a request. */
  #owner: Client | undefined;
  /** Aborted when the owner has said something. */
  #idle = new AbortController();
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: EmbeddedServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Starts to listen. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#options.path, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Ends all connections; resolves when no request runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#clients) this.#drop(client);
    await this.#running;
    this.#idle.abort();
    await closed;
  }

  #accept(socket: Socket): void {
    const client = new Client(socket);
    this.#clients.add(client);
    socket.on("data", (bytes: Buffer) => {
      const idle = client.requests.length === 0;
      const goesOn = client.take(bytes);
      if (idle && client.requests.length > 0) this.#waiting.push(client);
      this.#run();
      if (!goesOn) this.#drop(client);
    });
    socket.on("error", () => this.#drop(client));
    socket.on("close", () => this.#drop(client));
  }

  #drop(client: Client): void {
    if (client.gone) return;
    client.gone = true;
    this.#clients.delete(client);
    this.#waiting = this.#waiting.filter((other) => other !== client);
    client.socket.destroySoon();
    this.#run();
  }

  /** Runs what can run, one request after another. */
  #run(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#runAll()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #runAll(): Promise<void> {
    // So that a second call, during the first await, finds it running.
    await Promise.resolve();
    while (!this.#closed) {
      if (this.#owner?.gone === true) await this.#takeBack();
      const client = this.#next();
      if (client === undefined) return;
      await this.#runOne(client);
    }
  }

  /** Whose request is next; undefined if there is none that may run. */
  #next(): Client | undefined {
    const owner = this.#owner;
    const at = owner === undefined ? 0 : this.#waiting.indexOf(owner);
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  async #runOne(client: Client): Promise<void> {
    const request = client.requests.shift();
    if (request === undefined) return;
    if (client.requests.length > 0) this.#waiting.push(client);
    this.#idle.abort();
    client.listens ||= listensTo(request);
    await this.#options.db.execProtocolRawStream(request, { onRawData: (bytes) => this.#answer(client, bytes) });
    const unfinished = lastType(request) === FLUSH;
    this.#owner = unfinished || this.#options.db.isInTransaction() ? client : undefined;
    if (this.#owner !== undefined) this.#limitSilence(client);
  }

  #limitSilence(client: Client): void {
    const { clock, idleLimitMs } = this.#options;
    this.#idle = new AbortController();
    const { signal } = this.#idle;
    clock.sleep(idleLimitMs, signal).then(
      () => {
        if (!signal.aborted) this.#drop(client);
      },
      () => undefined,
    );
  }

  #answer(client: Client, bytes: Uint8Array): void {
    // The engine uses its buffer again.
    const copy = Buffer.from(bytes);
    if (!client.gone) client.socket.write(copy);
    for (const notification of notificationsIn(copy)) {
      for (const other of this.#clients) if (other !== client && other.listens) other.socket.write(notification);
    }
  }

  /** Ends what the owner, who is gone, had begun. */
  async #takeBack(): Promise<void> {
    this.#idle.abort();
    this.#owner = undefined;
    const { db } = this.#options;
    await db.execProtocolRawStream(SYNC, { onRawData: () => undefined });
    if (db.isInTransaction()) await db.exec("ROLLBACK");
  }

  #fail(error: unknown): void {
    this.#closed = true;
    this.#options.onFailure(internalError("invariant", `the embedded database broke: ${String(error)}`, { cause: error }));
  }
}

/** The type of a request's last message. A request is never empty; that of a start has no type and ends in a zero byte. */
function lastType(request: Buffer): number {
  let type = 0;
  for (let at = 0; at + 5 <= request.length; ) {
    type = request[at] as number;
    at += 1 + request.readUInt32BE(at + 1);
  }
  return type;
}

/** Whether a request may hold LISTEN: then the client gets all notifications, and its driver picks those it wants. */
function listensTo(request: Buffer): boolean {
  return request.length < 1_024 && /listen\s/i.test(request.toString("latin1"));
}

/** The notifications among whole messages of an answer. */
function notificationsIn(answer: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 5 <= answer.length; ) {
    const end = at + 1 + answer.readUInt32BE(at + 1);
    if (answer[at] === NOTIFICATION && end <= answer.length) found.push(answer.subarray(at, end));
    at = end;
  }
  return found;
}
