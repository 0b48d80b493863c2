/** Plans of `wadi deploy`: their order, what they show of a difference and of secrets, policies, and what Terraform is handed. */
import { expect } from "chai";
import type { DeployPlan } from "../../../src/cli/deploy/apply.ts";
import { changeOf, diffLines, type ObjectDiff, painter } from "../../../src/cli/deploy/diff.ts";
import { renderJobs } from "../../../src/cli/deploy/plan.ts";
import { planDocument, planText } from "../../../src/cli/deploy/plan-text.ts";
import { wantedPolicy } from "../../../src/cli/deploy/policies.ts";
import { SERVICES } from "../../../src/cli/deploy/services.ts";
import { readTemplates, shippedFolder, type TemplateSet } from "../../../src/cli/deploy/templates.ts";
import { platformVariables } from "../../../src/cli/deploy/terraform.ts";
import { artifactUrl, keyOf } from "../../../src/cli/deploy/upload.ts";
import { parseSets, type ValueLayer } from "../../../src/cli/deploy/values.ts";
import { refusal } from "../../support/rejection.ts";

const plain = painter(false);

function field(type: string, name: string, before: string, after: string) {
  return { Type: type, Name: name, Old: before, New: after };
}

const EDITED: ObjectDiff = {
  Type: "Edited",
  ID: "wadi-api",
  Name: "",
  Fields: [field("Edited", "Priority", "50", "60"), field("None", "Region", "global", "global")],
  TaskGroups: [
    {
      Type: "Edited",
      Name: "api",
      Updates: { "create/destroy update": 2, ignore: 1 },
      Fields: [field("Edited", "Count", "1", "2")],
      Tasks: [
        {
          Type: "Edited",
          Name: "api",
          Annotations: ["forces create/destroy update"],
          Objects: [
            {
              Type: "Edited",
              Name: "Template",
              Fields: [field("Edited", "EmbeddedTmpl", "first\nA=1\nlast", "first\nA=2\nB=3\nlast")],
            },
            { Type: "None", Name: "Resources", Fields: [] },
          ],
        },
      ],
    },
  ],
};

describe("plans of wadi deploy", () => {
  let set: TemplateSet;
  before(async () => {
    set = await readTemplates(shippedFolder());
  });
  const rawExec = (...more: readonly string[]): readonly ValueLayer[] => [parseSets(["driver=raw_exec", ...more])];

  it("shows each difference with what it does to allocations, texts line by line", () => {
    expect(diffLines(EDITED, plain, false)).to.deep.equal([
      '  ~ Priority: "50" => "60"',
      '  ~ group "api" (2 create/destroy update)',
      '      ~ Count: "1" => "2"',
      '      ~ task "api" (forces create/destroy update)',
      "          ~ Template",
      "              ~ EmbeddedTmpl:",
      "                    first",
      "                  - A=1",
      "                  + A=2",
      "                  + B=3",
      "                    last",
    ]);
  });

  it("tells a new job by its groups, and every field of it if asked", () => {
    const added: ObjectDiff = {
      Type: "Added",
      Name: "",
      Fields: [field("Added", "Type", "", "service")],
      TaskGroups: [{ Type: "Added", Name: "api", Updates: { create: 2 } }],
    };
    expect(diffLines(added, plain, false)).to.deep.equal(['  + group "api" (2 create)']);
    expect(diffLines(added, plain, true)).to.deep.equal(['  + Type: "service"', '  + group "api" (2 create)']);
  });

  it("colours lines on a terminal only", () => {
    expect(diffLines(EDITED, painter(true), false)[0]).to.equal('\u001b[33m  ~ Priority: "50" => "60"\u001b[0m');
  });

  it("tells no change from one, and a job that was stopped from one that is edited", () => {
    expect(changeOf(undefined)).to.equal("none");
    expect(changeOf({ Type: "None", Name: "" })).to.equal("none");
    expect(changeOf({ Type: "Added", Name: "" })).to.equal("new");
    expect(changeOf(EDITED)).to.equal("changed");
    expect(changeOf({ ...EDITED, Fields: [field("Edited", "Stop", "true", "false")] })).to.equal("started");
  });

  it("orders jobs so that nobody waits for what comes later", () => {
    const names = renderJobs(set, rawExec()).map(({ service }) => service.name);
    expect(names).to.deep.equal(["postgres", "pushgateway", "controller", "prometheus", "api"]);
    const stage = (name: string): number => SERVICES.find((service) => service.name === name)?.stage ?? -1;
    expect(stage("postgres")).to.be.lessThan(stage("controller"));
    expect(stage("s3")).to.be.lessThan(stage("controller"));
    expect(stage("controller")).to.be.lessThan(stage("api"));
    expect(stage("api")).to.be.lessThan(stage("backup"));
  });

  it("leaves PostgreSQL to whoever runs it where another host is named, and deploys what is listed", () => {
    const elsewhere = renderJobs(set, rawExec("database_host=db.example")).map(({ service }) => service.name);
    expect(elsewhere).to.not.include("postgres");
    const listed = renderJobs(set, [...rawExec(), parseSets([], "api,controller")]).map(({ service }) => service.name);
    expect(listed).to.deep.equal(["controller", "api"]);
  });

  it("fills rules and dashboards from the monitoring folder", () => {
    const some = { ...set, monitoring: { rules: { "a.rules.yml": "groups: []" }, dashboards: {} } };
    const prometheus = renderJobs(some, rawExec()).find(({ service }) => service.name === "prometheus");
    expect(prometheus?.values["rules"]).to.deep.equal({ "a.rules.yml": "groups: []" });
  });

  it("refuses docker without an image, naming the job", async () => {
    const error = await refusal(() => renderJobs(set, []), "invalid-config", "runs by docker and has no image");
    expect(error.hint).to.contain("--local");
  });

  it("shows where secrets come from and never what they are", () => {
    const secret = "s3cr3t-value";
    const plan: DeployPlan = {
      jobs: [],
      secrets: [
        {
          path: "nomad/jobs/wadi-api",
          namespace: "default",
          items: { database_password: secret, session_token: secret },
          origins: { database_password: "another job", session_token: "random" },
        },
      ],
      policies: [],
    };
    const text = planText(plan, { colour: false, full: true });
    expect(text).to.contain("+ variable nomad/jobs/wadi-api: database_password (as in another job), session_token (made up)");
    expect(text + JSON.stringify(planDocument(plan))).to.not.contain(secret);
  });

  it("puts a policy into the job's namespace", () => {
    const rules = '# of namespace "default"\nnamespace "default" {\n  variables {}\n}\n';
    const policy = wantedPolicy("controller", rules, "streams");
    expect(policy).to.include({ name: "wadi-controller-streams", namespace: "streams", jobId: "wadi-controller" });
    expect(policy.rules).to.contain('\nnamespace "streams" {');
    expect(wantedPolicy("controller", rules, "default").name).to.equal("wadi-controller");
  });

  it("hands Terraform each package by role and processor, and the cluster as it is", () => {
    const one = { role: "worker", architecture: "arm64", path: "", file: "f.tar.zst", size: 1, sha256: "ab" } as const;
    const stored = [{ package: one, url: "s3::x", checksum: "sha256:ab", uploaded: true }];
    expect(platformVariables(stored, { name: "c" })).to.deep.equal({
      cluster: { name: "c" },
      artifacts: { wadi: {}, worker: { arm64: { url: "s3::x", checksum: "sha256:ab" } } },
    });
    expect(platformVariables(stored, undefined)).to.not.have.property("cluster");
  });

  it("writes URLs as Nomad's getter of S3 reads them", () => {
    const bucket = { bucket: "b", region: "eu-central-1", prefix: "p", endpoint: undefined };
    const one = { sha256: "ab", file: "wadi.tar.zst" };
    expect(keyOf(bucket, one)).to.equal("p/ab/wadi.tar.zst");
    expect(artifactUrl(bucket, one)).to.equal("s3::https://s3.eu-central-1.amazonaws.com/b/p/ab/wadi.tar.zst");
    expect(artifactUrl({ ...bucket, prefix: "", region: "cn-north-1" }, one)).to.equal(
      "s3::https://s3.cn-north-1.amazonaws.com.cn/b/ab/wadi.tar.zst",
    );
    expect(artifactUrl({ ...bucket, prefix: "", endpoint: "http://127.0.0.1:9000/" }, one)).to.equal(
      "s3::http://127.0.0.1:9000/b/ab/wadi.tar.zst",
    );
  });
});
