/** Why workers are where they are, in plain words with numbers, from what Kubernetes says of their pods. Pure. */
import type { WorkerExit } from "../scheduler.ts";
import type { PodSeen } from "./objects.ts";

/** The worker's container. */
const CONTAINER = "worker";

/** Names of the signals that end workers; exit codes above 128 are signals. https://man7.org/linux/man-pages/man7/signal.7.html */
const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

/** Reasons for which a container waits that do not go away by themselves soon. */
const STUCK: Readonly<Record<string, string>> = {
  ErrImagePull: "the image cannot be pulled",
  ImagePullBackOff: "the image cannot be pulled",
  InvalidImageName: "the image's name is not valid",
  ErrImageNeverPull: "the image is not on the node, and is never to be pulled",
  ImageInspectError: "the image cannot be read",
  RegistryUnavailable: "the registry of the image does not answer",
  CreateContainerConfigError: "the container's configuration is wrong",
  CreateContainerError: "the container cannot be created",
  RunContainerError: "the container cannot be run",
};

/** State of the worker's container. */
function stateOf(pod: PodSeen) {
  return pod.status.containerStatuses.find(({ name }) => name === CONTAINER)?.state ?? {};
}

/** Whether the worker's process runs. */
export function isRunning(pod: PodSeen): boolean {
  return stateOf(pod).running !== undefined;
}

/** Whether no process of the pod runs any more, or ever will. */
export function hasEnded(pod: PodSeen): boolean {
  return pod.status.phase === "Succeeded" || pod.status.phase === "Failed" || stateOf(pod).terminated !== undefined;
}

/** Why the pod has no machine; undefined: it has one, or nobody has tried yet. */
export function unplacedReason(pod: PodSeen): string | undefined {
  if (pod.spec.nodeName !== undefined || hasEnded(pod)) return undefined;
  const scheduled = pod.status.conditions.find(({ type }) => type === "PodScheduled");
  if (scheduled === undefined || scheduled.status !== "False") return undefined;
  if (scheduled.reason === "SchedulingGated") return "a scheduling gate holds it";
  return scheduled.message === "" ? scheduled.reason : tidyMessage(scheduled.message);
}

/** Why its container does not start although the pod has a machine; undefined: it starts or has started. */
export function stuckReason(pod: PodSeen): string | undefined {
  const { waiting } = stateOf(pod);
  if (waiting === undefined || hasEnded(pod)) return undefined;
  const words = STUCK[waiting.reason];
  if (words === undefined) return undefined;
  return waiting.message === "" ? words : `${words}: ${tidyMessage(waiting.message)}`;
}

/** kube-scheduler's message without what repeats it: "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory". */
function tidyMessage(message: string): string {
  const [first = ""] = message.replace(/\s+/g, " ").split(/ preemption:/);
  return first.trim().replace(/\.$/, "");
}

/** "2 of 4 workers not placed: …"; the most frequent reason first, no more than three. */
export function countReasons(reasons: readonly string[], workers: number, what: string): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const [only, ...others] = sorted;
  const beginning = `${reasons.length} of ${workers} workers ${what}`;
  if (only === undefined) return "";
  if (others.length === 0) return `${beginning}: ${only[0]}`;
  const shown = sorted.slice(0, 3).map(([reason, count]) => `${count}: ${reason}`);
  return `${beginning}: ${shown.join("; ")}${sorted.length > 3 ? "; and more" : ""}`;
}

/** How the worker ended, of a pod that has ended or is gone. */
export function exitOf(pod: PodSeen): WorkerExit {
  const { terminated } = stateOf(pod);
  const { reason: podReason, message: podMessage } = pod.status;
  const disrupted = pod.status.conditions.find(({ type, status }) => type === "DisruptionTarget" && status === "True");
  const why = podReason !== "" ? words(podReason, podMessage) : disrupted === undefined ? "" : words(disrupted.reason, disrupted.message);
  if (terminated === undefined) {
    const reason = why === "" ? "its pod was deleted before it ran" : why;
    return { code: undefined, signal: undefined, outOfMemory: false, reason };
  }
  const { exitCode, signal: number, reason } = terminated;
  const signal = SIGNALS[number ?? 0] ?? (exitCode > 128 ? SIGNALS[exitCode - 128] : undefined);
  const outOfMemory = reason === "OOMKilled";
  const end = outOfMemory
    ? "out of memory: killed by the system at the memory limit of its container"
    : signal !== undefined
      ? `ended by ${signal}`
      : `exit code ${exitCode}${exitCode === 0 || reason === "" || reason === "Error" ? "" : ` (${reason})`}`;
  return { code: signal === undefined ? exitCode : undefined, signal, outOfMemory, reason: why === "" ? end : `${why}; ${end}` };
}

function words(reason: string, message: string): string {
  const known: Readonly<Record<string, string>> = {
    Evicted: "evicted by its node",
    EvictionByEvictionAPI: "evicted, as by kubectl drain",
    DeletionByTaintManager: "its node has a taint that it does not bear",
    PreemptionByScheduler: "preempted by a pod of higher priority",
    DeletionByPodGC: "its node is gone",
    TerminationByKubelet: "ended by its node",
    NodeLost: "its node is lost",
    Shutdown: "its node shuts down",
    NodeShutdown: "its node shuts down",
    DeadlineExceeded: "it ran longer than it may",
  };
  const text = known[reason] ?? reason;
  return message === "" ? text : `${text}: ${tidyMessage(message)}`;
}
