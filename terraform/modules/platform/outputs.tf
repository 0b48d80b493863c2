# Neither versions nor states of jobs: Nomad changes them, and the next apply would not be "no changes".
output "jobs" {
  description = "Jobs that run: Nomad's name of each by the name of its file."
  value       = { for job, one in merge(nomad_job.first, { controller = nomad_job.controller }, nomad_job.later) : job => one.id }
}

output "namespace" {
  description = "Namespace of the jobs."
  value       = local.namespace
}

output "policies" {
  description = "ACL policies by the job that has each, and the roles for people; empty without ACLs."
  value = {
    jobs  = { for job, policy in nomad_acl_policy.job : "wadi-${job}" => policy.name }
    roles = [for role in nomad_acl_role.person : role.name]
  }
}

output "values" {
  description = "What every job is told, as its file's variables; no secrets."
  value       = local.values
}
