/** Mistakes in modules and roots that rules over the parsed files find: see `deploy-fault.ts`. */
import { append, type DeployFault, swap } from "./deploy-fault.ts";

const STORE = "terraform/modules/object-store/main.tf";
const DATABASE = "terraform/modules/postgres/main.tf";
const SERVERS = "terraform/modules/nomad-cluster/servers.tf";
const CLUSTER_IAM = "terraform/modules/nomad-cluster/iam.tf";
const BALANCER = "terraform/modules/load-balancer/main.tf";
const IDENTITY = "terraform/modules/identity/main.tf";
const AWS = "terraform/aws/main.tf";

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
