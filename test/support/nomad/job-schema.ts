/**
 * Every key a job may have, with the default that a server writes for it. The field list is that of Nomad's `api` package, 1.8 to 2.0. A real
 * server drops a key that it does not know without a word; `decodeJob` refuses it, because such a key is always a mistake of whoever wrote it.
 */

/** How a field is read. `fill`: written where it is absent; undefined: absent stays absent. */
export type Field =
  | { readonly kind: "string" | "int" | "bool" | "any" | "strings" | "map"; readonly fill: unknown }
  | { readonly kind: "block" | "blocks" | "blockMap"; readonly of: Block; readonly fill: unknown }
  | { readonly kind: "required"; readonly of: Block };

/** A block: its fields by name. */
export type Block = Readonly<Record<string, Field>>;

const text = (fill: unknown = ""): Field => ({ kind: "string", fill });
const int = (fill: unknown = 0): Field => ({ kind: "int", fill });
const bool = (fill: unknown = false): Field => ({ kind: "bool", fill });
const any = (fill: unknown = null): Field => ({ kind: "any", fill });
const strings = (fill: unknown = null): Field => ({ kind: "strings", fill });
const map = (fill: unknown = null): Field => ({ kind: "map", fill });
const block = (of: Block): Field => ({ kind: "block", of, fill: null });
const blocks = (of: Block): Field => ({ kind: "blocks", of, fill: null });
/** A block that is written with its defaults where it is absent. */
const always = (of: Block): Field => ({ kind: "required", of });

const SECOND = 1_000_000_000;
const CONSTRAINT: Block = { LTarget: text(), RTarget: text(), Operand: text("=") };
const AFFINITY: Block = { ...CONSTRAINT, Weight: int(50) };
const SPREAD: Block = { Attribute: text(), Weight: int(50), SpreadTarget: blocks({ Value: text(), Percent: int() }) };
const PORT: Block = { Label: text(), Value: int(), To: int(), HostNetwork: text("default"), IgnoreCollision: bool() };
const NETWORK: Block = {
  Mode: text("host"),
  Device: text(),
  CIDR: text(),
  IP: text(),
  Hostname: text(),
  MBits: int(),
  DNS: any(),
  ReservedPorts: blocks(PORT),
  DynamicPorts: blocks(PORT),
  CNI: any(),
};
const RESTART: Block = { Attempts: int(), Interval: int(), Delay: int(), Mode: text("fail"), RenderTemplates: bool() };
const RESCHEDULE: Block = {
  Attempts: int(),
  Interval: int(),
  Delay: int(),
  DelayFunction: text("constant"),
  MaxDelay: int(),
  Unlimited: bool(),
};
const UPDATE: Block = {
  Stagger: int(30 * SECOND),
  MaxParallel: int(1),
  HealthCheck: text("checks"),
  MinHealthyTime: int(10 * SECOND),
  HealthyDeadline: int(300 * SECOND),
  ProgressDeadline: int(600 * SECOND),
  AutoRevert: bool(),
  AutoPromote: bool(),
  Canary: int(),
};
const MIGRATE: Block = {
  MaxParallel: int(1),
  HealthCheck: text("checks"),
  MinHealthyTime: int(10 * SECOND),
  HealthyDeadline: int(300 * SECOND),
};
const CHECK: Block = {
  Name: text(),
  Type: text(),
  Command: text(),
  Args: strings(),
  Path: text(),
  Protocol: text(),
  PortLabel: text(),
  Expose: bool(),
  AddressMode: text(),
  Interval: int(),
  Timeout: int(),
  InitialStatus: text(),
  Notes: text(),
  TLSServerName: text(),
  TLSSkipVerify: bool(),
  Header: any(),
  Method: text(),
  CheckRestart: block({ Limit: int(), Grace: int(SECOND), IgnoreWarnings: bool() }),
  GRPCService: text(),
  GRPCUseTLS: bool(),
  TaskName: text(),
  SuccessBeforePassing: int(),
  FailuresBeforeCritical: int(),
  FailuresBeforeWarning: int(),
  Body: text(),
  OnUpdate: text("require_healthy"),
};
const SERVICE: Block = {
  Name: text(),
  PortLabel: text(),
  Provider: text("consul"),
  Address: text(),
  AddressMode: text("auto"),
  Tags: strings(),
  CanaryTags: strings(),
  EnableTagOverride: bool(),
  Meta: map(),
  CanaryMeta: map(),
  TaggedAddresses: map(),
  Checks: blocks(CHECK),
  CheckRestart: any(),
  Connect: any(),
  TaskName: text(),
  OnUpdate: text("require_healthy"),
  Identity: any(),
  Cluster: text("default"),
  Kind: text(),
  Namespace: text("default"),
  Weights: any(),
};
const IDENTITY: Block = {
  Name: text("default"),
  Audience: strings(),
  ChangeMode: text(),
  ChangeSignal: text(),
  Env: bool(),
  File: bool(),
  Filepath: text(),
  ServiceName: text(),
  TTL: int(),
  ExtraClaims: map(null),
};
const TEMPLATE: Block = {
  SourcePath: text(),
  DestPath: text(),
  EmbeddedTmpl: text(),
  ChangeMode: text("restart"),
  ChangeScript: any(),
  ChangeSignal: text(),
  Splay: int(5 * SECOND),
  Perms: text("0644"),
  Uid: any(),
  Gid: any(),
  LeftDelim: text("{{"),
  RightDelim: text("}}"),
  Envvars: bool(),
  VaultGrace: int(),
  Wait: any(),
  ErrMissingKey: bool(),
  Once: bool(),
};
const RESOURCES: Block = {
  CPU: int(100),
  Cores: int(),
  MemoryMB: int(300),
  MemoryMaxMB: int(),
  DiskMB: int(),
  IOPS: int(),
  Networks: any(),
  Devices: any(),
  NUMA: any(),
  SecretsMB: int(),
};
const TASK: Block = {
  Name: text(),
  Driver: text(),
  User: text(),
  Lifecycle: any(),
  Config: any(),
  Constraints: blocks(CONSTRAINT),
  Affinities: blocks(AFFINITY),
  Env: map(),
  Services: blocks(SERVICE),
  Resources: always(RESOURCES),
  RestartPolicy: block(RESTART),
  Meta: map(),
  KillTimeout: int(5 * SECOND),
  LogConfig: always({ MaxFiles: int(10), MaxFileSizeMB: int(10), Disabled: bool(), Enabled: any(undefined) }),
  Artifacts: blocks({
    GetterSource: text(),
    GetterOptions: map(),
    GetterHeaders: map(),
    GetterMode: text("any"),
    GetterInsecure: bool(),
    RelativeDest: text("local/"),
    Chown: bool(),
  }),
  Vault: any(),
  Consul: any(),
  Templates: blocks(TEMPLATE),
  DispatchPayload: any(),
  VolumeMounts: any(),
  Leader: bool(),
  ShutdownDelay: int(),
  KillSignal: text(),
  Kind: text(),
  ScalingPolicies: any(),
  Schedule: any(),
  Secrets: any(),
  Identity: block(IDENTITY),
  Identities: blocks(IDENTITY),
  Actions: blocks({ Name: text(), Command: text(), Args: strings() }),
  CSIPluginConfig: any(),
};
const GROUP: Block = {
  Name: text(),
  Count: int(1),
  Constraints: blocks(CONSTRAINT),
  Affinities: blocks(AFFINITY),
  Tasks: blocks(TASK),
  Spreads: blocks(SPREAD),
  Volumes: any(),
  RestartPolicy: block(RESTART),
  Disconnect: block({ LostAfter: int(), StopOnClientAfter: int(null), Replace: bool(null), Reconcile: text("best_score") }),
  ReschedulePolicy: block(RESCHEDULE),
  EphemeralDisk: always({ Sticky: bool(), Migrate: bool(), SizeMB: int(300) }),
  Update: block(UPDATE),
  Migrate: block(MIGRATE),
  Networks: blocks(NETWORK),
  Meta: map(),
  Services: blocks(SERVICE),
  ShutdownDelay: int(null),
  StopAfterClientDisconnect: int(null),
  MaxClientDisconnect: int(null),
  Scaling: any(),
  Consul: any(),
  PreventRescheduleOnLost: bool(),
  MaxRunDuration: int(null),
};

/** The job itself. What the servers add (indexes, status) is accepted and overwritten. */
export const JOB: Block = {
  Region: text("global"),
  Namespace: text("default"),
  ID: text(),
  Name: text(),
  Type: text("service"),
  Priority: int(50),
  AllAtOnce: bool(),
  Datacenters: strings(["*"]),
  NodePool: text("default"),
  Constraints: blocks(CONSTRAINT),
  Affinities: blocks(AFFINITY),
  TaskGroups: blocks(GROUP),
  Update: block(UPDATE),
  Multiregion: any(),
  Spreads: blocks(SPREAD),
  Periodic: any(),
  ParameterizedJob: any(),
  Reschedule: block(RESCHEDULE),
  Migrate: block(MIGRATE),
  Meta: map(),
  UI: block({ Description: text(), Links: blocks({ Label: text(), URL: text() }) }),
  ConsulToken: any(undefined),
  VaultToken: any(undefined),
  Stop: bool(),
  ParentID: text(),
  Dispatched: bool(),
  DispatchIdempotencyToken: text(),
  Payload: any(),
  ConsulNamespace: text(),
  VaultNamespace: text(),
  NomadTokenID: text(),
  Status: text(),
  StatusDescription: text(),
  Stable: bool(),
  Version: int(),
  SubmitTime: int(),
  CreateIndex: int(),
  ModifyIndex: int(),
  JobModifyIndex: int(),
  VersionTag: any(),
};
