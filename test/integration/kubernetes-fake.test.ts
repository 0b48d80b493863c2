/** The fake Kubernetes keeps the rules of the real one: what the scheduler relies on and what would catch it out. */
import { request } from "node:http";
import type { V1JobSpec, V1PodSpec } from "@kubernetes/client-node";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { FakeKubernetes, type FakeKubernetesOptions } from "../support/kubernetes/fake-kubernetes.ts";
import type { JobObject } from "../support/kubernetes/objects.ts";

interface Answer {
  readonly code: number;
  readonly body: {
    readonly reason?: string;
    readonly message?: string;
    readonly metadata?: { readonly resourceVersion: string };
    readonly items?: readonly object[];
  };
  readonly warning: string;
}

const JOBS = "/apis/batch/v1/namespaces/wadi/jobs";
const PODS = "/api/v1/namespaces/wadi/pods";

describe("the fake Kubernetes", function () {
  this.timeout(20_000);
  let kubernetes: FakeKubernetes;

  async function open(options: FakeKubernetesOptions = {}): Promise<void> {
    kubernetes = await FakeKubernetes.start({ images: { sh: { entrypoint: ["/bin/sh", "-c"] } }, ...options });
  }
  afterEach(async () => kubernetes.stop());

  async function call(method: string, path: string, body?: object, type = "application/json"): Promise<Answer> {
    const answer = await fetch(`${kubernetes.address}${path}`, {
      method,
      headers: { authorization: "Bearer fake-token", "content-type": type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { code: answer.status, body: (await answer.json()) as Answer["body"], warning: answer.headers.get("warning") ?? "" };
  }

  /** Lines of a watch, until it ends or the test does. */
  function watch(path: string): {
    readonly lines: { type: string; object: Answer["body"] & { metadata: { name: string } } }[];
    readonly end: () => void;
  } {
    const lines: ReturnType<typeof watch>["lines"] = [];
    const sent = request(`${kubernetes.address}${path}`, { headers: { authorization: "Bearer fake-token" } }, (response) => {
      let rest = "";
      response.on("data", (piece: Buffer) => {
        const parts = (rest + piece.toString()).split("\n");
        rest = parts.pop() ?? "";
        for (const part of parts) lines.push(JSON.parse(part));
      });
      response.on("error", () => undefined);
    });
    sent.on("error", () => undefined);
    sent.end();
    return { lines, end: () => sent.destroy() };
  }

  const pod = (script: string, more: Partial<V1PodSpec> = {}): V1PodSpec => ({
    restartPolicy: "Never",
    containers: [{ name: "worker", image: "sh", args: [script], resources: { requests: { cpu: "1" } } }],
    ...more,
  });
  const job = (name: string, script: string, more: Partial<V1JobSpec> = {}, podMore: Partial<V1PodSpec> = {}): object => ({
    metadata: { name, labels: { app: name } },
    spec: { completionMode: "Indexed", completions: 2, parallelism: 2, ...more, template: { spec: pod(script, podMore) } },
  });
  const configMap = (name: string, data: object = {}): object => ({ metadata: { name }, data });
  const jobNow = (name: string) => kubernetes.store.get<JobObject>("jobs", "wadi", name);
  const running = () => kubernetes.pids().size;

  it("refuses unknown fields where it is asked to be strict, warns otherwise, and drops none in silence", async () => {
    await open();
    const wrong = job("j", "true", { restartPolicy: "Never" } as object);
    const strict = await call("POST", `${JOBS}?fieldValidation=Strict`, wrong);
    expect([strict.code, strict.body.reason]).to.deep.equal([400, "BadRequest"]);
    expect(strict.body.message).to.match(/strict decoding error: unknown field "spec\.restartPolicy"/);
    expect((await call("POST", JOBS, wrong)).warning).to.match(/299 - "unknown field \\"spec\.restartPolicy\\""/);
    const typed = await call("POST", JOBS, job("k", "true", { completions: "2" } as object));
    expect([typed.code, typed.body.message]).to.satisfy(
      ([code, message]: [number, string]) => code === 400 && /cannot unmarshal string/.test(message),
    );
  });

  it("answers with the statuses of the real one", async () => {
    await open({
      rules: { rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create", "get", "update"] }], clusterRules: [] },
    });
    const path = "/api/v1/namespaces/wadi/configmaps";
    const made = await call("POST", path, configMap("a"));
    expect(made.code).to.equal(201);
    const facts = async (answer: Promise<Answer>) => [(await answer).code, (await answer).body.reason];
    expect(await facts(call("POST", path, configMap("a")))).to.deep.equal([409, "AlreadyExists"]);
    expect(await facts(call("GET", `${path}/b`))).to.deep.equal([404, "NotFound"]);
    const old = { metadata: { name: "a", resourceVersion: "1" }, data: {} };
    expect(await facts(call("PUT", `${path}/a`, old))).to.deep.equal([409, "Conflict"]);
    expect(await facts(call("GET", path))).to.deep.equal([403, "Forbidden"]);
    expect(await facts(call("DELETE", `${path}/a`))).to.deep.equal([403, "Forbidden"]);
    expect((await call("GET", PODS)).body.message).to.equal(
      'pods is forbidden: User "system:serviceaccount:wadi:wadi" cannot list resource "pods" in API group "" in the namespace "wadi"',
    );
    const answer = await fetch(`${kubernetes.address}/version`, { headers: { authorization: "Bearer other" } });
    expect(answer.status).to.equal(401);
  });

  it("refuses Jobs that the real one refuses, and says which field", async () => {
    await open();
    const cases: [object, RegExp][] = [
      [job("x".repeat(62), "true"), /metadata\.name: Invalid value/],
      [
        job("j", "true", { completionMode: "NonIndexed", backoffLimitPerIndex: 0 }),
        /spec\.backoffLimitPerIndex: Invalid value: requires indexed/,
      ],
      [job("j", "true", {}, { restartPolicy: "Always" }), /spec\.template\.spec\.restartPolicy: Required value/],
      [
        job("j", "true", { podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [1] } }] } }),
        /requires the backoffLimitPerIndex to be set/,
      ],
      [
        job("j", "true", {}, { containers: [{ name: "worker", image: "sh", volumeMounts: [{ name: "v", mountPath: "/v" }] }] }),
        /volumeMounts\[0\]\.name: Not found: "v"/,
      ],
      [job("j", "true", {}, { containers: [{ name: "worker", image: "" }] }), /image: Required value/],
    ];
    for (const [body, message] of cases) {
      const answer = await call("POST", JOBS, body);
      expect(answer.code, String(message)).to.equal(422);
      expect(answer.body.message).to.match(message);
    }
    expect((await call("POST", `${JOBS}?dryRun=All`, job("dry", "true"))).code).to.equal(201);
    expect(kubernetes.store.list("jobs")).to.deep.equal([]);
  });

  it("watches from a version, with bookmarks, and ends a watch from a version that is compacted away with 410", async () => {
    await open();
    const path = "/api/v1/namespaces/wadi/configmaps";
    kubernetes.watches.bookmarkMs = 50;
    const { resourceVersion = "" } = (await call("GET", path)).body.metadata ?? {};
    await call("POST", path, configMap("a"));
    const first = watch(`${path}?watch=1&allowWatchBookmarks=true&resourceVersion=${resourceVersion}`);
    await eventually("what was changed before is told", () =>
      first.lines.find(({ type, object }) => type === "ADDED" && object.metadata.name === "a"),
    );
    await call("PATCH", `${path}/a`, { data: { x: "1" } }, "application/merge-patch+json");
    await call("DELETE", `${path}/a`);
    await eventually("changes are told in order", () =>
      first.lines.filter(({ type }) => type !== "BOOKMARK").length === 3 ? true : undefined,
    );
    expect(first.lines.filter(({ type }) => type !== "BOOKMARK").map(({ type }) => type)).to.deep.equal(["ADDED", "MODIFIED", "DELETED"]);
    await eventually("a bookmark is told", () => first.lines.find(({ type }) => type === "BOOKMARK"));
    first.end();
    kubernetes.store.compact();
    const second = watch(`${path}?watch=1&resourceVersion=${resourceVersion}`);
    const error = await eventually("it is ended", () => second.lines.find(({ type }) => type === "ERROR"));
    expect(error.object).to.include({ reason: "Expired", code: 410 });
  });

  it("tells a watcher with a selector that an object has left it", async () => {
    await open();
    const path = "/api/v1/namespaces/wadi/configmaps";
    const seen = watch(`${path}?watch=1&labelSelector=${encodeURIComponent("app=x")}`);
    await eventually("it watches", () => (kubernetes.watches.count === 1 ? true : undefined));
    await call("POST", path, { metadata: { name: "a", labels: { app: "x" } } });
    await call("PATCH", `${path}/a`, { metadata: { labels: { app: "y" } } }, "application/merge-patch+json");
    await eventually("both are told", () => (seen.lines.length === 2 ? true : undefined));
    expect(seen.lines.map(({ type }) => type)).to.deep.equal(["ADDED", "DELETED"]);
    seen.end();
  });

  it("kills the other pods of a Job at the first failure with backoffLimit 0, and leaves them with backoffLimitPerIndex 0", async () => {
    await open();
    const script = 'if [ "$JOB_COMPLETION_INDEX" = 0 ]; then exit 3; else exec sleep 60; fi';
    await call("POST", JOBS, job("all", script, { backoffLimit: 0 }, { terminationGracePeriodSeconds: 1 }));
    await eventually("the Job has failed", () =>
      jobNow("all")?.status.conditions?.find(({ type, reason }) => type === "Failed" && reason === "BackoffLimitExceeded"),
    );
    await eventually("its other pod has been killed", () => (running() === 0 ? true : undefined));
    await call("POST", JOBS, job("one", script, { backoffLimitPerIndex: 0 }));
    await eventually("the index has failed", () => (jobNow("one")?.status.failedIndexes === "0" ? true : undefined));
    expect(running()).to.equal(1);
    expect(jobNow("one")?.status.conditions ?? []).to.deep.equal([]);
  });

  it("makes a pod again that is deleted, unless its index has failed", async () => {
    await open();
    await call("POST", JOBS, job("again", "exec sleep 60", { backoffLimit: 5 }));
    await eventually("both run", () => (running() === 2 ? true : undefined));
    const [first] = kubernetes.pods();
    kubernetes.deletePod(first?.metadata.name ?? "", 1);
    await eventually("there is another", () => (running() === 2 && !kubernetes.pids().has(first?.metadata.name ?? "") ? true : undefined));
    await eventually("the first is counted as failed", () => (jobNow("again")?.status.failed === 1 ? true : undefined));
  });

  it("deletes a Job in the foreground after its pods, in the background before them", async () => {
    await open();
    await call("POST", JOBS, job("fore", "trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.05; done"));
    await eventually("both run", () => (running() === 2 ? true : undefined));
    await call("DELETE", `${JOBS}/fore`, { propagationPolicy: "Foreground" });
    expect(jobNow("fore")?.metadata.finalizers).to.include("foregroundDeletion");
    await eventually("pods are being deleted", () =>
      kubernetes.pods().every(({ metadata }) => metadata.deletionTimestamp !== undefined) ? true : undefined,
    );
    expect(jobNow("fore"), "the Job stays while they end").to.not.equal(undefined);
    await eventually("all is gone", () => (jobNow("fore") === undefined && kubernetes.pods().length === 0 ? true : undefined));
    await call("POST", JOBS, job("back", "exec sleep 60", {}, { terminationGracePeriodSeconds: 1 }));
    await eventually("both run again", () => (running() === 2 ? true : undefined));
    await call("DELETE", `${JOBS}/back`, { propagationPolicy: "Background" });
    expect(jobNow("back")).to.equal(undefined);
    await eventually("the pods follow", () => (kubernetes.pods().length === 0 ? true : undefined));
  });

  it("gives a process its environment, its fields and its secrets, and its output back", async () => {
    await open();
    await call("POST", "/api/v1/namespaces/wadi/secrets", {
      metadata: { name: "s" },
      data: { key: Buffer.from("value").toString("base64") },
    });
    const env = [
      { name: "A", value: "1" },
      { name: "B", value: "$(A)2$$(A)" },
      { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      { name: "FROM", valueFrom: { secretKeyRef: { name: "s", key: "key" } } },
    ];
    const volumes = [{ name: "v", secret: { secretName: "s", defaultMode: 0o400 } }];
    const container = {
      name: "worker",
      image: "sh",
      env,
      args: ['echo "$B $POD $NODE $FROM $(cat /mnt/s/key) $JOB_COMPLETION_INDEX"'],
      volumeMounts: [{ name: "v", mountPath: "/mnt/s" }],
    };
    await call("POST", JOBS, job("env", "", { completions: 1, parallelism: 1 }, { volumes, containers: [container] }));
    await eventually("it is complete", () => jobNow("env")?.status.conditions?.find(({ type }) => type === "Complete"));
    const [only] = kubernetes.pods();
    const log = await fetch(`${kubernetes.address}${PODS}/${only?.metadata.name}/log`, { headers: { authorization: "Bearer fake-token" } });
    expect(await log.text()).to.equal(`12$(A) ${only?.metadata.name} ${only?.spec.nodeName} value value 0\n`);
  });

  it("removes finished Jobs after their time, with pods and what they own", async () => {
    await open();
    await call("POST", JOBS, job("ttl", "exit 0", { ttlSecondsAfterFinished: 0 }));
    await eventually("it is gone", () => (jobNow("ttl") === undefined && kubernetes.pods().length === 0 ? true : undefined));
  });
});
