/** Assignments, judged: what becomes of them and what is refused. */
import { expect } from "chai";
import { assembleManifest } from "../../../src/checkpoint/manifest.ts";
import { planRestore } from "../../../src/checkpoint/restore.ts";
import { Assignment, RunSettings } from "../../../src/gen/assignment.ts";
import { ABI_VERSION } from "../../../src/program/abi.ts";
import { encodeProgram } from "../../../src/program/codec.ts";
import { PROGRAM_VERSION } from "../../../src/program/program.ts";
import { acceptAssignment, continueVertices, epochNumber } from "../../../src/worker/assignment.ts";
import { IDENTITY, PROGRAM, sampleReports } from "../../support/checkpoint-samples.ts";
import { sampleProgram } from "../program/sample-program.ts";

const program = sampleProgram();
const settings = RunSettings.create({
  batchRows: 100,
  windowBytes: 1 << 20,
  flushIntervalMs: 1000,
  lingerMs: 10,
  late: "count",
  stuckMs: 1000,
  stateLimitBytes: 2n ** 31n,
  controllerAbsenceLimitMs: 5,
  orphanTimeoutMs: 6,
  previewRows: 7,
  previewRowsPerSecond: 8,
});

function assignment(change: Partial<Assignment> = {}): Assignment {
  return Assignment.create({
    program: { formatVersion: PROGRAM_VERSION, fingerprint: program.fingerprint, program: Buffer.from(encodeProgram(program)) },
    artifact: { hash: "ab", storeUrl: "/store", path: "p", abiVersion: ABI_VERSION, sizeBytes: 1n, checksum: "cd" },
    parallelism: 3,
    worker: 1,
    placement: [0, 1, 1],
    peers: [
      { worker: 0, workerId: "wk_a", dataHost: "a", dataPort: 1 },
      { worker: 1, workerId: "wk_b", dataHost: "b", dataPort: 2 },
    ],
    dataCredential: "secret",
    settings,
    ...change,
  });
}

const refusal = (change: Partial<Assignment>): { code: string; message: string } => {
  try {
    acceptAssignment(assignment(change));
  } catch (error) {
    return error as { code: string; message: string };
  }
  return expect.fail("it was accepted");
};

describe("assignment", () => {
  it("becomes what slots are started with", () => {
    const accepted = acceptAssignment(assignment());
    expect(accepted.program).to.deep.equal(program);
    expect(accepted).to.deep.include({
      parallelism: 3,
      worker: 1,
      placement: [0, 1, 1],
      peers: [{ worker: 0, host: "a", port: 1 }],
      credential: "secret",
      stateLimit: 2 ** 31,
      stateUrl: undefined,
      absence: { pauseMs: 5, orphanMs: 6 },
      preview: { rows: 7, rowsPerSecond: 8, waits: false },
      restore: undefined,
      baseEpoch: 0,
    });
    expect(accepted.settings).to.deep.include({ batchRows: 100, checkpointEveryRows: 0, stopAfterCheckpoint: undefined, late: "count" });
  });

  it("says where state comes from", () => {
    const restore = {
      epoch: 9n,
      manifestPath: "m",
      manifestChecksum: "c",
      manifestVersion: 1,
      origins: [{ vertex: 0, manifestVertex: 2 }],
    };
    const accepted = acceptAssignment(assignment({ restore }));
    expect(accepted.restore).to.deep.equal({ epoch: 9, manifestPath: "m", manifestChecksum: "c", origins: new Map([[0, 2]]) });
    expect(accepted.baseEpoch).to.equal(9);
  });

  it("is refused in words when it is for another build", () => {
    const other = { program: { formatVersion: 9, fingerprint: "", program: new Uint8Array() } };
    expect(refusal(other)).to.include({
      code: "version-mismatch",
      message: "the program has format version 9, this worker reads version 1",
    });
    const artifact = { hash: "ab", storeUrl: "", path: "", abiVersion: 9, sizeBytes: 0n, checksum: "" };
    expect(refusal({ artifact })).to.include({ code: "version-mismatch" });
  });

  it("is refused when the program is not the one that is named", () => {
    const text = Buffer.from(encodeProgram(program));
    expect(refusal({ program: { formatVersion: PROGRAM_VERSION, fingerprint: "00", program: text } })).to.include({
      code: "checksum-mismatch",
    });
  });

  it("is refused when secrets are in a place that this build does not know", () => {
    expect(refusal({ secrets: [{ name: "password", store: "vault", reference: "X" }] })).to.include({ code: "unsupported" });
  });

  const nonsense: readonly [string, Partial<Assignment>, string][] = [
    ["no program", { program: undefined }, "it has no program"],
    ["no artifact", { artifact: undefined }, "it has no artifact"],
    ["no settings", { settings: undefined }, "it has no settings"],
    ["no credential", { dataCredential: "" }, "it has no credential"],
    ["too few places", { placement: [0, 1] }, "parallelism 3 has 2 places"],
    ["no subtask of its own", { worker: 7 }, "worker 7 has no subtask"],
    ["a peer without address", { peers: [] }, "worker 0 has no address"],
    ["batches of 0 rows", { settings: { ...settings, batchRows: 0 } }, "batchRows is 0"],
    ["an unknown policy", { settings: { ...settings, late: "maybe" } }, 'late rows is "maybe"'],
    [
      "a hash that is a path",
      { artifact: { hash: "../x", storeUrl: "", path: "", abiVersion: ABI_VERSION, sizeBytes: 0n, checksum: "" } },
      "is none",
    ],
  ];
  for (const [what, change, says] of nonsense) {
    it(`makes no sense with ${what}`, () => {
      const { code, message } = refusal(change);
      expect(code).to.equal("io");
      expect(message).to.include(says);
    });
  }

  it("has epochs that a number holds exactly", () => {
    expect(epochNumber(2n ** 53n - 1n)).to.equal(Number.MAX_SAFE_INTEGER);
    expect(() => epochNumber(2n ** 53n)).to.throw("is no epoch");
  });

  it("gives vertices the state of those they continue, and no state to others", () => {
    const planned = planRestore(assembleManifest(IDENTITY, PROGRAM, sampleReports()), 1);
    const restored = continueVertices(planned, new Map([[5, 1]]));
    expect(restored.map(({ vertex }) => vertex)).to.deep.equal([5]);
    expect(restored[0]?.subtasks).to.deep.equal(planned[1]?.subtasks);
    expect(() => continueVertices(planned, new Map([[0, 9]]))).to.throw("vertex 9 is not in the manifest");
  });
});
