/** Manifests and reports: assembly, golden bytes, and refusal in words of everything that is not what was written. */
import { expect } from "chai";
import { assembleManifest, type Manifest, type SubtaskReport } from "../../../src/checkpoint/manifest.ts";
import { encodeManifest, encodeReport, parseManifest, parseReport } from "../../../src/checkpoint/manifest-codec.ts";
import { seal } from "../../../src/checkpoint/sealed.ts";
import { IDENTITY, PROGRAM, sampleManifest, sampleReports } from "../../support/checkpoint-samples.ts";
import { expectGoldenBytes } from "../../support/golden-bytes.ts";
import { refusal } from "../../support/rejection.ts";

const NAME = "checkpoints/job_1/7/manifest-3-run_abc";

describe("assembleManifest", () => {
  it("adds up rows, orders subtasks and names each file once", () => {
    const manifest = assembleManifest(IDENTITY, PROGRAM, sampleReports().reverse());
    expect(manifest.vertices.map((v) => v.subtasks.map((s) => s.subtask))).to.deep.equal([
      [0, 1],
      [0, 1],
    ]);
    expect(manifest.vertices[0]?.counts).to.deep.equal({ rowsIn: 20, rowsOut: 12, filtered: 6, late: 0, bad: 2 });
    expect(manifest.edges).to.deep.equal([{ edge: 0, source: 0, target: 1, sent: 12, received: 12 }]);
    expect(manifest.files).to.have.length(4);
  });

  it("refuses a missing, a doubled and a foreign report", async () => {
    const reports = sampleReports();
    const [first] = reports as [SubtaskReport, ...SubtaskReport[]];
    await refusal(() => assembleManifest(IDENTITY, PROGRAM, reports.slice(1)), "invariant", "3 reports");
    await refusal(() => assembleManifest(IDENTITY, PROGRAM, [...reports.slice(0, -1), first]), "invariant", "lacks a report");
    await refusal(() => assembleManifest(IDENTITY, PROGRAM, [{ ...first, vertex: 9 }, ...reports.slice(1)]), "invariant", "lacks a report");
    await refusal(
      () => assembleManifest(IDENTITY, PROGRAM, [{ ...first, subtask: 2 }, ...reports.slice(1)]),
      "invariant",
      "lacks a report",
    );
  });

  it("refuses a segment whose file nobody reported", async () => {
    const reports = sampleReports().map((report) => ({ ...report, files: report.files.slice(1) }));
    await refusal(() => assembleManifest(IDENTITY, PROGRAM, reports), "invariant", "table-1-0");
  });
});

describe("manifest codec", () => {
  it("gives back what it was given", () => {
    const manifest = sampleManifest();
    expect(parseManifest(encodeManifest(manifest), NAME)).to.deep.equal(manifest);
    const first: Manifest = { ...manifest, parent: undefined, epoch: 1, final: true };
    expect(parseManifest(encodeManifest(first), NAME)).to.deep.equal(first);
  });

  it("gives back reports", () => {
    for (const report of sampleReports()) expect(parseReport(encodeReport(report), "a report")).to.deep.equal(report);
  });

  it("has the bytes of the golden files", () => {
    expectGoldenBytes("manifest.json", encodeManifest(sampleManifest()));
    expectGoldenBytes("subtask-report.json", encodeReport(sampleReports()[1] as SubtaskReport));
  });

  it("notices every changed and every missing byte", async () => {
    const bytes = encodeManifest(sampleManifest());
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      await refusal(() => parseManifest(changed, NAME), "checksum-mismatch", `"${NAME}"`);
      await refusal(() => parseManifest(bytes.subarray(0, at), NAME), "checksum-mismatch", `"${NAME}"`);
    }
    await refusal(() => parseManifest(Buffer.concat([bytes, Buffer.from(" ")]), NAME), "checksum-mismatch");
    expect(bytes.length).to.be.greaterThan(1000);
  });

  it("refuses other versions and other files in words", async () => {
    const newer = seal({ format: "wadi-manifest", version: 2 }, { epochs: "by the moon" });
    await refusal(() => parseManifest(newer, NAME), "version-mismatch", NAME, "version 2", "this build reads version 1");
    const report = encodeReport(sampleReports()[0] as SubtaskReport);
    await refusal(() => parseManifest(report, NAME), "version-mismatch", "wadi-subtask-report", "not a wadi-manifest");
  });

  it("refuses a body of the wrong shape, naming the field", async () => {
    const text = new TextDecoder().decode(encodeManifest(sampleManifest()));
    const body = JSON.parse(text).body;
    const wrong: readonly (readonly [string, unknown])[] = [
      ["epoch", "7"],
      ["epoch", 0],
      ["epoch", 1.5],
      ["fence", 3],
      ["fence", "-3"],
      ["complete", false],
      ["complete", undefined],
      ["job", ""],
      ["parallelism", 0],
      ["vertices", {}],
      ["files", [{ path: "x" }]],
      ["unknown", 1],
      ["createdAtNs", "now"],
    ];
    for (const [field, value] of wrong) {
      const bytes = seal({ format: "wadi-manifest", version: 1 }, { ...body, [field]: value });
      await refusal(() => parseManifest(bytes, NAME), "version-mismatch", NAME, field === "unknown" ? "unrecognized" : field);
    }
  });

  it("refuses a directory that does not fit its files or its subtasks", async () => {
    const body = () => JSON.parse(new TextDecoder().decode(encodeManifest(sampleManifest()))).body;
    const broken = async (change: (b: ReturnType<typeof body>) => void, word: string) => {
      const changed = body();
      change(changed);
      await refusal(() => parseManifest(seal({ format: "wadi-manifest", version: 1 }, changed), NAME), "version-mismatch", NAME, word);
    };
    await broken((b) => b.vertices[1].subtasks[0].directory[0].segments.pop(), "segment list");
    await broken((b) => (b.files = b.files.slice(0, 1)), "names file");
    await broken((b) => b.vertices[1].subtasks.pop(), "lacks a subtask");
    await broken((b) => b.vertices[1].subtasks.reverse(), "lacks a subtask");
  });

  it("stays small and quick on a large state", function () {
    this.timeout(20_000);
    const segments = Array.from({ length: 65_536 }, (_, i) => ({
      table: 0,
      partition: BigInt(i >> 10),
      segment: i & 1023,
      rows: 1024,
      file: "checkpoints/job_1/7/table-1-0-3-run_abc",
      offset: i * 65_536,
      length: 65_000,
      checksum: (i * 2654435761) >>> 0,
    }));
    const reports = sampleReports().map((r) => (r.vertex === 1 && r.subtask === 0 ? { ...r, segments } : r));
    const manifest = assembleManifest(IDENTITY, PROGRAM, reports);
    const bytes = encodeManifest(manifest);
    expect(bytes.length).to.be.lessThan(65_536 * 50);
    expect(parseManifest(bytes, NAME).vertices[1]?.subtasks[0]?.segments).to.have.length(65_536);
  });
});
