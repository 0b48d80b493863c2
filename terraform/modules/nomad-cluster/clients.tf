# Clients: for each node pool an auto-scaling group over three zones, on demand or spot. How many there are is the autoscaler's business, within the
# bounds; every end of an instance goes through the module drain.

locals {
  client_groups = { for name in keys(var.client_pools) : name => "${var.name}-clients-${name}" }
}

resource "aws_launch_template" "clients" {
  for_each               = var.client_pools
  name                   = local.client_groups[each.key]
  image_id               = var.images[each.value.architecture]
  user_data              = local.user_data[each.key]
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.clients.id]

  iam_instance_profile {
    arn = aws_iam_instance_profile.this["clients"].arn
  }

  # One hop: containers with a network of their own do not reach the instance's rights.
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
      volume_size           = each.value.disk_gb
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
      tags          = { Name = local.client_groups[each.key], wadi = var.name }
    }
  }
}

resource "aws_autoscaling_group" "clients" {
  for_each            = var.client_pools
  name                = local.client_groups[each.key]
  min_size            = each.value.min
  desired_capacity    = coalesce(each.value.initial, each.value.min)
  max_size            = each.value.max
  vpc_zone_identifier = var.network.subnet_ids
  health_check_type   = "EC2"
  # AWS's recommendations to leave: the group starts another instance before it ends this one.
  capacity_rebalance = each.value.spot

  mixed_instances_policy {
    instances_distribution {
      on_demand_percentage_above_base_capacity = each.value.spot ? 0 : 100
      spot_allocation_strategy                 = "price-capacity-optimized"
    }
    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.clients[each.key].id
        version            = aws_launch_template.clients[each.key].latest_version
      }
      dynamic "override" {
        for_each = each.value.instance_types
        content {
          instance_type = override.value
        }
      }
    }
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 150
      instance_warmup        = 60
      skip_matching          = true
    }
  }

  tag {
    key                 = "Name"
    value               = local.client_groups[each.key]
    propagate_at_launch = true
  }

  timeouts {
    delete = "60m"
  }

  lifecycle {
    # The autoscaler decides how many there are; the load balancer is attached by its own module.
    ignore_changes = [desired_capacity, load_balancers, target_group_arns]
  }

  depends_on = [aws_iam_role_policy.instance, aws_autoscaling_group.servers]
}
