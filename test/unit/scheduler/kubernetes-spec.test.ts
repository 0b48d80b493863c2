/** What a run is in Kubernetes, without one: names, Job, secret, overlays, and the manifests of Wadi itself. */
import type { V1Job } from "@kubernetes/client-node";
import { expect } from "chai";
import fc from "fast-check";
import { type Config, loadConfig } from "../../../src/core/config.ts";
import { AppError } from "../../../src/core/errors.ts";
import type { JobId } from "../../../src/core/ids.ts";
import { jobName, recordName } from "../../../src/scheduler/kubernetes/labels.ts";
import { renderSystem } from "../../../src/scheduler/kubernetes/manifests.ts";
import { checkOverlay, mergeTree } from "../../../src/scheduler/kubernetes/overlay.ts";
import { renderRun, renderSecret } from "../../../src/scheduler/kubernetes/spec.ts";
import type { RunSpec } from "../../../src/scheduler/scheduler.ts";
import { podSecurityTroubles } from "../../support/kubernetes/admission.ts";
import { knowsModel, schemaErrors } from "../../support/kubernetes/schema.ts";
import { sampleSpec } from "../../support/scheduler-conformance.ts";

const { config } = loadConfig({ env: {}, files: [] });
const settings = (more: Partial<Config> = {}): Config => ({ ...config, "kubernetes.worker.image": "wadi:1", ...more });
const render = (spec: RunSpec, more: Partial<Config> = {}) => renderRun(spec, settings(more), "streams");
const containerOf = ({ spec }: V1Job) => spec?.template.spec?.containers[0];
/** The error that `run` throws. */
function refusalOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  return expect.fail("it was not refused");
}
const plain = (object: object): object => JSON.parse(JSON.stringify(object).replaceAll('"_from"', '"from"')) as object;

describe("a run in Kubernetes", () => {
  it("is an Indexed Job whose fields the API knows and whose pods are restricted", () => {
    const { job, workers, slotsPerWorker } = render(sampleSpec(5));
    expect(knowsModel("V1Job")).to.equal(true);
    expect(schemaErrors("V1Job", plain(job))).to.deep.equal([]);
    expect({ workers, slotsPerWorker }).to.deep.equal({ workers: 3, slotsPerWorker: 2 });
    expect(job.spec).to.include({
      completionMode: "Indexed",
      parallelism: 3,
      completions: 3,
      backoffLimitPerIndex: 0,
      podReplacementPolicy: "Failed",
    });
    expect(job.spec?.template.spec?.restartPolicy).to.equal("Never");
    expect(podSecurityTroubles(job.spec?.template.spec ?? { containers: [] })).to.deep.equal([]);
    expect(containerOf(job)?.resources).to.deep.equal({ requests: { cpu: "2", memory: "512Mi" }, limits: { memory: "512Mi" } });
  });

  it("says nothing secret: the token is in the secret alone", () => {
    const spec = sampleSpec(2);
    expect(JSON.stringify(render(spec))).to.not.include(spec.runToken);
    const secret = renderSecret({ ...spec, controllerCa: "PEM" }, settings(), "streams");
    expect(schemaErrors("V1Secret", plain(secret))).to.deep.equal([]);
    const text = (key: string): string => Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8");
    expect([text("run-token"), text("controllers"), text("controller-ca.pem")]).to.deep.equal([spec.runToken, "127.0.0.1:5116\n", "PEM"]);
  });

  it("has one name for one job and fence that fits a pod's host name, whatever the slug", () => {
    const slug = fc.stringMatching(/^[a-z0-9-]{0,40}$/);
    const job = fc.stringMatching(/^[0-9a-z]{1,64}$/).map((tail) => `job_${tail}` as JobId);
    fc.assert(
      fc.property(slug, job, fc.bigInt({ min: 1n, max: 10n ** 11n }), (text, id, fence) => {
        const name = jobName("wadi-x", { slug: text, job: id, fence });
        expect(`${name}-4095`).to.match(/^[a-z]([-a-z0-9]*[a-z0-9])$/);
        expect(`${name}-4095`.length).to.be.at.most(63);
        expect(recordName("wadi-x", "a", id)).to.not.equal(recordName("wadi-x", "b", id));
      }),
    );
  });

  it("is the same with another token and other controllers, and another with other slots or another build", () => {
    const { specHash } = render(sampleSpec(4));
    expect(render({ ...sampleSpec(4), runToken: "x", controllers: [], controllerCa: "y" }).specHash).to.equal(specHash);
    for (const other of [sampleSpec(2), { ...sampleSpec(4), build: "2" }, { ...sampleSpec(4), environment: { A: "1" } }]) {
      expect(render(other).specHash).to.not.equal(specHash);
    }
  });

  it("takes a build as an image or as a tag of its own image", () => {
    const image = (build: string, own: string) =>
      containerOf(render({ ...sampleSpec(1), build }, { "kubernetes.worker.image": own }).job)?.image;
    expect(image("0.2.0", "registry:5000/wadi/worker:0.1.0")).to.equal("registry:5000/wadi/worker:0.2.0");
    expect(image("0.2.0", "wadi@sha256:00")).to.equal("wadi:0.2.0");
    expect(image("other/wadi@sha256:11", "wadi:1")).to.equal("other/wadi@sha256:11");
  });

  it("takes resources per slot or per pod from the settings", () => {
    const resources = (more: Partial<Config>) => containerOf(render(sampleSpec(4), more).job)?.resources?.requests;
    const own = { "kubernetes.worker.cpu": "900m", "kubernetes.worker.memory": "2Gi" } as const;
    expect(resources(own)).to.deep.equal({ cpu: "1800m", memory: "4096Mi" });
    expect(resources({ ...own, "kubernetes.resource-mode": "per-pod" })).to.deep.equal({ cpu: "900m", memory: "2048Mi" });
    expect(refusalOf(() => resources({ "kubernetes.worker.cpu": "much" })).code).to.equal("invalid-config");
  });

  it("takes the operator's settings into the pod", () => {
    const { job } = render(sampleSpec(2), {
      "kubernetes.worker.node-selector": { pool: "streams" },
      "kubernetes.worker.tolerations": [{ key: "spot", operator: "Exists" }],
      "kubernetes.worker.volumes": [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      "kubernetes.worker.volume-mounts": [{ name: "data", mountPath: "/data" }],
      "kubernetes.worker.priority-class": "high",
      "kubernetes.worker.service-account-name": "reader",
      "kubernetes.worker.image-pull-secrets": ["pull"],
      "kubernetes.worker.topology-spread": "required",
      "kubernetes.worker.env": { AWS_REGION: "eu-central-1" },
    });
    expect(schemaErrors("V1Job", plain(job))).to.deep.equal([]);
    const pod = job.spec?.template.spec;
    expect(pod).to.deep.include({
      nodeSelector: { pool: "streams" },
      priorityClassName: "high",
      serviceAccountName: "reader",
      imagePullSecrets: [{ name: "pull" }],
    });
    expect(pod?.topologySpreadConstraints?.map(({ whenUnsatisfiable }) => whenUnsatisfiable)).to.deep.equal([
      "ScheduleAnyway",
      "DoNotSchedule",
    ]);
    expect(containerOf(job)?.env).to.deep.include({ name: "AWS_REGION", value: "eu-central-1" });
  });

  it("hands variables over as they are, whatever they look like to Kubernetes", () => {
    const environment = { A: "$(HOME) costs $5" };
    expect(containerOf(render({ ...sampleSpec(1), environment }).job)?.env).to.deep.include({ name: "A", value: "$$(HOME) costs $5" });
  });

  it("takes a pipeline's overlay within the allowed paths and refuses the rest", () => {
    const overlay = (kubernetes: object) => () => render({ ...sampleSpec(2), overrides: { kubernetes } }).job;
    const resources = { requests: { "nvidia.com/gpu": "1" }, limits: { "nvidia.com/gpu": "1" } };
    const job = overlay({ spec: { template: { spec: { containers: [{ name: "worker", resources }], priorityClassName: "low" } } } })();
    expect(containerOf(job)?.resources?.limits).to.deep.equal({ memory: "512Mi", "nvidia.com/gpu": "1" });
    expect(containerOf(job)?.image).to.equal("wadi:1");
    for (const wrong of [
      { spec: { template: { spec: { hostNetwork: true } } } },
      { spec: { template: { spec: { containers: [{ name: "worker", image: "evil" }] } } } },
      { spec: { template: { spec: { containers: [{ name: "other", resources: {}, image: "evil" }] } } } },
      { spec: { parallelism: 9 } },
      { metadata: { labels: { "wadi.dev/fence": "9" } } },
    ]) {
      expect(refusalOf(overlay(wrong)).code, JSON.stringify(wrong)).to.equal("invalid-config");
    }
    expect(refusalOf(() => render({ ...sampleSpec(2), overrides: { nomad: {} } })).message).to.match(/does not know the setting "nomad"/);
  });

  it("refuses an operator's overlay that changes what Wadi relies on", () => {
    const wrong = { spec: { completions: 7 } };
    expect(refusalOf(() => render(sampleSpec(2), { "kubernetes.worker.overlay": wrong })).message).to.match(/what Wadi needs/);
  });

  it("refuses secrets among plain settings, and a missing image", () => {
    expect(refusalOf(() => render({ ...sampleSpec(2), environment: { DB_PASSWORD: "x" } })).message).to.match(
      /"DB_PASSWORD" looks like a secret/,
    );
    expect(refusalOf(() => render(sampleSpec(2), { "kubernetes.worker.image": undefined })).message).to.match(
      /kubernetes\.worker\.image is not set/,
    );
  });

  it("merges tables, named lists item by item, and replaces the rest", () => {
    expect(
      mergeTree({ a: { b: 1, c: [1] }, d: [{ name: "x", e: 1 }] }, { a: { c: [2] }, d: [{ name: "y" }, { name: "x", f: 2 }] }),
    ).to.deep.equal({
      a: { b: 1, c: [2] },
      d: [{ name: "x", e: 1, f: 2 }, { name: "y" }],
    });
    expect(() => checkOverlay({ a: { b: { c: 1 } } }, ["a.b"])).to.not.throw();
    expect(refusalOf(() => checkOverlay({ a: { bc: 1 } }, ["a.b"])).message).to.match(/"a\.bc"/);
  });
});

describe("manifests of Wadi itself", () => {
  const models: Readonly<Record<string, string>> = {
    Namespace: "V1Namespace",
    ServiceAccount: "V1ServiceAccount",
    Role: "V1Role",
    RoleBinding: "V1RoleBinding",
    ClusterRole: "V1ClusterRole",
    ClusterRoleBinding: "V1ClusterRoleBinding",
    ConfigMap: "V1ConfigMap",
    Deployment: "V1Deployment",
    Service: "V1Service",
    PodDisruptionBudget: "V1PodDisruptionBudget",
    NetworkPolicy: "V1NetworkPolicy",
  };

  it("have fields that the API knows, and pods that its namespace admits", () => {
    const system = renderSystem(settings());
    for (const manifest of system) {
      const model = models[manifest.kind ?? ""];
      expect(model === undefined ? ["unknown kind"] : schemaErrors(model, plain(manifest)), manifest.kind).to.deep.equal([]);
      if (manifest.kind !== "Deployment") continue;
      const { spec } = manifest as { spec: { template: { spec: Parameters<typeof podSecurityTroubles>[0] } } };
      expect(podSecurityTroubles(spec.template.spec)).to.deep.equal([]);
    }
    expect(new Set(system.map(({ kind }) => kind))).to.deep.equal(new Set(Object.keys(models)));
  });

  it("hold no password, and no rights on nodes where they are not watched", () => {
    const system = renderSystem(
      settings({ "database.postgres.password": "hunter2", "api.session-token": "hunter2", "kubernetes.watch-nodes": false }),
    );
    expect(JSON.stringify(system)).to.not.include("hunter2");
    expect(system.map(({ kind }) => kind)).to.not.include("ClusterRole");
  });

  it("let nobody but workers reach the data ports of workers and the controllers' port", async () => {
    const { dumpYaml } = await import("@kubernetes/client-node");
    const policies = renderSystem(settings()).filter(({ kind }) => kind === "NetworkPolicy");
    // As it is printed: a rule without "from" would let everybody in.
    for (const [index, port] of [
      [0, 6900],
      [1, 5116],
    ] as const) {
      expect(dumpYaml(policies[index])).to.match(
        new RegExp(`- from:\\s+- podSelector:\\s+matchLabels:\\s+app.kubernetes.io/component: worker[^]*?- port: ${port}`),
      );
    }
  });

  it("carry the settings that were chosen, and read back", () => {
    const chosen = {
      "kubernetes.worker.node-selector": { pool: "x" },
      "kubernetes.worker.tolerations": [{ key: "a", operator: "Exists" }],
      "checkpoint-url": "s3://b/c",
    };
    const map = renderSystem(settings(chosen)).find(({ kind }) => kind === "ConfigMap") as { data: Record<string, string> };
    const { config: read } = loadConfig({ env: {}, files: [{ path: "wadi.toml", text: map.data["wadi.toml"] ?? "" }] });
    expect(read).to.deep.include({
      ...chosen,
      "controller.scheduler": "kubernetes",
      "database.type": "postgres",
      "kubernetes.namespace": "wadi",
    });
  });
});
