# Where states are, as files for the other roots.

output "bucket" {
  description = "The bucket."
  value       = aws_s3_bucket.state.bucket
}

output "backends" {
  description = "For each root the content of its backend_override.tf."
  value = {
    for root in ["aws", "platform"] : root => join("\n", [
      "# Where this root's state is, written out by terraform/state.",
      "terraform {",
      "  backend \"s3\" {",
      "    bucket       = \"${aws_s3_bucket.state.bucket}\"",
      "    key          = \"${var.name}/${root}.tfstate\"",
      "    region       = \"${var.region}\"",
      "    encrypt      = true",
      "    use_lockfile = true",
      "  }",
      "}",
      "",
    ])
  }
}
