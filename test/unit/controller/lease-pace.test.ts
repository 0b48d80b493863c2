/** How long a lease is asked for, after how late renewals were. */
import { expect } from "chai";
import { LeasePace, LONGEST_LEASE_MS } from "../../../src/controller/lease-pace.ts";

describe("lease pace", () => {
  it("asks for the shortest lease while renewals are as punctual as they are on a healthy machine", () => {
    const pace = new LeasePace(2_000);
    for (const lateMs of [0, 5, 40, 499, 500]) pace.renewed(lateMs);
    expect(pace.leaseMs).to.equal(2_000);
  });

  it("asks for more as soon as a renewal was late, for no more than the longest, and for less again once they are punctual", () => {
    const pace = new LeasePace(2_000);
    pace.renewed(1_000);
    expect(pace.leaseMs).to.equal(4_000);
    pace.renewed(60_000);
    expect(pace.leaseMs).to.equal(LONGEST_LEASE_MS);
    const calm = new LeasePace(2_000);
    calm.renewed(1_200);
    const leases = Array.from({ length: 20 }, () => {
      calm.renewed(3);
      return calm.leaseMs;
    });
    expect([...leases].sort((a, b) => b - a)).to.deep.equal(leases);
    expect(leases.at(-1)).to.equal(2_000);
  });

  it("keeps a longer lease where a test wants one", () => {
    expect(new LeasePace(20_000).leaseMs).to.equal(20_000);
  });
});
