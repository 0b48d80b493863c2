/**
 * Mistakes that the deployment gate has to find: each is one edit of one file of `terraform/` or `nomad/`, with the rule or step that has to say
 * so and the beginning of what it says. Edits are as small as a slip of the hand.
 */

/** One mistake. */
export interface DeployFault {
  /** What somebody did. */
  readonly name: string;
  /** Relative to the checkout. */
  readonly file: string;
  readonly edit: (text: string) => string;
  /** The step or rule that finds it. */
  readonly rule: string;
  /** What the finding says, among other things. */
  readonly says: RegExp;
}

/** Replaces the first place that matches. */
function swap(from: string | RegExp, to: string): DeployFault["edit"] {
  return (text) => text.replace(from, () => to);
}

/** Adds lines at the end. */
function append(lines: string): DeployFault["edit"] {
  return (text) => `${text}\n${lines}\n`;
}

const STORE = "terraform/modules/object-store/main.tf";
const NETWORK = "terraform/modules/network/main.tf";
const DATABASE = "terraform/modules/postgres/main.tf";
const SERVERS = "terraform/modules/nomad-cluster/servers.tf";
const CLUSTER_IAM = "terraform/modules/nomad-cluster/iam.tf";
const CLUSTER_SECRETS = "terraform/modules/nomad-cluster/secrets.tf";
const BALANCER = "terraform/modules/load-balancer/main.tf";
const IDENTITY = "terraform/modules/identity/main.tf";
const PLATFORM_SECRETS = "terraform/modules/platform/secrets.tf";
const AWS = "terraform/aws/main.tf";
const API = "nomad/api.nomad.hcl";
const CONTROLLER = "nomad/controller.nomad.hcl";
const POSTGRES = "nomad/postgres.nomad.hcl";

/** What terraform itself finds, with stand-ins for the providers. */
export const TERRAFORM_FAULTS: readonly DeployFault[] = [
  {
    name: "a slip in an argument's name",
    file: STORE,
    edit: swap(/\bbucket( +)= "\$\{var/, 'bukket = "${var'),
    rule: "terraform-validate",
    says: /"bukket" is not expected.*"bucket"/,
  },
  {
    name: "a text where a bool belongs",
    file: STORE,
    edit: swap("force_destroy = false", 'force_destroy = "never"'),
    rule: "terraform-validate",
    says: /force_destroy.*bool/i,
  },
  {
    name: "a required argument left out",
    file: NETWORK,
    edit: swap(
      /(resource "aws_subnet" "private" \{[^}]*?)\n +vpc_id +=[^\n]*/,
      'resource "aws_subnet" "private" {\n  for_each = local.zone_index',
    ),
    rule: "terraform-validate",
    says: /"vpc_id" is required/,
  },
  {
    name: "a resource that is not there",
    file: DATABASE,
    edit: swap("aws_db_subnet_group.this.name", "aws_db_subnet_group.that.name"),
    rule: "terraform-validate",
    says: /undeclared resource/,
  },
  {
    name: "an attribute that is not there",
    file: NETWORK,
    edit: swap("gateway_id             = aws_internet_gateway.this.id", "gateway_id             = aws_internet_gateway.this.identifier"),
    rule: "terraform-validate",
    says: /no argument, nested block, or exported attribute named "identifier"/,
  },
  {
    name: "a type of resource that is not there",
    file: STORE,
    edit: swap('"aws_s3_bucket_ownership_controls"', '"aws_s3_bucket_ownership_control"'),
    rule: "terraform-validate",
    says: /Invalid resource type/,
  },
  {
    name: "a block that is not there",
    file: SERVERS,
    edit: swap("metadata_options {", "metadata_option {"),
    rule: "terraform-validate",
    says: /"metadata_option" are not expected/,
  },
  {
    name: "a function that is not there",
    file: NETWORK,
    edit: swap("cidrsubnet(", "cidr_subnet("),
    rule: "terraform-validate",
    says: /no function named "cidr_subnet"/,
  },
  {
    name: "a write-only argument misspelt",
    file: PLATFORM_SECRETS,
    edit: swap(/items_wo( +)=/, "items_wr ="),
    rule: "terraform-validate",
    says: /"items_wr" is not expected/,
  },
  {
    name: "a secret of this run in an argument that the state keeps",
    file: CLUSTER_SECRETS,
    edit: swap(/secret_string_wo( +)=/, "secret_string ="),
    rule: "terraform-validate",
    says: /ephemeral/i,
  },
  {
    name: "a variable declared twice",
    file: "terraform/modules/network/variables.tf",
    edit: append('variable "cidr" {\n  type        = string\n  description = "Twice."\n}'),
    rule: "terraform-init",
    says: /Duplicate variable declaration/,
  },
  {
    name: "an argument that a module does not have",
    file: AWS,
    edit: swap(
      /(module "network" \{[^}]*?)cidr( +)=/,
      'module "network" {\n  source = "../modules/network"\n  name = var.name\n  cidr_blocks =',
    ),
    rule: "terraform-validate",
    says: /"cidr_blocks" is not expected/,
  },
  {
    name: "an argument that a module cannot do without",
    file: AWS,
    edit: swap(/\n +artifact_reader_arns +=[^\n]*/, ""),
    rule: "terraform-validate",
    says: /"artifact_reader_arns" is required/,
  },
  {
    name: "an output that a module does not have",
    file: AWS,
    edit: swap("module.network.private_subnet_ids", "module.network.inner_subnet_ids"),
    rule: "terraform-validate",
    says: /inner_subnet_ids/,
  },
  {
    name: "one NAT gateway for all zones that is none",
    file: NETWORK,
    edit: swap('var.nat == "single"', 'var.nat == "one"'),
    rule: "terraform-test",
    says: /one gateway|zero or one elements/,
  },
  {
    name: "a validation that lets two zones pass",
    file: "terraform/modules/network/variables.tf",
    edit: swap("length(distinct(var.zones)) == 3", "length(distinct(var.zones)) >= 1"),
    rule: "terraform-test",
    says: /expected a checkable|Missing expected failure/i,
  },
  {
    name: "a file of Terraform's with crooked columns",
    file: STORE,
    edit: swap("  bucket   = each.value.id", "   bucket = each.value.id"),
    rule: "terraform-fmt",
    says: /not formatted/,
  },
  {
    name: "a file of Nomad's with crooked columns",
    file: API,
    edit: swap("    count = var.instances", "  count=var.instances"),
    rule: "terraform-fmt",
    says: /not formatted/,
  },
  {
    name: "a brace too few in a job",
    file: POSTGRES,
    edit: (text) => text.trimEnd().replace(/\}$/, ""),
    rule: "terraform-fmt",
    says: /cannot be read/,
  },
];

/** What rules over the parsed files of Terraform find. */
export const AWS_FAULTS: readonly DeployFault[] = [
  { name: "a brace too few in a module", file: STORE, edit: (text) => text.trimEnd().replace(/\}$/, ""), rule: "hcl-syntax", says: /./ },
  {
    name: "a database for everybody",
    file: DATABASE,
    edit: swap(/referenced_security_group_id = var\.client_security_group_id/, 'cidr_ipv4 = "0.0.0.0/0"'),
    rule: "ingress-closed",
    says: /everybody reaches ports 5432/,
  },
  {
    name: "SSH",
    file: BALANCER,
    edit: swap(/from_port( +)= 443\n( +)to_port( +)= 443/, "from_port = 22\n  to_port = 22"),
    rule: "no-ssh",
    says: /port 22/,
  },
  {
    name: "a key for SSH",
    file: SERVERS,
    edit: swap("update_default_version = true", 'update_default_version = true\n  key_name = "admin"'),
    rule: "no-ssh",
    says: /key for SSH/,
  },
  {
    name: "the whole world allowed by default",
    file: "terraform/aws/variables.tf",
    edit: swap(/variable "allowed_cidrs" \{/, 'variable "allowed_cidrs" {\n  default = ["0.0.0.0/0"]'),
    rule: "ingress-closed",
    says: /by default/,
  },
  {
    name: "a bucket that may become public",
    file: STORE,
    edit: swap("block_public_policy     = true", "block_public_policy     = false"),
    rule: "bucket-private",
    says: /block_public_policy must be true/,
  },
  {
    name: "a bucket with a public ACL",
    file: STORE,
    edit: append('resource "aws_s3_bucket_acl" "open" {\n  bucket = aws_s3_bucket.this["artifacts"].id\n  acl    = "public-read"\n}'),
    rule: "bucket-private",
    says: /public-read/,
  },
  {
    name: "a bucket without encryption",
    file: STORE,
    edit: swap(/resource "aws_s3_bucket_server_side_encryption_configuration" "this" \{[\s\S]*?\n\}\n/, ""),
    rule: "bucket-encrypted",
    says: /not encrypted/,
  },
  {
    name: "a bucket that answers without TLS",
    file: STORE,
    edit: swap('"aws:SecureTransport" = "false"', '"aws:SecureTransport" = "maybe"'),
    rule: "bucket-tls-only",
    says: /without TLS/,
  },
  {
    name: "a bucket that keeps broken uploads",
    file: STORE,
    edit: swap("abort_incomplete_multipart_upload {", "expiration {"),
    rule: "bucket-lifecycle",
    says: /unfinished uploads/,
  },
  {
    name: "a bucket that a destroy empties",
    file: STORE,
    edit: swap("force_destroy = false", "force_destroy = true"),
    rule: "bucket-kept",
    says: /objects/,
  },
  { name: "metadata without a token", file: SERVERS, edit: swap('"required"', '"optional"'), rule: "imdsv2", says: /without a token/ },
  {
    name: "a disk in clear text",
    file: SERVERS,
    edit: swap(/encrypted( +)= true/, "encrypted = false"),
    rule: "disk-encrypted",
    says: /not encrypted/,
  },
  {
    name: "a database in clear text",
    file: DATABASE,
    edit: swap("storage_encrypted     = true", "storage_encrypted     = false"),
    rule: "database-storage-encrypted",
    says: /not encrypted/,
  },
  {
    name: "a public database",
    file: DATABASE,
    edit: swap("publicly_accessible    = false", "publicly_accessible    = true"),
    rule: "database-publicly-accessible",
    says: /internet/,
  },
  {
    name: "a database that may be deleted",
    file: "terraform/modules/postgres/variables.tf",
    edit: swap(
      /(variable "deletion_protection" \{[\s\S]*?default( +)=) true/,
      'variable "deletion_protection" {\n  type = bool\n  description = "Whether."\n  default = false',
    ),
    rule: "database-deletion-protection",
    says: /deletion/,
  },
  {
    name: "a password in the state",
    file: DATABASE,
    edit: swap("manage_master_user_password   = true", "password = var.name"),
    rule: "secret-in-state",
    says: /state/,
  },
  {
    name: "every action of a service",
    file: CLUSTER_IAM,
    edit: swap('"secretsmanager:GetSecretValue"', '"secretsmanager:*"'),
    rule: "iam-no-star",
    says: /secretsmanager:\*/,
  },
  {
    name: "every resource",
    file: CLUSTER_IAM,
    edit: swap("Resource = [var.kms_key_arn]", 'Resource = ["*"]'),
    rule: "iam-no-star",
    says: /every resource/,
  },
  { name: "a role for every token", file: IDENTITY, edit: swap(':sub"', ':iss"'), rule: "iam-trust-bound", says: /tokens/ },
  {
    name: "a bucket policy for everybody",
    file: STORE,
    edit: swap(/Effect( +)= "Deny"\n( +)Principal/, 'Effect = "Allow"\n      Principal'),
    rule: "iam-no-public",
    says: /everybody/,
  },
  {
    name: "an old version of TLS",
    file: BALANCER,
    edit: swap(/"ELBSecurityPolicy-TLS13[^"]*"/, '"ELBSecurityPolicy-2016-08"'),
    rule: "listener-tls",
    says: /old versions/,
  },
  {
    name: "a token written down",
    file: "terraform/local/main.tf",
    edit: swap(
      "address = var.nomad_address",
      `address = var.nomad_address\n  secret_id = "${["4b7f3d1e", "9a52", "4c08", "b6e1", "d27f5c3a9e84"].join("-")}"`,
    ),
    rule: "no-literal-secret",
    says: /UUID/,
  },
  {
    name: "a key of AWS in a comment",
    file: AWS,
    edit: append(`# ${["AKIA", "Q3EGRX", "5TBN7YWZ2M"].join("")}`),
    rule: "no-literal-secret",
    says: /form of a secret/,
  },
  {
    name: "a data source that reads a secret into the state",
    file: "terraform/platform/main.tf",
    edit: swap('ephemeral "aws_secretsmanager_secret_version" "token"', 'data "aws_secretsmanager_secret_version" "token"'),
    rule: "secret-in-state",
    says: /state/,
  },
  {
    name: "a provider of any version",
    file: "terraform/modules/postgres/versions.tf",
    edit: swap('"~> 6.0"', '">= 5.0"'),
    rule: "versions-pinned",
    says: /provider aws/,
  },
  {
    name: "a module from elsewhere",
    file: AWS,
    edit: swap('"../modules/network"', '"terraform-aws-modules/vpc/aws"'),
    rule: "module-local",
    says: /may change/,
  },
  {
    name: "a variable that nobody uses",
    file: "terraform/platform/variables.tf",
    edit: append('variable "leftover" {\n  type        = string\n  description = "Nothing."\n}'),
    rule: "variable-used",
    says: /"leftover" is not used/,
  },
  {
    name: "a variable without a type",
    file: "terraform/modules/network/variables.tf",
    edit: swap("  type        = list(string)\n", ""),
    rule: "variable-typed",
    says: /"zones" has no type/,
  },
  {
    name: "a variable without a description",
    file: "terraform/modules/postgres/variables.tf",
    edit: swap(/\n( +)description = "VPC[^\n]*/, ""),
    rule: "variable-described",
    says: /"vpc_id" has no description/,
  },
  {
    name: "a number without bounds",
    file: "terraform/modules/postgres/variables.tf",
    edit: swap(
      /(variable "backup_days" \{[\s\S]*?)\n( +)validation \{[\s\S]*?\n( +)\}/,
      'variable "backup_days" {\n  type = number\n  description = "Days of backups."',
    ),
    rule: "variable-validated",
    says: /"backup_days" has no validation/,
  },
  {
    name: "an output that platform does not know",
    file: "terraform/aws/outputs.tf",
    edit: swap(/checkpoints( +)= module\.object_store/, "checkpoint = module.object_store"),
    rule: "cluster-agrees",
    says: /buckets\.checkpoint/,
  },
  {
    name: "a setting misspelt",
    file: "terraform/local/main.tf",
    edit: swap('"checkpoint-url" =', '"checkpoint-uri" ='),
    rule: "setting-known",
    says: /"checkpoint-uri"/,
  },
  {
    name: "another port of the API",
    file: "terraform/aws/variables.tf",
    edit: swap(
      /(variable "ui_port" \{[\s\S]*?default( +)=) 5115/,
      'variable "ui_port" {\n  type = number\n  description = "Port."\n  default = 5116',
    ),
    rule: "port-agrees",
    says: /5116 by default.*5115/,
  },
];

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
