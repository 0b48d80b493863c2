/** Compiled programs in the object store, and what workers are told of them. */
import { expect } from "chai";
import { artifactRef, makeArtifact, readArtifact } from "../../../src/controller/artifacts.ts";
import { makeAssignment, type RunPlan } from "../../../src/controller/assignment.ts";
import type { ProgramCompiler } from "../../../src/controller/context.ts";
import { loadConfig } from "../../../src/core/config.ts";
import type { WorkerId } from "../../../src/core/ids.ts";
import { ABI_VERSION } from "../../../src/program/abi.ts";
import { checkpointedProgram } from "../../../src/program/checkpointed-program.ts";
import { encodeProgram } from "../../../src/program/codec.ts";
import { MemoryStore } from "../../../src/storage/memory.ts";
import { acceptAssignment } from "../../../src/worker/assignment.ts";
import { sampleManifest } from "../../support/checkpoint-samples.ts";
import { rejection } from "../../support/rejection.ts";
import { sampleProgram } from "../program/sample-program.ts";

const WASM = new Uint8Array([0, 97, 115, 109]);
const compiler: ProgramCompiler = { compile: async () => ({ hash: "ab12", wasm: WASM, stateSchemas: { 1: "cc" } }) };

describe("an artifact", () => {
  it("is stored with what a later controller has to know of it", async () => {
    const store = new MemoryStore();
    const made = await makeArtifact(compiler, store, sampleProgram());
    expect(made).to.include({ hash: "ab12", abi: ABI_VERSION, sizeBytes: 4 });
    expect(await readArtifact(store, "ab12")).to.deep.equal(made);
    expect(await store.get("artifacts/ab12.wasm")).to.deep.equal(WASM);
    const paths: string[] = [];
    await makeArtifact(compiler, store, sampleProgram());
    for await (const { path } of store.list("")) paths.push(path);
    expect(paths).to.deep.equal(["artifacts/ab12.json", "artifacts/ab12.wasm"]);
  });

  it("is unknown if it was never stored or its module is gone, and refused if its description is damaged", async () => {
    const store = new MemoryStore();
    expect(await readArtifact(store, "ab12")).to.equal(undefined);
    await makeArtifact(compiler, store, sampleProgram());
    await store.delete("artifacts/ab12.wasm");
    expect(await readArtifact(store, "ab12")).to.equal(undefined);
    await makeArtifact(compiler, store, sampleProgram());
    await store.put("artifacts/ab12.json", new TextEncoder().encode('{"hash":1}'));
    await rejection(readArtifact(store, "ab12"), "checksum-mismatch");
  });
});

describe("an assignment", () => {
  const program = sampleProgram();
  const artifact = { hash: "ab12", abi: ABI_VERSION, sizeBytes: 4, checksum: "00", stateSchemas: {} };
  const plan: RunPlan = {
    programText: encodeProgram(program),
    programFingerprint: program.fingerprint,
    vertices: checkpointedProgram(program, {}).vertices,
    artifact,
    artifactUrl: "memory://artifacts",
    stateUrl: "memory://state",
    parallelism: 3,
    restored: undefined,
    baseEpoch: 0,
    dataCredential: "secret",
    preview: false,
    settings: loadConfig({ files: [], env: {} }).config,
  };
  const placement = [
    { worker: "wk_a" as WorkerId, first: 0, count: 2 },
    { worker: "wk_b" as WorkerId, first: 2, count: 1 },
  ];
  const peers = placement.map(({ worker }, i) => ({ worker, host: "127.0.0.1", port: 1 + i }));

  it("is understood by the worker", () => {
    const accepted = acceptAssignment(makeAssignment(plan, 1, placement, peers));
    expect([accepted.worker, accepted.placement, accepted.baseEpoch]).to.deep.equal([1, [0, 0, 1], 0]);
    expect(accepted.peers).to.deep.equal([{ worker: 0, host: "127.0.0.1", port: 1 }]);
    expect(accepted.artifact).to.deep.equal(artifactRef("memory://artifacts", artifact));
    expect([accepted.restore, accepted.stateUrl]).to.deep.equal([undefined, "memory://state"]);
  });

  it("continues the vertices of the manifest that have the same fingerprint, and only them", () => {
    const manifest = sampleManifest();
    const [, kept] = manifest.vertices;
    const vertices = [{ vertex: 0, name: "new", fingerprint: "new", stateSchema: "", rowWise: true }, { ...kept, vertex: 3 } as never];
    const entry = { epoch: 7, manifest: "checkpoints/job_1/7/manifest", checksum: "aa", fence: 1n, run: "run_1" };
    const restored = { entry, manifest, skipped: [] };
    const accepted = acceptAssignment(makeAssignment({ ...plan, vertices, restored, baseEpoch: 7 }, 0, placement, peers));
    expect([...(accepted.restore?.origins ?? [])]).to.deep.equal([[3, 1]]);
    expect([accepted.restore?.epoch, accepted.baseEpoch]).to.deep.equal([7, 7]);
  });

  it("tells the epoch to count on from where there is nothing to restore", () => {
    expect(acceptAssignment(makeAssignment({ ...plan, baseEpoch: 41 }, 0, placement, peers)).baseEpoch).to.equal(41);
  });
});
