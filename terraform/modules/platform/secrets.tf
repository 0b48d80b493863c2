# Secrets go to Nomad's variables nomad/jobs/wadi-NAME, each readable by its own job only, by write-only arguments: neither state nor plan holds
# one. What nobody gives is made at random, kept in variables that no job may read, and read back from there, so that all jobs get the same
# however often an apply is broken off.

locals {
  # Which items of its variable a job's template asks for, and the secret that each is: without all of them the job cannot start.
  items = {
    postgres   = { password = "database" }
    controller = merge({ database_password = "database" }, local.nodes ? { node_token = "node" } : {}, local.stores ? local.store : {})
    api        = merge({ database_password = "database", session_token = "session" }, local.stores ? local.store : {})
    node       = merge({ node_token = "node" }, local.stores ? local.store : {})
    backup     = merge({ database_password = "database" }, local.stores ? local.store : {})
    grafana    = { admin_password = "grafana" }
    s3         = { access_key = "s3_key", secret_key = "s3_secret", rpc_secret = "s3_rpc", admin_token = "s3_admin" }
  }
  nodes  = contains(var.jobs, "node")
  stores = contains(var.jobs, "s3")
  store  = { aws_access_key_id = "s3_key", aws_secret_access_key = "s3_secret" }

  # The secrets that the jobs which run here want.
  made = toset(flatten([for job in var.jobs : values(try(local.items[job], {}))]))

  # UUIDs of the system's random source: 122 random bits each. Write-only values may differ at every run: only a new version is written.
  random = merge(
    { for name in ["database", "session", "node", "grafana", "s3_secret", "s3_rpc", "s3_admin"] : name => replace("${uuid()}${uuid()}", "-", "") },
    # Garage wants its keys' names to begin so.
    { s3_key = "GK${substr(replace(uuid(), "-", ""), 0, 24)}" },
  )
}

resource "nomad_variable" "made" {
  for_each = local.made

  namespace        = local.namespace
  path             = "wadi-made/${each.key}"
  items_wo         = jsonencode({ value = local.random[each.key] })
  items_wo_version = 1
}

ephemeral "nomad_variable" "made" {
  for_each = local.made

  namespace = local.namespace
  # Out of the id, which is not known before it is made: else it would be read while planning.
  path = split("@", nomad_variable.made[each.key].id)[0]
}

resource "nomad_variable" "job" {
  for_each = toset([for job in var.jobs : job if contains(keys(local.items), job) || contains(var.other_secrets, job)])

  namespace = local.namespace
  path      = "nomad/jobs/wadi-${each.key}"
  items_wo = jsonencode(merge(
    { for item, made in try(local.items[each.key], {}) : item => ephemeral.nomad_variable.made[made].items["value"] },
    lookup(var.secrets, each.key, {}),
  ))
  # Written again as well when a job joins that changes what others are to know.
  items_wo_version = var.secrets_version * 4 + (local.nodes ? 1 : 0) + (local.stores ? 2 : 0)
}
