output "jobs" {
  description = "Jobs that run, by the names of their files, with Nomad's name, status and version of each."
  value = {
    for job, one in merge(nomad_job.first, { controller = nomad_job.controller }, nomad_job.later) : job => {
      id      = one.id
      status  = one.status
      version = one.version
    }
  }
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
