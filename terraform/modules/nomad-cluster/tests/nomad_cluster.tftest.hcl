# Servers and clients: what they are born with, what they may do, and that no secret goes through Terraform.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  override_resource {
    target = aws_security_group.servers
    values = { id = "sg-servers" }
  }
  override_resource {
    target = aws_security_group.clients
    values = { id = "sg-clients" }
  }
}

variables {
  name                 = "wadi"
  region               = "eu-central-1"
  network              = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2", "subnet-3"] }
  images               = { amd64 = "ami-amd64", arm64 = "ami-arm64" }
  backups_bucket       = { name = "backups", arn = "arn:aws:s3:::backups" }
  artifacts_bucket_arn = "arn:aws:s3:::artifacts"
  kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/0"
  nomad = {
    version = "1.11.2"
    sha256 = {
      amd64 = "0000000000000000000000000000000000000000000000000000000000000001"
      arm64 = "0000000000000000000000000000000000000000000000000000000000000002"
    }
  }
  client_pools = {
    default = { instance_types = ["m7g.large"], min = 2, max = 4 }
    workers = { instance_types = ["c7g.xlarge", "c6g.xlarge"], max = 10, spot = true }
  }
  drain = {
    environment = { WADI_DRAIN_HOOK = "wadi-drain", WADI_DRAIN_DEADLINE_SECONDS = "1800" }
    files       = [{ path = "/usr/local/lib/wadi/drain.sh", mode = "0755", content = "#!/bin/sh\n" }]
  }
}

run "instances_are_born_safe" {
  assert {
    condition     = aws_autoscaling_group.servers.min_size == 3 && aws_autoscaling_group.servers.desired_capacity == 3 && length(aws_autoscaling_group.servers.vpc_zone_identifier) == 3
    error_message = "three servers in three zones are the default"
  }
  assert {
    condition     = alltrue([for bytes in values(output.user_data_bytes) : bytes <= 16384])
    error_message = "AWS takes 16 KiB of user data"
  }
  assert {
    condition     = alltrue([for version in [aws_secretsmanager_secret_version.gossip, aws_secretsmanager_secret_version.token] : version.secret_string == null || version.secret_string == ""])
    error_message = "secrets must be written by write-only arguments"
  }
  assert {
    condition     = !can(regex("encrypt *=|BEGIN|secret_id", join("", concat([output.configuration.server], values(output.configuration.clients)))))
    error_message = "configurations must hold neither keys nor tokens"
  }
  assert {
    condition = alltrue([
      for template in concat([aws_launch_template.servers], values(aws_launch_template.clients)) :
      template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1 && template.block_device_mappings[0].ebs[0].encrypted == "true" && template.key_name == null
    ])
    error_message = "IMDSv2, encrypted disks and no SSH key are for every instance"
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.flow : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && contains(["sg-servers", "sg-clients"], rule.referenced_security_group_id)])
    error_message = "instances are reached by role, never by address"
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.flow : !(rule.from_port <= 22 && rule.to_port >= 22)])
    error_message = "there is no SSH"
  }
  assert {
    condition     = !anytrue(flatten([for statement in output.configuration.permissions.clients : [for action in statement.Action : can(regex("Put|Delete|Create|\\*", action))]]))
    error_message = "clients change nothing in AWS"
  }
  assert {
    condition     = !anytrue(flatten([for statement in output.configuration.permissions.clients : [for resource in statement.Resource : resource == aws_secretsmanager_secret.token.arn || resource == aws_secretsmanager_secret.gossip.arn] if statement.Sid == "ReadSecrets"]))
    error_message = "clients must not read the management token or the gossip's key"
  }
  assert {
    condition = alltrue([for line in ["verify_server_hostname = true", "bootstrap_expect = 3", "retry_join = [\"provider=aws region=eu-central-1 addr_type=private_v4 tag_key=wadi-servers tag_value=wadi\"]", "leave_on_interrupt = true"] :
    strcontains(output.configuration.server, line)]) && can(regex("acl \\{\n  enabled = true", output.configuration.server))
    error_message = "TLS, ACLs, the quorum and auto-join must be configured"
  }
  assert {
    condition     = !strcontains(output.configuration.server, "oidc_issuer")
    error_message = "without a domain there is no issuer"
  }
  assert {
    condition     = alltrue([for pool, text in output.configuration.clients : strcontains(text, "node_pool  = \"${pool}\"") && strcontains(text, "verify_server_hostname = true") && can(regex("raw_exec\" \\{\n  config \\{\n    enabled = false", text)) && strcontains(text, "allow_privileged = false")])
    error_message = "each pool is a node pool, and its tasks have no rights over the machine"
  }
  assert {
    condition     = alltrue([for text in values(output.configuration.clients) : strcontains(text, "leave_on_terminate = true") && strcontains(text, "deadline           = \"1800s\"")])
    error_message = "a client that is told to stop must drain itself"
  }
  assert {
    condition     = aws_autoscaling_group.clients["workers"].capacity_rebalance && aws_autoscaling_group.clients["workers"].mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 0 && !aws_autoscaling_group.clients["default"].capacity_rebalance
    error_message = "spot is for the pools that say so"
  }
}
