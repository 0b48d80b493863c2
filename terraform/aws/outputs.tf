# What terraform/platform and `wadi deploy` need to know of the cluster: names, addresses and ARNs, never a secret. The value of `cluster` is
# the variable `cluster` of terraform/platform, which has the same type.

output "cluster" {
  description = "The cluster, as terraform/platform takes it: no secret is in it, only where secrets are."
  value = {
    name      = var.name
    region    = var.region
    namespace = var.namespace

    nomad = {
      # https://nomad.DOMAIN, or https://localhost:4646 through the tunnel below.
      address = local.nomad_address
      region  = local.nomad_region
      version = var.nomad.version
      # SSM parameter with the PEM of the authority that signed the address's certificate; null: a public one did (ACM).
      ca_parameter = local.nomad_ca_parameter
      # Secrets Manager secret whose text is the management token (a UUID).
      token_secret_arn = module.nomad_cluster.token_secret_arn
      # Command that opens https://localhost:4646; null where the API is reached on 443.
      tunnel     = local.nomad_tunnel
      node_pools = sort(keys(var.client_pools))
      # Node pool whose clients the load balancer reaches: the API runs there.
      service_pool = var.service_pool
    }

    # null where Postgres runs on Nomad. The secret is {"username": …, "password": …}, kept by RDS.
    database = var.postgres == null ? null : {
      host       = one(module.postgres[*].host)
      port       = one(module.postgres[*].port)
      name       = one(module.postgres[*].name)
      user       = one(module.postgres[*].user)
      secret_arn = one(module.postgres[*].secret_arn)
    }

    buckets = {
      checkpoints = module.object_store.checkpoints.name
      artifacts   = module.object_store.artifacts.name
      backups     = module.object_store.backups.name
    }

    identity = {
      # oidc: tasks hold rights by their workload identity; instance-profile: every task on a client holds them.
      mode     = module.identity.mode
      issuer   = module.identity.issuer
      audience = module.identity.audience
      # ARNs of roles that tasks assume; all null with instance-profile.
      roles = {
        checkpoints = module.identity.roles.checkpoints
        backup      = module.identity.roles.backup
        autoscaler  = module.identity.roles.autoscaler
      }
      gives_up = module.identity.gives_up
    }

    load_balancer = {
      # Where users find the UI and the API; null without a domain.
      url = local.ui_url
      # Static port of the API on the clients of the service pool.
      port             = var.ui_port
      target_group_arn = one(module.load_balancer[*].ui_target_group_arn)
    }

    # Auto-scaling group of every node pool, for the autoscaler job.
    autoscaling_groups = {
      for pool, group in module.nomad_cluster.client_groups : pool => { name = group.name, min = group.min, max = group.max }
    }
  }
}
