/** Which edges of a program are calls, and which channels, at a parallelism. */
import { expect } from "chai";
import { makeTopology } from "../../../src/dataflow/topology.ts";
import { FORWARD, fakeProgram, GATHER, KEYED } from "../../support/fake-program.ts";

const PROGRAM = fakeProgram([
  { kind: "source" },
  { kind: "window-aggregate", inputs: [[0, KEYED]] },
  { kind: "encode" },
  { kind: "sink", inputs: [[2, GATHER]] },
]);

describe("topology", () => {
  it("makes every edge a call inside the module at parallelism 1", () => {
    const topology = makeTopology(PROGRAM, 0, 1);
    expect(topology.vertices.every((v) => v.channels.length === 0 && v.inputs.every((i) => i.direct))).to.equal(true);
    expect(topology.vertices[0]?.feedsSinks).to.deep.equal([3]);
  });

  it("gives a keyed input one channel from every subtask, and a gathered one only in subtask 0", () => {
    const first = makeTopology(PROGRAM, 0, 3);
    expect(first.vertices[1]?.inputs.map((i) => i.source)).to.deep.equal([0, 1, 2]);
    expect(first.vertices[2]?.inputs).to.deep.equal([{ edge: 1, source: 0, direct: true }]);
    expect(first.vertices[3]?.inputs.map((i) => i.source)).to.deep.equal([0, 1, 2]);
    expect(makeTopology(PROGRAM, 1, 3).vertices[3]?.inputs).to.deep.equal([]);
  });

  it("calls what lies behind a gathered edge void elsewhere, but not a union with live inputs", () => {
    const program = fakeProgram([
      { kind: "source" },
      { kind: "updating-aggregate", inputs: [[0, GATHER]] },
      { kind: "compute" },
      {
        kind: "encode",
        inputs: [
          [2, FORWARD],
          [0, FORWARD],
        ],
      },
      { kind: "sink" },
    ]);
    expect(makeTopology(program, 1, 2).vertices.map((v) => v.void)).to.deep.equal([false, true, true, false, false]);
    expect(makeTopology(program, 0, 2).vertices.some((v) => v.void)).to.equal(false);
  });

  it("says where rows come to rest before they pass a channel", () => {
    const topology = makeTopology(PROGRAM, 0, 2);
    expect(topology.vertices.map((v) => v.feedsEdges)).to.deep.equal([[0], [2], [2], []]);
    expect(topology.vertices.map((v) => v.feedsSinks)).to.deep.equal([[], [], [], [3]]);
  });
});
