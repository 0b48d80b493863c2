# Servers: one auto-scaling group over three zones. A change of version, image or configuration makes a new launch template, and the group replaces
# one server at a time: the new one first, which reports itself when it is a voter of a healthy quorum; then an old one leaves.

locals {
  server_group = "${var.name}-servers"
  launch_hook  = "${var.name}-joined"
}

resource "aws_launch_template" "servers" {
  name                   = local.server_group
  image_id               = var.images[var.servers.architecture]
  instance_type          = var.servers.instance_type
  user_data              = local.user_data["/server"]
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.servers.id]

  iam_instance_profile {
    arn = aws_iam_instance_profile.this["servers"].arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted             = true
      volume_type           = "gp3"
      volume_size           = var.servers.disk_gb
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = { Name = local.server_group, wadi = var.name }
    }
  }
}

resource "aws_autoscaling_group" "servers" {
  name                = local.server_group
  min_size            = var.servers.count
  desired_capacity    = var.servers.count
  max_size            = var.servers.count + 1
  vpc_zone_identifier = var.network.subnet_ids
  health_check_type   = "EC2"
  # The load balancer is attached by the module load-balancer.
  wait_for_capacity_timeout = "20m"

  launch_template {
    id      = aws_launch_template.servers.id
    version = aws_launch_template.servers.latest_version
  }

  initial_lifecycle_hook {
    name                 = local.launch_hook
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = 1800
    default_result       = "ABANDON"
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 100 + ceil(100 / var.servers.count)
      instance_warmup        = 60
      auto_rollback          = true
      skip_matching          = true
    }
  }

  # By this tag servers and clients find the servers.
  tag {
    key                 = "wadi-servers"
    value               = var.name
    propagate_at_launch = true
  }

  tag {
    key                 = "Name"
    value               = local.server_group
    propagate_at_launch = true
  }

  timeouts {
    delete = "60m"
  }

  lifecycle {
    ignore_changes = [load_balancers, target_group_arns]
  }

  depends_on = [
    aws_iam_role_policy.instance,
    aws_secretsmanager_secret_version.gossip,
    aws_secretsmanager_secret_version.token,
    aws_vpc_security_group_ingress_rule.flow,
  ]
}
