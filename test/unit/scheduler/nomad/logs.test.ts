/** Frames of Nomad's log stream. */
import { expect } from "chai";
import { endOfObject } from "../../../../src/scheduler/nomad/logs.ts";

describe("frames of Nomad's log stream", () => {
  it("end where their braces do", () => {
    expect(endOfObject('{"Data":"eA=="}{"x":1}')).to.equal('{"Data":"eA=="}'.length);
    expect(endOfObject("{}")).to.equal(2);
    expect(endOfObject('{"a":{"b":{}}}')).to.equal(14);
  });

  it("may have braces and quotes in texts", () => {
    const text = '{"File":"a}\\"{"}';
    expect(endOfObject(`${text}{`)).to.equal(text.length);
  });

  it("are awaited while they are not complete", () => {
    expect(endOfObject('{"Data":"eA')).to.equal(0);
    expect(endOfObject("")).to.equal(0);
    expect(endOfObject('{"a":"\\')).to.equal(0);
  });
});
