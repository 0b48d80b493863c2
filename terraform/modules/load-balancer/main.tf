# One load balancer with a certificate of ACM. To everybody it shows two documents, by which AWS STS checks the identities of tasks; to the
# allowed addresses also Wadi (UI and API) and Nomad's API. Everything else gets 404.

locals {
  hosts = {
    ui    = var.domain.name
    nomad = "nomad.${var.domain.name}"
    oidc  = "oidc.${var.domain.name}"
  }

  # A rule holds five values at most: one is the host, so that four blocks of addresses fit.
  private_rules = merge([
    for host, target in { ui = aws_lb_target_group.ui.arn, nomad = aws_lb_target_group.nomad.arn } : {
      for index, cidrs in chunklist(var.allowed_cidrs, 4) : "${host}-${index}" => {
        host     = local.hosts[host]
        target   = target
        cidrs    = cidrs
        priority = (host == "ui" ? 100 : 1000) + index
      }
    }
  ]...)
}

resource "aws_security_group" "this" {
  name        = "${var.name}-load-balancer"
  description = "Load balancer of Wadi"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-load-balancer" }
}

# STS reads the discovery documents from addresses that AWS does not publish; the rules below keep everything else from the public.
resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS; what is not public is kept to the allowed addresses by the listener"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  for_each = {
    servers = { group = var.servers.security_group_id, port = 4646 }
    clients = { group = var.clients.security_group_id, port = var.ui_port }
  }
  security_group_id            = aws_security_group.this.id
  description                  = "To the ${each.key}"
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "servers" {
  security_group_id            = var.servers.security_group_id
  description                  = "Nomad's API from the load balancer"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 4646
  to_port                      = 4646
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = var.clients.security_group_id
  description                  = "Wadi's API from the load balancer"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.ui_port
  to_port                      = var.ui_port
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  # Nomad's streams (logs, exec) and Wadi's (output of a pipeline) may be silent for long.
  idle_timeout = 4000
}

resource "aws_lb_target_group" "nomad" {
  name                 = "${var.name}-nomad"
  vpc_id               = var.vpc_id
  port                 = 4646
  protocol             = "HTTPS"
  deregistration_delay = 30

  health_check {
    protocol            = "HTTPS"
    path                = "/v1/agent/health?type=server"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_target_group" "ui" {
  name                 = "${var.name}-ui"
  vpc_id               = var.vpc_id
  port                 = var.ui_port
  protocol             = "HTTP"
  deregistration_delay = 30

  # All clients of the pool are targets; those on which no API runs are unhealthy, which is how it should be.
  health_check {
    protocol            = "HTTP"
    path                = "/api/v1/ping"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_autoscaling_attachment" "servers" {
  autoscaling_group_name = var.servers.group_name
  lb_target_group_arn    = aws_lb_target_group.nomad.arn
}

resource "aws_autoscaling_attachment" "clients" {
  autoscaling_group_name = var.clients.group_name
  lb_target_group_arn    = aws_lb_target_group.ui.arn
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "not found"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "discovery" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.nomad.arn
  }

  condition {
    host_header {
      values = [local.hosts.oidc]
    }
  }

  condition {
    path_pattern {
      values = ["/.well-known/openid-configuration", "/.well-known/jwks.json"]
    }
  }

  condition {
    http_request_method {
      values = ["GET"]
    }
  }
}

resource "aws_lb_listener_rule" "private" {
  for_each     = local.private_rules
  listener_arn = aws_lb_listener.https.arn
  priority     = each.value.priority

  action {
    type             = "forward"
    target_group_arn = each.value.target
  }

  condition {
    host_header {
      values = [each.value.host]
    }
  }

  condition {
    source_ip {
      values = each.value.cidrs
    }
  }
}
