/** The token of a run and its hash. */
import { expect } from "chai";
import { hashRunToken, isRunToken, makeRunToken } from "../../../src/rpc/run-token.ts";

describe("run token", () => {
  it("is known by its hash, and no other is", () => {
    const token = makeRunToken();
    const hash = hashRunToken(token);
    expect(isRunToken(token, hash)).to.equal(true);
    expect(isRunToken(makeRunToken(), hash)).to.equal(false);
    expect(isRunToken("", hash)).to.equal(false);
    expect(hash).to.not.include(token);
  });

  it("is never known by something that is no hash", () => {
    for (const hash of ["", "00", "no hash at all", hashRunToken("a").slice(2)]) expect(isRunToken("a", hash), hash).to.equal(false);
  });

  it("is new every time and needs no quoting", () => {
    const tokens = new Set(Array.from({ length: 100 }, makeRunToken));
    expect(tokens.size).to.equal(100);
    for (const token of tokens) expect(token).to.match(/^[\w-]{43}$/);
  });
});
