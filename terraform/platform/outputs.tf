locals {
  port = try(var.job_values.api.port, var.cluster.load_balancer.port, 5115)
  url  = try(coalesce(var.cluster.load_balancer.url), "http://${try(local.able[0].address, "127.0.0.1")}:${local.port}")
}

output "ui" {
  description = "Web interface and API: behind the load balancer where there is a domain, else on a node."
  value       = local.url
}

output "tunnel" {
  description = "Command that opens Nomad's API on this machine, where it is not reached on 443."
  value       = try(var.cluster.nomad.tunnel, null)
}

output "token" {
  description = "Command that shows the token for the first login."
  value       = "nomad var get -namespace ${local.namespace} -out json nomad/jobs/wadi-api | jq -r .Items.session_token"
}

output "jobs" {
  description = "Jobs that run."
  value       = module.platform.jobs
}

output "policies" {
  description = "ACL policies of jobs, and the roles for people."
  value       = module.platform.policies
}

output "gives_up" {
  description = "What this cluster does without, such as separate rights of tasks where there is no domain; null: nothing."
  value       = try(var.cluster.identity.gives_up, null)
}
