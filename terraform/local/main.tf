# Wadi on any Nomad that can be reached, "nomad agent -dev" on a laptop included: tasks by raw_exec, data in plain directories, Wadi from this
# checkout's dist or from a package. Nomad's address and token come from NOMAD_ADDR and NOMAD_TOKEN.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    nomad = {
      source  = "hashicorp/nomad"
      version = "~> 2.6"
    }
  }
}

provider "nomad" {
  address = var.nomad_address
}

locals {
  # What this machine has, which is the node where "nomad agent -dev" runs.
  postgres = reverse(sort([for file in fileset("/usr/lib/postgresql", "*/bin/initdb") : "/usr/lib/postgresql/${dirname(file)}"]))
  found = concat(
    ["controller", "api"],
    length(local.postgres) == 0 || local.outside ? [] : ["postgres"],
    fileexists("/usr/bin/prometheus") ? ["prometheus"] : [],
    fileexists("/usr/bin/prometheus-pushgateway") ? ["pushgateway"] : [],
  )
  jobs    = var.jobs == null ? toset(local.found) : var.jobs
  outside = try(var.values.database_host, "") != ""

  checkout = abspath("${path.module}/../../dist/cli/main.js")
  package  = var.artifact != ""
  main     = var.wadi == null ? ["node", local.checkout] : var.wadi

  worker = {
    artifact = var.worker_artifact == "" ? var.artifact : var.worker_artifact
    checksum = var.worker_artifact == "" ? var.artifact_checksum : var.worker_artifact_checksum
  }

  settings = { for name, value in merge(
    {
      "checkpoint-url" = var.checkpoint_url == "" ? "${var.directory}/checkpoints" : var.checkpoint_url
      "nomad.driver"   = var.driver
    },
    {
      "nomad.artifact"          = local.package ? local.worker.artifact : ""
      "nomad.artifact-checksum" = local.package ? local.worker.checksum : ""
      "nomad.command"           = local.package ? "" : join(",", concat(local.main, ["worker"]))
    },
    var.settings,
  ) : name => value if value != "" }

  # A null is what the job's own default says.
  values = merge(
    {
      driver            = var.driver
      instances         = 1
      settings          = local.settings
      artifact          = local.package ? var.artifact : null
      artifact_checksum = local.package ? var.artifact_checksum : null
      command           = local.package ? null : local.main[0]
      arguments         = local.package ? null : slice(local.main, 1, length(local.main))
    },
    var.values,
  )

  # Each job's data in a directory of its own; what is given for a job is preferred.
  job_values = {
    for job in local.jobs : job => merge(
      contains(["postgres", "prometheus", "s3", "grafana"], job) ? { data_directory = "${var.directory}/${job}" } : {},
      job == "postgres" ? { programs = try(local.postgres[0], null) } : {},
      # Where the one agent there is has another port than 4646, Prometheus would not find it.
      job == "prometheus" && length(data.nomad_node.only) == 1 ? { nomad_servers = [data.nomad_node.only[0].http_addr] } : {},
      try(var.job_values[job], {}),
    )
  }
}

module "platform" {
  source = "../modules/platform"

  jobs             = local.jobs
  namespace        = var.namespace
  create_namespace = var.create_namespace
  acl              = var.acl
  values           = local.values
  job_values       = merge(var.job_values, local.job_values)
  volumes          = var.volumes
  secrets          = var.secrets
  secrets_version  = var.secrets_version

  depends_on = [terraform_data.ready]
}

# What Nomad could only say late and badly is checked first.
resource "terraform_data" "ready" {
  lifecycle {
    precondition {
      condition     = local.package || var.wadi != null || fileexists(local.checkout)
      error_message = "Wadi is not built: there is no ${local.checkout}. Run npm ci && npm run build in the checkout, or give artifact and artifact_checksum, or wadi."
    }
    precondition {
      condition     = local.outside || contains(local.jobs, "postgres")
      error_message = "There is no database: install PostgreSQL on this machine (Debian: apt-get install postgresql), or give values = { database_host = \"…\" } and its password in secrets."
    }
    precondition {
      condition     = !contains(local.jobs, "postgres") || length(local.postgres) > 0 || try(var.values.programs, var.job_values.postgres.programs, "") != ""
      error_message = "The job postgres needs PostgreSQL's programs, which are not below /usr/lib/postgresql here: give job_values = { postgres = { programs = \"/directory/of/initdb\" } }."
    }
    precondition {
      condition     = length(data.nomad_nodes.all.nodes) > 0
      error_message = "Nomad has no client that could run anything: start one (nomad agent -dev is server and client in one)."
    }
    precondition {
      condition     = length(data.nomad_nodes.all.nodes) == 0 || length(local.able) > 0
      error_message = "No ready node of Nomad has a healthy driver ${var.driver}. raw_exec has to be enabled by plugin \"raw_exec\" { config { enabled = true } } in the clients' configuration (nomad agent -dev does it); exec needs root and cgroups."
    }
  }
}

data "nomad_nodes" "all" {}

data "nomad_node" "only" {
  count = length(local.able) == 1 ? 1 : 0

  node_id = local.able[0].id
}

locals {
  able = [
    for node in data.nomad_nodes.all.nodes : node
    if node.status == "ready" && node.scheduling_eligibility == "eligible" && anytrue([for driver in node.drivers : driver.name == var.driver && driver.healthy])
  ]
}
