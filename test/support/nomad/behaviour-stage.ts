/**
 * One Nomad, fake or real, under the suites of what Wadi relies on in it: registers jobs under names of their own, waits, reads output, and takes
 * the jobs away after each test.
 */
import { randomUUID } from "node:crypto";
import { eventually } from "../eventually.ts";
import { BehaviourClient } from "./behaviour-client.ts";
import { FakeNomad } from "./fake-nomad.ts";

/** An allocation in a list, as far as tests look. */
export interface Stub {
  readonly ID: string;
  readonly Name: string;
  readonly ClientStatus: string;
  readonly DesiredStatus: string;
  readonly DesiredDescription: string;
  readonly NextAllocation: string;
  readonly TaskStates: Readonly<Record<string, { State: string; Failed: boolean; Restarts: number; Events: readonly Told[] }>> | null;
}

/** A task's event, as far as tests look. */
export interface Told {
  readonly Type: string;
  readonly DisplayMessage: string;
  readonly Details: Readonly<Record<string, string>>;
}

/** An evaluation, as far as tests look. */
export interface ReadEvaluation {
  readonly ID: string;
  readonly Status: string;
  readonly StatusDescription?: string;
  readonly TriggeredBy: string;
  readonly Type: string;
  readonly BlockedEval?: string;
  readonly FailedTGAllocs?: Readonly<Record<string, Metric>>;
}

/** Why something was not placed, as far as tests look. */
export interface Metric {
  readonly NodesEvaluated: number;
  readonly NodesExhausted: number;
  readonly NodesFiltered: number;
  readonly CoalescedFailures: number;
  readonly DimensionExhausted: Readonly<Record<string, number>> | null;
  readonly ConstraintFiltered: Readonly<Record<string, number>> | null;
}

/** Go's second, in its nanoseconds. */
export const SECOND = 1_000_000_000;
/** How long a task may take to run or to end, in milliseconds: real agents are slow on a busy machine. */
export const RUN_LIMIT_MS = 30_000;

/** What of a test's job is not as usual. */
export interface JobOptions {
  readonly count?: number;
  readonly memory?: number;
  readonly driver?: string;
  readonly task?: Readonly<Record<string, unknown>>;
  readonly group?: Readonly<Record<string, unknown>>;
  readonly job?: Readonly<Record<string, unknown>>;
}

/** A batch job of one group with one task that runs `script` in a shell. */
export function jobOf(id: string, script: string, options: JobOptions = {}): Record<string, unknown> {
  const task = {
    Name: "worker",
    Driver: options.driver ?? "raw_exec",
    Config: { command: "/bin/sh", args: ["-c", script] },
    KillSignal: "SIGTERM",
    KillTimeout: 2 * SECOND,
    LogConfig: { MaxFiles: 2, MaxFileSizeMB: 1 },
    Resources: { CPU: 20, MemoryMB: options.memory ?? 20 },
    ...options.task,
  };
  const group = {
    Name: "worker",
    Count: options.count ?? 1,
    RestartPolicy: { Attempts: 0, Mode: "fail" },
    ReschedulePolicy: { Attempts: 0, Unlimited: false },
    EphemeralDisk: { SizeMB: 20 },
    Tasks: [task],
    ...options.group,
  };
  return { ID: id, Name: `${id} by name`, Type: "batch", Datacenters: ["*"], TaskGroups: [group], ...options.job };
}

/** A server of either kind. */
export interface BehaviourServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** One server with what was made there. */
export class BehaviourStage {
  readonly nomad: BehaviourClient;
  /** Jobs to take away after the test. */
  readonly made: string[] = [];
  /** Begins the names of the current test. */
  prefix = "";
  readonly #server: BehaviourServer;

  constructor(server: BehaviourServer) {
    this.#server = server;
    this.nomad = new BehaviourClient(server.address);
  }

  /** Before each test. */
  begin(): void {
    this.prefix = `w-${randomUUID().slice(0, 8)}`;
  }

  /** After each test. */
  async end(): Promise<void> {
    for (const id of this.made.splice(0)) await this.nomad.call("DELETE", `/v1/job/${id}`);
  }

  /** After all tests. */
  async close(): Promise<void> {
    await this.#server.stop();
  }

  /** Registers a job. */
  async register(job: Record<string, unknown>): Promise<{ EvalID: string; JobModifyIndex: number; Index: number }> {
    this.made.push(String(job["ID"]));
    return await this.nomad.json("POST", "/v1/jobs", { Job: job });
  }

  /** Allocations of a job. */
  async allocations(id: string): Promise<Stub[]> {
    return await this.nomad.json("GET", `/v1/job/${id}/allocations`);
  }

  /** The first allocation of a job that passes `test`. */
  async until(id: string, test: (stub: Stub) => boolean, what: string): Promise<Stub> {
    return await eventually(`${id}: ${what}`, async () => (await this.allocations(id)).find(test), RUN_LIMIT_MS);
  }

  /** The first allocation of a job that runs. */
  async running(id: string): Promise<Stub> {
    return await this.until(id, ({ ClientStatus }) => ClientStatus === "running", "runs");
  }

  /** Output of an allocation's task once it is `ready`. */
  async output(id: string, ready: (text: string) => boolean, stream = "stdout"): Promise<string> {
    return await eventually(
      "output",
      async () => {
        const answer = await this.nomad.call("GET", `/v1/client/fs/logs/${id}?task=worker&type=${stream}&plain=true`);
        return answer.status === 200 && ready(answer.body) ? answer.body : undefined;
      },
      RUN_LIMIT_MS,
    );
  }
}

/**
 * Calls `suite` for the fake in each version that it imitates, and for a real Nomad (a development agent with raw_exec and one client) where
 * `NOMAD_ADDR` names one. Reality is the reference: where both differ, the fake is wrong.
 */
export function onEachNomad(suite: (title: string, open: () => Promise<BehaviourServer>) => void): void {
  for (const version of ["1.8.4", "1.11.2", "2.0.5"]) suite(`the fake as ${version}`, async () => await FakeNomad.start({ version }));
  const real = process.env["NOMAD_ADDR"];
  if (real !== undefined && real !== "") suite(`a real Nomad at ${real}`, async () => ({ address: real, stop: async () => undefined }));
}
