/** What a lease calls for, as time goes by. */
import { expect } from "chai";
import { Lease } from "../../../src/worker/lease.ts";

describe("lease", () => {
  const LIMITS = { pauseMs: 1_000, orphanMs: 5_000 };

  it("goes on, pauses, then gives up while nobody has ever renewed it", () => {
    const lease = new Lease(LIMITS, 100);
    expect([100, 1_100, 1_101, 5_100, 5_101].map((ms) => lease.verdict(ms))).to.deep.equal([
      "go-on",
      "go-on",
      "pause",
      "pause",
      "orphaned",
    ]);
  });

  it("pauses after the last renewal, and gives up after the end of the lease", () => {
    const lease = new Lease(LIMITS, 0);
    lease.renew(10_000, 500);
    expect(lease.verdict(1_500)).to.equal("go-on");
    expect(lease.verdict(1_501)).to.equal("pause");
    expect(lease.verdict(15_500)).to.equal("pause");
    expect(lease.verdict(15_501)).to.equal("orphaned");
  });

  it("goes on again when it is renewed", () => {
    const lease = new Lease(LIMITS, 0);
    expect(lease.verdict(2_000)).to.equal("pause");
    lease.renew(100, 2_000);
    expect(lease.verdict(2_500)).to.equal("go-on");
  });

  it("is not shortened by a later, shorter renewal", () => {
    const lease = new Lease(LIMITS, 0);
    lease.renew(60_000, 0);
    lease.renew(10, 10);
    expect(lease.verdict(64_000)).to.equal("pause");
  });

  it("takes the run's own limits once they are known", () => {
    const lease = new Lease(LIMITS, 0);
    lease.limit({ pauseMs: 10, orphanMs: 20 });
    expect(lease.verdict(11)).to.equal("pause");
    expect(lease.verdict(21)).to.equal("orphaned");
  });
});
