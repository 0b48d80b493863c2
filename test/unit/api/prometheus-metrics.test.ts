/** From a run to one expression, and from Prometheus' series to metric groups. */
import { expect } from "chai";
import { runExpression, viewSeries } from "../../../src/api/prometheus-metrics.ts";

describe("measurements out of Prometheus", () => {
  it("are asked for by one expression in which each subtask counts once", () => {
    const text = runExpression("job_a", 3, 60);
    const parts = text.split(" or ");
    expect(parts).to.have.length(11);
    for (const part of parts) {
      expect(part).to.match(/^label_replace\(max by \(node_id, subtask_idx\) \(.*\), "metric", "[a-z_]+", "", ""\)$/);
      expect(part).to.contain('{job_id="job_a",run_fence="3"}');
    }
    expect(text).to.contain('rate(wadi_worker_messages_recv{job_id="job_a",run_fence="3"}[60s])');
    expect(text).to.contain('(wadi_worker_state_bytes{job_id="job_a",run_fence="3"})');
    expect(runExpression('a"} or x{a="', 1, 60)).to.contain('{job_id="a\\"} or x{a=\\"",run_fence="1"}');
  });

  it("become groups by operator, metric and subtask, in order, without what is no number", () => {
    const series = (metric: string, node: string, subtask: string, ...values: [number, string][]) => ({
      metric: { metric, node_id: node, subtask_idx: subtask },
      values,
    });
    const groups = viewSeries([
      series("keys", "2", "10", [1.5, "7"]),
      series("keys", "2", "9", [1.5, "8"], [2, "NaN"]),
      series("bytes_recv", "2", "9", [1.5, "0.5"]),
      series("unheard-of", "2", "9", [1, "1"]),
      series("keys", "0", "0", [1, "1"]),
    ]);
    expect(groups.map(({ node_id: node }) => node)).to.deep.equal([0, 2]);
    expect(groups[1]?.metric_groups).to.deep.equal([
      { name: "bytes_recv", subtasks: [{ index: 9, metrics: [{ time: 1_500_000, value: 0.5 }] }] },
      {
        name: "keys",
        subtasks: [
          { index: 9, metrics: [{ time: 1_500_000, value: 8 }] },
          { index: 10, metrics: [{ time: 1_500_000, value: 7 }] },
        ],
      },
    ]);
    expect(viewSeries([])).to.deep.equal([]);
  });
});
