# Rights of tasks. With an issuer each kind of task assumes a role of its own by its workload identity, so that neither the instance nor another
# job has that right. Without one all of it goes to the clients' instances, and with it to every task on them: the output gives_up says so.

locals {
  audience = "sts.amazonaws.com"
  oidc     = var.issuer != null
  host     = local.oidc ? trimprefix(var.issuer, "https://") : null

  read_objects  = ["s3:GetObject", "s3:GetObjectVersion"]
  write_objects = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]

  use_key = {
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
  }

  # A subject is region:namespace:job:group:task:identity.
  roles = {
    checkpoints = {
      jobs = ["wadi-controller", "wadi-api", "w-*"]
      statements = [
        local.use_key,
        { Sid = "Objects", Effect = "Allow", Action = concat(local.read_objects, local.write_objects), Resource = ["${var.buckets.checkpoints}/*"] },
        { Sid = "Bucket", Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], Resource = [var.buckets.checkpoints] },
      ]
    }
    backup = {
      jobs = ["wadi-backup", "wadi-backup/periodic-*"]
      statements = [
        local.use_key,
        # What it deletes, because it keeps so many, stays for a week as an old version.
        { Sid = "Objects", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], Resource = ["${var.buckets.backups}/postgres/*"] },
        { Sid = "Bucket", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [var.buckets.backups], Condition = { StringLike = { "s3:prefix" = ["postgres/*"] } } },
      ]
    }
    autoscaler = {
      jobs = ["wadi-autoscaler"]
      statements = [
        { Sid = "Read", Effect = "Allow", Action = ["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities", "ec2:DescribeInstances"], Resource = ["*"] },
        {
          Sid      = "Resize"
          Effect   = "Allow"
          Action   = ["autoscaling:UpdateAutoScalingGroup", "autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
          Resource = var.autoscaling_group_arns
        },
      ]
    }
  }
}

resource "aws_iam_openid_connect_provider" "nomad" {
  count          = local.oidc ? 1 : 0
  url            = var.issuer
  client_id_list = [local.audience]
}

resource "aws_iam_role" "task" {
  for_each             = { for kind, role in local.roles : kind => role if local.oidc }
  name                 = "${var.name}-task-${each.key}"
  description          = "Tasks of ${join(", ", each.value.jobs)} by their workload identity"
  max_session_duration = 43200
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.nomad[0].arn }
      Condition = {
        StringEquals = { "${local.host}:aud" = local.audience }
        StringLike   = { "${local.host}:sub" = [for job in each.value.jobs : "${var.nomad_region}:${var.namespace}:${job}:*"] }
      }
    }]
  })
}

resource "aws_iam_role_policy" "task" {
  for_each = aws_iam_role.task
  name     = each.key
  role     = each.value.id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.roles[each.key].statements })
}

resource "aws_iam_role_policy" "instance" {
  for_each = { for kind, role in local.roles : kind => role if !local.oidc }
  name     = "tasks-${each.key}"
  role     = var.client_role_name
  policy   = jsonencode({ Version = "2012-10-17", Statement = each.value.statements })
}
