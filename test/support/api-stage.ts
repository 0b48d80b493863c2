/**
 * The API for tests: a real server on a free port over a migrated database and nothing else, and a client that says what it was answered. Every
 * answer of a known route is checked against the shape that the route declares, and the routes that were visited are remembered.
 */
import { type IncomingMessage, request } from "node:http";
import { AssertionError, expect } from "chai";
import { Registry } from "prom-client";
import { ApiServer } from "../../src/api/api-server.ts";
import type { Route } from "../../src/api/route.ts";
import { allRoutes } from "../../src/api/routes/routes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadConfig } from "../../src/core/config.ts";
import { makeLogger, silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/db/connection.ts";
import { migrateDatabase } from "../../src/db/migrate.ts";

/** The token of the UI's session in tests. */
export const TOKEN = "session-token-of-tests";
const RELEASE = "0.0.0-test";

/** What the parser of JSON gives: tests look into whatever the API answers, and its shape is checked elsewhere. */
type ParsedJson = ReturnType<typeof JSON.parse>;

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly body: ParsedJson;
}

/** A request besides method and path. */
export interface CallOptions {
  readonly body?: unknown;
  /** Instead of `body`, as it is. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** `null`: none. */
  readonly token?: string | null;
}

/** An event of a stream. */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: ParsedJson;
}

/** How the API of a test differs from the usual one. */
export interface ApiStageOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** URL of a module that exports `CONNECTOR_SPECS`. */
  readonly connectorModule?: string;
  readonly uiFolder?: string;
}

/** A running API. */
export class ApiStage {
  readonly db: Database;
  readonly metrics = new Registry();
  /** `method path` of the routes that answered with 200. */
  readonly visited = new Set<string>();
  readonly #stop = new AbortController();
  readonly #routes = allRoutes(RELEASE);
  #run: Promise<void> = Promise.resolve();
  port = 0;

  private constructor(db: Database) {
    this.db = db;
  }

  /** Migrates the database at `where` and starts an API on it. */
  static async open(where: DatabaseOptions, options: ApiStageOptions = {}): Promise<ApiStage> {
    const stage = new ApiStage(openDatabase(where));
    await migrateDatabase(stage.db, { clock: systemClock, claimant: "test", release: RELEASE });
    await stage.#start(options);
    return stage;
  }

  async #start({ env = {}, connectorModule, uiFolder }: ApiStageOptions): Promise<void> {
    const { config } = loadConfig({ files: [], env: { WADI__API__HTTP_PORT: "0", WADI__API__SESSION_TOKEN: TOKEN, ...env } });
    const server = new ApiServer({
      db: this.db,
      settings: config,
      clock: systemClock,
      random: systemRandom,
      logger: process.env["API_TEST_LOG"] === undefined ? silentLogger : makeLogger({ level: "debug", format: "plaintext" }),
      metrics: this.metrics,
      uiFolder,
      release: RELEASE,
      ...(connectorModule === undefined ? {} : { connectorModule }),
    });
    this.#run = server.run(this.#stop.signal);
    this.port = await Promise.race([server.listening, this.#run.then(() => 0)]);
  }

  /** Stops the API. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }

  /** Stops the API and leaves the database. */
  async close(): Promise<void> {
    await this.stop();
    await this.db.destroy();
  }

  /** Calls a path below /api/v1. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const answer = await this.raw(method, `/api/v1${path}`, options);
    if (answer.status === 200) this.#check(method, path, answer.body);
    return answer;
  }

  /** Calls and expects 200; the body. */
  async ok(method: string, path: string, body?: unknown): Promise<Answer["body"]> {
    const answer = await this.call(method, path, body === undefined ? {} : { body });
    expect(answer.status, answer.text).to.equal(200);
    return answer.body;
  }

  /** Calls and expects a refusal of `status` whose message contains all `words`; its body. */
  async refused(status: number, method: string, path: string, options: CallOptions, ...words: readonly string[]): Promise<Answer["body"]> {
    const answer = await this.call(method, path, options);
    expect(answer.status, answer.text).to.equal(status);
    expect(answer.body.error).to.be.a("string");
    for (const word of words) expect(answer.body.error).to.contain(word);
    return answer.body;
  }

  /** Calls any path. */
  raw(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { host: "127.0.0.1", port: this.port, method, path, headers: headersOf(options), agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => resolve(answerOf(response, Buffer.concat(chunks).toString("utf8"))));
        },
      );
      outgoing.on("error", reject);
      outgoing.end(bodyOf(options));
    });
  }

  /** Opens a stream and collects its events until `until` is satisfied or it ends; then closes it. */
  async stream(
    method: string,
    path: string,
    options: CallOptions & { readonly until?: (events: readonly StreamEvent[]) => boolean } = {},
  ): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    const route = this.#routeOf(method, path);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new AssertionError(`${events.length} events within 15 s: ${JSON.stringify(events)}`)), 15_000);
      const finish = (): void => {
        clearTimeout(timer);
        outgoing.destroy();
        resolve();
      };
      const outgoing = request(
        { host: "127.0.0.1", port: this.port, method, path: `/api/v1${path}`, headers: headersOf(options), agent: false },
        (response) => {
          if (response.statusCode !== 200) reject(new AssertionError(`status ${response.statusCode} of ${path}`));
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
            for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
              const event = eventOf(text.slice(0, end));
              text = text.slice(end + 2);
              if (event !== undefined) events.push(event);
            }
            if (options.until?.(events) === true) finish();
          });
          response.on("end", finish);
          response.on("error", () => finish());
        },
      );
      outgoing.on("error", (error) => (events.length > 0 ? finish() : reject(error)));
      outgoing.end(bodyOf(options));
    });
    this.visited.add(`${route?.method} ${route?.path}`);
    for (const { event, data } of events) if (event === "message") expectShape(route, data);
    return events;
  }

  #routeOf(method: string, path: string): Route | undefined {
    const [bare = ""] = path.split("?");
    const fitting = this.#routes.filter((route) => {
      const pattern = new RegExp(`^${route.path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);
      return route.method === method.toLowerCase() && pattern.test(bare);
    });
    // A literal path before one with parameters.
    return fitting.sort((a, b) => a.path.split("{").length - b.path.split("{").length)[0];
  }

  #check(method: string, path: string, body: unknown): void {
    const route = this.#routeOf(method, path);
    if (route === undefined) throw new AssertionError(`no route for ${method} ${path}`);
    this.visited.add(`${route.method} ${route.path}`);
    expectShape(route, body);
  }
}

function expectShape(route: Route | undefined, value: unknown): void {
  const checked = route?.answer?.safeParse(value);
  if (checked?.success === false) throw new AssertionError(`${route?.operation} answered outside of its shape: ${checked.error.message}`);
}

function headersOf({ body, raw, headers = {}, token = TOKEN }: CallOptions): Record<string, string> {
  return {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined && raw === undefined ? {} : { "content-type": "application/json" }),
    ...headers,
  };
}

function bodyOf({ body, raw }: CallOptions): string | Buffer | undefined {
  return raw ?? (body === undefined ? undefined : JSON.stringify(body));
}

function answerOf(response: IncomingMessage, text: string): Answer {
  const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
  return { status: response.statusCode ?? 0, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
}

/** An event of the lines of one; `undefined` for a comment. */
function eventOf(block: string): StreamEvent | undefined {
  const fields = new Map(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
  const data = fields.get("data");
  return data === undefined ? undefined : { id: fields.get("id"), event: fields.get("event") ?? "message", data: JSON.parse(data) };
}
