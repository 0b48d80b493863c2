/** Which builds talk to each other, and what the others are told. */
import { expect } from "chai";
import { AppError } from "../../../src/core/errors.ts";
import { checkPeer, OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from "../../../src/rpc/version.ts";

function refusal(check: () => void): AppError {
  try {
    check();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  return expect.fail("was not refused");
}

describe("protocol versions", () => {
  it("accepts every version that is served", () => {
    for (let protocol = OLDEST_PROTOCOL_VERSION; protocol <= PROTOCOL_VERSION; protocol++) checkPeer("worker", { protocol, release: "x" });
    for (const protocol of [2, 3]) checkPeer("worker", { protocol, release: "x" }, { oldest: 2, newest: 3 });
  });

  it("refuses a newer one, naming both and saying who has to be upgraded", () => {
    const error = refusal(() => checkPeer("worker wk_1", { protocol: PROTOCOL_VERSION + 1, release: "9.0.0" }));
    expect(error).to.include({ code: "version-mismatch", domain: "external", retry: "never" });
    expect(error.message).to.equal(
      `worker wk_1 (release 9.0.0) speaks protocol version ${PROTOCOL_VERSION + 1}, this build speaks version ${PROTOCOL_VERSION}`,
    );
    expect(error.hint).to.contain("Upgrade this process");
  });

  it("refuses one that is two versions old", () => {
    const error = refusal(() => checkPeer("node nd_1", { protocol: 1, release: "" }, { oldest: 2, newest: 3 }));
    expect(error.message).to.equal("node nd_1 (release unknown) speaks protocol version 1, this build speaks versions 2 to 3");
    expect(error.hint).to.contain("Upgrade node nd_1");
  });

  it("refuses a peer that says nothing", () => {
    for (const peer of [undefined, { protocol: 0, release: "" }]) {
      expect(refusal(() => checkPeer("worker", peer)).message).to.contain("does not say its protocol version");
    }
  });
});
