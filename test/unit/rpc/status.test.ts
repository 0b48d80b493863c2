/** Errors as gRPC statuses and back. */
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { externalError, internalError } from "../../../src/core/errors.ts";
import { fromStatus, isServiceError, toStatus } from "../../../src/rpc/status.ts";

const failed = (code: status, details = "text"): ServiceError =>
  Object.assign(new Error(details), { code, details, metadata: new Metadata() });

describe("gRPC status", () => {
  it("carries an error over, without its stack", () => {
    const error = externalError("permission-denied", "wrong token", { hint: "Look.", detail: "More.", retry: "never" });
    const { code, details, metadata } = toStatus(error);
    expect(code).to.equal(status.UNAUTHENTICATED);
    expect(details).to.equal("wrong token");
    const back = fromStatus("controller", Object.assign(new Error(details), { code, details, metadata }));
    expect(back).to.include({
      domain: "external",
      code: "permission-denied",
      message: "wrong token",
      hint: "Look.",
      detail: "More.",
      retry: "never",
    });
    const defect = toStatus(internalError("invariant", "a defect"));
    expect(defect.code).to.equal(status.INTERNAL);
    expect(defect.metadata.get("wadi-error-bin").toString()).to.not.include("status.test");
  });

  it("says what can be tried again to peers that are not ours", () => {
    expect(toStatus(externalError("io", "later")).code).to.equal(status.UNAVAILABLE);
    expect(toStatus(externalError("io", "never", { retry: "never" })).code).to.equal(status.UNKNOWN);
    expect(toStatus(new TypeError("x")).code).to.equal(status.INTERNAL);
  });

  it("leaves out what is too long for a trailer", () => {
    const { details, metadata } = toStatus(externalError("io", "m", { detail: "x".repeat(10_000) }));
    expect(details).to.equal("m");
    expect(metadata.get("wadi-error-bin")).to.deep.equal([]);
  });

  const cases: readonly [status, string, string][] = [
    [status.UNAVAILABLE, "connection-lost", "backoff"],
    [status.CANCELLED, "connection-lost", "backoff"],
    [status.DEADLINE_EXCEEDED, "timeout", "backoff"],
    [status.UNAUTHENTICATED, "permission-denied", "never"],
    [status.PERMISSION_DENIED, "permission-denied", "never"],
    [status.UNIMPLEMENTED, "version-mismatch", "never"],
    [status.RESOURCE_EXHAUSTED, "io", "backoff"],
    [status.INTERNAL, "io", "backoff"],
  ];
  for (const [code, expected, retry] of cases) {
    it(`of a stranger is understood: ${status[code]}`, () => {
      const error = fromStatus("controller at a:1", failed(code));
      expect(error).to.include({ code: expected, retry });
      expect(error.message).to.include("controller at a:1").and.include("text");
    });
  }

  it("survives a trailer that is not ours", () => {
    const error = failed(status.UNAVAILABLE);
    error.metadata.set("wadi-error-bin", Buffer.alloc(20, 0xff));
    expect(fromStatus("controller", error)).to.include({ code: "connection-lost" });
  });

  it("knows errors of grpc-js", () => {
    expect(isServiceError(failed(status.OK))).to.equal(true);
    for (const other of [new Error("x"), "text", undefined, externalError("io", "x")]) expect(isServiceError(other)).to.equal(false);
  });
});
