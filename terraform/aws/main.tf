# From an empty AWS account to a Nomad cluster on which Wadi can run: network, servers and clients, database, buckets, identities, load balancer. The
# jobs are terraform/platform's. This file only wires modules; what was decided and why is in terraform/README.md.

data "aws_caller_identity" "here" {}

data "aws_availability_zones" "here" {
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ssm_parameter" "image" {
  for_each = { amd64 = "x86_64", arm64 = "arm64" }
  name     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${each.value}"
}

# Amazon publishes images all the time. What was found first stays, so that a second apply changes nothing, until the generation is raised.
resource "terraform_data" "images" {
  input            = { for architecture, parameter in data.aws_ssm_parameter.image : architecture => parameter.insecure_value }
  triggers_replace = [var.image_generation]

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  nomad_region = "global"
  zones        = length(var.zones) == 3 ? var.zones : slice(sort(data.aws_availability_zones.here.names), 0, 3)
  issuer       = var.domain == null ? null : "https://oidc.${var.domain.name}"

  nomad_public       = var.domain != null && length(var.allowed_cidrs) > 0
  nomad_address      = local.nomad_public ? "https://nomad.${var.domain.name}" : "https://localhost:4646"
  nomad_ca_parameter = local.nomad_public ? null : module.nomad_cluster.ca_parameter
  ui_url             = local.nomad_public ? "https://${var.domain.name}" : null

  a_server     = "$(aws ec2 describe-instances --region ${var.region} --filters Name=tag:wadi-servers,Values=${var.name} Name=instance-state-name,Values=running --query 'Reservations[0].Instances[0].InstanceId' --output text)"
  session      = "aws ssm start-session --region ${var.region} --target ${local.a_server}"
  nomad_tunnel = local.nomad_public ? null : "${local.session} --document-name AWS-StartPortForwardingSession --parameters portNumber=4646,localPortNumber=4646"
}

# One key for secrets, buckets, the database and Nomad's root keys. Who may use it is said by the roles' policies.
resource "aws_kms_key" "this" {
  description             = "Wadi ${var.name}: secrets, buckets, database, root keys of Nomad"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

module "network" {
  source              = "../modules/network"
  name                = var.name
  cidr                = var.vpc.cidr
  zones               = local.zones
  nat                 = var.vpc.nat
  interface_endpoints = var.vpc.interface_endpoints
}

module "object_store" {
  source               = "../modules/object-store"
  name                 = "${var.name}-${data.aws_caller_identity.here.account_id}-${var.region}"
  kms_key_arn          = aws_kms_key.this.arn
  artifact_reader_arns = [module.nomad_cluster.client_role_arn]
  backup_days          = var.backup_days
}

module "nomad_cluster" {
  source                  = "../modules/nomad-cluster"
  name                    = var.name
  region                  = var.region
  nomad_region            = local.nomad_region
  network                 = { vpc_id = module.network.vpc_id, subnet_ids = module.network.private_subnet_ids }
  nomad                   = var.nomad
  client_nomad            = var.client_nomad
  servers                 = var.servers
  client_pools            = var.client_pools
  images                  = var.images == null ? terraform_data.images.output : var.images
  docker                  = var.docker
  oidc_issuer             = local.issuer
  certificates            = var.certificates
  gossip_key_version      = var.gossip_key_version
  root_key_rotation_hours = var.root_key_rotation_hours
  backups_bucket          = module.object_store.backups
  artifacts_bucket_arn    = module.object_store.artifacts.arn
  kms_key_arn             = aws_kms_key.this.arn
  drain                   = { environment = module.drain.environment, files = module.drain.files }
  ui_port                 = var.ui_port
  secret_recovery_days    = var.secret_recovery_days
}

module "drain" {
  source           = "../modules/drain"
  name             = var.name
  deadline_minutes = var.drain_minutes
  groups = merge(
    { servers = { name = module.nomad_cluster.server_group.name, arn = module.nomad_cluster.server_group.arn, role = "server" } },
    { for pool, group in module.nomad_cluster.client_groups : "clients-${pool}" => { name = group.name, arn = group.arn, role = "client" } },
  )
  instance_role_names = module.nomad_cluster.instance_role_names
}

module "postgres" {
  count                    = var.postgres == null ? 0 : 1
  source                   = "../modules/postgres"
  name                     = var.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  client_security_group_id = module.nomad_cluster.client_security_group_id
  kms_key_arn              = aws_kms_key.this.arn
  engine_version           = var.postgres.engine_version
  instance_class           = var.postgres.instance_class
  storage_gb               = var.postgres.storage_gb
  multi_az                 = var.postgres.multi_az
  backup_days              = var.postgres.backup_days
  password_days            = var.postgres.password_days
  deletion_protection      = var.deletion_protection
}

module "load_balancer" {
  count               = var.domain == null ? 0 : 1
  source              = "../modules/load-balancer"
  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.public_subnet_ids
  domain              = var.domain
  allowed_cidrs       = var.allowed_cidrs
  ui_port             = var.ui_port
  deletion_protection = var.deletion_protection
  servers             = { security_group_id = module.nomad_cluster.server_group.security_group_id, group_name = module.nomad_cluster.server_group.name }
  clients             = { security_group_id = module.nomad_cluster.client_security_group_id, group_name = module.nomad_cluster.client_groups[var.service_pool].name }
}

module "identity" {
  source       = "../modules/identity"
  name         = var.name
  issuer       = one(module.load_balancer[*].issuer_url)
  namespace    = var.namespace
  nomad_region = local.nomad_region

  client_role_name       = module.nomad_cluster.instance_role_names.client
  buckets                = { checkpoints = module.object_store.checkpoints.arn, backups = module.object_store.backups.arn }
  kms_key_arn            = aws_kms_key.this.arn
  autoscaling_group_arns = [for group in module.nomad_cluster.client_groups : group.arn]
}
