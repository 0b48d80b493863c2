# Three buckets, each for one reader. checkpoints: state of pipelines; what retention deletes is gone a day later, because an old version costs as
# much as a new one. artifacts: packages by SHA-256, which only Nomad's clients may read. backups: snapshots of Nomad and dumps of Postgres.
# None of them is destroyed while it holds an object.

locals {
  buckets = {
    checkpoints = { old_version_days = 1, expiry_days = null }
    artifacts   = { old_version_days = 1, expiry_days = null }
    backups     = { old_version_days = 7, expiry_days = var.backup_days }
  }

  tls_only = {
    for purpose, bucket in aws_s3_bucket.this : purpose => {
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [bucket.arn, "${bucket.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }

  # A denial, so that no other policy can give this right to somebody else. Whoever uploads needs PutObject alone: the names are digests, and a
  # conditional PUT says that an object is there already.
  only_clients_read = [{
    Sid       = "OnlyClientsRead"
    Effect    = "Deny"
    Principal = "*"
    Action    = ["s3:GetObject", "s3:GetObjectVersion"]
    Resource  = ["${aws_s3_bucket.this["artifacts"].arn}/*"]
    Condition = { ArnNotEquals = { "aws:PrincipalArn" = var.artifact_reader_arns } }
  }]
}

resource "aws_s3_bucket" "this" {
  for_each      = local.buckets
  bucket        = "${var.name}-${each.key}"
  force_destroy = false
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = aws_s3_bucket.this
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  rule {
    # One request to KMS for many objects: checkpoints write thousands of them.
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = local.buckets[each.key].old_version_days
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = local.buckets[each.key].expiry_days == null ? [] : [local.buckets[each.key].expiry_days]
    content {
      id     = "expiry"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.tls_only[each.key]], each.key == "artifacts" ? local.only_clients_read : [])
  })
  depends_on = [aws_s3_bucket_public_access_block.this]
}
