/** Failures between processes keep what they say, also to a build that does not know the code. */
import { expect } from "chai";
import { ERROR_CODES, type ErrorRecord } from "../../../src/core/errors.ts";
import { ErrorRecord as ErrorMessage } from "../../../src/gen/peer.ts";
import { fromErrorMessage, toErrorMessage } from "../../../src/rpc/error-message.ts";

describe("error messages", () => {
  it("carry every code there and back", () => {
    for (const code of ERROR_CODES) {
      const bare: ErrorRecord = { domain: "external", code, message: `object "ä" failed`, retry: "backoff" };
      const full: ErrorRecord = { ...bare, domain: "internal", retry: "never", detail: "A.", hint: "B.", stack: "at c" };
      for (const record of [bare, full]) {
        const bytes = ErrorMessage.encode(toErrorMessage(record)).finish();
        expect(fromErrorMessage(ErrorMessage.decode(bytes))).to.deep.equal(record);
      }
    }
  });

  it("keep the words of a code that this build does not know", () => {
    const said = { domain: "cosmic", code: "solar-flare", message: "bit flipped", detail: "", hint: "", retry: "soon", stack: "" };
    expect(fromErrorMessage(said)).to.deep.equal({
      domain: "internal",
      code: "invariant",
      message: "solar-flare: bit flipped",
      retry: "never",
    });
  });
});
