/**
 * The generated messages: what is sent is what arrives, 64-bit integers exactly. Every field of every message is filled from what the
 * generated code itself says it has, so that a new field is covered without being listed here.
 */
import { expect } from "chai";
import * as assignment from "../../../src/gen/assignment.ts";
import * as controller from "../../../src/gen/controller.ts";
import * as node from "../../../src/gen/node.ts";
import * as peer from "../../../src/gen/peer.ts";
import * as program from "../../../src/gen/program.ts";
import * as report from "../../../src/gen/report.ts";

interface Codec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromPartial(object: unknown): unknown;
}

const CODECS = new Map<string, Codec>(
  [peer, program, assignment, report, controller, node].flatMap((module) =>
    Object.entries(module as Record<string, unknown>).flatMap(([name, value]): [string, Codec][] =>
      typeof value === "object" && value !== null && "fromPartial" in value ? [[name, value as Codec]] : [],
    ),
  ),
);

/** `message` with every scalar changed from its default to something that is easy to lose. */
function filled(message: unknown): unknown {
  if (message instanceof Uint8Array) return Uint8Array.of(0, 255, 128);
  switch (typeof message) {
    case "string":
      return "grün";
    case "number":
      return 4_294_967;
    case "bigint":
      return 2n ** 63n - 1n;
    case "boolean":
      return true;
    default:
      break;
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) return message;
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, filled(value)]));
}

function roundTrip(name: string, message: unknown): unknown {
  const codec = CODECS.get(name) ?? expect.fail(`no message ${name}`);
  return codec.decode(codec.encode(message).finish());
}

const PEER = { protocol: 1, release: "0.1.0" };
const FENCE = { jobId: "job_1", runId: "run_1", fence: 2n ** 64n - 1n };

describe("messages between processes", () => {
  it("arrive as they were sent, each alone", () => {
    expect(CODECS.size).to.be.at.least(40);
    for (const [name, codec] of CODECS) {
      const message = filled(codec.fromPartial({}));
      expect(roundTrip(name, message), name).to.deep.equal(message);
    }
  });

  const fromWorker: readonly controller.ConnectRequest["body"][] = [
    {
      $case: "register",
      value: controller.Register.create({ workerId: "wk_1", slots: 4, resumption: { worker: 1, readySubtasks: [0, 3] } }),
    },
    {
      $case: "heartbeat",
      value: controller.Heartbeat.create({ slots: [{ subtask: 1, vertices: [{ vertex: 2, watermarkNs: -1n, holderVertex: 0 }] }] }),
    },
    { $case: "slotReady", value: controller.SlotReady.create({ subtask: 3, restoreUs: 1n }) },
    { $case: "epochStarted", value: { subtask: 0, epoch: 9n } },
    {
      $case: "vertexReport",
      value: report.VertexReport.create({
        epoch: 7n,
        report: Uint8Array.of(1, 2),
        phases: [{ phase: "upload", startedAtNs: -5n, durationUs: 8n }],
      }),
    },
    { $case: "committed", value: { subtask: 1, epoch: 7n, phases: [{ phase: "commit", startedAtNs: 1n, durationUs: 2n, bytes: 3n }] } },
    { $case: "slotEnded", value: { subtask: 1 } },
    { $case: "slotClosed", value: { subtask: 1 } },
    { $case: "finished", value: { sourcesEnded: true } },
    { $case: "failed", value: report.Failed.create({ subtask: 0, error: { domain: "user", code: "bad-data", message: "m" } }) },
    { $case: "logChunk", value: report.LogChunk.create({ requestId: "r", offset: 2n ** 40n, text: Uint8Array.of(10), last: true }) },
    { $case: "previewRows", value: report.PreviewRows.create({ vertex: 3, firstRow: 10n, rows: ['{"a":1}', ""] }) },
    { $case: "leave", value: { reason: "SIGTERM", deadlineMs: 30_000 } },
  ];
  const fromController: readonly controller.ConnectResponse["body"][] = [
    { $case: "welcome", value: controller.Welcome.create({ lease: { durationMs: 10_000, epochComplete: 4n }, endpoints: ["a:1", "b:2"] }) },
    {
      $case: "assignment",
      value: assignment.Assignment.create({
        program: { formatVersion: 1, fingerprint: "ab", program: Uint8Array.of(123) },
        artifact: { hash: "cd", storeUrl: "file:///x", path: "artifacts/cd.wasm", abiVersion: 1, sizeBytes: 2n ** 33n, checksum: "ef" },
        parallelism: 4,
        placement: [0, 0, 1, 1],
        peers: [{ worker: 1, workerId: "wk_2", dataHost: "h", dataPort: 65_535 }],
        settings: { batchRows: 8192, stopAfterEpoch: 0n },
        restore: { epoch: 3n, manifestPath: "p", origins: [{ vertex: 1, manifestVertex: 2 }] },
        secrets: [{ name: "password", store: "env", reference: "KAFKA_PASSWORD" }],
      }),
    },
    { $case: "runSlots", value: {} },
    { $case: "triggerBarrier", value: { epoch: 2n ** 53n + 1n, thenStop: true } },
    { $case: "commit", value: { epoch: 1n, staged: [{ vertex: 1, subtask: 2, commit: '{"length":5}' }] } },
    { $case: "stop", value: { mode: "graceful", deadlineMs: 60_000 } },
    { $case: "leaseRenewal", value: { durationMs: 10_000, epochComplete: 1n, acknowledgedSequence: 8n } },
    { $case: "leaderMoved", value: { leader: "", endpoints: ["a:1"] } },
    { $case: "fenced", value: controller.Fenced.create({ currentFence: 8n, error: { code: "fenced" } }) },
    { $case: "logRequest", value: { requestId: "r", offset: -4096n, limitBytes: 4096n } },
    { $case: "previewRequest", value: { vertex: 1, rowsPerSecond: 100 } },
  ];

  it("of a worker arrive in their envelope, with version, fence and number", () => {
    for (const body of fromWorker) {
      const message: controller.ConnectRequest = { peer: PEER, fence: FENCE, sequence: 2n ** 60n, body };
      expect(roundTrip("ConnectRequest", message), body?.$case).to.deep.equal(message);
    }
  });

  it("of the controller arrive in their envelope, with version, fence, number and leader", () => {
    for (const body of fromController) {
      const message: controller.ConnectResponse = { peer: PEER, fence: FENCE, sequence: 1n, leaderEpoch: 5n, body };
      expect(roundTrip("ConnectResponse", message), body?.$case).to.deep.equal(message);
    }
  });

  it("say absent and zero apart where that matters", () => {
    const settings = (stopAfterEpoch: bigint | undefined) => assignment.RunSettings.create({ stopAfterEpoch });
    expect(roundTrip("RunSettings", settings(0n))).to.deep.include({ stopAfterEpoch: 0n });
    expect(roundTrip("RunSettings", settings(undefined))).to.deep.include({ stopAfterEpoch: undefined });
  });

  it("of a node arrive, environment included", () => {
    const start = node.StartWorkerRequest.create({
      peer: PEER,
      fence: FENCE,
      workerId: "wk_1",
      environment: { A: "1", B: "" },
      memoryLimitBytes: 1n,
    });
    expect(roundTrip("StartWorkerRequest", start)).to.deep.equal(start);
    const beat = node.HeartbeatNodeRequest.create({
      peer: PEER,
      nodeId: "nd_1",
      workers: [{ workerId: "wk_1", fence: FENCE, exit: { code: 0 } }],
    });
    expect(roundTrip("HeartbeatNodeRequest", beat)).to.deep.equal(beat);
  });

  it("of a newer build are read as far as they are known", () => {
    const known = peer.PeerVersion.encode({ protocol: 2, release: "2.0.0" }).finish();
    const unknownField = Uint8Array.of(((99 << 3) & 0x7f) | 0x80, 99 >> 4, 7);
    expect(roundTripBytes("PeerVersion", Uint8Array.of(...known, ...unknownField))).to.deep.equal({ protocol: 2, release: "2.0.0" });
  });

  it("that are cut short are refused", () => {
    const bytes = controller.ConnectRequest.encode({ peer: PEER, fence: FENCE, sequence: 1n, body: fromWorker[0] }).finish();
    expect(() => controller.ConnectRequest.decode(bytes.subarray(0, bytes.length - 3))).to.throw();
  });
});

function roundTripBytes(name: string, bytes: Uint8Array): unknown {
  return (CODECS.get(name) ?? expect.fail(`no message ${name}`)).decode(bytes);
}
