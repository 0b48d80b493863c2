# Rights of tasks: by their own identity, or by the instance's with a word about the price.

mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/oidc.wadi.example.com" }
  }
}

variables {
  name                   = "wadi"
  namespace              = "streams"
  client_role_name       = "wadi-clients"
  buckets                = { checkpoints = "arn:aws:s3:::checkpoints", backups = "arn:aws:s3:::backups" }
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/0"
  autoscaling_group_arns = ["arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/wadi-clients-workers"]
}

run "each_kind_of_task_has_its_role" {
  variables {
    issuer = "https://oidc.wadi.example.com"
  }
  assert {
    condition     = output.mode == "oidc" && output.gives_up == null && length(aws_iam_role_policy.instance) == 0
    error_message = "with an issuer the instance holds no rights of tasks"
  }
  assert {
    condition     = jsondecode(aws_iam_role.task["checkpoints"].assume_role_policy).Statement[0].Condition.StringLike["oidc.wadi.example.com:sub"] == ["global:streams:wadi-controller:*", "global:streams:wadi-api:*", "global:streams:w-*:*"]
    error_message = "checkpoints are for controllers, API and workers of this namespace"
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.task : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["oidc.wadi.example.com:aud"] == "sts.amazonaws.com"])
    error_message = "an identity made for another audience must not do"
  }
  assert {
    condition     = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.task["checkpoints"].policy).Statement : [for resource in statement.Resource : !strcontains(resource, "backups")]]))
    error_message = "workers must not reach backups"
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.task["backup"].policy).Statement : statement.Sid != "Objects" || statement.Resource == ["arn:aws:s3:::backups/postgres/*"]])
    error_message = "the backup job must reach neither checkpoints nor Nomad's snapshots"
  }
}

run "without_an_issuer_the_instance_holds_them" {
  assert {
    condition     = output.mode == "instance-profile" && length(aws_iam_role.task) == 0 && toset(keys(aws_iam_role_policy.instance)) == toset(["checkpoints", "backup", "autoscaler"])
    error_message = "the clients' role must hold all rights of tasks"
  }
  assert {
    condition     = strcontains(output.gives_up, "every task") && alltrue([for arn in values(output.roles) : arn == null])
    error_message = "the price must be said"
  }
}

run "refuses_an_issuer_without_tls" {
  command = plan
  variables {
    issuer = "http://oidc.wadi.example.com"
  }
  expect_failures = [var.issuer]
}
