# From what the cluster is to what the jobs are told.

locals {
  namespace = local.on_aws ? var.cluster.namespace : var.namespace
  database  = try(var.cluster.database, null)
  roles     = try(var.cluster.identity.roles, { checkpoints = null, backup = null, autoscaler = null })
  buckets   = try(var.cluster.buckets, { checkpoints = null, artifacts = null, backups = null })
  scaled    = try(keys(var.cluster.autoscaling_groups), [])

  # A job whose program is not on the nodes needs an image.
  found = concat(
    ["controller", "api"],
    local.database == null && try(var.values.database_host, "") == "" ? ["postgres"] : [],
    [for job in ["prometheus", "pushgateway", "grafana"] : job if contains(keys(var.images), job)],
    contains(keys(var.images), "autoscaler") && length(local.scaled) > 0 ? ["autoscaler"] : [],
  )
  jobs = var.jobs == null ? toset(local.found) : var.jobs

  packages = var.artifacts == null ? null : {
    for name in ["wadi", "worker"] : name => merge(var.artifacts[name].amd64, var.artifacts[name])[var.architecture]
  }

  settings = { for name, value in merge(
    {
      "checkpoint-url"          = local.buckets.checkpoints == null ? "" : "s3://${local.buckets.checkpoints}"
      "nomad.driver"            = var.driver
      "nomad.node-pool"         = var.worker_pool
      "nomad.artifact"          = local.packages == null ? "" : local.packages.worker.url
      "nomad.artifact-checksum" = local.packages == null ? "" : local.packages.worker.checksum
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
      artifact          = local.packages == null || var.driver == "docker" ? null : local.packages.wadi.url
      artifact_checksum = local.packages == null || var.driver == "docker" ? null : local.packages.wadi.checksum
      settings          = local.settings
      aws_region        = local.on_aws ? var.cluster.region : null
      database_host     = local.database == null ? null : local.database.host
      database_port     = local.database == null ? null : local.database.port
      database_name     = local.database == null ? null : local.database.name
      database_user     = local.database == null ? null : local.database.user
      database_ca_url   = local.database == null ? null : "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
      node_pool         = try(var.cluster.nomad.service_pool, null)
    },
    var.values,
  )

  job_values = { for job in local.jobs : job => merge(
    # Programs of others by docker, where there is an image for them.
    contains(keys(var.images), job) ? { driver = "docker", image = var.images[job] } : {},
    contains(["api", "controller"], job) && local.roles.checkpoints != null ? { aws_role_arn = local.roles.checkpoints } : {},
    job == "backup" && local.roles.backup != null ? { aws_role_arn = local.roles.backup } : {},
    job == "backup" && local.buckets.backups != null ? { bucket_url = "s3://${local.buckets.backups}/postgres?region=${var.cluster.region}" } : {},
    job == "autoscaler" && local.roles.autoscaler != null ? { aws_role_arn = local.roles.autoscaler } : {},
    job == "api" && local.on_aws ? { port = try(var.cluster.load_balancer.port, 5115) } : {},
    job == "api" && try(var.cluster.load_balancer.url, null) != null ? { allowed_hosts = [regex("^https?://([^/:]+)", var.cluster.load_balancer.url)[0]] } : {},
    try(var.job_values[job], {}),
  ) }

  # Postgres' password is the cluster's own; all else that is missing the module makes.
  password = try(jsondecode(one(ephemeral.aws_secretsmanager_secret_version.database[*].secret_string)).password, "")
  secrets = {
    for job in setunion(keys(var.secrets), ["controller", "api", "backup"]) : job => merge(
      local.database == null || !contains(["controller", "api", "backup"], job) ? {} : { database_password = local.password },
      lookup(var.secrets, job, {}),
    )
  }
}

# What Nomad could only say late and badly is checked first.
resource "terraform_data" "ready" {
  lifecycle {
    precondition {
      condition     = local.packages != null || var.driver == "docker" || try(var.values.artifact, var.values.command, "") != ""
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

locals {
  pool = try(" in the pool ${local.values.node_pool}", "")
  able = [
    for node in data.nomad_nodes.all.nodes : node
    if node.status == "ready" && node.scheduling_eligibility == "eligible" && node.node_pool == coalesce(local.values.node_pool, "default") && anytrue([for driver in node.drivers : driver.name == var.driver && driver.healthy])
  ]
}
