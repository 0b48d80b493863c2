/** Mistakes in jobs, policies, agents and scripts that rules over the parsed files find: see `deploy-fault.ts`. */
import { append, type DeployFault, swap } from "./deploy-fault.ts";

const API = "nomad/api.nomad.hcl";
const CONTROLLER = "nomad/controller.nomad.hcl";
const POSTGRES = "nomad/postgres.nomad.hcl";
const CLIENT = "terraform/modules/nomad-cluster/templates/client.hcl.tftpl";
const SERVER = "terraform/modules/nomad-cluster/templates/server.hcl.tftpl";
const INSTALL = "terraform/modules/nomad-cluster/files/install.sh";

/** What rules over the parsed jobs and policies of Nomad find. */
export const NOMAD_FAULTS: readonly DeployFault[] = [
  {
    name: "a tag instead of a digest",
    file: API,
    edit: swap(/image( +)= local\.image/, 'image = "wadi:latest"'),
    rule: "image-digest",
    says: /digest/,
  },
  {
    name: "a variable that takes tags",
    file: CONTROLLER,
    edit: swap("@sha256:[0-9a-f]{64}$", ":.+$"),
    rule: "image-digest",
    says: /digest/,
  },
  {
    name: "a service without a check",
    file: API,
    edit: swap(/ {6}check \{[\s\S]*?\n {6}\}\n/, ""),
    rule: "service-check",
    says: /no check/,
  },
  {
    name: "a check that takes longer than its interval",
    file: API,
    edit: swap('timeout  = "3s"', 'timeout  = "30s"'),
    rule: "service-check",
    says: /timeout/,
  },
  {
    name: "a check of a path that nobody answers",
    file: API,
    edit: swap('"/api/v1/ping"', '"/healthz"'),
    rule: "check-path",
    says: /healthz/,
  },
  {
    name: "a service in Consul",
    file: CONTROLLER,
    edit: swap('provider = "nomad"', 'provider = "consul"'),
    rule: "service-provider",
    says: /Consul/,
  },
  {
    name: "a port that the group does not have",
    file: CONTROLLER,
    edit: swap('port     = "rpc"', 'port     = "grpc"'),
    rule: "service-port",
    says: /"grpc"/,
  },
  {
    name: "a bad version that stays",
    file: API,
    edit: swap(/auto_revert( +)= true/, "auto_revert = false"),
    rule: "job-update",
    says: /bad version/,
  },
  { name: "no restarts", file: API, edit: swap(/ {4}restart \{[\s\S]*?\n {4}\}\n/, ""), rule: "job-restart", says: /no restart/ },
  {
    name: "no rescheduling",
    file: CONTROLLER,
    edit: swap(/ {4}reschedule \{[\s\S]*?\n {4}\}\n/, ""),
    rule: "job-reschedule",
    says: /no reschedule/,
  },
  {
    name: "a task without memory",
    file: API,
    edit: swap(/\n {8}memory( +)= var\.memory\n/, "\n"),
    rule: "task-resources",
    says: /no memory/,
  },
  {
    name: "a task that is killed at once",
    file: API,
    edit: swap(/\n {6}kill_timeout( +)=[^\n]*/, ""),
    rule: "task-kill",
    says: /kill_timeout/,
  },
  {
    name: "a job for every node",
    file: API,
    edit: swap("node_pool   = var.node_pool", 'node_pool   = "all"'),
    rule: "job-place",
    says: /node_pool/,
  },
  { name: "another name of a job", file: API, edit: swap('job "wadi-api"', 'job "wadi-web"'), rule: "job-name", says: /wadi-web/ },
  {
    name: "another name of a service",
    file: POSTGRES,
    edit: swap('name     = "wadi-postgres"', 'name     = "wadi-database"'),
    rule: "service-known",
    says: /wadi-postgres/,
  },
  {
    name: "a service that nobody registers",
    file: API,
    edit: swap('nomadService "wadi-postgres"', 'nomadService "wadi-postgress"'),
    rule: "service-known",
    says: /wadi-postgress/,
  },
  {
    name: "another job's secrets",
    file: API,
    edit: swap('nomadVar "nomad/jobs/wadi-api"', 'nomadVar "nomad/jobs/wadi-controller"'),
    rule: "variable-path",
    says: /may not read/,
  },
  {
    name: "a secret that nobody writes",
    file: API,
    edit: swap(".session_token }}", ".session_tokens }}"),
    rule: "variable-written",
    says: /session_tokens/,
  },
  {
    name: "a secret where everybody reads",
    file: API,
    edit: swap("${NOMAD_SECRETS_DIR}/wadi.env", "${NOMAD_TASK_DIR}/wadi.env"),
    rule: "template-secret",
    says: /outside/,
  },
  {
    name: "a setting misspelt",
    file: API,
    edit: swap("WADI__API__BIND_ADDRESS ", "WADI__API__BIND_ADRESS "),
    rule: "setting-known",
    says: /BIND_ADRESS/,
  },
  {
    name: "a value that a setting does not have",
    file: API,
    edit: swap('WADI__DATABASE__TYPE = "postgres"', 'WADI__DATABASE__TYPE = "postgresql"'),
    rule: "setting-known",
    says: /postgresql/,
  },
  {
    name: "a variable that the loader does not read",
    file: API,
    edit: swap("DATABASE_USER = var.database_user", "DATABASE_USERNAME = var.database_user"),
    rule: "setting-known",
    says: /DATABASE_USERNAME/,
  },
  { name: "another port of the API", file: API, edit: swap(/default( +)= 5115/, "default = 5151"), rule: "port-agrees", says: /5151/ },
  {
    name: "a function that only Terraform has",
    file: API,
    edit: swap("length(var.datacenters) > 0", "alltrue([length(var.datacenters) > 0])"),
    rule: "nomad-function",
    says: /alltrue/,
  },
  {
    name: "a variable that is not declared",
    file: API,
    edit: swap("count = var.instances", "count = var.instance"),
    rule: "variable-declared",
    says: /"instance"/,
  },
  {
    name: "a local that nobody uses",
    file: CONTROLLER,
    edit: swap("locals {", "locals {\n  nothing = 1"),
    rule: "local-used",
    says: /"nothing"/,
  },
  {
    name: "a variable that has to be given",
    file: API,
    edit: swap(/\n( +)default( +)= "docker"/, ""),
    rule: "variable-default",
    says: /"driver"/,
  },
  {
    name: "a password written down",
    file: CONTROLLER,
    edit: swap('managed_by = "wadi"', `managed_by = "wadi"\n    database_password = "${["Tr0ub4dor", "3xample"].join("-")}"`),
    rule: "no-literal-secret",
    says: /database_password/,
  },
  {
    name: "a policy that allows everything",
    file: "nomad/controller.policy.hcl",
    edit: swap('namespace "default" {', 'namespace "default" {\n  policy = "write"'),
    rule: "policy-fine-grained",
    says: /everything/,
  },
];

/** What rules find in the configuration of agents and in scripts. */
export const MACHINE_FAULTS: readonly DeployFault[] = [
  {
    name: "jobs as root on clients",
    file: CLIENT,
    edit: swap(/(plugin "raw_exec" \{\s*config \{\s*)enabled = false/, 'plugin "raw_exec" {\n  config {\n    enabled = true'),
    rule: "agent-hardened",
    says: /root/,
  },
  { name: "an API in clear text", file: SERVER, edit: swap(/http( +)= true/, "http = false"), rule: "agent-hardened", says: /plain HTTP/ },
  {
    name: "no ACLs",
    file: SERVER,
    edit: swap(/acl \{\n( +)enabled = true/, "acl {\n  enabled = false"),
    rule: "agent-hardened",
    says: /ACLs/,
  },
  {
    name: "ports of tasks that are closed",
    file: CLIENT,
    edit: swap(/max_dynamic_port = \d+/, "max_dynamic_port = 40000"),
    rule: "port-agrees",
    says: /40000/,
  },
  {
    name: "a script that goes on after a failure",
    file: INSTALL,
    edit: swap(/^set -euo pipefail$/m, "set -o pipefail"),
    rule: "script-safe",
    says: /goes on/,
  },
  {
    name: "a download that nobody checks",
    file: INSTALL,
    edit: append("curl -fsSL https://example.com/install | bash"),
    rule: "script-safe",
    says: /unseen/,
  },
  {
    name: "a script that no shell can read",
    file: INSTALL,
    edit: append("if true; then"),
    rule: "shell-syntax",
    says: /unexpected end of file/,
  },
];
