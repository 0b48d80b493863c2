/**
 * `GET /v1/event/stream`: lines of JSON from a ring of 100 writes. What it does not do is faithful too: an index that is gone gives the closest
 * one, an index that is known gives that event again, and nobody is told of either. From 1.11 on the answer is a hijacked socket: "200" before any
 * check, with the protocol version that the release in question writes.
 */
import type { Socket } from "node:net";
import { atLeast, type Cluster } from "./cluster.ts";
import { denied, type Exchange, HttpError } from "./exchange.ts";
import type { ClientNode } from "./node-records.ts";
import type { Allocation, Evaluation } from "./records.ts";
import type { EventBatch, StreamEvent } from "./state.ts";
import { wireAllocation, wireEvaluation, wireNode } from "./wire.ts";

/** Topics with the keys that are wanted of each; "*": all. */
type Topics = ReadonlyMap<string, ReadonlySet<string>>;

function topicsOf(exchange: Exchange): Topics {
  const given = exchange.url.searchParams.getAll("topic");
  const topics = new Map<string, Set<string>>();
  for (const one of given.length === 0 ? ["*"] : given) {
    const [topic = "", key = "*"] = one.split(":", 2);
    topics.set(topic, new Set([...(topics.get(topic) ?? []), key]));
  }
  return topics;
}

function wanted(event: StreamEvent, topics: Topics, namespace: string): boolean {
  const keys = topics.get(event.Topic) ?? topics.get("*");
  if (keys === undefined) return false;
  if (event.Namespace !== "" && namespace !== "*" && event.Namespace !== namespace) return false;
  return keys.has("*") || keys.has(event.Key) || (event.FilterKeys ?? []).some((key) => keys.has(key));
}

/** 403 unless the caller may see all topics. */
function check(exchange: Exchange, topics: Topics): void {
  for (const topic of topics.keys()) {
    if (topic === "*") {
      if (!exchange.caller.management) throw denied();
    } else if (topic === "Node" || topic === "NodePool") {
      if (!exchange.caller.coarse("node", "read")) throw denied();
    } else exchange.allow(exchange.namespace, "read-job");
  }
}

function payload(event: StreamEvent, httpAddress: string): unknown {
  const { Payload } = event;
  if (event.Topic === "Allocation") return { Allocation: wireAllocation(Payload["Allocation"] as Allocation, false) };
  if (event.Topic === "Node") return { Node: wireNode(Payload["Node"] as ClientNode, httpAddress) };
  if (event.Topic === "Evaluation") return { Evaluation: wireEvaluation(Payload["Evaluation"] as Evaluation) };
  return Payload;
}

/** Open streams, so that faults can end them. */
export class EventStreams {
  readonly #cluster: Cluster;
  readonly #open = new Set<() => void>();
  /** Writes whose payload several streams want are put into text once. */
  #last: { readonly batch: EventBatch; readonly texts: Map<StreamEvent, string> } | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** How many are open. */
  get count(): number {
    return this.#open.size;
  }

  /** Ends all, as the end of a server does. */
  dropAll(): void {
    for (const end of [...this.#open]) end();
  }

  #text(batch: EventBatch, event: StreamEvent): string {
    if (this.#last?.batch !== batch) this.#last = { batch, texts: new Map() };
    const known = this.#last.texts.get(event);
    if (known !== undefined) return known;
    const { FilterKeys, Index, Key, Namespace, Topic, Type } = event;
    const text = JSON.stringify({ FilterKeys, Index, Key, Namespace, Payload: payload(event, this.#cluster.httpAddress()), Topic, Type });
    this.#last.texts.set(event, text);
    return text;
  }

  /** Answers until the client goes away or the stream is ended. */
  readonly handle = async (exchange: Exchange): Promise<void> => {
    const topics = topicsOf(exchange);
    const index = exchange.query("index");
    if (index !== "" && !/^-?\d+$/.test(index))
      throw new HttpError(400, `Unable to parse index: strconv.Atoi: parsing "${index}": invalid syntax`);
    const { version } = this.#cluster.options;
    const hijacks = atLeast(version, "1.11.0");
    const refusal = this.#refusal(exchange, topics);
    if (!hijacks) {
      if (refusal !== undefined) throw refusal;
      exchange.response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-cache" });
      this.#run(
        exchange,
        topics,
        Number(index),
        (text) => exchange.response.write(text),
        () => exchange.response.destroy(),
      );
      return;
    }
    const socket = exchange.request.socket;
    // Releases of 1.11 forget to say which protocol they speak; Node's own parser refuses such an answer unless told to be lenient.
    const protocol = atLeast(version, "2.0.0") ? "HTTP/1.1" : "HTTP/0.0";
    socket.write(
      `${protocol} 200 OK\r\nCache-Control: no-cache\r\nContent-Type: application/json\r\nVary: Accept-Encoding\r\nConnection: close\r\n\r\n`,
    );
    if (refusal !== undefined) {
      socket.end();
      return;
    }
    this.#run(
      exchange,
      topics,
      Number(index),
      (text) => socket.write(text),
      () => (socket as Socket).end(),
    );
  };

  #refusal(exchange: Exchange, topics: Topics): HttpError | undefined {
    if (this.#cluster.faults.streamsRefused) return denied();
    try {
      exchange.needLeader();
      check(exchange, topics);
      return undefined;
    } catch (error) {
      if (error instanceof HttpError) return error;
      throw error;
    }
  }

  #run(exchange: Exchange, topics: Topics, index: number, write: (text: string) => void, close: () => void): void {
    const { state, options } = this.#cluster;
    const send = (batch: EventBatch) => {
      const events = batch.events.filter((event) => wanted(event, topics, exchange.namespace));
      if (events.length === 0) return;
      write(`{"Events":[${events.map((event) => this.#text(batch, event)).join(",")}],"Index":${batch.index}}\n`);
    };
    write("{}\n");
    for (const batch of state.ring) if (index === 0 || batch.index >= index) send(batch);
    const stopObserving = state.observe(send);
    const heartbeat = setInterval(() => write("{}\n"), options.streamHeartbeatMs);
    const end = () => {
      clearInterval(heartbeat);
      stopObserving();
      this.#open.delete(end);
      close();
    };
    this.#open.add(end);
    exchange.request.socket.once("close", end);
    exchange.request.socket.on("error", () => end());
  }
}
