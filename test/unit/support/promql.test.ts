/** Names of metrics in expressions. */
import { expect } from "chai";
import { metricsIn } from "../../support/promql.ts";

describe("metrics in PromQL", () => {
  it("are found in functions, aggregations, matches and sets, and nothing else is", () => {
    const expression = `
      max by (pipeline_id, job) (rate(wadi_a{x="b{c", y=~"d.*"}[5m] offset 10m)) / on (job_id) group_left (name) wadi:b:rate1m > 3e2
        and deriv(wadi_c[10m]) >= 0 unless wadi_d == bool 1 or absent(up) < Inf`;
    expect(metricsIn(expression)).to.deep.equal(["wadi_a", "wadi:b:rate1m", "wadi_c", "wadi_d", "up"]);
    expect(metricsIn('label_replace(wadi_a, "wadi_x", "$1", "wadi_y", "")')).to.deep.equal(["wadi_a"]);
    expect(metricsIn("time() - 14 * 86400")).to.deep.equal([]);
  });
});
