# Run by "npm run check:deploy", whose stand-in for the provider knows the real one's schema. What a real Nomad says to it is in ../README.md.

override_data {
  target = data.nomad_nodes.all
  values = {
    nodes = [{
      id                     = "11111111-2222-3333-4444-555555555555"
      name                   = "laptop"
      datacenter             = "dc1"
      node_class             = ""
      node_pool              = "default"
      address                = "127.0.0.1"
      version                = "2.0.5"
      drain                  = false
      status                 = "ready"
      status_description     = ""
      scheduling_eligibility = "eligible"
      attributes             = {}
      drivers                = [{ name = "raw_exec", detected = true, healthy = true, attributes = {} }]
      node_resources         = []
      reserved_resources     = []
    }]
  }
}

override_data {
  target = data.nomad_node.only
  values = {
    http_addr = "127.0.0.1:14646"
  }
}

variables {
  jobs = ["controller", "api", "postgres"]
  wadi = ["node", "/opt/wadi/dist/cli/main.js"]
  job_values = {
    postgres = { programs = "/opt/postgresql/bin" }
  }
}

run "runs_wadi_from_the_checkout_and_keeps_each_jobs_data_apart" {
  command = plan

  variables {
    jobs      = ["controller", "api", "postgres", "prometheus"]
    directory = "/srv/wadi"
  }

  assert {
    condition     = module.platform.values.controller.command == "node" && jsondecode(module.platform.values.controller.arguments)[0] == "/opt/wadi/dist/cli/main.js"
    error_message = "The controller must be started by the command that was given."
  }

  assert {
    condition     = jsondecode(module.platform.values.controller.settings)["nomad.command"] == "node,/opt/wadi/dist/cli/main.js,worker"
    error_message = "Workers must be started by the same program."
  }

  assert {
    condition     = !contains(keys(module.platform.values.postgres), "command")
    error_message = "Only Wadi's own jobs may get its command."
  }

  assert {
    condition     = output.ui == "http://127.0.0.1:5115"
    error_message = "The UI must be on the node's address and the API's port."
  }

  assert {
    condition     = module.platform.values.postgres.data_directory == "/srv/wadi/postgres" && module.platform.values.prometheus.data_directory == "/srv/wadi/prometheus"
    error_message = "Two jobs must not share a directory."
  }

  assert {
    condition     = jsondecode(module.platform.values.controller.settings)["checkpoint-url"] == "/srv/wadi/checkpoints"
    error_message = "Checkpoints must be in the directory."
  }

  assert {
    condition     = jsondecode(module.platform.values.prometheus.nomad_servers) == ["127.0.0.1:14646"]
    error_message = "Prometheus must scrape the agent where it is."
  }
}

run "runs_wadi_from_a_package" {
  command = plan

  variables {
    wadi              = null
    artifact          = "https://example.com/wadi.tar.zst"
    artifact_checksum = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  assert {
    condition     = module.platform.values.api.artifact == "https://example.com/wadi.tar.zst" && !contains(keys(module.platform.values.api), "command")
    error_message = "The package replaces the command."
  }

  assert {
    condition     = jsondecode(module.platform.values.controller.settings)["nomad.artifact"] == "https://example.com/wadi.tar.zst"
    error_message = "Workers take the same package where there is none of their own."
  }
}

run "refuses_to_be_without_a_database" {
  command = plan

  variables {
    jobs       = ["controller", "api"]
    job_values = {}
  }

  expect_failures = [terraform_data.ready]
}

run "refuses_a_driver_that_no_node_has" {
  command = plan

  variables {
    driver = "exec"
  }

  expect_failures = [terraform_data.ready]
}

run "refuses_wrong_values_by_name" {
  command = plan

  variables {
    artifact_checksum = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    nomad_address     = "127.0.0.1:4646"
    directory         = "/srv/my data"
  }

  expect_failures = [var.artifact_checksum, var.nomad_address, var.directory]
}
