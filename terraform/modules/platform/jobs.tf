# A job file declares what it can be told; it gets exactly that of the common values, so that one set of values serves all files.

locals {
  templates = "${path.module}/../../../nomad"
  text      = { for job in var.jobs : job => file("${local.templates}/${job}.nomad.hcl") }
  declared  = { for job, text in local.text : job => toset(flatten(regexall("(?m)^variable \"([a-z_0-9]+)\"", text))) }

  # Alerts and dashboards by the names of their files.
  monitoring = {
    rules      = { for file in fileset("${local.templates}/monitoring/rules", "*.rules.yml") : file => file("${local.templates}/monitoring/rules/${file}") }
    dashboards = { for file in fileset("${local.templates}/monitoring/dashboards", "*.json") : file => file("${local.templates}/monitoring/dashboards/${file}") }
  }

  # These jobs run Wadi itself; the others have programs of their own, which only job_values may name.
  wadi    = ["api", "backup", "controller", "node", "prefetch"]
  program = ["image", "command", "arguments", "artifact", "artifact_checksum"]

  # Nomad's parser takes texts as they are and all else as HCL, of which JSON is a part but for its interpolation.
  values = {
    for job in var.jobs : job => {
      for name, value in merge(
        { for name, value in local.monitoring : name => value if contains(local.declared[job], name) },
        { for name, value in var.values : name => value if contains(local.declared[job], name) && (contains(local.wadi, job) || !contains(local.program, name)) },
        { namespace = var.namespace },
        lookup(var.job_values, job, {}),
      ) : name => can(tostring(value)) ? tostring(value) : replace(replace(jsonencode(value), "$${", "$$${"), "%%{", "%%%{") if value != null
    }
  }

  # First those that Wadi looks for when it starts, then who migrates and leads, then who only reads.
  first = setintersection(var.jobs, ["postgres", "s3", "prometheus", "pushgateway"])
  later = setsubtract(setsubtract(var.jobs, local.first), ["controller"])

  undeclared = flatten([for job, values in var.job_values : [for name in keys(values) : "${job}.${name}" if !contains(try(local.declared[job], []), name)]])
  unused     = [for name in keys(var.values) : name if var.values[name] != null && !anytrue([for names in local.declared : contains(names, name)])]
}

resource "terraform_data" "values" {
  # Checked once for all jobs, before anything is made.
  input = local.unused

  lifecycle {
    precondition {
      condition     = length(local.undeclared) == 0
      error_message = "No such variable of a job that runs here: ${join(", ", local.undeclared)}. nomad/README.md lists the variables of every job."
    }
    precondition {
      condition     = length(local.unused) == 0
      error_message = "No job that runs here has the variable ${join(", ", local.unused)}. nomad/README.md lists the variables of every job."
    }
  }
}

resource "nomad_job" "first" {
  for_each = local.first

  jobspec          = local.text[each.key]
  detach           = false
  purge_on_destroy = var.purge_on_destroy
  rerun_if_dead    = true

  # Longer than the jobs' progress deadline, so that the verdict is Nomad's: "… rolling back to job version 3".
  timeouts {
    create = "6m"
    update = "6m"
  }

  hcl2 {
    vars = local.values[each.key]
  }

  depends_on = [nomad_variable.job, nomad_acl_policy.job, nomad_dynamic_host_volume.data, terraform_data.values]
}

resource "nomad_job" "controller" {
  jobspec          = local.text["controller"]
  detach           = false
  purge_on_destroy = var.purge_on_destroy
  rerun_if_dead    = true

  timeouts {
    create = "6m"
    update = "6m"
  }

  hcl2 {
    vars = local.values["controller"]
  }

  depends_on = [nomad_job.first]
}

resource "nomad_job" "later" {
  for_each = local.later

  jobspec          = local.text[each.key]
  detach           = false
  purge_on_destroy = var.purge_on_destroy
  rerun_if_dead    = each.key != "prefetch"

  timeouts {
    create = "6m"
    update = "6m"
  }

  hcl2 {
    vars = local.values[each.key]
  }

  depends_on = [nomad_job.controller]
}
