# Who may speak to whom, by role and not by address. Nobody reaches an instance from outside: operators come by SSM, users by the load balancer.

locals {
  # Receiver, sender, protocol, ports.
  flows = {
    servers-rpc     = { to = "servers", from = "servers", protocol = "tcp", ports = [4647, 4648], why = "RPC, Raft and gossip between servers" }
    servers-gossip  = { to = "servers", from = "servers", protocol = "udp", ports = [4648, 4648], why = "Gossip between servers" }
    clients-rpc     = { to = "servers", from = "clients", protocol = "tcp", ports = [4647, 4647], why = "RPC of clients" }
    clients-api     = { to = "servers", from = "clients", protocol = "tcp", ports = [4646, 4646], why = "Nomad's API and metrics, for tasks" }
    clients-metrics = { to = "clients", from = "clients", protocol = "tcp", ports = [4646, 4646], why = "Metrics of Nomad's clients, for Prometheus" }
    clients-tasks   = { to = "clients", from = "clients", protocol = "tcp", ports = [20000, 32000], why = "Ports of tasks: data plane, RPC of controllers, metrics" }
    clients-ui      = { to = "clients", from = "clients", protocol = "tcp", ports = [var.ui_port, var.ui_port], why = "API of Wadi, for tasks" }
  }
  groups = { servers = aws_security_group.servers.id, clients = aws_security_group.clients.id }
}

resource "aws_security_group" "servers" {
  name        = "${var.name}-servers"
  description = "Servers of Nomad"
  vpc_id      = var.network.vpc_id
  tags        = { Name = "${var.name}-servers" }
}

resource "aws_security_group" "clients" {
  name        = "${var.name}-clients"
  description = "Clients of Nomad"
  vpc_id      = var.network.vpc_id
  tags        = { Name = "${var.name}-clients" }
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each                     = local.flows
  security_group_id            = local.groups[each.value.to]
  description                  = each.value.why
  referenced_security_group_id = local.groups[each.value.from]
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.ports[0]
  to_port                      = each.value.ports[1]
}

# Servers call AWS's APIs and each other, nothing else.
resource "aws_vpc_security_group_egress_rule" "servers_https" {
  security_group_id = aws_security_group.servers.id
  description       = "APIs of AWS, packages, the archive of Nomad"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "servers_peers" {
  for_each                     = { tcp = [4647, 4648], udp = [4648, 4648] }
  security_group_id            = aws_security_group.servers.id
  description                  = "Other servers"
  referenced_security_group_id = aws_security_group.servers.id
  ip_protocol                  = each.key
  from_port                    = each.value[0]
  to_port                      = each.value[1]
}

# Clients run pipelines, whose sources and sinks can be anywhere.
resource "aws_vpc_security_group_egress_rule" "clients" {
  security_group_id = aws_security_group.clients.id
  description       = "Sources and sinks of pipelines, AWS, servers and other clients"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
