# Run by "npm run check:deploy", whose stand-in for the provider knows the real one's schema.

variables {
  jobs = ["controller", "api", "postgres"]
  acl  = false
}

run "gives_each_job_what_it_declares_and_its_secrets" {
  command = plan

  variables {
    values = {
      driver          = "raw_exec"
      command         = "/usr/local/bin/wadi"
      max_connections = 50
    }
  }

  assert {
    condition     = local.values.postgres == { driver = "raw_exec", max_connections = "50", namespace = "default" }
    error_message = "PostgreSQL has a program of its own, and takes only what it declares."
  }

  assert {
    condition     = local.values.api == { driver = "raw_exec", command = "/usr/local/bin/wadi", namespace = "default" }
    error_message = "The API declares the command and nothing of PostgreSQL's."
  }

  assert {
    condition     = toset(keys(nomad_variable.made)) == toset(["database", "session"])
    error_message = "Only secrets that the jobs want are made."
  }

  assert {
    condition     = toset([for variable in nomad_variable.job : variable.path]) == toset(["nomad/jobs/wadi-api", "nomad/jobs/wadi-controller", "nomad/jobs/wadi-postgres"])
    error_message = "Each job has its secrets where it alone may read them."
  }

  assert {
    condition     = alltrue([for variable in nomad_variable.job : variable.items == null && variable.items_wo == null])
    error_message = "No secret may be in the plan."
  }

  assert {
    condition     = length(nomad_acl_policy.job) + length(nomad_acl_policy.person) + length(nomad_acl_role.person) == 0
    error_message = "A Nomad without ACLs refuses policies."
  }
}

run "writes_values_as_nomads_parser_reads_them_and_prefers_those_of_one_job" {
  command = plan

  variables {
    values = {
      cpu         = 100
      datacenters = ["a", "b"]
      settings    = { "nomad.artifact" = "https://example.com/$${attr.cpu.arch}.tar", "a" = "%%{if}" }
    }
    volumes    = { wadi-postgres = { node_pool = "data", parameters = { uid = "70", gid = "70" } } }
    job_values = { api = { cpu = 900 }, postgres = { volume = "wadi-postgres" } }
  }

  assert {
    condition     = local.values.api.datacenters == "[\"a\",\"b\"]"
    error_message = "A list is written as HCL."
  }

  assert {
    condition     = strcontains(local.values.api.settings, "$$${attr.cpu.arch}") && strcontains(local.values.api.settings, "%%%{if}")
    error_message = "What looks like an interpolation must reach the job as it is."
  }

  assert {
    condition     = local.values.api.cpu == "900" && local.values.controller.cpu == "100"
    error_message = "Values of one job are preferred to those of all."
  }

  assert {
    condition     = nomad_dynamic_host_volume.data["wadi-postgres"].plugin_id == "mkdir" && local.values.postgres.volume == "wadi-postgres"
    error_message = "The volume is made by Nomad's own plugin and used by the job."
  }
}

run "writes_secrets_again_when_a_job_joins_that_changes_them" {
  command = plan

  variables {
    jobs = ["controller", "api", "postgres", "node"]
  }

  assert {
    condition     = nomad_variable.job["controller"].items_wo_version == 5
    error_message = "The controller is to learn the token of the node daemons."
  }
}

run "binds_each_policy_to_its_job" {
  command = plan

  variables {
    acl              = true
    namespace        = "streams"
    create_namespace = true
  }

  assert {
    condition     = keys(nomad_acl_policy.job) == ["controller"] && nomad_acl_policy.job["controller"].job_acl[0].job_id == "wadi-controller" && nomad_acl_policy.job["controller"].job_acl[0].namespace == "streams"
    error_message = "Only the controllers need rights, and only they may have them."
  }

  assert {
    condition     = strcontains(nomad_acl_policy.job["controller"].rules_hcl, "namespace \"streams\" {") && !strcontains(nomad_acl_policy.job["controller"].rules_hcl, "namespace \"default\" {")
    error_message = "The rights must be those in the namespace of the jobs."
  }

  assert {
    condition     = nomad_namespace.wadi[0].name == "streams" && nomad_acl_policy.job["controller"].name == "streams-wadi-controller"
    error_message = "Two installations of one Nomad must not share names."
  }

  assert {
    condition     = !strcontains(nomad_acl_policy.person["viewer"].rules_hcl, "submit-job") && !strcontains(nomad_acl_policy.person["operator"].rules_hcl, "variables")
    error_message = "Who looks may change nothing, and nobody reads secrets."
  }
}

run "refuses_a_value_that_no_job_declares" {
  command = plan

  variables {
    values = { memroy = 512 }
  }

  expect_failures = [terraform_data.values]
}

run "refuses_a_value_that_this_job_does_not_declare" {
  command = plan

  variables {
    job_values = { api = { max_connections = 5 } }
  }

  expect_failures = [terraform_data.values]
}

run "refuses_wrong_values_by_name" {
  command = plan

  variables {
    jobs             = ["api", "postgress"]
    create_namespace = true
    secrets_version  = 1.5
  }

  expect_failures = [var.jobs, var.create_namespace, var.secrets_version]
}
