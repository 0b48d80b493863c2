/**
 * Rules and dashboards against the code: what they name exists, what is generated is up to date, every alert says what to do and has its cases.
 * Whether Prometheus takes them is for test/integration/monitoring-rules.test.ts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { DASHBOARDS, monitoringDrift } from "../../../scripts/gen-monitoring.ts";
import { type Rule, readRuleFiles, readRuleTests } from "../../../scripts/monitoring/rule-files.ts";
import { ROOT } from "../../../scripts/process.ts";
import { ApiMetrics } from "../../../src/api/api-metrics.ts";
import { ControllerMetrics } from "../../../src/controller/metrics.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { makeRegistry } from "../../../src/core/metrics.ts";
import { NodeMetrics } from "../../../src/node/metrics.ts";
import { WorkerMetrics } from "../../../src/worker/worker-metrics.ts";
import { metricsIn } from "../../support/promql.ts";

const HISTOGRAM_PARTS = ["_bucket", "_sum", "_count"];
/** Of Prometheus and the Pushgateway themselves. */
const OF_PROMETHEUS = ["up", "ALERTS", "push_time_seconds"];
const RULES = readRuleFiles();
const ALERTS: readonly Rule[] = RULES.flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined));

/** Names under which the registries of all processes give samples. */
function metricsOfCode(): ReadonlySet<string> {
  const registry = makeRegistry();
  new ControllerMetrics(registry);
  new ApiMetrics(registry);
  new NodeMetrics(registry);
  new WorkerMetrics(registry, { jobId: "job_a", runId: "run_a", fence: 1n }, "pl_a", systemClock, {
    workerId: "wk_a",
    memoryLimitBytes: 1,
  });
  const names = registry.getMetricsAsArray().flatMap((metric) => {
    const { name, type } = metric as unknown as { readonly name: string; readonly type?: string };
    return type === "histogram" || "buckets" in metric ? HISTOGRAM_PARTS.map((part) => name + part) : [name];
  });
  return new Set(names);
}

function metricsOfNomad(): readonly string[] {
  const lists = JSON.parse(readFileSync(join(ROOT, "nomad/monitoring/nomad-metrics.json"), "utf8")) as Record<
    string,
    object | readonly string[]
  >;
  const { both, rare, ...others } = lists;
  const only = Object.entries(others).flatMap(([name, list]) => (name.startsWith("only") ? (list as readonly string[]) : []));
  return [...(both as readonly string[]), ...Object.keys(rare ?? {}), ...only];
}

const expressions: readonly (readonly [where: string, expression: string])[] = [
  ...RULES.flatMap(({ name, rules }) => rules.map(({ alert, record, expr }) => [`${alert ?? record} of ${name}`, expr] as const)),
  ...DASHBOARDS.flatMap(({ uid, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [`"${title}" of ${uid}`, expr] as const)),
    ),
  ),
];

describe("monitoring files", () => {
  it("name only metrics that the code, Nomad, Prometheus or a recording rule gives", () => {
    const known = new Set([
      ...metricsOfCode(),
      ...metricsOfNomad(),
      ...OF_PROMETHEUS,
      ...RULES.flatMap(({ rules }) => rules.flatMap(({ record }) => (record === undefined ? [] : [record]))),
    ]);
    const unknown = expressions.flatMap(([where, expression]) =>
      metricsIn(expression).flatMap((name) => (known.has(name) ? [] : [`${name} in ${where}`])),
    );
    expect(unknown).to.deep.equal([]);
    const named = new Set(expressions.flatMap(([, expression]) => metricsIn(expression)));
    expect(expressions.length).to.be.greaterThan(100);
    expect([...named].filter((name) => name.startsWith("wadi_")).length).to.be.greaterThan(30);
    expect([...named].filter((name) => name.startsWith("nomad_")).length).to.be.greaterThan(10);
  });

  it("count a subtask once: what workers tell is taken by the maximum wherever it is used", () => {
    const bare = expressions.filter(([, expression]) => {
      const uses = metricsIn(expression).filter((name) => name.startsWith("wadi_worker_"));
      const taken = [...expression.matchAll(/max by \([^)]*\) \((?:rate\()?(wadi_worker_\w+)/g)].map(([, name]) => name);
      return uses.some((name) => !taken.includes(name));
    });
    expect(bare.map(([where]) => where)).to.deep.equal([]);
  });

  it("say of each alert what it means, what to look at and what to do, and how bad it is", () => {
    for (const { alert, labels, annotations = {} } of ALERTS) {
      expect(["warning", "critical"], alert).to.include(labels?.["severity"]);
      expect(Object.keys(annotations).sort(), alert).to.deep.equal(["description", "runbook", "summary"]);
      expect(annotations["summary"], alert).to.match(/^[A-Z][^.]{10,70}$/);
      expect(annotations["description"], alert).to.match(/.{20,}\.$/s);
      expect(annotations["runbook"], alert).to.match(/^(Look|Rotate|Restart) .{40,}[.?]$/s);
    }
  });

  it("have a firing and a silent case for each alert", () => {
    const tests = readRuleTests();
    for (const { alert } of ALERTS) {
      const own = tests.flatMap(({ promql_expr_test: cases }) => cases.filter(({ expr }) => expr.includes(`alertname="${alert}"`)));
      const counts = own.map(({ exp_samples: samples }) => samples.length).sort();
      expect(counts, alert).to.deep.equal([0, 1]);
    }
    expect(tests).to.have.length(2 * ALERTS.length);
    expect(new Set(ALERTS.map(({ alert }) => alert)).size).to.equal(ALERTS.length);
    expect(ALERTS.length).to.be.greaterThan(30);
  });

  it("are what scripts/gen-monitoring.ts writes", () => {
    expect(monitoringDrift()).to.deep.equal([]);
  });

  it("hold nothing that HCL or Nomad's templates would take for their own", () => {
    const folder = join(ROOT, "nomad/monitoring");
    const files = [...RULES.map(({ name }) => `rules/${name}`), ...DASHBOARDS.map(({ uid }) => `dashboards/${uid}.json`)];
    for (const file of files) {
      const text = readFileSync(join(folder, file), "utf8");
      for (const taken of ["${", "%{", "[[[", "]]]"]) expect(text.includes(taken), `${taken} in ${file}`).to.equal(false);
    }
  });
});
