/** The plainest client of Nomad's HTTP API, for tests that compare the fake with a real one: statuses, bodies and headers as they come. */
import { get, type IncomingMessage } from "node:http";

/** An answer as it came. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly index: number;
  readonly type: string;
}

/** Talks to one address. */
export class BehaviourClient {
  readonly address: string;
  readonly #token: string | undefined;

  constructor(address: string, token?: string) {
    this.address = address;
    this.#token = token;
  }

  /** One request; a body that is no text is sent as JSON. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.address}${path}`, {
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      headers: { "accept-encoding": "identity", ...(this.#token === undefined ? {} : { "x-nomad-token": this.#token }) },
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text,
      index: Number(response.headers.get("x-nomad-index") ?? "-1"),
      type: response.headers.get("content-type") ?? "",
    };
  }

  /** The JSON of a request that succeeds. */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) throw new TypeError(`${method} ${path}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body) as T;
  }

  /**
   * Pieces of a response that does not end, until `enough` says so or `limitMs` is over; then the connection is closed. Lenient, because releases of
   * 1.11 answer the event stream with "HTTP/0.0".
   */
  async stream(
    path: string,
    enough: (text: string) => boolean,
    limitMs: number,
  ): Promise<{ readonly status: number; readonly text: string; readonly ended: boolean }> {
    return await new Promise((resolve, reject) => {
      const headers = { "accept-encoding": "identity", ...(this.#token === undefined ? {} : { "x-nomad-token": this.#token }) };
      let text = "";
      const request = get(`${this.address}${path}`, { insecureHTTPParser: true, headers }, (response: IncomingMessage) => {
        const finish = (ended: boolean) => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, text, ended });
          request.destroy();
        };
        const timer = setTimeout(() => finish(false), limitMs);
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          text += piece;
          if (enough(text)) finish(false);
        });
        response.on("end", () => finish(true));
        response.on("error", () => finish(true));
      });
      request.on("error", reject);
    });
  }
}
