/**
 * The parts of Nomad's job specification that Wadi writes, by the names of Nomad's JSON API (its `api` package, 1.8 to 2.0). Nomad drops
 * fields it does not know without a word, so nothing but these types may make a job. Durations are in nanoseconds.
 */

/** A rule about nodes. */
export interface NomadConstraint {
  readonly LTarget?: string;
  readonly Operand: string;
  readonly RTarget?: string;
}

/** A preference for nodes; `Weight` from -100 to 100, not 0. */
export interface NomadAffinity extends NomadConstraint {
  readonly Weight: number;
}

/** A file that Nomad's client writes for a task. */
export interface NomadTemplate {
  readonly DestPath: string;
  readonly EmbeddedTmpl: string;
  readonly ChangeMode: "noop" | "restart" | "signal";
  readonly Perms?: string;
  readonly Envvars?: boolean;
}

/** A signed identity of the task. */
export interface NomadIdentity {
  readonly Name: string;
  readonly Audience: readonly string[];
  readonly File: boolean;
  readonly TTL: number;
  readonly ChangeMode: "noop";
}

/** Something an operator can run in the task from Nomad's UI. */
export interface NomadAction {
  readonly Name: string;
  readonly Command: string;
  readonly Args: readonly string[];
}

/** What Nomad's client fetches for a task. */
export interface NomadArtifact {
  readonly GetterSource: string;
  readonly GetterOptions?: Readonly<Record<string, string>>;
  readonly GetterMode: "any" | "file" | "dir";
  readonly RelativeDest: string;
}

/** What a task is promised. `Cores` excludes `CPU` (MHz). */
export interface NomadResources {
  readonly CPU?: number;
  readonly Cores?: number;
  readonly MemoryMB: number;
  readonly MemoryMaxMB?: number;
}

/** A volume that tasks of a group may mount. */
export interface NomadVolume {
  readonly Name: string;
  readonly Type: "host";
  readonly Source: string;
  readonly ReadOnly: boolean;
}

/** Where a task sees a volume of its group. */
export interface NomadVolumeMount {
  readonly Volume: string;
  readonly Destination: string;
  readonly ReadOnly: boolean;
}

/** A process of an allocation. */
export interface NomadTask {
  readonly Name: string;
  readonly Driver: string;
  readonly User?: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly Env: Readonly<Record<string, string>>;
  readonly Identities: readonly NomadIdentity[];
  readonly Templates: readonly NomadTemplate[];
  readonly Artifacts: readonly NomadArtifact[];
  readonly Actions: readonly NomadAction[];
  readonly Constraints?: readonly NomadConstraint[];
  readonly VolumeMounts?: readonly NomadVolumeMount[];
  readonly KillSignal: string;
  readonly KillTimeout: number;
  readonly LogConfig: { readonly MaxFiles: number; readonly MaxFileSizeMB: number };
  readonly Resources: NomadResources;
}

/** A service that Nomad itself registers. */
export interface NomadService {
  readonly Name: string;
  readonly Provider: "nomad";
  readonly PortLabel: string;
  readonly Tags: readonly string[];
  readonly Checks: readonly Readonly<Record<string, unknown>>[];
}

/** Ports that Nomad chooses. */
export interface NomadNetwork {
  readonly Mode: string;
  readonly DynamicPorts: readonly { readonly Label: string; readonly To?: number }[];
}

/** Tasks that are placed together, `Count` times. */
export interface NomadTaskGroup {
  readonly Name: string;
  readonly Count: number;
  readonly RestartPolicy: {
    readonly Attempts: number;
    readonly Mode: "fail";
    readonly Interval: number;
    readonly Delay: number;
    readonly RenderTemplates: boolean;
  };
  readonly ReschedulePolicy: {
    readonly Attempts: number;
    readonly Unlimited: boolean;
    readonly Interval: number;
    readonly Delay: number;
    readonly DelayFunction: "constant";
    readonly MaxDelay: number;
  };
  readonly Disconnect: { readonly LostAfter: number; readonly Replace: boolean; readonly Reconcile: string };
  readonly Constraints?: readonly NomadConstraint[];
  readonly Spreads: readonly { readonly Attribute: string; readonly Weight: number }[];
  readonly Volumes?: Readonly<Record<string, NomadVolume>>;
  readonly EphemeralDisk: { readonly SizeMB: number; readonly Sticky: boolean; readonly Migrate: boolean };
  readonly Networks: readonly NomadNetwork[];
  readonly Services: readonly NomadService[];
  readonly Tasks: readonly NomadTask[];
}

/** A job. */
export interface NomadJob {
  readonly ID: string;
  readonly Name: string;
  readonly Type: "batch";
  readonly Namespace: string;
  readonly Region?: string;
  readonly Priority: number;
  readonly Datacenters: readonly string[];
  readonly NodePool: string;
  readonly Meta: Readonly<Record<string, string>>;
  readonly UI: { readonly Description: string; readonly Links: readonly { readonly Label: string; readonly URL: string }[] };
  readonly Constraints: readonly NomadConstraint[];
  readonly Affinities: readonly NomadAffinity[];
  readonly TaskGroups: readonly NomadTaskGroup[];
}
