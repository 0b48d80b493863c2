# Rights of the instances themselves, one role for servers and one for clients. Rights of tasks are the module identity's.

data "aws_partition" "here" {}

locals {
  assume = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })

  # Auto-join: there is no narrower right to read tags of instances.
  join_statement = { Sid = "Join", Effect = "Allow", Action = ["ec2:DescribeInstances"], Resource = ["*"] }

  certificates_parameter = { Sid = "Settings", Effect = "Allow", Action = ["ssm:GetParameter"], Resource = [aws_ssm_parameter.certificates.arn] }

  statements = {
    servers = [
      local.join_statement,
      local.certificates_parameter,
      {
        Sid    = "ReadSecrets"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue"]
        Resource = concat(
          [aws_secretsmanager_secret.gossip.arn, aws_secretsmanager_secret.token.arn, aws_secretsmanager_secret.client_certificate.arn, aws_secretsmanager_secret.drain_token.arn],
          [for secret in aws_secretsmanager_secret.authority : secret.arn],
        )
      },
      {
        Sid    = "WriteWhatServersMake"
        Effect = "Allow"
        Action = ["secretsmanager:PutSecretValue"]
        Resource = concat(
          [aws_secretsmanager_secret.client_certificate.arn, aws_secretsmanager_secret.drain_token.arn],
          [for secret in aws_secretsmanager_secret.authority : secret.arn],
        )
      },
      { Sid = "PublishAuthorities", Effect = "Allow", Action = ["ssm:GetParameter", "ssm:PutParameter"], Resource = [aws_ssm_parameter.ca.arn] },
      { Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] },
      { Sid = "Snapshots", Effect = "Allow", Action = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"], Resource = ["${var.backups_bucket.arn}/raft/*"] },
      { Sid = "Launched", Effect = "Allow", Action = ["autoscaling:CompleteLifecycleAction"], Resource = ["arn:${data.aws_partition.here.partition}:autoscaling:${var.region}:*:autoScalingGroup:*:autoScalingGroupName/${local.server_group}"] },
    ]
    clients = [
      local.join_statement,
      local.certificates_parameter,
      { Sid = "ReadSecrets", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = [aws_secretsmanager_secret.client_certificate.arn, aws_secretsmanager_secret.drain_token.arn] },
      { Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.kms_key_arn] },
      { Sid = "Artifacts", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${var.artifacts_bucket_arn}/*"] },
      { Sid = "FindArtifacts", Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"], Resource = [var.artifacts_bucket_arn] },
    ]
  }
}

resource "aws_iam_role" "instance" {
  for_each           = toset(["servers", "clients"])
  name               = "${var.name}-${each.key}"
  description        = "Instances: ${each.key} of Nomad"
  assume_role_policy = local.assume
}

resource "aws_iam_role_policy" "instance" {
  for_each = aws_iam_role.instance
  name     = "instance"
  role     = each.value.id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}

# Operators reach instances by SSM; there is no SSH, no key and no open port.
resource "aws_iam_role_policy_attachment" "ssm" {
  for_each   = aws_iam_role.instance
  role       = each.value.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "this" {
  for_each = aws_iam_role.instance
  name     = each.value.name
  role     = each.value.name
}
