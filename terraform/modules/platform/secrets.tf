# Secrets go to Nomad's variables nomad/jobs/wadi-NAME, each readable by its own job only, by write-only arguments: neither state nor plan holds
# one. What nobody gives is made at random, kept in one variable that no job may read, and read back from there, so that all jobs get the same
# however often an apply is broken off.

locals {
  # Which items a job's template asks for: the variable must have all of them before the job can start.
  items = {
    postgres   = { password = "database" }
    controller = { database_password = "database" }
    api        = { database_password = "database", session_token = "session" }
  }

  # Two UUIDs of the system's random source each: 244 random bits. A write-only value may differ at every run: only a new version is written.
  random = { for name in ["database", "session"] : name => replace("${uuid()}${uuid()}", "-", "") }
}

resource "nomad_variable" "made" {
  namespace        = local.namespace
  path             = "wadi-made/secrets"
  items_wo         = jsonencode(local.random)
  items_wo_version = 1
}

ephemeral "nomad_variable" "made" {
  namespace = local.namespace
  # Out of the id, which is not known before it is made: else it would be read while planning.
  path = split("@", nomad_variable.made.id)[0]
}

resource "nomad_variable" "job" {
  for_each = { for job, items in local.items : job => items if contains(var.jobs, job) }

  namespace        = local.namespace
  path             = "nomad/jobs/wadi-${each.key}"
  items_wo         = jsonencode(merge({ for item, made in each.value : item => ephemeral.nomad_variable.made.items[made] }, lookup(var.secrets, each.key, {})))
  items_wo_version = var.secrets_version
}
