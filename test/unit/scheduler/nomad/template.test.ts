/** An operator's own job, and Wadi's parts over it. */
import { expect } from "chai";
import { AppError } from "../../../../src/core/errors.ts";
import { renderJob } from "../../../../src/scheduler/nomad/spec.ts";
import { mergeTemplate } from "../../../../src/scheduler/nomad/template.ts";
import { idleJobSettings } from "../../../support/nomad-stage.ts";
import { sampleSpec } from "../../../support/scheduler-conformance.ts";

const own = renderJob(sampleSpec(4), idleJobSettings());
const task = (change: object = {}) => ({ Name: "worker", Driver: "exec", Config: { command: "/opt/wadi" }, Env: { TEAM: "a" }, ...change });
const group = (change: object = {}) => ({ Name: "worker", Count: 9, Tasks: [task()], ...change });
const template = (change: object = {}) => ({ ID: "mine", Name: "mine", Type: "batch", Priority: 70, TaskGroups: [group()], ...change });
const merge = (change: object = {}) => mergeTemplate(template(change), own, "worker.nomad.hcl");

function refusal(change: object): string {
  try {
    merge(change);
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid-config" && error.retry === "never") return error.message;
  }
  return expect.fail("it was accepted");
}

describe("an operator's job for workers", () => {
  it("is the operator's where nothing of Wadi's depends on it", () => {
    const job = merge({ Meta: { team: "a", run_id: "forged" } });
    const [made] = job.TaskGroups;
    expect(job).to.include({ Priority: 70 });
    expect(made?.Tasks[0]).to.deep.include({ Driver: "exec", Config: { command: "/opt/wadi" } });
    expect(made?.Tasks[0]?.Env).to.include({ TEAM: "a" });
    expect(job.Meta).to.include({ team: "a" });
  });

  it("is Wadi's where a worker's identity, number or restarts are meant", () => {
    const job = merge({
      Meta: { run_id: "forged" },
      TaskGroups: [group({ RestartPolicy: { Attempts: 9 }, ReschedulePolicy: { Unlimited: true }, Disconnect: { Replace: true } })],
    });
    const [made] = job.TaskGroups;
    expect(job).to.include({ ID: own.ID, Name: own.Name, Type: "batch" });
    expect(job.Meta["run_id"]).to.equal("run_1");
    expect(made).to.deep.include({
      Count: 2,
      RestartPolicy: own.TaskGroups[0]?.RestartPolicy,
      ReschedulePolicy: own.TaskGroups[0]?.ReschedulePolicy,
      Disconnect: own.TaskGroups[0]?.Disconnect,
    });
    expect(made?.Tasks[0]?.Env).to.include({ WADI_RUN_ID: "run_1" });
    expect(made?.Tasks[0]?.Templates.map(({ DestPath }) => DestPath)).to.deep.equal(
      own.TaskGroups[0]?.Tasks[0]?.Templates.map(({ DestPath }) => DestPath),
    );
    expect(made?.Tasks[0]?.Identities.map(({ Name }) => Name)).to.deep.equal(["wadi"]);
    expect(made?.Services.map(({ Name }) => Name)).to.deep.equal(["wadi-worker"]);
  });

  it("keeps the operator's own ports, services, tasks and templates beside Wadi's", () => {
    const job = merge({
      TaskGroups: [
        group({
          Networks: [{ Mode: "bridge", DynamicPorts: [{ Label: "debug" }, { Label: "data", To: 7000 }] }],
          Services: [{ Name: "mine", Provider: "nomad" }],
          Tasks: [task({ Templates: [{ DestPath: "local/x", EmbeddedTmpl: "x" }] }), { Name: "sidecar", Driver: "exec" }],
        }),
      ],
    });
    const [made] = job.TaskGroups;
    expect(made?.Networks[0]?.DynamicPorts.map(({ Label }) => Label)).to.deep.equal(["debug", "data", "admin"]);
    expect(made?.Services.map(({ Name }) => Name)).to.deep.equal(["wadi-worker", "mine"]);
    expect(made?.Tasks.map(({ Name }) => Name)).to.deep.equal(["worker", "sidecar"]);
    expect(made?.Tasks[0]?.Templates.map(({ DestPath }) => DestPath)).to.include("local/x");
  });

  const broken: readonly (readonly [claim: string, change: object, words: string])[] = [
    ["without the group", { TaskGroups: [group({ Name: "other" })] }, 'no group "worker"'],
    ["with two groups", { TaskGroups: [group(), group({ Name: "other" })] }, "2 groups"],
    ["without the task", { TaskGroups: [group({ Tasks: [task({ Name: "other" })] })] }, 'no task "worker"'],
    ["that is a service", { Type: "service" }, 'its type is "service"'],
    ["that is periodic", { Periodic: { Spec: "@daily" } }, "it is periodic"],
    ["that is parameterized", { ParameterizedJob: { Payload: "required" } }, "it is parameterized"],
    [
      "that sets what Wadi sets",
      { TaskGroups: [group({ Tasks: [task({ Env: { WADI_RUN_ID: "x" } })] })] },
      '"WADI_RUN_ID", which Wadi sets',
    ],
    [
      "that writes what Wadi writes",
      { TaskGroups: [group({ Tasks: [task({ Templates: [{ DestPath: own.TaskGroups[0]?.Tasks[0]?.Templates[0]?.DestPath }] })] })] },
      "which Wadi writes",
    ],
  ];
  for (const [claim, change, words] of broken) {
    it(`is refused ${claim}, which is named`, () => {
      expect(refusal(change)).to.include("worker.nomad.hcl").and.to.include(words);
    });
  }
});
