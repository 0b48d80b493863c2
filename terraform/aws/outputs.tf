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
      # The same of the authority of the agents' own certificates (server.global.nomad, client.global.nomad), whatever the address is: for scraping them.
      agent_ca_parameter = module.nomad_cluster.ca_parameter
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

output "next_steps" {
  description = "How to go on, and how to reach Nomad."
  value = join("\n", concat(
    local.nomad_public ? ["Nomad's API: ${local.nomad_address}, from ${join(", ", var.allowed_cidrs)}."] : [
      "Nomad's API, by a tunnel that must stay open during the steps below:",
      "  ${local.nomad_tunnel}",
      "Its authority: aws ssm get-parameter --region ${var.region} --name ${module.nomad_cluster.ca_parameter} --query Parameter.Value --output text > nomad-ca.pem",
    ],
    [
      "Its management token: aws secretsmanager get-secret-value --region ${var.region} --secret-id ${module.nomad_cluster.token_secret_arn} --query SecretString --output text",
      "Next: wadi deploy upload, then terraform -chdir=terraform/platform apply.",
    ],
    module.identity.gives_up == null ? [] : ["What this installation gives up: ${module.identity.gives_up}"],
  ))
}

output "operations" {
  description = "Commands of an operator by task; terraform/README.md says when."
  value = {
    shell_on_a_server  = local.session
    renew_certificates = "aws ssm send-command --region ${var.region} --document-name AWS-RunShellScript --targets Key=tag:wadi,Values=${var.name} --parameters commands=/usr/local/lib/wadi/certificates.sh"
    rotate_gossip      = "aws ssm send-command --region ${var.region} --document-name AWS-RunShellScript --targets Key=tag:wadi-servers,Values=${var.name} --parameters 'commands=/usr/local/lib/wadi/gossip.sh rotate'"
    save_snapshot      = "aws ssm send-command --region ${var.region} --document-name AWS-RunShellScript --targets Key=tag:wadi-servers,Values=${var.name} --parameters 'commands=/usr/local/lib/wadi/snapshot.sh save'"
    rotate_root_key    = "nomad operator root keyring rotate -full"
  }
}
