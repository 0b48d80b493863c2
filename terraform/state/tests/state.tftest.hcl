# A bucket that is private, keeps old states and is locked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  region = "eu-central-1"
}

run "states_are_private_locked_and_kept" {
  command = plan
  assert {
    condition     = output.bucket == "wadi-123456789012-eu-central-1-state" && aws_s3_bucket.state.force_destroy == false
    error_message = "the bucket must be named after name, account and region, and destroy must refuse it"
  }
  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    error_message = "former states must be kept, and nobody else may read them"
  }
  assert {
    condition     = strcontains(output.backends["aws"], "use_lockfile = true") && strcontains(output.backends["aws"], "key          = \"wadi/aws.tfstate\"") && output.backends["aws"] != output.backends["platform"]
    error_message = "each root needs a key of its own and a lock"
  }
}
