# What the workload identity of the job wadi-controller may do, where ACLs are on; the least that schedules workers:
#
#   nomad acl policy apply -namespace default -job wadi-controller wadi-controller nomad/controller.policy.hcl
#
# In another namespace both the command and the block are to name it.

namespace "default" {
  # submit-job: registers, plans and stops the workers' jobs. From Nomad 1.11.2 register-job, deregister-job, purge-job and plan-job do.
  capabilities = ["list-jobs", "parse-job", "read-job", "submit-job", "read-logs", "read-fs", "alloc-lifecycle"]

  variables {
    # A run's credential, before its job is registered; deleted with the run.
    path "nomad/jobs/w-*" {
      capabilities = ["list", "read", "write", "destroy"]
    }
    # Which runs are over: they can never start again.
    path "wadi/*" {
      capabilities = ["list", "read", "write", "destroy"]
    }
  }
}

# Drains, capacity and versions of nodes.
node {
  policy = "read"
}

# Only where workers mount a host volume (nomad.host-volumes, with the driver exec and a prefetched package); "write", unless it ends with :ro.
# host_volume "wadi" {
#   policy = "read"
# }
