/** Prometheus' own tools on the rules, their cases, and the expressions of the dashboards. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dumpYaml } from "@kubernetes/client-node";
import { expect } from "chai";
import { DASHBOARDS } from "../../scripts/gen-monitoring.ts";
import { filesOf, RULE_FOLDER } from "../../scripts/monitoring/rule-files.ts";
import { ROOT } from "../../scripts/process.ts";
import { prometheusAbsence, promtool } from "../support/prometheus-servers.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("the rules and dashboards of nomad/monitoring", function () {
  this.timeout(180_000);
  requires("prometheus", prometheusAbsence);
  const paths = (ending: string): readonly string[] => filesOf(ending).map((name) => join(ROOT, RULE_FOLDER, name));

  it("have rules that Prometheus takes", () => {
    const { ok, output } = promtool("check", "rules", ...paths(".rules.yml"));
    expect(ok, output).to.equal(true);
    expect([...output.matchAll(/SUCCESS: (\d+) rules found/g)]).to.have.length(4);
  });

  it("fire and are silent as their cases say", () => {
    const { ok, output } = promtool("test", "rules", ...paths(".test.yml"));
    expect(ok, output).to.equal(true);
    expect(output.match(/SUCCESS/g)).to.have.length(3);
  });

  it("have expressions in their panels that Prometheus can read", () => {
    const rules = DASHBOARDS.flatMap(({ uid, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap(({ targets }) => targets.map(({ expr }) => ({ expr, record: `check:${uid.replaceAll("-", "_")}` }))),
      ),
    ).map(({ expr, record }, index) => ({ record: `${record}_${index}`, expr }));
    const file = join(temporaryFolder("dashboards"), "dashboards.yml");
    writeFileSync(file, dumpYaml({ groups: [{ name: "dashboards", rules }] }));
    const { ok, output } = promtool("check", "rules", file);
    expect(ok, output).to.equal(true);
    expect(output).to.contain(`SUCCESS: ${rules.length} rules found`);
  });
});
