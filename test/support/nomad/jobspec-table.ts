/** Names of a job's HCL and what they are in the JSON of the API, as `hcl` tags in Nomad's `api` package have them. */

/** What a name becomes: a value, a duration, a block. */
export type Rule =
  | { readonly name: string; readonly kind: "plain" }
  | { readonly name: string; readonly kind: "duration" }
  | { readonly name: string; readonly kind: "map" }
  | { readonly name: string; readonly kind: "free" }
  | { readonly name: string; readonly kind: "block"; readonly of: Table }
  | RepeatedRule;

/** What a block becomes that may be there several times; `label`: the key that its label has. */
export interface RepeatedRule {
  readonly name: string;
  readonly kind: "blocks" | "ports" | "byLabel" | "operand";
  readonly of: Table;
  readonly label?: string;
}

/** Rules by HCL's names. */
export type Table = Readonly<Record<string, Rule>>;

/** Names as they are in Go: `datacenters` is "Datacenters", `node_pool` is "NodePool"; `:d` marks a duration. */
function names(text: string, special: Readonly<Record<string, string>> = {}): Record<string, Rule> {
  const entries = text.split(" ").filter((one) => one !== "");
  return Object.fromEntries(
    entries.map((one) => {
      const plain = one.replace(/:d$/, "");
      const pascal = plain
        .split("_")
        .map((word) => (word[0] ?? "").toUpperCase() + word.slice(1))
        .join("");
      return [plain, { name: special[plain] ?? pascal, kind: one.endsWith(":d") ? "duration" : "plain" }];
    }),
  );
}

const block = (name: string, of: Table): Rule => ({ name, kind: "block", of });
const blocks = (name: string, of: Table, label?: string): Rule => ({ name, kind: "blocks", of, ...(label === undefined ? {} : { label }) });
const map = (name: string): Rule => ({ name, kind: "map" });
const free = (name: string): Rule => ({ name, kind: "free" });
const operand = (name: string, of: Table): Rule => ({ name, kind: "operand", of });

/** Short forms, such as `regexp = "…"`, become operator and value. */
const SHORT = "version semver regexp set_contains set_contains_all set_contains_any distinct_hosts distinct_property is_set is_not_set";
const CONSTRAINT = {
  ...names("attribute operator value", { attribute: "LTarget", operator: "Operand", value: "RTarget" }),
  ...names(SHORT),
};
const AFFINITY = { ...CONSTRAINT, ...names("weight") };
const SPREAD = { ...names("attribute weight"), target: blocks("SpreadTarget", names("percent"), "Value") };
const RESTART = names("attempts interval:d delay:d mode render_templates");
const RESCHEDULE = names("attempts interval:d delay:d delay_function max_delay:d unlimited");
const UPDATE = names(
  "stagger:d max_parallel health_check min_healthy_time:d healthy_deadline:d progress_deadline:d auto_revert auto_promote canary",
);
const MIGRATE = names("max_parallel health_check min_healthy_time:d healthy_deadline:d");
const CHECK_RESTART = names("limit grace:d ignore_warnings");
const CHECK = {
  ...names(
    "name type command args path port interval:d timeout:d method body protocol address_mode initial_status on_update task tls_skip_verify tls_server_name",
    { port: "PortLabel", task: "TaskName", tls_skip_verify: "TLSSkipVerify", tls_server_name: "TLSServerName" },
  ),
  ...names("success_before_passing failures_before_critical failures_before_warning"),
  check_restart: block("CheckRestart", CHECK_RESTART),
  header: free("Header"),
};
const IDENTITY = names("name aud env file filepath ttl:d change_mode change_signal", { aud: "Audience", ttl: "TTL" });
const SERVICE = {
  ...names("name port provider tags canary_tags address address_mode task on_update", { port: "PortLabel", task: "TaskName" }),
  check: blocks("Checks", CHECK),
  check_restart: block("CheckRestart", CHECK_RESTART),
  meta: map("Meta"),
  canary_meta: map("CanaryMeta"),
};
const VOLUME = names("type source read_only sticky access_mode attachment_mode per_alloc");
const TEMPLATE = {
  ...names(
    "data destination env change_mode change_signal perms source splay:d left_delimiter right_delimiter error_on_missing_key once uid gid",
    {
      data: "EmbeddedTmpl",
      destination: "DestPath",
      env: "Envvars",
      source: "SourcePath",
      left_delimiter: "LeftDelim",
      right_delimiter: "RightDelim",
      error_on_missing_key: "ErrMissingKey",
    },
  ),
  wait: block("Wait", names("min:d max:d")),
  change_script: block("ChangeScript", names("command args timeout:d fail_on_error run_on_first_render")),
};
const RESOURCES = names("cpu cores memory memory_max disk secrets", {
  cpu: "CPU",
  memory: "MemoryMB",
  memory_max: "MemoryMaxMB",
  disk: "DiskMB",
  secrets: "SecretsMB",
});
const SCALING = { ...names("enabled min max type"), policy: free("Policy") };
const TASK: Table = {
  ...names("driver user kill_timeout:d kill_signal leader shutdown_delay:d kind"),
  config: free("Config"),
  env: map("Env"),
  meta: map("Meta"),
  lifecycle: block("Lifecycle", names("hook sidecar")),
  constraint: operand("Constraints", CONSTRAINT),
  affinity: operand("Affinities", AFFINITY),
  resources: block("Resources", RESOURCES),
  logs: block("LogConfig", names("max_files max_file_size disabled", { max_file_size: "MaxFileSizeMB" })),
  artifact: blocks("Artifacts", {
    ...names("source destination mode chown insecure", {
      source: "GetterSource",
      destination: "RelativeDest",
      mode: "GetterMode",
      insecure: "GetterInsecure",
    }),
    options: map("GetterOptions"),
    headers: map("GetterHeaders"),
  }),
  template: blocks("Templates", TEMPLATE),
  identity: blocks("Identities", IDENTITY),
  service: blocks("Services", SERVICE),
  restart: block("RestartPolicy", RESTART),
  action: blocks("Actions", names("command args"), "Name"),
  volume_mount: blocks("VolumeMounts", names("volume destination read_only propagation_mode")),
  scaling: blocks("ScalingPolicies", SCALING, "Type"),
};
const GROUP: Table = {
  ...names("count shutdown_delay:d max_run_duration:d stop_after_client_disconnect:d max_client_disconnect:d prevent_reschedule_on_lost"),
  meta: map("Meta"),
  constraint: operand("Constraints", CONSTRAINT),
  affinity: operand("Affinities", AFFINITY),
  spread: blocks("Spreads", SPREAD),
  restart: block("RestartPolicy", RESTART),
  reschedule: block("ReschedulePolicy", RESCHEDULE),
  disconnect: block("Disconnect", names("lost_after:d stop_on_client_after:d replace reconcile")),
  ephemeral_disk: block("EphemeralDisk", names("size sticky migrate", { size: "SizeMB" })),
  update: block("Update", UPDATE),
  migrate: block("Migrate", MIGRATE),
  network: blocks("Networks", {
    ...names("mode hostname"),
    port: { name: "port", kind: "ports", of: names("static to host_network ignore_collision") },
    dns: block("DNS", names("servers searches options")),
  }),
  volume: { name: "Volumes", kind: "byLabel", of: VOLUME },
  service: blocks("Services", SERVICE),
  scaling: block("Scaling", SCALING),
  task: blocks("Tasks", TASK, "Name"),
};

/** The job block. */
export const JOBSPEC: Table = {
  ...names("id name type priority region namespace datacenters node_pool all_at_once", { id: "ID" }),
  meta: map("Meta"),
  constraint: operand("Constraints", CONSTRAINT),
  affinity: operand("Affinities", AFFINITY),
  spread: blocks("Spreads", SPREAD),
  update: block("Update", UPDATE),
  migrate: block("Migrate", MIGRATE),
  reschedule: block("Reschedule", RESCHEDULE),
  periodic: block(
    "Periodic",
    names("enabled cron crons prohibit_overlap time_zone", { cron: "Spec", crons: "Specs", time_zone: "TimeZone" }),
  ),
  parameterized: block("ParameterizedJob", names("payload meta_required meta_optional")),
  ui: block("UI", { ...names("description"), link: blocks("Links", names("label url", { url: "URL" })) }),
  group: blocks("TaskGroups", GROUP, "Name"),
};
