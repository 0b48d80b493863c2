locals {
  # A static port is on every node that runs the job; with several nodes Nomad says on which.
  host = try(local.able[0].address, "127.0.0.1")
  port = { for job, port in { api = 5115, prometheus = 9090 } : job => try(tonumber(var.job_values[job].port), port) }
}

output "ui" {
  description = "Web interface and API."
  value       = "http://${local.host}:${local.port.api}"
}

output "prometheus" {
  description = "Prometheus, where it runs."
  value       = contains(local.jobs, "prometheus") ? "http://${local.host}:${local.port.prometheus}" : null
}

output "jobs" {
  description = "Jobs that run."
  value       = module.platform.jobs
}

output "next" {
  description = "The first pipeline."
  value       = <<-TEXT
    export WADI_API_URL=http://${local.host}:${local.port.api}
    export WADI_API_TOKEN=$(nomad var get -namespace ${var.namespace} -out json nomad/jobs/wadi-api | jq -r .Items.session_token)
    wadi pipelines create --api-url http://${local.host}:${local.port.api} --name first query.sql
  TEXT
}
