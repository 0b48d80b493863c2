/** Client nodes in the names of the wire, as `records.ts` has everything else. */

/** A driver as a node tells it. */
export interface Driver {
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Detected: boolean;
  readonly Healthy: boolean;
  readonly HealthDescription: string;
  readonly UpdateTime: string;
}

/** A drain in progress. */
export interface DrainStrategy {
  readonly Deadline: number;
  readonly IgnoreSystemJobs: boolean;
  readonly StartedAt: string;
  /** RFC 3339; the zero time where there is no deadline. */
  readonly ForceDeadline: string;
}

/** A client node. */
export interface ClientNode {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Datacenter: string;
  readonly NodePool: string;
  readonly NodeClass: string;
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Meta: Readonly<Record<string, string>>;
  readonly Drivers: Readonly<Record<string, Driver>>;
  readonly Version: string;
  readonly Status: string;
  readonly StatusDescription: string;
  readonly StatusUpdatedAt: number;
  readonly SchedulingEligibility: string;
  readonly Drain: boolean;
  readonly DrainStrategy: DrainStrategy | null;
  readonly LastDrain: unknown;
  readonly CpuShares: number;
  readonly CpuCores: number;
  readonly MemoryMB: number;
  readonly DiskMB: number;
  readonly ReservedPorts: readonly number[];
  readonly Events: readonly NodeEvent[];
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** Something that happened to a node. */
export interface NodeEvent {
  readonly Message: string;
  readonly Subsystem: string;
  readonly Timestamp: string;
  readonly Details: Readonly<Record<string, string>> | null;
  readonly CreateIndex: number;
}
