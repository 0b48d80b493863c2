# How tasks get their rights.

output "mode" {
  description = "oidc: by workload identity; instance-profile: by the instance."
  value       = local.oidc ? "oidc" : "instance-profile"
}

output "issuer" {
  description = "Issuer of the identities; null with instance-profile."
  value       = var.issuer
}

output "audience" {
  description = "Audience that a task's identity must have."
  value       = local.audience
}

output "roles" {
  description = "ARN of the role of each kind of task; null with instance-profile."
  value       = { for kind in keys(local.roles) : kind => try(aws_iam_role.task[kind].arn, null) }
}

output "gives_up" {
  description = "What the instance profile gives up; null with oidc."
  value = local.oidc ? null : join(" ", [
    "no domain, so no public issuer: every task on a client, whatever its job, can read and write checkpoints, write backups and resize the groups with the instance's rights;",
    "tasks must be able to reach the instance's metadata, and by it the clients' certificate and the token that drains nodes; AWS's records name the instance, not the job. Set the variable domain to end this.",
  ])
}
