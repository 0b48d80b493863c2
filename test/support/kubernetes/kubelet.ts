/** A node's kubelet: starts and ends the processes of its pods and tells what becomes of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type FakeImage, mountVolumes, planProcess, writeFiles } from "./containers.ts";
import { recordEvent } from "./events.ts";
import { type ContainerState, isTerminal, now, type PodObject, type SecretObject, setCondition } from "./objects.ts";
import type { ObjectStore } from "./store.ts";

export interface KubeletParts {
  readonly store: ObjectStore;
  readonly node: string;
  readonly hostIP: string;
  /** Holds a folder per pod. */
  readonly folder: string;
  readonly images: ReadonlyMap<string, FakeImage>;
  /** Of processes besides what their containers say: PATH and the like. */
  readonly env: NodeJS.ProcessEnv;
  readonly nextIP: () => string;
  readonly later: (ms: number, work: () => void) => void;
  /** Something has changed without the store being changed. */
  readonly poke: () => void;
}

/** A pod on this node. */
interface Running {
  readonly uid: string;
  child: ChildProcess | undefined;
  startedAt: string;
  volumes: ReadonlyMap<string, string>;
  /** The reason that its end shall have. */
  killedAs: string | undefined;
  terminating: boolean;
  ended: boolean;
  readonly logFile: string;
  pulls: number;
}

/** How often an image that cannot be pulled is tried before the kubelet says that it waits. */
const PULLS = 1;
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
const MESSAGE_BYTES = 2_048;

export class Kubelet {
  readonly #parts: KubeletParts;
  readonly #running = new Map<string, Running>();
  /** Whether the control plane hears of it. */
  connected = true;
  readonly #logListeners = new Set<() => void>();

  constructor(parts: KubeletParts) {
    this.#parts = parts;
    mkdirSync(parts.folder, { recursive: true });
  }

  get node(): string {
    return this.#parts.node;
  }

  /** Process ids of running containers by pod name. */
  pids(): Map<string, number> {
    const pods = this.#parts.store.list<PodObject>("pods");
    return new Map(
      pods.flatMap(({ metadata }) => {
        const own = this.#running.get(metadata.uid);
        return own?.child?.pid === undefined || own.ended ? [] : [[metadata.name, own.child.pid] as const];
      }),
    );
  }

  logFile(pod: PodObject): string | undefined {
    const own = this.#running.get(pod.metadata.uid);
    return own?.startedAt === "" ? undefined : own?.logFile;
  }

  /** Whether the container's process runs. */
  runs(pod: PodObject): boolean {
    const own = this.#running.get(pod.metadata.uid);
    return own?.child !== undefined && !own.ended;
  }

  onLog(listener: () => void): () => void {
    this.#logListeners.add(listener);
    return () => this.#logListeners.delete(listener);
  }

  sync(): void {
    if (!this.connected) return;
    const { store, node } = this.#parts;
    const pods = store.list<PodObject>("pods").filter((pod) => pod.spec.nodeName === node);
    for (const pod of pods) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#terminate(pod);
      else if (!isTerminal(pod)) this.#start(pod);
    }
    const known = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const [uid, own] of this.#running) {
      if (known.has(uid)) continue;
      // Deleted by force: its processes are ended now.
      own.child?.kill("SIGKILL");
      if (own.child === undefined || own.ended) this.#forget(uid);
    }
  }

  /** Ends a container as the kernel would that finds its group out of memory. */
  oomKill(pod: PodObject): void {
    this.#kill(pod, "OOMKilled");
  }

  /** Ends a pod to free the node's memory or disk. */
  evict(pod: PodObject, message: string): void {
    const { store } = this.#parts;
    this.#kill(pod, "Error");
    store.change("pods", pod, ({ status }) => {
      status.phase = "Failed";
      status.reason = "Evicted";
      status.message = message;
      status.conditions = setCondition(status.conditions ?? [], {
        type: "DisruptionTarget",
        status: "True",
        reason: "TerminationByKubelet",
        message,
      });
    });
    recordEvent(store, pod, "Warning", "Evicted", message, "kubelet");
  }

  /** A secret has changed: after a while the files are others. */
  refresh(secret: SecretObject): void {
    for (const pod of this.#parts.store.list<PodObject>("pods", secret.metadata.namespace)) {
      const own = this.#running.get(pod.metadata.uid);
      for (const { name, secret: source } of pod.spec.volumes ?? []) {
        const path = own?.volumes.get(name);
        if (source?.secretName === secret.metadata.name && path !== undefined)
          writeFiles(path, secret.data ?? {}, true, source.defaultMode ?? 0o644);
      }
    }
  }

  /** Kills everything and removes its folders. */
  stop(): void {
    for (const { child } of this.#running.values()) child?.kill("SIGKILL");
    rmSync(this.#parts.folder, { recursive: true, force: true });
  }

  #kill(pod: PodObject, reason: string): void {
    const own = this.#running.get(pod.metadata.uid);
    if (own === undefined) return;
    own.killedAs = reason;
    own.child?.kill("SIGKILL");
  }

  #start(pod: PodObject): void {
    const { store, folder, images, node, later } = this.#parts;
    const { uid } = pod.metadata;
    const own = this.#running.get(uid) ?? {
      uid,
      child: undefined,
      startedAt: "",
      volumes: new Map(),
      killedAs: undefined,
      terminating: false,
      ended: false,
      logFile: join(folder, `${uid}.log`),
      pulls: 0,
    };
    if (own.child !== undefined || own.ended) return;
    const first = !this.#running.has(uid);
    this.#running.set(uid, own);
    const [container] = pod.spec.containers;
    if (container === undefined) return;
    if (first) {
      this.#report(pod, { waiting: { reason: "ContainerCreating" } }, "Pending");
      // The next change of the store brings the rest: a pod is not running the moment it is bound.
      later(5, () => this.sync());
      return;
    }
    const volumes = mountVolumes(store, pod, join(folder, uid));
    if (volumes === undefined) {
      const name = pod.spec.volumes?.find(({ secret }) => secret !== undefined)?.name ?? "";
      recordEvent(
        store,
        pod,
        "Warning",
        "FailedMount",
        `MountVolume.SetUp failed for volume "${name}" : secret not found`,
        `kubelet, ${node}`,
      );
      return;
    }
    own.volumes = volumes;
    const image = images.get(container.image ?? "");
    if (image === undefined) return this.#pullFailed(pod, own, container.image ?? "");
    const podIP = pod.status.podIP ?? this.#parts.nextIP();
    const placed = store.change("pods", pod, ({ status }) => {
      status.podIP = podIP;
      status.hostIP = this.#parts.hostIP;
      status.startTime ??= now();
    });
    const plan = planProcess(store, placed, container, image, volumes, this.#parts.hostIP);
    if ("reason" in plan) {
      this.#report(pod, { waiting: plan }, "Pending");
      recordEvent(store, pod, "Warning", "Failed", `Error: ${plan.message}`, "kubelet");
      later(200, () => this.sync());
      return;
    }
    recordEvent(store, pod, "Normal", "Pulled", `Container image "${container.image}" already present on machine`, "kubelet");
    this.#spawn(placed, own, plan.words, { env: { ...this.#parts.env, ...plan.env }, cwd: image.workdir });
  }

  #pullFailed(pod: PodObject, own: Running, image: string): void {
    const { store, later } = this.#parts;
    own.pulls += 1;
    const why = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": not found`;
    const [reason, message] =
      own.pulls > PULLS ? ["ImagePullBackOff", `Back-off pulling image "${image}": ErrImagePull: ${why}`] : ["ErrImagePull", why];
    this.#report(pod, { waiting: { reason, message } }, "Pending");
    recordEvent(
      store,
      pod,
      "Warning",
      own.pulls > PULLS ? "BackOff" : "Failed",
      own.pulls > PULLS ? `Back-off pulling image "${image}"` : `Failed to pull image "${image}": ${why}`,
      "kubelet",
    );
    later(100, () => this.sync());
  }

  #spawn(
    pod: PodObject,
    own: Running,
    [program = "", ...words]: readonly string[],
    place: { env: NodeJS.ProcessEnv; cwd: string | undefined },
  ): void {
    const { store } = this.#parts;
    own.startedAt = now();
    const child = spawn(program, words, { ...place, stdio: ["ignore", "pipe", "pipe"] });
    own.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        try {
          appendFileSync(own.logFile, data);
        } catch {
          // The cluster has been stopped meanwhile.
        }
        for (const listener of [...this.#logListeners]) listener();
      });
    }
    child.once("error", (error) => this.#ended(pod, own, { exitCode: 128, reason: "StartError", message: error.message }));
    // After its output has been read to the end.
    child.once("close", (code, signal) => {
      const number = SIGNAL_NUMBERS[signal ?? ""];
      const exitCode = code ?? 128 + (number ?? 9);
      this.#ended(pod, own, { exitCode, reason: own.killedAs ?? (exitCode === 0 ? "Completed" : "Error"), message: "" });
    });
    this.#report(pod, { running: { startedAt: own.startedAt } }, "Running");
    recordEvent(store, pod, "Normal", "Started", `Started container ${pod.spec.containers[0]?.name}`, "kubelet");
  }

  #ended(pod: PodObject, own: Running, end: { exitCode: number; reason: string; message: string }): void {
    if (own.ended) return;
    own.ended = true;
    const message = end.message === "" && end.exitCode !== 0 ? this.#lastWords(own) : end.message;
    const state: ContainerState = { terminated: { ...end, message, startedAt: own.startedAt, finishedAt: now() } };
    const tell = (): void => {
      this.#report(pod, state, end.exitCode === 0 ? "Succeeded" : "Failed");
      for (const listener of [...this.#logListeners]) listener();
      this.#parts.poke();
    };
    if (this.connected) return tell();
    // It is told when the control plane hears of this node again.
    this.#untold.push(tell);
  }

  readonly #untold: (() => void)[] = [];

  /** The node is heard of again. */
  reconnect(): void {
    this.connected = true;
    for (const tell of this.#untold.splice(0)) tell();
    this.sync();
  }

  #lastWords({ logFile }: Running): string {
    try {
      return readFileSync(logFile, "utf8").slice(-MESSAGE_BYTES);
    } catch {
      return "";
    }
  }

  #terminate(pod: PodObject): void {
    const own = this.#running.get(pod.metadata.uid);
    if (own?.child === undefined || own.ended) {
      // Nothing runs: the kubelet lets go of the pod.
      this.#parts.store.change("pods", pod, ({ metadata, status }) => {
        metadata.deletionGracePeriodSeconds = 0;
        if (status.phase === "Pending" || status.phase === "Running") status.phase = "Failed";
      });
      return;
    }
    const graceMs = Math.max(0, (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000);
    if (!own.terminating) {
      own.terminating = true;
      own.child.kill("SIGTERM");
      recordEvent(this.#parts.store, pod, "Normal", "Killing", `Stopping container ${pod.spec.containers[0]?.name}`, "kubelet");
    }
    const { child } = own;
    this.#parts.later(graceMs, () => {
      if (!own.ended) child.kill("SIGKILL");
    });
  }

  #report(pod: PodObject, state: ContainerState, phase: PodObject["status"]["phase"]): void {
    const [container] = pod.spec.containers;
    const ready = state.running !== undefined;
    this.#parts.store.change("pods", pod, ({ status }) => {
      // A pod that was evicted stays failed, whatever its process said last.
      if (status.reason !== "Evicted") status.phase = phase;
      status.containerStatuses = [
        { name: container?.name ?? "", image: container?.image ?? "", imageID: "", ready, restartCount: 0, state },
      ];
      status.conditions = setCondition(status.conditions ?? [], { type: "Ready", status: ready ? "True" : "False" });
    });
  }

  #forget(uid: string): void {
    rmSync(join(this.#parts.folder, uid), { recursive: true, force: true });
    rmSync(join(this.#parts.folder, `${uid}.log`), { force: true });
    this.#running.delete(uid);
  }
}
