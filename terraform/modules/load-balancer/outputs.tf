# Addresses behind the load balancer.

output "ui_url" {
  description = "Where users find the UI and the API."
  value       = "https://${local.hosts.ui}"
}

output "nomad_url" {
  description = "Nomad's API, for the allowed addresses."
  value       = "https://${local.hosts.nomad}"
}

output "issuer_url" {
  description = "Issuer of the identities of tasks; known only once its documents can be read."
  value       = "https://${local.hosts.oidc}"
  depends_on  = [aws_lb_listener_rule.discovery, aws_route53_record.host]
}

output "ui_target_group_arn" {
  description = "Target group of the API."
  value       = aws_lb_target_group.ui.arn
}

output "public_paths" {
  description = "Paths that everybody may read."
  value       = ["/.well-known/openid-configuration", "/.well-known/jwks.json"]
}

output "allowed" {
  description = "Addresses that may reach each private host."
  value = {
    for host in ["ui", "nomad"] : host => flatten([for rule in local.private_rules : rule.cidrs if rule.host == local.hosts[host]])
  }
}
