/** The Nomad job of a run. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Nomad interpolates these.
import { expect } from "chai";
import fc from "fast-check";
import { AppError } from "../../../../src/core/errors.ts";
import type { JobId, RunId } from "../../../../src/core/ids.ts";
import { parseHostVolumes, parseSecrets } from "../../../../src/scheduler/nomad/access.ts";
import { parseAffinity, parseConstraint } from "../../../../src/scheduler/nomad/settings.ts";
import {
  equalWorkers,
  heapMegabytes,
  nomadJobId,
  renderJob,
  runOfMeta,
  specHash,
  workersOf,
} from "../../../../src/scheduler/nomad/spec.ts";
import type { RunSpec } from "../../../../src/scheduler/scheduler.ts";
import { idleJobSettings } from "../../../support/nomad-stage.ts";
import { sampleSpec } from "../../../support/scheduler-conformance.ts";

const settings = idleJobSettings();
const spec = (change: Partial<RunSpec> = {}): RunSpec => ({ ...sampleSpec(5), ...change });

function refusal(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  return expect.fail("it was accepted");
}

describe("the Nomad job of a run", () => {
  it("has as few workers as possible, all of one size, with at least the slots that are needed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 1024 }), (slots, perWorker) => {
        const sizes = equalWorkers(slots, perWorker);
        expect(sizes.workers).to.equal(Math.ceil(slots / perWorker));
        expect(sizes.slots).to.be.at.most(perWorker);
        expect(sizes.workers * sizes.slots).to.be.within(slots, slots + sizes.workers - 1);
      }),
    );
  });

  it("has a name of at most 100 allowed characters that ends with job and run", () => {
    const suffix = fc.stringMatching(/^[0-9a-z]{16,40}$/);
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9-]{1,40}$/), suffix, suffix, (slug, job, run) => {
        const id = nomadJobId({ slug, job: `job_${job}` as JobId, run: `run_${run}` as RunId });
        expect(id).to.match(/^w-[a-z0-9_-]+$/);
        expect(id.length).to.be.at.most(100);
        expect(id.endsWith(`-job_${job}-run_${run}`)).to.equal(true);
      }),
    );
  });

  it("holds neither address nor credential", () => {
    const text = JSON.stringify(renderJob(spec({ controllerCa: "-----BEGIN" }), settings));
    expect(text).to.not.include("a-secret-of-the-run");
    expect(text).to.not.include("127.0.0.1");
    expect(text).to.not.include("BEGIN");
  });

  it("never restarts, reschedules or replaces a worker", () => {
    const [group] = renderJob(spec(), settings).TaskGroups;
    expect(group?.RestartPolicy).to.include({ Attempts: 0, Mode: "fail" });
    expect(group?.ReschedulePolicy).to.include({ Attempts: 0, Unlimited: false });
    // Replace alone counts for nothing: it is ignored while LostAfter is empty.
    expect(group?.Disconnect).to.deep.equal({ LostAfter: 86_400e9, Replace: false, Reconcile: "keep_original" });
  });

  it("is the same job for the same run, whoever leads and whatever its token", () => {
    const hash = specHash(spec());
    expect(specHash(spec({ runToken: "other", controllers: ["x:1"], controllerCa: "pem" }))).to.equal(hash);
    expect(specHash(spec({ slots: 6 }))).to.not.equal(hash);
    expect(specHash(spec({ environment: { A: "1" } }))).to.not.equal(hash);
  });

  it("is known again by its meta, by this installation only", () => {
    const job = renderJob(spec(), settings);
    expect(runOfMeta(job.Meta, "test")).to.deep.include({ key: { job: spec().job, run: spec().run, fence: 1n }, workers: 3, slots: 2 });
    expect(runOfMeta(job.Meta, "another")).to.equal(undefined);
    expect(runOfMeta({}, "test")).to.equal(undefined);
  });

  it("reserves cores or MHz, and memory, for all slots of a worker", () => {
    const cores = renderJob(spec(), { ...settings, coresPerSlot: 2 }).TaskGroups[0]?.Tasks[0]?.Resources;
    expect(cores).to.deep.equal({ Cores: 4, MemoryMB: 128 });
    const memory = { ...settings, memoryPerSlot: 0, memoryMaxPerSlot: 2 ** 30 };
    expect(renderJob(spec(), memory).TaskGroups[0]?.Tasks[0]?.Resources).to.deep.equal({ CPU: 200, MemoryMB: 512, MemoryMaxMB: 2_048 });
    const half = spec({ resources: { cpuMillis: 500, memoryBytes: 2 ** 28 } });
    expect(renderJob(half, settings).TaskGroups[0]?.Tasks[0]?.Resources.CPU).to.equal(100);
  });

  it("leaves most memory to state", () => {
    expect([512, 4_096, 65_536].map(heapMegabytes)).to.deep.equal([256, 512, 2_048]);
  });

  it("follows a pipeline's wishes, and refuses those that are not its own", () => {
    const wishes = { node_pool: "big", priority: 80, slots_per_worker: 1, constraints: ["attr.cpu.arch = arm64"], distinct_hosts: true };
    const job = renderJob(spec({ overrides: wishes }), settings);
    expect(job).to.include({ NodePool: "big", Priority: 80 });
    expect(job.TaskGroups[0]?.Count).to.equal(5);
    expect(workersOf(spec({ overrides: wishes }), settings)).to.deep.equal({ workers: 5, slots: 1 });
    expect(job.Constraints.at(-1)).to.deep.equal({ LTarget: "${attr.cpu.arch}", Operand: "=", RTarget: "arm64" });
    expect(job.TaskGroups[0]?.Constraints).to.deep.equal([{ Operand: "distinct_hosts", RTarget: "true" }]);
    const error = refusal(() => renderJob(spec({ overrides: { driver: "raw_exec" } }), settings));
    expect(error).to.include({ code: "invalid-config", retry: "never" });
    expect(error.message).to.include("driver");
  });

  it("refuses what everybody could read or Nomad would replace", () => {
    expect(refusal(() => renderJob(spec({ environment: { DB_PASSWORD: "x" } }), settings)).message).to.include(
      '"DB_PASSWORD" looks like a secret',
    );
    expect(refusal(() => renderJob(spec({ environment: { A: '${env["HOME"]}' } }), settings)).message).to.include(
      "which Nomad would replace",
    );
    expect(refusal(() => renderJob(spec(), { ...settings, environment: { API_KEY: "x" } })).message).to.include("nomad.environment");
    const env = [{ variable: "A", store: "env", reference: "A" }];
    expect(refusal(() => renderJob(spec({ secrets: env }), settings)).message).to.include('secrets from "env"');
  });

  it("says which setting a driver lacks", () => {
    expect(refusal(() => renderJob(spec(), { ...settings, driver: "docker" })).message).to.include("nomad.image is not set");
    expect(refusal(() => renderJob(spec(), { ...settings, command: [] })).message).to.include("neither nomad.artifact nor nomad.command");
  });

  it("runs another build: an image, a tag of it, an archive", () => {
    const docker = { ...settings, driver: "docker", image: "registry.example:5000/wadi@sha256:00" } as const;
    const image = (build: string) => renderJob(spec({ build }), docker).TaskGroups[0]?.Tasks[0]?.Config["image"];
    expect(image("other/wadi:2")).to.equal("other/wadi:2");
    expect(image("1.2.3")).to.equal("registry.example:5000/wadi:1.2.3");
    const exec = { ...settings, driver: "exec", artifact: "https://x/1.tar.gz", artifactChecksum: "sha256:00" } as const;
    const [artifact] = renderJob(spec({ build: "https://x/2.tar.gz" }), exec).TaskGroups[0]?.Tasks[0]?.Artifacts ?? [];
    expect(artifact).to.deep.equal({ GetterSource: "https://x/2.tar.gz", GetterMode: "any", RelativeDest: "local/wadi" });
    expect(refusal(() => renderJob(spec({ build: "2" }), exec)).message).to.include("not the URL of an archive");
  });

  it("gives workers a role at AWS, secrets and folders of their host, none of them by value", () => {
    const access = {
      awsRoleArn: "arn:aws:iam::123456789012:role/wadi-worker",
      secrets: parseSecrets(["AWS_ACCESS_KEY_ID=nomad/jobs#aws_access_key_id"]),
      hostVolumes: parseHostVolumes(["wadi-packages:/opt/wadi:ro"]),
    };
    const [group] = renderJob(spec(), { ...settings, access, command: ["/opt/wadi/0a1b/bin/wadi", "worker"] }).TaskGroups;
    const task = group?.Tasks[0];
    expect(task?.Identities.at(-1)).to.deep.include({ Name: "aws", Audience: ["sts.amazonaws.com"], File: true, ChangeMode: "noop" });
    expect(task?.Env).to.include({
      AWS_ROLE_ARN: access.awsRoleArn,
      AWS_WEB_IDENTITY_TOKEN_FILE: "${NOMAD_SECRETS_DIR}/nomad_aws.jwt",
    });
    expect(task?.Templates.at(-1)?.EmbeddedTmpl).to.include('AWS_ACCESS_KEY_ID={{ with nomadVar "nomad/jobs" }}{{ .aws_access_key_id }}');
    expect(group?.Volumes).to.deep.equal({
      "wadi-packages": { Name: "wadi-packages", Type: "host", Source: "wadi-packages", ReadOnly: true },
    });
    expect(task?.VolumeMounts).to.deep.equal([{ Volume: "wadi-packages", Destination: "/opt/wadi", ReadOnly: true }]);
    expect(task?.Actions[0]?.Command).to.equal("/opt/wadi/0a1b/bin/node");
  });

  it("refuses secrets and volumes that are not written as they should be", () => {
    expect(() => parseSecrets(["KEY=very-secret"]))
      .to.throw(AppError, "NAME=path#key")
      .with.property("code", "invalid-config");
    expect(refusal(() => parseSecrets(["KEY=very-secret"])).message).to.not.include("very-secret");
    expect(() => parseHostVolumes(["packages"])).to.throw(AppError, "name:/destination");
    expect(parseHostVolumes(["data:/srv/data"])).to.deep.equal([{ name: "data", destination: "/srv/data", readOnly: false }]);
  });

  it("takes secrets of Nomad's own variables by reference", () => {
    const secrets = [{ variable: "S3_KEY", store: "nomad-variable", reference: "nomad/jobs#s3_key" }];
    const templates = renderJob(spec({ secrets }), settings).TaskGroups[0]?.Tasks[0]?.Templates ?? [];
    expect(templates.at(-1)).to.include({ Envvars: true, DestPath: "${NOMAD_SECRETS_DIR}/secrets.env" });
    expect(templates.at(-1)?.EmbeddedTmpl).to.equal('S3_KEY={{ with nomadVar "nomad/jobs" }}{{ .s3_key }}{{ end }}\n');
  });

  it("reads constraints and affinities with and without braces", () => {
    expect(parseConstraint("attr.kernel.name = linux")).to.deep.equal({ LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "linux" });
    expect(parseConstraint("${meta.rack} is_set")).to.deep.equal({ LTarget: "${meta.rack}", Operand: "is_set" });
    expect(parseAffinity("-50 node.class = small")).to.deep.include({ Weight: -50, LTarget: "${node.class}", RTarget: "small" });
    for (const text of ["", "x", "a b c"]) expect(refusal(() => parseConstraint(text)).code).to.equal("invalid-config");
    for (const text of ["node.class = a", "0 node.class = a", "200 node.class = a"])
      expect(refusal(() => parseAffinity(text)).code).to.equal("invalid-config");
  });
});
