/**
 * What a scheduler shows of itself to people, in words that fit all of them: nodes with what is left on them, what it holds for each run, what
 * it says happened. Nothing is decided from it.
 */
import type { RunKey, WorkerView } from "./scheduler.ts";

/** How well the outside system is seen. `polling`: changes are found by asking, without its events; `down`: it does not answer. */
export type SchedulerLink = "live" | "polling" | "down";

/** How much of something there is. */
export interface Capacity {
  readonly total: number;
  /** Promised to tasks of anybody, ours or not. */
  readonly used: number;
}

/** A machine. */
export interface NodeView {
  /** By the outside system's id. */
  readonly id: string;
  readonly name: string;
  /** Host name or address; empty: unknown. */
  readonly address: string;
  /** Node pool, node group; empty: there is no such thing. */
  readonly pool: string;
  /** Availability zone or data centre; empty: unknown. */
  readonly zone: string;
  /** `ineligible`: gets nothing new, what runs goes on. `lost`: not heard of. */
  readonly state: "ready" | "draining" | "ineligible" | "lost";
  /** Wall time at which what is still there is killed; undefined: not draining, or no limit. */
  readonly drainDeadlineMs: number | undefined;
  /** Thousandths of a processor (of MHz with Nomad, where cores cannot be told); undefined: not known. */
  readonly cpu: Capacity | undefined;
  /** Bytes; undefined: not known. */
  readonly memory: Capacity | undefined;
  /** Slots; undefined: counted by resources. */
  readonly slots: Capacity | undefined;
  /** Version of its agent; empty: unknown. */
  readonly release: string;
  /** What else is worth knowing, such as drivers: name and value. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Page of the outside system's own UI. */
  readonly link: string | undefined;
}

/** What a scheduler holds for one run. */
export interface RunView extends RunKey {
  /** The outside system's name for it, such as the Nomad job's id. */
  readonly name: string;
  /** Workers asked for. */
  readonly workers: number;
  /** Of these, not placed. */
  readonly missing: number;
  /** Why, in plain words with numbers; empty: all placed. */
  readonly reason: string;
  /** Wall time since when it has waited; undefined: all placed. */
  readonly waitingSinceMs: number | undefined;
  /** In the outside system's words: "running", "dead". */
  readonly status: string;
  readonly submittedAtMs: number | undefined;
  /** Page of the outside system's own UI. */
  readonly link: string | undefined;
}

/** One of Wadi's own services that the outside system runs: API, controller, Prometheus, … */
export interface ServiceView {
  readonly name: string;
  /** In the outside system's words. */
  readonly status: string;
  readonly wanted: number;
  readonly healthy: number;
  /** Image, artifact or job version; empty: unknown. */
  readonly version: string;
  /** How its deployment goes; empty: there is none. */
  readonly deployment: string;
  /** Addresses, "host:port". */
  readonly addresses: readonly string[];
  /** Health checks that fail, in words. */
  readonly failing: readonly string[];
  readonly link: string | undefined;
}

/** See the file's comment. */
export interface SchedulerView {
  /** As `Scheduler.name`. */
  readonly scheduler: string;
  readonly link: SchedulerLink;
  /** Why it is not live; empty: it is. */
  readonly trouble: string;
  /** Version of the outside system; empty: unknown. */
  readonly version: string;
  /** What else tells where it is: address, leader, region, namespace; name and value. */
  readonly place: Readonly<Record<string, string>>;
  /** Wall time of the last complete look. */
  readonly syncedAtMs: number | undefined;
  readonly nodes: readonly NodeView[];
  readonly runs: readonly RunView[];
  readonly workers: readonly WorkerView[];
  readonly services: readonly ServiceView[];
}

/** What a start would come to; nothing is started. */
export interface SchedulerPlan {
  /** What would be submitted, without secrets: Nomad's job as JSON, a manifest as YAML, command lines. */
  readonly text: string;
  readonly format: "json" | "yaml" | "text";
  /** Workers it asks for. */
  readonly workers: number;
  /** Of these, how many would not be placed now; undefined: the outside system cannot tell. */
  readonly missing: number | undefined;
  /** Why, in plain words with numbers; empty: all would be placed. */
  readonly reason: string;
  /** What the outside system remarks. */
  readonly warnings: readonly string[];
}

/** A piece of a worker's output. */
export interface LogPiece {
  readonly stream: "stdout" | "stderr";
  /** Bytes before this piece since the worker's start, as far as they are kept. */
  readonly offset: number;
  /** UTF-8; a piece may end within a character: whoever shows it decodes as a stream. */
  readonly data: Uint8Array;
}

/** Which part of a worker's output. */
export interface LogQuery {
  readonly stream: "stdout" | "stderr";
  /** Bytes from the end to begin with; 0: from the beginning. */
  readonly tailBytes: number;
  /** Whether to go on with what comes until the worker ends or the signal is aborted. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}
