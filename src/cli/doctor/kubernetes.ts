/** Checks of the Kubernetes scheduler: the API server, the rights of the Role one by one by requests that change nothing, the image's setting, nodes. */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { type ApiRequest, KubernetesClient } from "../../scheduler/kubernetes/client.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "./check.ts";

/** Loading the client alone takes seconds where the machine is busy. */
const LIMIT_MS = 8_000;
const SILENT = "Look whether the API server can be reached from here, or correct kubernetes.kubeconfig and .context.";
const ROLE = "The Role that Wadi needs is printed by `wadi kubernetes render`.";
/** Oldest minor version whose Jobs have what a run needs (podReplacementPolicy): https://kubernetes.io/docs/concepts/workloads/controllers/job/ */
const OLDEST_MINOR = 29;

/** A right and a request that needs just it and changes nothing. */
interface Trial {
  readonly id: string;
  readonly right: string;
  readonly request: (namespace: string) => ApiRequest;
}

const list =
  (path: string) =>
  (namespace: string): ApiRequest => ({
    method: "GET",
    path: path.replace("$", namespace),
    query: { limit: 1 },
  });

const TRIALS: readonly Trial[] = [
  { id: "list-jobs", right: "list jobs", request: list("/apis/batch/v1/namespaces/$/jobs") },
  {
    id: "create-jobs",
    right: "create jobs",
    request: (namespace) => ({
      method: "POST",
      path: `/apis/batch/v1/namespaces/${namespace}/jobs`,
      query: { dryRun: "All" },
      body: probeJob(namespace),
    }),
  },
  { id: "list-pods", right: "list pods", request: list("/api/v1/namespaces/$/pods") },
  { id: "list-events", right: "list events", request: list("/api/v1/namespaces/$/events") },
  { id: "list-configmaps", right: "list configmaps", request: list("/api/v1/namespaces/$/configmaps") },
  {
    id: "create-secrets",
    right: "create secrets",
    request: (namespace) => ({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/secrets`,
      query: { dryRun: "All" },
      body: { apiVersion: "v1", kind: "Secret", metadata: { name: `wadi-doctor-${randomUUID().slice(0, 8)}`, namespace } },
    }),
  },
];

function probeJob(namespace: string): object {
  const container = { name: "probe", image: "busybox", command: ["true"] };
  const template = { spec: { restartPolicy: "Never", containers: [container] } };
  const metadata = { name: `wadi-doctor-${randomUUID().slice(0, 8)}`, namespace };
  return { apiVersion: "batch/v1", kind: "Job", metadata, spec: { template } };
}

/** The checks; the client connects with the first of them. */
export function kubernetesChecks(config: Config): readonly Check[] {
  const client = new KubernetesClient({
    kubeconfig: config["kubernetes.kubeconfig"],
    context: config["kubernetes.context"],
    namespace: config["kubernetes.namespace"],
    clock: systemClock,
  });
  const common = { limitMs: LIMIT_MS, ifSilent: SILENT };
  return [
    { ...common, id: "kubernetes", title: "Kubernetes", run: () => checkServer(client) },
    ...TRIALS.map(({ id, right, request }) => ({
      ...common,
      id: `kubernetes-${id}`,
      title: `may ${right}`,
      needs: ["kubernetes"],
      run: () => checkRight(client, right, request),
    })),
    { ...common, id: "kubernetes-nodes", title: "nodes", needs: ["kubernetes"], run: () => checkNodes(client, config) },
    { ...common, id: "kubernetes-image", title: "image", run: async () => checkImage(config) },
  ];
}

async function checkServer(client: KubernetesClient): Promise<Finding> {
  try {
    const version = (await client.get("/version", "the version")) as { readonly gitVersion?: string; readonly minor?: string };
    const minor = Number.parseInt(version.minor ?? /^v1\.(\d+)/.exec(version.gitVersion ?? "")?.[1] ?? "", 10);
    const words = `${version.gitVersion ?? "of an unknown version"} at ${await client.server()}, namespace "${await client.namespace()}"`;
    if (minor < OLDEST_MINOR)
      return fail(`Kubernetes ${words} is older than 1.${OLDEST_MINOR}`, `Upgrade the cluster to 1.${OLDEST_MINOR} or later.`);
    return ok(words);
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code === "permission-denied")
      return fail(error.message, "Correct the credentials in the kubeconfig, or the pod's service account.");
    return fail(error.message, error.hint ?? SILENT);
  }
}

async function checkRight(client: KubernetesClient, right: string, request: Trial["request"]): Promise<Finding> {
  const namespace = await client.namespace();
  const answer = await client.send(request(namespace));
  if (answer.ok) return ok("yes");
  const { code, message } = answer.status;
  if (code === 401 || code === 403) return fail(`Wadi may not ${right} in namespace "${namespace}": ${message}`, ROLE);
  if (code === 404) return fail(`namespace "${namespace}" does not exist: ${message}`, "Create it, or correct kubernetes.namespace.");
  return warn(`Kubernetes refuses to ${right}: ${message}`, "Look at admission policies and quotas of the namespace.");
}

async function checkNodes(client: KubernetesClient, config: Config): Promise<Finding> {
  if (!config["kubernetes.watch-nodes"]) return skip("kubernetes.watch-nodes is off: drains are not noticed beforehand");
  const answer = await client.send({ method: "GET", path: "/api/v1/nodes", query: { limit: 500 } });
  if (!answer.ok) {
    const fix = "Apply the ClusterRole that `wadi kubernetes render` prints, or set kubernetes.watch-nodes = false.";
    return warn(`nodes cannot be listed, so that drains are not noticed: ${answer.status.message}`, fix);
  }
  const { items = [] } = answer.body as { readonly items?: readonly { readonly spec?: { readonly unschedulable?: boolean } }[] };
  const open = items.filter(({ spec }) => spec?.unschedulable !== true).length;
  if (open === 0) return fail(`none of ${items.length} nodes takes pods`, "Add nodes, or uncordon some (kubectl uncordon).");
  return ok(`${open} of ${items.length} take pods`);
}

function checkImage(config: Config): Finding {
  const image = config["kubernetes.worker.image"];
  if (image === undefined)
    return fail("kubernetes.worker.image is not set", 'Set it to Wadi\'s image by digest ("registry/wadi@sha256:…").');
  if (!image.includes("@sha256:"))
    return warn(`image "${image}" is named by a tag that may move`, "Name it by digest (…@sha256:…): all workers must be the same build.");
  return ok(`"${image}"`);
}
