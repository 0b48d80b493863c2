# Names and ARNs of the buckets.

output "checkpoints" {
  description = "Bucket of checkpoints."
  value       = { name = aws_s3_bucket.this["checkpoints"].bucket, arn = aws_s3_bucket.this["checkpoints"].arn }
}

output "artifacts" {
  description = "Bucket of packages, which only the clients read."
  value       = { name = aws_s3_bucket.this["artifacts"].bucket, arn = aws_s3_bucket.this["artifacts"].arn }
}

output "backups" {
  description = "Bucket of Nomad's snapshots (raft/) and of dumps of Postgres (postgres/)."
  value       = { name = aws_s3_bucket.this["backups"].bucket, arn = aws_s3_bucket.this["backups"].arn }
}
