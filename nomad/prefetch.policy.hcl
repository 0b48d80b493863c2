# What the workload identity of the job wadi-prefetch may do, where ACLs are on: say in a node's metadata which package is there:
#
#   nomad acl policy apply -namespace default -job wadi-prefetch wadi-prefetch nomad/prefetch.policy.hcl
#
# In another namespace the command is to name it. Where this is too much, set the job's variable mark to nothing: no policy is needed then, and
# workers may be placed on a node before it has the package.

node {
  policy = "write"
}
