/** What the refusals of Nomad come to: who has to act, and whether the call may be repeated. */
import { expect } from "chai";
import { connectionFailure, failureOf } from "../../../../src/scheduler/nomad/failure.ts";

const PUT_JOBS = "PUT /v1/jobs";
const refusal = (status: number, text: string, call = PUT_JOBS) => failureOf({ status, text, call, namespace: "streams" });

describe("refusals of Nomad", () => {
  const cases: readonly (readonly [claim: string, status: number, text: string, call: string, code: string, retry: string])[] = [
    ["a missing capability is named", 403, "Permission denied", PUT_JOBS, "permission-denied", "never"],
    ["an unknown token is none to go on with", 403, "ACL token not found", PUT_JOBS, "permission-denied", "never"],
    ["an expired token is none to go on with", 403, "ACL token expired", PUT_JOBS, "permission-denied", "never"],
    [
      "registration may be enabled again",
      403,
      "job registration, dispatch, and scale are disabled by the scheduler configuration",
      PUT_JOBS,
      "io",
      "backoff",
    ],
    ["a lost leader comes back", 500, "No cluster leader", "GET /v1/jobs", "connection-lost", "backoff"],
    ["servers out of reach come back", 500, "rpc error: failed to contact: EOF", PUT_JOBS, "connection-lost", "backoff"],
    ["a proxy's error is passing", 502, "Bad Gateway", PUT_JOBS, "connection-lost", "backoff"],
    ["too many connections is passing", 429, "Too Many Requests", "GET /v1/jobs", "connection-lost", "backoff"],
    ["a job that is there is a conflict", 500, "Enforcing job modify index 0: job already exists", PUT_JOBS, "already-exists", "never"],
    ["a namespace that is not there is a setting", 400, 'nonexistent namespace "streams"', PUT_JOBS, "invalid-config", "never"],
    [
      "a specification that is refused is refused for good",
      500,
      "1 error occurred:\n\t* Task group worker validation failed",
      PUT_JOBS,
      "invalid-config",
      "never",
    ],
    ["what is not there is not found", 404, "job not found", "GET /v1/job/x", "not-found", "never"],
    ["a client that is away may come back", 500, "Unknown node 1234", "GET /v1/client/fs/logs/x", "connection-lost", "backoff"],
    ["a read that fails otherwise may be repeated", 500, "something odd", "GET /v1/jobs", "io", "backoff"],
  ];
  for (const [claim, status, text, call, code, retry] of cases) {
    it(claim, () => {
      expect(refusal(status, text, call)).to.include({ code, retry, domain: "external" });
    });
  }

  it("says which capability is lacking for what", () => {
    expect(refusal(403, "Permission denied").hint).to.include('"submit-job"');
    expect(refusal(403, "Permission denied", "GET /v1/nodes").hint).to.include('"node:read"');
    expect(refusal(403, "Permission denied", "PUT /v1/client/allocation/x/signal").hint).to.include('"alloc-lifecycle"');
    expect(refusal(403, "Permission denied", "PUT /v1/var/nomad/jobs/w-x").hint).to.include("write of the variable's path");
    expect(refusal(400, 'nonexistent namespace "streams"').hint).to.include("nomad namespace apply streams");
  });

  it("keeps Nomad's own words, on one line", () => {
    const text = "2 errors occurred:\n\t* Missing job datacenters\n\t* Task group count can't be negative\n\n";
    expect(refusal(500, text).message).to.equal("Nomad refuses PUT /v1/jobs: Missing job datacenters; Task group count can't be negative");
  });

  it("says of a connection which address and why", () => {
    const error = connectionFailure("http://10.0.0.1:4646", { code: "ECONNREFUSED", message: "request to http://10.0.0.1:4646/v1 failed" });
    expect(error.message).to.equal("Nomad at http://10.0.0.1:4646 cannot be reached: connection refused");
    expect(error.retry).to.equal("backoff");
    expect(connectionFailure("https://x", { code: "DEPTH_ZERO_SELF_SIGNED_CERT", message: "self-signed certificate" }).hint).to.include(
      "nomad.ca-cert",
    );
  });
});
