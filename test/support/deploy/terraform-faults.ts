/** Mistakes that terraform finds itself, with stand-ins for the providers: see `deploy-fault.ts`. */
import { append, type DeployFault, swap } from "./deploy-fault.ts";

const STORE = "terraform/modules/object-store/main.tf";
const NETWORK = "terraform/modules/network/main.tf";
const DATABASE = "terraform/modules/postgres/main.tf";
const SERVERS = "terraform/modules/nomad-cluster/servers.tf";
const CLUSTER_SECRETS = "terraform/modules/nomad-cluster/secrets.tf";
const PLATFORM_SECRETS = "terraform/modules/platform/secrets.tf";
const AWS = "terraform/aws/main.tf";
const API = "nomad/api.nomad.hcl";
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
