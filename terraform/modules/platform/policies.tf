# What a job may do is in a file beside it, nomad/NAME.policy.hcl, and bound to that job's own workload identity: no token is made or stored. Two roles for people, of which nobody is a member yet.

locals {
  # Policies have no namespace: two installations of one Nomad must not share names.
  prefix    = contains(["default", "wadi"], var.namespace) ? "" : "${var.namespace}-"
  namespace = var.create_namespace ? nomad_namespace.wadi[0].name : var.namespace
  policies  = { for job in var.jobs : job => "${local.templates}/${job}.policy.hcl" if var.acl && fileexists("${local.templates}/${job}.policy.hcl") }
}

resource "nomad_namespace" "wadi" {
  count = var.create_namespace ? 1 : 0

  name        = var.namespace
  description = "Wadi: its services and the workers of its pipelines."
}

resource "nomad_acl_policy" "job" {
  for_each = local.policies

  name        = "${local.prefix}wadi-${each.key}"
  description = "What the job wadi-${each.key} may do."
  # The files are written for the namespace default.
  rules_hcl = replace(file(each.value), "namespace \"default\"", "namespace \"${var.namespace}\"")

  job_acl {
    namespace = local.namespace
    job_id    = "wadi-${each.key}"
  }
}

resource "nomad_acl_policy" "person" {
  for_each = var.acl ? {
    viewer   = ["list-jobs", "read-job", "read-logs"]
    operator = ["list-jobs", "read-job", "read-logs", "read-fs", "alloc-lifecycle", "alloc-exec", "submit-job"]
  } : {}

  name        = "${local.prefix}wadi-${each.key}"
  description = each.key == "viewer" ? "Sees Wadi's jobs and their logs." : "Restarts, drains and asks Wadi's jobs; no secrets."
  rules_hcl   = <<-HCL
    namespace "${local.namespace}" {
      capabilities = ${jsonencode(each.value)}
    }
    node {
      policy = "${each.key == "viewer" ? "read" : "write"}"
    }
  HCL
}

resource "nomad_acl_role" "person" {
  for_each = nomad_acl_policy.person

  name        = each.value.name
  description = each.value.description

  policy {
    name = each.value.name
  }
}
