# Who sees what: discovery for everybody, the rest for the allowed addresses.

mock_provider "aws" {}

variables {
  name          = "wadi"
  vpc_id        = "vpc-1"
  subnet_ids    = ["subnet-1", "subnet-2", "subnet-3"]
  domain        = { name = "wadi.example.com", zone_id = "Z1" }
  allowed_cidrs = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/25", "192.0.2.128/25", "10.0.0.0/8"]
  ui_port       = 5115
  servers       = { security_group_id = "sg-servers", group_name = "wadi-servers" }
  clients       = { security_group_id = "sg-clients", group_name = "wadi-clients-default" }
}

run "discovery_is_for_everybody_the_rest_for_the_allowed" {
  assert {
    condition     = aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "404" && aws_lb_listener.https.port == 443 && aws_lb_listener.https.protocol == "HTTPS"
    error_message = "the default must forward nothing"
  }
  assert {
    condition     = flatten([for condition in aws_lb_listener_rule.discovery.condition : [for header in condition.host_header : tolist(header.values)]]) == ["oidc.wadi.example.com"]
    error_message = "discovery is at a host of its own"
  }
  assert {
    condition     = toset(flatten([for condition in aws_lb_listener_rule.discovery.condition : [for path in condition.path_pattern : tolist(path.values)]])) == toset(output.public_paths)
    error_message = "only the discovery documents are public"
  }
  assert {
    condition     = toset(flatten([for condition in aws_lb_listener_rule.discovery.condition : [for method in condition.http_request_method : tolist(method.values)]])) == toset(["GET"])
    error_message = "the public may only read"
  }
  assert {
    condition = length(aws_lb_listener_rule.private) == 4 && alltrue([
      for rule in aws_lb_listener_rule.private :
      length(flatten([for condition in rule.condition : [for source in condition.source_ip : tolist(source.values)]])) > 0 &&
      sum([for condition in rule.condition : sum(concat([0], [for source in condition.source_ip : length(source.values)], [for header in condition.host_header : length(header.values)]))]) <= 5
    ])
    error_message = "a rule needs addresses, and holds at most five values"
  }
  assert {
    condition     = alltrue([for host in ["ui", "nomad"] : toset(output.allowed[host]) == toset(var.allowed_cidrs)])
    error_message = "no address may be lost between the rules"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.servers.referenced_security_group_id == aws_security_group.this.id && aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == aws_security_group.this.id
    error_message = "targets take connections by the load balancer's group"
  }
  assert {
    condition     = aws_lb_target_group.nomad.protocol == "HTTPS" && aws_lb_target_group.ui.port == 5115 && aws_lb_target_group.ui.health_check[0].path == "/api/v1/ping"
    error_message = "Nomad is reached with TLS, the API at its static port"
  }
  assert {
    condition     = aws_lb.this.enable_deletion_protection && aws_lb.this.drop_invalid_header_fields
    error_message = "the load balancer must be protected"
  }
}
