# From what the cluster is to what the jobs are told.

locals {
  namespace   = local.on_aws ? var.cluster.namespace : var.namespace
  database    = try(var.cluster.database, null)
  worker_pool = coalesce(var.worker_pool, contains(try(var.cluster.nomad.node_pools, []), "workers") ? "workers" : "default")
  # Where Wadi's own jobs run: its nodes the load balancer reaches.
  service_pool = coalesce(try(var.values.node_pool, null), try(var.cluster.nomad.service_pool, null), "default")
  roles        = try(var.cluster.identity.roles, { checkpoints = null, backup = null, autoscaler = null })
  buckets      = try(var.cluster.buckets, { checkpoints = null, artifacts = null, backups = null })
  scaled       = try(keys(var.cluster.autoscaling_groups), [])

  # A job whose program is not on the nodes needs an image.
  found = concat(
    ["controller", "api"],
    local.database == null && try(var.values.database_host, "") == "" ? ["postgres"] : [],
    [for job in ["prometheus", "pushgateway", "grafana"] : job if contains(keys(var.images), job)],
    contains(keys(var.images), "autoscaler") && contains(local.scaled, local.worker_pool) ? ["autoscaler"] : [],
  )
  jobs = var.jobs == null ? toset(local.found) : var.jobs

  # Nodes of both kinds would need each package by ${attr.cpu.arch}, which has no one checksum.
  architectures = var.architecture == null ? distinct([for node in data.nomad_node.some : lookup(node.attributes, "cpu.arch", "amd64")]) : [var.architecture]
  packages = var.artifacts == null || length(local.architectures) != 1 ? null : {
    for name in ["wadi", "worker"] : name => var.artifacts[name][local.architectures[0]]
  }
  packaged = try(local.packages.wadi != null && local.packages.worker != null, false)

  settings = { for name, value in merge(
    {
      "checkpoint-url"          = local.buckets.checkpoints == null ? "" : "s3://${local.buckets.checkpoints}"
      "nomad.driver"            = var.driver
      "nomad.node-pool"         = local.worker_pool
      "nomad.artifact"          = local.packaged ? local.packages.worker.url : ""
      "nomad.artifact-checksum" = local.packaged ? local.packages.worker.checksum : ""
      "nomad.image"             = var.driver == "docker" ? lookup(var.images, "wadi", "") : ""
      "nomad.aws-role-arn"      = local.roles.checkpoints == null ? "" : local.roles.checkpoints
      "nomad.environment"       = local.on_aws ? "AWS_REGION=${var.cluster.region}" : ""
      "nomad.console-address"   = try(var.cluster.load_balancer.url, null) == null ? "" : var.cluster.load_balancer.url
    },
    var.settings,
  ) : name => value if value != "" }

  values = merge(
    {
      driver            = var.driver
      image             = var.driver == "docker" ? lookup(var.images, "wadi", null) : null
      artifact          = local.packaged && var.driver != "docker" ? local.packages.wadi.url : null
      artifact_checksum = local.packaged && var.driver != "docker" ? local.packages.wadi.checksum : null
      settings          = local.settings
      aws_region        = local.on_aws ? var.cluster.region : null
      database_host     = local.database == null ? null : local.database.host
      database_port     = local.database == null ? null : local.database.port
      database_name     = local.database == null ? null : local.database.name
      database_user     = local.database == null ? null : local.database.user
      database_ca_url   = local.database == null ? null : "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
      node_pool         = local.service_pool
    },
    var.values,
  )

  job_values = { for job in local.jobs : job => merge(
    # Programs of others by docker, where there is an image for them.
    contains(keys(var.images), job) ? { driver = "docker", image = var.images[job] } : {},
    contains(["api", "controller"], job) && local.roles.checkpoints != null ? { aws_role_arn = local.roles.checkpoints } : {},
    job == "backup" && local.roles.backup != null ? { aws_role_arn = local.roles.backup } : {},
    job == "backup" && local.buckets.backups != null ? { bucket_url = "s3://${local.buckets.backups}/postgres?region=${var.cluster.region}" } : {},
    # Clients share one certificate, which has this name and no addresses.
    job == "prometheus" && length(data.aws_ssm_parameter.agents) == 1 ? { nomad_scheme = "https", nomad_server_name = "client.${var.cluster.nomad.region}.nomad" } : {},
    job == "autoscaler" && local.roles.autoscaler != null ? { aws_role_arn = local.roles.autoscaler } : {},
    job == "autoscaler" && contains(local.scaled, local.worker_pool) ? {
      group_name        = var.cluster.autoscaling_groups[local.worker_pool].name
      workers_node_pool = local.worker_pool
      minimum           = tostring(var.cluster.autoscaling_groups[local.worker_pool].min)
      maximum           = tostring(var.cluster.autoscaling_groups[local.worker_pool].max)
    } : {},
    job == "api" && local.on_aws ? { port = try(var.cluster.load_balancer.port, 5115) } : {},
    job == "api" && try(var.cluster.load_balancer.url, null) != null ? { allowed_hosts = [regex("^https?://([^/:]+)", var.cluster.load_balancer.url)[0]] } : {},
    try(var.job_values[job], {}),
  ) }

  # Postgres' password is the cluster's own; all else that is missing the module makes.
  password = try(jsondecode(one(ephemeral.aws_secretsmanager_secret_version.database[*].secret_string)).password, "")
  secrets = {
    for job in setunion(keys(var.secrets), ["controller", "api", "backup", "prometheus"]) : job => merge(
      job == "prometheus" && length(data.aws_ssm_parameter.agents) == 1 ? { nomad_ca = data.aws_ssm_parameter.agents[0].insecure_value } : {},
      local.database == null || !contains(["controller", "api", "backup"], job) ? {} : { database_password = local.password },
      lookup(var.secrets, job, {}),
    )
  }
}

# What Nomad could only say late and badly is checked first.
resource "terraform_data" "ready" {
  lifecycle {
    precondition {
      condition     = length(local.architectures) < 2 || var.driver == "docker"
      error_message = "The nodes have processors of several kinds (${join(", ", local.architectures)}): say by architecture for which Wadi's packages are, and keep jobs on such nodes by node pools."
    }
    precondition {
      condition     = local.packages == null || local.packaged
      error_message = "There is no package for ${try(local.architectures[0], "the nodes")}: npm run package -- --arch ${try(local.architectures[0], "") == "arm64" ? "arm64" : "x64"}, then wadi deploy upload."
    }
    precondition {
      condition     = local.packages != null || length(local.architectures) != 1 || var.driver == "docker" || try(var.values.artifact, var.values.command, "") != ""
      error_message = "There is no package of Wadi: run \"wadi deploy upload\", which stores it and writes cluster.auto.tfvars.json here, or set driver = \"docker\" and images = { wadi = \"…@sha256:…\" }."
    }
    precondition {
      condition     = var.driver != "docker" || contains(keys(var.images), "wadi") || try(var.values.image, "") != ""
      error_message = "The driver docker needs images = { wadi = \"name@sha256:…\" }."
    }
    precondition {
      condition     = local.settings["checkpoint-url"] != ""
      error_message = "Nobody said where checkpoints are kept: on another Nomad than terraform/aws made give settings = { \"checkpoint-url\" = \"s3://…\" }."
    }
    precondition {
      condition     = !contains(local.jobs, "postgres") || local.database == null
      error_message = "The cluster has a database (${try(local.database.host, "")}): the job postgres beside it would not be used. Leave it out of jobs."
    }
    precondition {
      condition     = length(local.able) > 0
      error_message = "No ready node${local.pool} of Nomad has a healthy driver ${var.driver}. See \"nomad node status\" and the drivers of terraform/aws's client pools."
    }
  }
}

data "nomad_nodes" "all" {}

# A look at twenty is enough to see what processors there are.
data "nomad_node" "some" {
  for_each = toset(var.architecture == null ? slice(sort(local.ready[*].id), 0, min(20, length(local.ready))) : [])

  node_id = each.key
}

locals {
  pool  = " in the pool ${local.service_pool}"
  ready = [for node in data.nomad_nodes.all.nodes : node if node.status == "ready" && node.scheduling_eligibility == "eligible"]
  able = [
    for node in local.ready : node
    if node.node_pool == local.service_pool && anytrue([for driver in node.drivers : driver.name == var.driver && driver.healthy])
  ]
}
