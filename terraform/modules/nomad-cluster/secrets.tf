# Secrets of the cluster. What Terraform makes (gossip key, management token) it makes anew in memory at every run, writes only when the version is
# raised, and never keeps; what servers make (authorities, the clients' certificate, the drain token) it does not know at all.

locals {
  authority_secrets = "${var.name}/nomad/authority"
  # 128 bits as a UUID, which is what Nomad takes as a token.
  token = join("-", regex("^(.{8})(.{4})(.{4})(.{4})(.{12})", sha256(ephemeral.random_password.token.result)))
}

ephemeral "random_password" "gossip" {
  length  = 32
  special = false
}

ephemeral "random_password" "token" {
  length  = 64
  special = false
}

resource "aws_secretsmanager_secret" "gossip" {
  name                    = "${var.name}/nomad/gossip"
  description             = "Key of the servers' gossip, base64"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "gossip" {
  secret_id                = aws_secretsmanager_secret.gossip.id
  secret_string_wo         = base64encode(ephemeral.random_password.gossip.result)
  secret_string_wo_version = var.gossip_key_version
}

resource "aws_secretsmanager_secret" "token" {
  name                    = "${var.name}/nomad/management-token"
  description             = "Management token of Nomad: for the operator and the servers"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id        = aws_secretsmanager_secret.token.id
  secret_string_wo = local.token
  # Nomad takes it once: later it is changed in Nomad and in the secret by hand, and Terraform keeps out of it.
  secret_string_wo_version = 1
}

# Empty until the first server starts (or, if supplied, until you fill it).
resource "aws_secretsmanager_secret" "authority" {
  for_each                = toset([for generation in var.certificates.generations : tostring(generation)])
  name                    = "${local.authority_secrets}/${each.key}"
  description             = "Private authority of Nomad's certificates, generation ${each.key}: {certificate, private_key}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret" "client_certificate" {
  name                    = "${var.name}/nomad/client-certificate"
  description             = "Certificate of Nomad's clients, issued by the servers"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret" "drain_token" {
  name                    = "${var.name}/nomad/drain-token"
  description             = "Token by which clients drain themselves, made by a server"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

# A parameter and not part of an instance's configuration: a rotation reaches running instances within the hour and replaces none.
resource "aws_ssm_parameter" "certificates" {
  name        = "/${var.name}/nomad/certificates"
  description = "Which authorities are trusted, which one issues, and for how long"
  type        = "String"
  # Not a secret: plans show it.
  insecure_value = jsonencode(var.certificates)
}

resource "aws_ssm_parameter" "ca" {
  name           = "/${var.name}/nomad/ca"
  description    = "Certificates of the trusted authorities, PEM, written by the servers"
  type           = "String"
  insecure_value = "pending"

  lifecycle {
    ignore_changes = [insecure_value]
  }
}
