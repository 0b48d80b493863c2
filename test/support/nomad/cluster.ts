/**
 * What the parts of the fake share: options, replicated state, faults in force, and the agents of the client nodes. It decides nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { SigningKey } from "./signing-key.ts";
import type { State } from "./state.ts";

/** A client node to begin with. Everything has a default. */
export interface NodeOptions {
  readonly name?: string;
  readonly id?: string;
  readonly datacenter?: string;
  readonly nodePool?: string;
  readonly nodeClass?: string;
  /** Real tasks listen there: an address of this machine. */
  readonly address?: string;
  readonly cpuCores?: number;
  /** MHz in all. */
  readonly cpuMhz?: number;
  readonly memoryMb?: number;
  readonly diskMb?: number;
  readonly meta?: Readonly<Record<string, string>>;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Healthy ones; the others are "not detected". */
  readonly drivers?: readonly string[];
  /** A longer `KillTimeout` is cut to it without a word. */
  readonly maxKillTimeoutMs?: number;
  readonly reservedPorts?: readonly number[];
  /** Of its agent, where it is not the servers'. */
  readonly version?: string;
}

/** How the cluster is made. Everything has a default. */
export interface ClusterOptions {
  /** What is imitated: "1.8.4", "1.11.2", "2.0.5" and others between. */
  readonly version?: string;
  /** Whether tokens are asked for; `FakeNomad.managementToken` may do all. */
  readonly acl?: boolean;
  readonly nodes?: readonly NodeOptions[];
  readonly namespaces?: readonly string[];
  readonly nodePools?: readonly string[];
  readonly region?: string;
  /** HTTP port; 0: the system's choice. */
  readonly port?: number;
  /** Where allocations have their folders; default: a temporary folder, removed by `stop`. */
  readonly folder?: string;
  /** How long a client may be silent before its node is down, in milliseconds. Real clusters: 20 to 30 s. */
  readonly heartbeatMs?: number;
  /** How often clients report what has changed, in milliseconds. Real ones: 200. */
  readonly clientUpdateMs?: number;
  /** Pause between the heartbeats of the event stream, in milliseconds. Real: 30 000. */
  readonly streamHeartbeatMs?: number;
  /** Tasks are no processes: they are running as soon as they are placed. For thousands of allocations. */
  readonly phantom?: boolean;
  /** Docker images that can be pulled, with what they run; an image that is not listed is missing. */
  readonly images?: Readonly<Record<string, { readonly command: string; readonly args?: readonly string[] }>>;
  readonly signing?: "RS256" | "EdDSA";
  readonly oidcIssuer?: string;
  /** Requests at the same time from one address, as `limits.http_max_conns_per_client`: beyond, 429. */
  readonly maxConnections?: number;
  /** How many times as fast as in a real client checks and `min_healthy_time` go; default 10. */
  readonly checkHurry?: number;
  /** The same for `healthy_deadline` and `progress_deadline`; default 1. */
  readonly deadlineHurry?: number;
  /** Refuse unknown JSON keys (default); false: drop them, as a real server does. */
  readonly strict?: boolean;
}

/** The client agent of a node, as the servers and the HTTP routes know it. */
export interface Agent {
  readonly nodeId: string;
  /** Folder of allocations of the node. */
  readonly folder: string;
  /** Whether it reaches the servers. */
  readonly connected: boolean;
  /** What longer kill timeouts are cut to. */
  readonly maxKillTimeoutMs: number;
  /** Looks at what the servers want of the node now. */
  sync(): void;
  /** Restarts or signals a task. Rejects with a text if it is not running. */
  restartTask(allocation: string, task: string): Promise<void>;
  signalTask(allocation: string, task: string, signal: string): Promise<void>;
  /** Process ids of an allocation's tasks. */
  pids(allocation: string): number[];
  /** Runs a command in the task's environment and folder, as `exec` and actions do; its output is given to `write`. */
  runInTask(
    allocation: string,
    task: string,
    command: readonly string[],
    write: (stream: "stdout" | "stderr", data: Buffer) => void,
  ): Promise<number>;
}

/** Faults in force; `FakeNomad` sets them. */
export interface Faults {
  /** No leader: writes and consistent reads fail with 500. */
  leaderless: boolean;
  /** Milliseconds by which each answer is late. */
  slowMs: number;
  /** Every so many'th request is answered 429; 0: none. */
  tooManyEvery: number;
  /** Event streams end at once, as those of a token without rights on servers from 1.11.3. */
  streamsRefused: boolean;
  /** Jobs cannot be registered, as the scheduler configuration can decide for all but management tokens. */
  registrationRefused: boolean;
  /** Artifacts cannot be fetched: the text of the failure. */
  artifactFailure: string | undefined;
  /** Tasks of this driver cannot be started: the text of the failure. */
  readonly driverFailures: Map<string, string>;
  /** Allocations stay pending for ever on these nodes; "*": on all. */
  readonly stuckNodes: Set<string>;
  /** The next exits of tasks in these allocations are reported as killed for lack of memory. */
  readonly outOfMemory: Set<string>;
  /** Identities are made with this life instead of the one asked for, in milliseconds; negative: they are expired. */
  identityLifeMs: number | undefined;
  /** Audience in identities instead of the one asked for. */
  identityAudience: string | undefined;
  /** Errors by path: the first whose pattern fits answers. */
  readonly answers: { readonly method: string; readonly path: RegExp; readonly status: number; readonly body: string; times: number }[];
}

/** Options, state, faults, agents. */
export interface Cluster {
  readonly options: Required<Omit<ClusterOptions, "oidcIssuer" | "nodes" | "folder">> & {
    readonly oidcIssuer: string | undefined;
    readonly folder: string;
  };
  readonly state: State;
  readonly faults: Faults;
  readonly agents: Map<string, Agent>;
  readonly signingKeys: SigningKey[];
  /** Asks the scheduler to look at its queue. */
  wake(): void;
  /** Where the HTTP API listens: "127.0.0.1:4646". */
  httpAddress(): string;
  /** Answers a request that came by another way than the HTTP port: a task's own socket. */
  answer(request: IncomingMessage, response: ServerResponse): void;
  /** Tells `text` to whoever reads the fake's own log. */
  note(text: string): void;
}

/** No faults. */
export function noFaults(): Faults {
  return {
    leaderless: false,
    slowMs: 0,
    tooManyEvery: 0,
    streamsRefused: false,
    registrationRefused: false,
    artifactFailure: undefined,
    driverFailures: new Map(),
    stuckNodes: new Set(),
    outOfMemory: new Set(),
    identityLifeMs: undefined,
    identityAudience: undefined,
    answers: [],
  };
}

/** Whether `version` is at least `major.minor.patch`. */
export function atLeast(version: string, wanted: string): boolean {
  const left = version.split(/[-+]/)[0]?.split(".").map(Number) ?? [];
  const right = wanted.split(".").map(Number);
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** RFC 3339 with nanoseconds, as Go writes it. */
export function goTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A duration in nanoseconds as Go prints it, such as "1m30s". */
export function goDuration(ns: number): string {
  if (ns === 0) return "0s";
  const seconds = ns / 1e9;
  if (seconds < 1) return `${ns / 1e6}ms`;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = Math.round((seconds % 60) * 1000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}
