/** The whole system on a Kubernetes: API, controllers and workers are real processes, the cluster around them is the fake one, and the rows are exact. */
import { join } from "node:path";
import { expect } from "chai";
import { kill, needsClusterBuild, TestCluster } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FailurePipeline, type JobState } from "../support/failure-pipeline.ts";
import { FakeKubernetes, type FakeNode } from "../support/kubernetes/fake-kubernetes.ts";
import { isTerminal } from "../support/kubernetes/objects.ts";
import { StandbyController } from "../support/standby-controller.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const READ_DELAY_MS = 300;
const NODES: readonly FakeNode[] = ["a", "b", "c", "d"].map((name) => ({ name, cpu: "1", memory: "2Gi" }));

describe("a cluster on Kubernetes", function () {
  this.timeout(240_000);
  needsClusterBuild();
  let cluster: TestCluster;
  let pipeline: FailurePipeline;
  let kubernetes: FakeKubernetes;
  let standby: StandbyController | undefined;

  /** Starts everything, with a pipeline of two workers that is created and not waited for. */
  async function start(nodes: readonly FakeNode[], withStandby = false): Promise<void> {
    const folder = temporaryFolder("kubernetes");
    const environment = FailurePipeline.environment(folder);
    cluster = await TestCluster.in(folder, environment);
    const env = { ...environment, WADI__COMPILER__CACHE_DIR: join(folder, "artifacts") } as Record<string, string>;
    const image = { entrypoint: [process.execPath, ...cluster.command()], env, workdir: folder };
    kubernetes = await FakeKubernetes.start({ nodes, images: { "wadi:test": image }, restricted: true });
    cluster.set({
      WADI__CONTROLLER__SCHEDULER: "kubernetes",
      WADI__KUBERNETES__KUBECONFIG: kubernetes.kubeconfig(),
      WADI__KUBERNETES__WORKER__IMAGE: "wadi:test",
      WADI__KUBERNETES__WORKER__MEMORY: "1Gi",
      WADI__KUBERNETES__WORKER__CPU: "1",
      WADI__WORKER__TASK_SLOTS: "1",
      WADI__PIPELINE__STATE_LIMIT: "256MiB",
    });
    if (withStandby) standby = await StandbyController.of(cluster);
    pipeline = new FailurePipeline(cluster, 5);
    pipeline.slow(READ_DELAY_MS);
    await cluster.start();
    await standby?.start();
    await pipeline.create(2);
  }

  const running = (): string[] => [...kubernetes.pids().keys()].sort();
  const podsOn = (node: string): number => kubernetes.pods().filter((pod) => pod.spec.nodeName === node && !isTerminal(pod)).length;

  afterEach(async function () {
    const failed = this.currentTest?.state === "failed";
    if (failed) {
      const pods = kubernetes
        .pods()
        .map(({ metadata, status, spec }) => JSON.stringify({ name: metadata.name, node: spec.nodeName, status }));
      process.stderr.write(`${cluster.said}\n${cluster.logs()}\n${pods.join("\n")}\n`);
    }
    await standby?.stop();
    standby = undefined;
    await cluster.stop();
    cluster.killAll();
    await kubernetes.stop();
  });

  it("a pipeline waits for room, says so, runs when there is room, and its worker that crashes is replaced", async () => {
    await start(NODES.slice(0, 1));
    const waits = await pipeline.until(
      "it waits for room",
      (job) => (job as JobState & { waiting: { reason: string } | null }).waiting !== null,
    );
    const { reason } = (waits as JobState & { waiting: { reason: string } }).waiting;
    expect(reason).to.match(/1 of 2 workers not placed: .*Insufficient cpu/);
    kubernetes.addNode(NODES[1] as FakeNode);
    const before = await pipeline.advanced(0, 1);
    expect(podsOn("a") + podsOn("b")).to.equal(2);
    const [victim = 0] = kubernetes.pids().values();
    kill(victim);
    const after = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id);
    expect(after.restarts).to.equal(1);
    await pipeline.finish();
    await eventually(
      "nothing of it is left",
      () => (running().length === 0 && kubernetes.store.list("secrets").length === 0 ? true : undefined),
      30_000,
    );
  });

  it("a cordoned node is left before it is emptied, a standby leads without a restart, and a stop leaves nothing", async () => {
    await start(NODES, true);
    const before = await pipeline.advanced(0, 1);
    const node = kubernetes.pods().find((pod) => !isTerminal(pod))?.spec.nodeName ?? "";
    const old = new Set(running());
    kubernetes.cordon(node);
    const moved = await pipeline.until("another run runs", (job) => job.state === "Running" && job.run_id > before.run_id);
    expect(moved.restarts, "a move is no failure").to.equal(0);
    await eventually(
      "nobody is left on the cordoned node",
      () => (podsOn(node) === 0 && running().every((name) => !old.has(name)) ? true : undefined),
      30_000,
    );
    const workers = running();
    expect(workers).to.have.length(2);
    const leader = cluster.controllerOfCluster();
    process.kill(leader, "SIGSTOP");
    await eventually("the standby leads", async () => ((await standby?.leads()) === true ? true : undefined), 20_000);
    await pipeline.advanced((await pipeline.job()).epoch, 2);
    expect(running(), "no worker was restarted").to.deep.equal(workers);
    process.kill(leader, "SIGCONT");
    await pipeline.finish();
    await eventually(
      "nothing is left",
      () => (running().length === 0 && kubernetes.store.list("jobs").length === 0 ? true : undefined),
      30_000,
    );
    expect(kubernetes.store.list("secrets")).to.deep.equal([]);
  });

  it("a stop with a checkpoint ends the workers in their time, and the rows written so far are exact", async () => {
    await start(NODES);
    await pipeline.advanced(0, 1);
    await pipeline.patch({ stop: "checkpoint" });
    await pipeline.until("it has stopped", (job) => job.state === "Stopped");
    pipeline.expectPrefix();
    await eventually(
      "nothing is left",
      () => (kubernetes.pods().length === 0 && kubernetes.store.list("secrets").length === 0 ? true : undefined),
      30_000,
    );
  });
});
