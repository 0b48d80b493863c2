# Wadi on the cluster that terraform/aws made, or on any other Nomad: namespace, policies, secrets and jobs. What is where comes from
# cluster.auto.tfvars.json, which "wadi deploy upload" writes; secrets are read while Terraform runs and are in no state and no plan.

terraform {
  required_version = ">= 1.11, < 2.0"

  # Without a file backend.tf (see terraform/README.md) the state is in this folder.

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    nomad = {
      source  = "hashicorp/nomad"
      version = "~> 2.6"
    }
  }
}

provider "aws" {
  region = local.on_aws ? var.cluster.region : "us-east-1"

  # On another Nomad there is nothing to ask AWS for: the provider then starts without credentials and calls nobody.
  access_key                  = local.on_aws ? null : "none"
  secret_key                  = local.on_aws ? null : "none"
  skip_credentials_validation = !local.on_aws
  skip_metadata_api_check     = !local.on_aws
  skip_requesting_account_id  = !local.on_aws
}

provider "nomad" {
  address   = local.on_aws ? var.cluster.nomad.address : var.nomad_address
  region    = local.on_aws ? var.cluster.nomad.region : null
  ca_pem    = one(data.aws_ssm_parameter.ca[*].insecure_value)
  secret_id = one(ephemeral.aws_secretsmanager_secret_version.token[*].secret_string)
}

locals {
  on_aws = var.cluster != null
}

data "aws_ssm_parameter" "ca" {
  count = try(var.cluster.nomad.ca_parameter, null) == null ? 0 : 1

  name = var.cluster.nomad.ca_parameter
}

# The authority of the agents' own certificates, for Prometheus, which asks each of them.
data "aws_ssm_parameter" "agents" {
  count = try(var.cluster.nomad.agent_ca_parameter, null) != null && contains(local.jobs, "prometheus") ? 1 : 0

  name = var.cluster.nomad.agent_ca_parameter
}

ephemeral "aws_secretsmanager_secret_version" "token" {
  count = local.on_aws ? 1 : 0

  secret_id = var.cluster.nomad.token_secret_arn
}

ephemeral "aws_secretsmanager_secret_version" "database" {
  count = try(var.cluster.database, null) == null ? 0 : 1

  secret_id = var.cluster.database.secret_arn
}

module "platform" {
  source = "../modules/platform"

  jobs             = local.jobs
  namespace        = local.namespace
  create_namespace = local.namespace != "default" && var.create_namespace
  acl              = var.acl
  values           = local.values
  job_values       = merge(var.job_values, local.job_values)
  volumes          = var.volumes
  secrets          = local.secrets
  other_secrets    = setunion(var.other_secrets, length(data.aws_ssm_parameter.agents) == 0 ? [] : ["prometheus"])
  secrets_version  = var.secrets_version
  purge_on_destroy = false

  depends_on = [terraform_data.ready]
}
