output "jobs" {
  description = "Jobs that run, by their names, with the version of each."
  value = {
    for job in concat(values(nomad_job.data), [nomad_job.controller], values(nomad_job.later)) : job.id => {
      version = job.version
      status  = job.status
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
