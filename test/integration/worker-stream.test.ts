/** Both ends of the stream between worker and controller over a real connection, and strangers that do not keep to it. */
import { connect } from "node:net";
import { ChannelCredentials, Client, type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { type AppError, externalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import {
  type ConnectRequest,
  type ConnectResponse,
  Register,
  Welcome,
  WorkerControlClient,
  WorkerControlService,
} from "../../src/gen/controller.ts";
import { type ControllerBody, fencedOut, leaderMoved } from "../../src/rpc/refusal.ts";
import { PROTOCOL_VERSION } from "../../src/rpc/version.ts";
import { LeaderEpoch, type WorkerMessage, WorkerStream } from "../../src/rpc/worker-client.ts";
import { type WorkerBody, WorkerServer, type WorkerSession, type WorkerSessionHandler } from "../../src/rpc/worker-server.ts";

const FENCE = { jobId: "job_a", runId: "run_a", fence: 3n };
const PEER = { protocol: PROTOCOL_VERSION, release: "test" };
const WELCOME = Welcome.create({
  lease: { durationMs: 1000, epochComplete: 0n, acknowledgedSequence: 0n },
  heartbeatIntervalMs: 100,
});
const register = (workerId = "wk_a"): WorkerMessage => ({ $case: "register", value: Register.create({ workerId, credential: "secret" }) });
const leave = (reason: string): WorkerMessage => ({ $case: "leave", value: { reason, deadlineMs: 0 } });

class Handler implements WorkerSessionHandler {
  readonly sessions: WorkerSession[] = [];
  readonly messages: WorkerBody[] = [];
  readonly closings: (AppError | undefined)[] = [];
  refuse: Error | undefined;
  fail = false;
  async admit(): Promise<typeof WELCOME> {
    if (this.refuse !== undefined) throw this.refuse;
    return WELCOME;
  }
  opened(session: WorkerSession): void {
    this.sessions.push(session);
  }
  message(_session: WorkerSession, body: WorkerBody): void {
    if (this.fail) throw new TypeError("a defect");
    this.messages.push(body);
  }
  closed(_session: WorkerSession, error?: AppError): void {
    this.closings.push(error);
  }
}

describe("worker stream", () => {
  let handler: Handler;
  let server: WorkerServer;
  let endpoint: string;
  let epoch: bigint;
  const streams: WorkerStream[] = [];
  const clients: Client[] = [];

  beforeEach(async () => {
    epoch = 5n;
    handler = new Handler();
    const options = { clock: systemClock, logger: silentLogger, release: "test", leaderEpoch: () => epoch, closeLimitMs: 300 };
    server = new WorkerServer(handler, options);
    endpoint = `127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
  });

  afterEach(async () => {
    for (const stream of streams.splice(0)) stream.cancel();
    for (const client of clients.splice(0)) client.close();
    await server.close();
  });

  /** A worker's stream, and what came of it. */
  function dial(leaderEpoch = new LeaderEpoch(), to = endpoint, answerLimitMs = 5_000) {
    const heard: ControllerBody[] = [];
    let over: { error: AppError | undefined } | undefined;
    const stream = new WorkerStream(
      to,
      { message: (body) => heard.push(body), closed: (error) => (over = { error }) },
      { clock: systemClock, fence: FENCE, release: "test", leaderEpoch, answerLimitMs },
    );
    streams.push(stream);
    return { stream, heard, over: () => over };
  }

  /** A stranger that writes messages as it likes. */
  function raw(): { call: ClientDuplexStream<ConnectRequest, ConnectResponse>; failure: Promise<ServiceError> } {
    const client = new WorkerControlClient(endpoint, ChannelCredentials.createInsecure());
    clients.push(client);
    const call = client.connect();
    call.on("data", () => undefined);
    const failure = new Promise<ServiceError>((resolve) => call.on("error", (error: ServiceError) => resolve(error)));
    return { call, failure };
  }

  async function until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    const deadline = performance.now() + 5_000;
    for (;;) {
      const found = condition();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw externalError("timeout", what);
      await systemClock.sleep(5);
    }
  }

  it("carries messages both ways, in order, and ends in order", async () => {
    const { stream, heard, over } = dial();
    stream.send(register());
    await until("welcome", () => heard.length === 1);
    expect(heard[0]?.$case).to.equal("welcome");
    for (let i = 0; i < 100; i++) stream.send(leave(String(i)));
    stream.send({ $case: "finished", value: { sourcesEnded: true } });
    await until("messages", () => handler.messages.length === 101);
    expect(handler.messages.slice(0, 100)).to.deep.equal(Array.from({ length: 100 }, (_, i) => leave(String(i))));
    await stream.end();
    expect(over()).to.deep.equal({ error: undefined });
    expect(handler.closings).to.deep.equal([undefined]);
  });

  it("carries a report of 20 MB", async () => {
    const { stream, heard } = dial();
    stream.send(register());
    await until("welcome", () => heard.length === 1);
    const report = new Uint8Array(20 << 20);
    const sizes = { writtenBytes: 0n, stateBytes: 0n };
    stream.send({ $case: "vertexReport", value: { epoch: 1n, vertex: 0, subtask: 0, report, reportVersion: 1, phases: [], ...sizes } });
    const body = await until("the report", () => handler.messages[0]);
    expect(body.$case === "vertexReport" && body.value.report.length).to.equal(report.length);
  });

  it("answers refusals in words: another leader, a superseded run, a wrong credential", async () => {
    handler.refuse = leaderMoved("10.0.0.1:5116", ["10.0.0.1:5116", "10.0.0.2:5116"]);
    const moved = dial();
    moved.stream.send(register());
    await until("the end", moved.over);
    expect(moved.heard).to.deep.equal([
      { $case: "leaderMoved", value: { leader: "10.0.0.1:5116", endpoints: ["10.0.0.1:5116", "10.0.0.2:5116"] } },
    ]);
    handler.refuse = fencedOut(9n, "run 9 counts");
    const fenced = dial();
    fenced.stream.send(register());
    await until("the end", fenced.over);
    expect(fenced.heard[0]?.$case === "fenced" && fenced.heard[0].value).to.deep.include({ currentFence: 9n });
    handler.refuse = externalError("permission-denied", "wrong run token", { retry: "never", hint: "Look." });
    const denied = dial();
    denied.stream.send(register());
    const { error } = await until("the end", denied.over);
    expect(error).to.include({ code: "permission-denied", message: "wrong run token", hint: "Look.", retry: "never" });
    expect(handler.closings).to.deep.equal([]);
  });

  it("tells that nobody answers", async () => {
    const { stream, over } = dial(new LeaderEpoch(), "127.0.0.1:1");
    stream.send(register());
    const { error } = await until("the end", over);
    expect(error).to.include({ code: "connection-lost", retry: "backoff" });
  });

  it("replaces a worker's older stream", async () => {
    const first = dial();
    first.stream.send(register());
    await until("the first", () => handler.sessions.length === 1);
    const second = dial();
    second.stream.send(register());
    const { error } = await until("the end of the first", first.over);
    expect(error?.message).to.include("another stream");
    expect(handler.closings).to.have.length(1);
    expect(handler.sessions).to.have.length(2);
    const other = dial();
    other.stream.send(register("wk_b"));
    await until("another worker", () => handler.sessions.length === 3);
    expect(handler.closings).to.have.length(1);
  });

  it("is not obeyed by a worker that has heard of a newer leader", async () => {
    const known = new LeaderEpoch();
    known.accept(6n);
    const { stream, heard, over } = dial(known);
    stream.send(register());
    const { error } = await until("the end", over);
    expect(heard).to.deep.equal([]);
    expect(error?.message).to.include("does not lead any more");
    epoch = 7n;
    const again = dial(known);
    again.stream.send(register());
    await until("welcome", () => again.heard.length === 1);
    expect(known.newest).to.equal(7n);
  });

  it("tells the handler that a connection broke", async () => {
    const { stream, heard } = dial();
    stream.send(register());
    await until("welcome", () => heard.length === 1);
    stream.cancel();
    await until("the end", () => handler.closings.length === 1);
    expect(handler.closings[0]).to.include({ code: "connection-lost" });
  });

  it("ends a session whose message the handler cannot take, and goes on with others", async () => {
    const { stream, heard, over } = dial();
    stream.send(register());
    await until("welcome", () => heard.length === 1);
    handler.fail = true;
    stream.send(leave("x"));
    const { error } = await until("the end", over);
    expect(error).to.include({ domain: "internal", message: "a defect" });
    expect(error?.stack).to.not.include("worker-stream.test");
    handler.fail = false;
    const next = dial();
    next.stream.send(register());
    await until("welcome", () => next.heard.length === 1);
  });

  it("closes with streams open, and a second time", async () => {
    const { stream, heard, over } = dial();
    stream.send(register());
    await until("welcome", () => heard.length === 1);
    await server.close();
    await until("the end", over);
    expect(handler.closings).to.have.length(1);
    await server.close();
  });

  const body = register();
  const faults: readonly { what: string; messages: readonly Partial<ConnectRequest>[]; says: string }[] = [
    { what: "an older protocol", messages: [{ peer: { protocol: 0, release: "" }, body }], says: "does not say its protocol version" },
    { what: "a newer protocol", messages: [{ peer: { protocol: 99, release: "9" }, body }], says: "speaks protocol version 99" },
    { what: "no version", messages: [{ peer: undefined, body }], says: "does not say its protocol version" },
    { what: "a first message that is no registration", messages: [{ body: leave("x") }], says: 'sent "leave" before it registered' },
    { what: "a message that says nothing", messages: [{ body: undefined }], says: "says nothing" },
    { what: "no run", messages: [{ fence: undefined, body }], says: "does not say its run" },
    { what: "no id", messages: [{ body: register("") }], says: "does not say its id" },
    { what: "a gap", messages: [{ sequence: 2n, body }], says: "message 2 after message 0" },
    { what: "two registrations", messages: [{ body }, { sequence: 2n, body }], says: "registered twice" },
    {
      what: "another run than it registered for",
      messages: [{ body }, { sequence: 2n, fence: { ...FENCE, fence: 4n }, body: leave("x") }],
      says: "another run than it registered for",
    },
  ];
  for (const { what, messages, says } of faults) {
    it(`ends the stream of a worker with ${what}, in words`, async () => {
      const { call, failure } = raw();
      for (const message of messages) call.write({ peer: PEER, fence: FENCE, sequence: 1n, body: undefined, ...message });
      expect((await failure).details).to.include(says);
      expect(handler.messages).to.deep.equal([]);
    });
  }

  it("ends a stream of garbage and a connection of garbage, and goes on with others", async () => {
    const client = new Client(endpoint, ChannelCredentials.createInsecure());
    clients.push(client);
    const { path } = WorkerControlService.connect;
    const call = client.makeBidiStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
    );
    const failure = new Promise<ServiceError>((resolve) => call.on("error", (error: ServiceError) => resolve(error)));
    call.on("data", () => undefined);
    call.write(Buffer.alloc(50, 0xff));
    expect((await failure).code).to.equal(status.INTERNAL);
    const [host = "", port = ""] = endpoint.split(":");
    const socket = connect(Number(port), host);
    socket.on("error", () => undefined);
    socket.resume();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("GET / HTTP/1.1\r\n\r\n".repeat(100));
    await closed;
    const { stream, heard } = dial();
    stream.send(register());
    await until("welcome", () => heard.length === 1);
  });

  it("waits for the answer to a registration before it hands over what follows", async () => {
    let admit: (() => void) | undefined;
    handler.admit = () =>
      new Promise((resolve) => {
        admit = () => resolve(WELCOME);
      });
    const { stream } = dial();
    stream.send(register());
    stream.send(leave("early"));
    const answer = await until("the question", () => admit);
    handler.admit = async () => WELCOME;
    const other = dial();
    other.stream.send(register("wk_b"));
    await until("another worker", () => other.heard.length === 1);
    expect(handler.messages).to.deep.equal([]);
    answer();
    await until("the message", () => handler.messages.length === 1);
    expect(handler.sessions).to.have.length(2);
  });
});
