# What the workload identity of the job wadi-autoscaler may do, where ACLs are on: see which nodes there are and what is on them, drain those that
# go and forget them:
#
#   nomad acl policy apply -namespace default -job wadi-autoscaler wadi-autoscaler nomad/autoscaler.policy.hcl
#
# In another namespace the command is to name it.

namespace "*" {
  capabilities = ["list-jobs", "read-job"]
}

# Draining and purging nodes.
node {
  policy = "write"
}
