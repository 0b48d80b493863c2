# Rotations reach running instances and replace none; an upgrade replaces them one by one; the same apply again changes nothing.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
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
  client_pools = { default = { instance_types = ["m7g.large"], min = 2, max = 4 } }
  drain        = { environment = { WADI_DRAIN_HOOK = "wadi-drain", WADI_DRAIN_DEADLINE_SECONDS = "1800" }, files = [] }
}

run "installed" {
  assert {
    condition     = jsondecode(aws_ssm_parameter.certificates.insecure_value) == { generations = [1], issuing = 1, certificate_days = 30, supplied = false }
    error_message = "one authority is trusted and issues"
  }
}

run "a_second_apply_changes_nothing" {
  command = plan
  assert {
    condition     = aws_launch_template.servers.user_data == run.installed.user_data["/server"] && aws_launch_template.clients["default"].user_data == run.installed.user_data["default"]
    error_message = "the second plan would replace instances"
  }
}

run "a_new_authority_is_trusted_first" {
  command = plan
  variables {
    certificates = { generations = [1, 2], issuing = 1 }
  }
  assert {
    condition     = toset(keys(aws_secretsmanager_secret.authority)) == toset(["1", "2"]) && jsondecode(aws_ssm_parameter.certificates.insecure_value).issuing == 1
    error_message = "the new authority must be trusted before it issues"
  }
  assert {
    condition     = output.user_data == run.installed.user_data
    error_message = "a rotation of certificates must not replace an instance"
  }
}

run "then_it_issues" {
  command = plan
  variables {
    certificates = { generations = [1, 2], issuing = 2 }
  }
  assert {
    condition     = jsondecode(aws_ssm_parameter.certificates.insecure_value) == { generations = [1, 2], issuing = 2, certificate_days = 30, supplied = false } && output.user_data == run.installed.user_data
    error_message = "issuing is a matter of the parameter alone"
  }
}

run "then_the_former_one_is_dropped" {
  command = plan
  variables {
    certificates = { generations = [2], issuing = 2 }
  }
  assert {
    condition     = keys(aws_secretsmanager_secret.authority)[0] == "2" && length(aws_secretsmanager_secret.authority) == 1 && output.user_data == run.installed.user_data
    error_message = "the former authority's key must go"
  }
}

run "the_gossip_gets_a_new_key" {
  command = plan
  variables {
    gossip_key_version = 2
  }
  assert {
    condition     = aws_secretsmanager_secret_version.gossip.secret_string_wo_version == 2 && output.user_data == run.installed.user_data
    error_message = "only the gossip's secret may change"
  }
}

run "root_keys_follow_their_age" {
  command = plan
  variables {
    root_key_rotation_hours = 240
  }
  assert {
    condition     = strcontains(output.configuration.server, "root_key_rotation_threshold = \"240h\"") && strcontains(output.configuration.server, "keyring \"awskms\"")
    error_message = "root keys are wrapped by KMS and rotate"
  }
}

run "an_upgrade_reaches_servers_first" {
  command = plan
  variables {
    nomad = {
      version = "1.11.3"
      sha256 = {
        amd64 = "0000000000000000000000000000000000000000000000000000000000000003"
        arm64 = "0000000000000000000000000000000000000000000000000000000000000004"
      }
    }
    client_nomad = {
      version = "1.11.2"
      sha256 = {
        amd64 = "0000000000000000000000000000000000000000000000000000000000000001"
        arm64 = "0000000000000000000000000000000000000000000000000000000000000002"
      }
    }
  }
  assert {
    condition     = output.user_data["/server"] != run.installed.user_data["/server"] && output.user_data["default"] == run.installed.user_data["default"]
    error_message = "clients must wait until the servers are new"
  }
}

run "then_clients_one_by_one" {
  command = plan
  variables {
    nomad = {
      version = "1.11.3"
      sha256 = {
        amd64 = "0000000000000000000000000000000000000000000000000000000000000003"
        arm64 = "0000000000000000000000000000000000000000000000000000000000000004"
      }
    }
  }
  assert {
    condition     = output.user_data["/server"] != run.installed.user_data["/server"] && output.user_data["default"] != run.installed.user_data["default"]
    error_message = "a new version must reach servers and clients"
  }
  assert {
    condition     = aws_autoscaling_group.servers.instance_refresh[0].strategy == "Rolling" && aws_autoscaling_group.servers.instance_refresh[0].preferences[0].min_healthy_percentage == 100 && aws_autoscaling_group.clients["default"].instance_refresh[0].preferences[0].min_healthy_percentage == 100
    error_message = "the new instance must be there before an old one goes"
  }
  assert {
    condition     = one(aws_autoscaling_group.servers.initial_lifecycle_hook).lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING" && one(aws_autoscaling_group.servers.initial_lifecycle_hook).default_result == "ABANDON"
    error_message = "a server counts only when it says that it is a voter"
  }
}

run "refuses_what_would_not_run" {
  command = plan
  variables {
    certificates = { generations = [1], issuing = 2 }
    servers      = { count = 4 }
    nomad = {
      version = "1.8.4"
      sha256 = {
        amd64 = "0000000000000000000000000000000000000000000000000000000000000003"
        arm64 = "0000000000000000000000000000000000000000000000000000000000000004"
      }
    }
  }
  expect_failures = [var.certificates, var.servers, var.nomad]
}
