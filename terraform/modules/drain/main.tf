# Nothing ends an instance under a running pipeline. An auto-scaling group asks first (lifecycle hook) and waits; on the instance a unit hears it, and
# also spot interruptions and recommendations to rebalance, drains Nomad, waits until no worker of Wadi is left and lets go. What happens on the
# instance is files/drain.sh; should it fail, Nomad's own drain_on_shutdown follows when its unit is stopped.

locals {
  hook = "${var.name}-drain"

  # Instances beat every 30 seconds while they drain: one that has said nothing for this long is lost, and is not waited for.
  heartbeat_seconds = 300

  environment = {
    WADI_DRAIN_HOOK             = local.hook
    WADI_DRAIN_DEADLINE_SECONDS = tostring(var.deadline_minutes * 60)
  }
}

resource "aws_autoscaling_lifecycle_hook" "terminating" {
  for_each               = var.groups
  name                   = local.hook
  autoscaling_group_name = each.value.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = local.heartbeat_seconds
  default_result         = "CONTINUE"
}

resource "aws_iam_role_policy" "lifecycle" {
  for_each = var.instance_role_names
  name     = "drain"
  role     = each.value
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
      Resource = [for group in values(var.groups) : group.arn if group.role == each.key]
    }]
  })
}
