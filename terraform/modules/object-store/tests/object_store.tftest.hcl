# What may be done with the buckets, and what is cleaned up by itself.

mock_provider "aws" {
  override_resource {
    target = aws_s3_bucket.this["artifacts"]
    values = { arn = "arn:aws:s3:::wadi-artifacts", id = "wadi-artifacts" }
  }
}

variables {
  name                 = "wadi-123456789012-eu-central-1"
  kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/0"
  artifact_reader_arns = ["arn:aws:iam::123456789012:role/wadi-clients"]
}

run "buckets_are_private_and_clean_up_after_themselves" {
  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.this) == 3
    error_message = "public access must be blocked on every bucket"
  }
  assert {
    condition = alltrue([
      for policy in aws_s3_bucket_policy.this : anytrue([
        for statement in jsondecode(policy.policy).Statement : statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"] == "false", false)
      ])
    ])
    error_message = "every bucket must refuse what is not TLS"
  }
  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.this["artifacts"].policy).Statement : statement if statement.Sid == "OnlyClientsRead"
    ]).Condition.ArnNotEquals["aws:PrincipalArn"] == ["arn:aws:iam::123456789012:role/wadi-clients"]
    error_message = "whoever is not a client must not read packages"
  }
  assert {
    condition     = alltrue([for bucket in ["checkpoints", "artifacts"] : aws_s3_bucket_lifecycle_configuration.this[bucket].rule[0].noncurrent_version_expiration[0].noncurrent_days == 1])
    error_message = "old versions must expire after a day"
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket_lifecycle_configuration.this : bucket.rule[1].abort_incomplete_multipart_upload[0].days_after_initiation == 1])
    error_message = "unfinished uploads must not stay"
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this["checkpoints"].rule) == 2 && length(aws_s3_bucket_lifecycle_configuration.this["backups"].rule) == 3
    error_message = "only backups expire by age"
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy == false])
    error_message = "no bucket may be emptied by destroy"
  }
}

run "refuses_artifacts_without_a_reader" {
  command = plan
  variables {
    artifact_reader_arns = []
  }
  expect_failures = [var.artifact_reader_arns]
}
