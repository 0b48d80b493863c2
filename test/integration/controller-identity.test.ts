/** Whom a controller lets in where the scheduler gives workers identities, and what it signs for their data plane. */
import { generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { externalError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/log.ts";
import { makeKeyPair } from "../../src/rpc/certificate.ts";
import { NomadIdentities } from "../../src/scheduler/nomad/identity.ts";
import type { RunSpec, Scheduler } from "../../src/scheduler/scheduler.ts";
import { ControllerStage } from "../support/controller-stage.ts";
import { type DatabaseServer, startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { rejection } from "../support/rejection.ts";
import { ScriptedScheduler } from "../support/scripted-scheduler.ts";
import type { ScriptedWorker } from "../support/scripted-worker.ts";

const KID = "one";
const jobOf = ({ job, run }: Pick<RunSpec, "job" | "run">): string => `w-p-${job}-${run}`;

describe("a controller whose scheduler gives workers identities", function () {
  this.timeout(60_000);
  let server: DatabaseServer;
  let stage: ControllerStage;
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  let away: boolean;

  before(() => {
    server = startPglite();
  });
  after(() => server?.stop());
  afterEach(() => stage?.close());

  beforeEach(() => {
    away = false;
  });

  async function open(settings = ""): Promise<void> {
    stage = await ControllerStage.open(await server.create(), settings, 10);
  }

  function scheduler(): Scheduler {
    const identities = new NomadIdentities({
      fetchKeys: async () => {
        if (away) throw externalError("connection-lost", "Nomad does not answer");
        return { keys: [{ ...keys.publicKey.export({ format: "jwk" }), kid: KID, alg: "RS256" }] };
      },
      namespace: "default",
      isJobOf: (run, id) => id === jobOf(run),
      placed: async () => true,
      clock: systemClock,
      logger: silentLogger,
    });
    return Object.assign(new ScriptedScheduler(stage.cluster), { identities });
  }

  interface Claims {
    readonly audience?: string;
    readonly nomadJob?: string;
    readonly allocation?: string;
    /** Seconds from now. */
    readonly expires?: number;
  }

  /** The identity of the worker `handle` of `spec`, but for what `claims` says. Made as Nomad makes it; jose would not do it at once. */
  function identity(spec: Pick<RunSpec, "job" | "run">, handle: string, claims: Claims = {}): string {
    const { audience = "wadi", nomadJob = jobOf(spec), allocation = handle, expires = 3_600 } = claims;
    const exp = Math.floor(Date.now() / 1_000) + expires;
    const body = { aud: audience, exp, nomad_namespace: "default", nomad_job_id: nomadJob, nomad_allocation_id: allocation };
    const text = [{ alg: "RS256", kid: KID, typ: "JWT" }, body]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${text}.${sign("sha256", Buffer.from(text), keys.privateKey).toString("base64url")}`;
  }

  /** A job whose workers show `text`, with its first worker. */
  async function started(text: (spec: RunSpec, handle: string) => string): Promise<{ job: string; worker: ScriptedWorker }> {
    stage.cluster.proofOf = (spec, handle) => ({ identity: () => text(spec, handle) });
    await stage.start({ scheduler: scheduler() });
    const job = await stage.create();
    return { job, worker: await eventually("the worker is there", () => stage.cluster.of(job)[0]) };
  }

  it("runs a job with workers that show token and identity", async () => {
    await open();
    const { job } = await started((spec, handle) => identity(spec, handle));
    await stage.reaches(job, "running");
  });

  for (const { what, claims, words } of [
    { what: "made for another audience", claims: { audience: "vault.io" }, words: 'made for "vault.io"' },
    { what: "that has expired", claims: { expires: -3_600 }, words: "it expired at" },
    { what: "of another run", claims: { nomadJob: "w-p-job_a-run_b" }, words: 'of Nomad job "w-p-job_a-run_b"' },
    { what: "of another worker", claims: { allocation: "another" }, words: 'of allocation "another"' },
  ]) {
    it(`refuses for good a worker with the run's token and an identity ${what}`, async () => {
      await open();
      const { job, worker } = await started((spec, handle) => identity(spec, handle, claims));
      const refusal = await eventually("it is refused", () => worker.refusal);
      expect(refusal).to.include({ code: "permission-denied", retry: "never" });
      expect(refusal.message).to.contain(words);
      expect(worker.registrations).to.equal(0);
      await eventually("the timeline says so", async () => ((await stage.timeline(job)).includes("worker-refused") ? true : undefined));
    });
  }

  it("refuses for good a worker of a release that knows no identities", async () => {
    await open();
    const { worker } = await started(() => "");
    const refusal = await eventually("it is refused", () => worker.refusal);
    expect(refusal).to.include({ code: "permission-denied", retry: "never" });
    expect(refusal.message).to.contain("does not show an identity");
  });

  it("refuses a worker with an identity and without the run's token", async () => {
    await open();
    const { job, worker } = await started((spec, handle) => identity(spec, handle));
    await stage.reaches(job, "running");
    const token = identity(worker.spec, worker.handle);
    stage.cluster.proofOf = () => ({ identity: () => token });
    const impostor = stage.cluster.imitate(worker, { ...worker.spec, runToken: "guess" });
    const refusal = await eventually("it is refused", () => impostor.refusal);
    expect(refusal.message).to.contain("does not have the credential of its run");
  });

  it("lets a worker come back until Nomad's keys can be read", async () => {
    await open();
    away = true;
    const { job, worker } = await started((spec, handle) => identity(spec, handle));
    const refusal = await eventually("it is sent away", () => worker.refusal);
    expect(refusal).to.include({ code: "connection-lost", retry: "backoff" });
    away = false;
    await stage.reaches(job, "running", 20_000);
  });
});

describe("a controller that speaks TLS", function () {
  this.timeout(60_000);
  let server: DatabaseServer;
  let stage: ControllerStage;

  before(() => {
    server = startPglite();
  });
  after(() => server?.stop());
  afterEach(() => stage?.close());

  it("gives its authority to workers, certifies their keys for their run, and its successor has the same authority", async () => {
    stage = await ControllerStage.open(await server.create(), '[tls]\nmode = "on"\n', 10);
    stage.cluster.proofOf = () => ({ dataPublicKey: makeKeyPair().publicKey });
    const first = await stage.start();
    const job = await stage.create({ parallelism: 2 });
    await stage.reaches(job, "running");
    const [worker] = stage.cluster.of(job);
    expect(worker?.assignment?.dataTls).to.equal(true);
    const certificate = new X509Certificate(worker?.welcome?.dataCertificate ?? "");
    const authority = new X509Certificate(worker?.spec.controllerCa ?? "");
    expect(certificate.verify(authority.publicKey)).to.equal(true);
    const { run, fence } = worker?.spec ?? {};
    expect(certificate.subjectAltName).to.equal(`URI:wadi://run/${job}/${run}/${fence}/${worker?.id}`);
    await first.stop();
    await stage.start();
    const next = await stage.create();
    await stage.reaches(next, "running", 20_000);
    expect(stage.cluster.of(next)[0]?.spec.controllerCa).to.equal(worker?.spec.controllerCa);
  });

  it("refuses a worker that others reach from outside and that cannot speak TLS, and serves an old one on loopback", async () => {
    stage = await ControllerStage.open(await server.create(), "", 10);
    await stage.start();
    stage.cluster.proofOf = () => ({ dataHost: "10.0.0.1" });
    const job = await stage.create();
    const worker = await eventually("a worker is there", () => stage.cluster.of(job)[0]);
    const refusal = await eventually("it is refused", () => worker.refusal);
    expect(refusal).to.include({ code: "version-mismatch", retry: "never" });
    expect(refusal.message).to.contain("cannot speak TLS");
    stage.cluster.proofOf = () => ({});
    const old = await stage.create();
    await stage.reaches(old, "running");
    expect(stage.cluster.of(old)[0]?.assignment?.dataTls).to.equal(false);
  });

  it("does not start with a certificate and no authority that workers could know it by", async () => {
    stage = await ControllerStage.open(await server.create(), '[tls]\nmode = "on"\ncertificate = "a.pem"\nkey = "b.pem"\n', 10);
    await rejection(stage.start(), "invalid-config", "tls.ca is not set");
  });
});
