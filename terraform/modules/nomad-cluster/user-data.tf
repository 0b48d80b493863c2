# What an instance is given at birth: Nomad's configuration (rendered), settings, and scripts and units, which are plain files and the same everywhere.
# No secret is among them: scripts fetch those when Nomad starts. What is here changes only when instances have to be replaced.

locals {
  retry_join = "provider=aws region=${var.region} addr_type=private_v4 tag_key=wadi-servers tag_value=${var.name}"

  # Packages that scripts need beyond what every image of Amazon Linux 2023 has.
  packages = ["diffutils", "jq", "openssl", "unzip"]

  # What the exec driver shows to tasks: a C library and shell, resolver, certificates.
  chroot_paths = [
    "/bin", "/lib", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib64", "/run/systemd/resolve",
    "/etc/alternatives", "/etc/group", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/pki",
    "/etc/resolv.conf", "/etc/ssl",
  ]

  server_configuration = templatefile("${path.module}/templates/server.hcl.tftpl", {
    region                  = var.nomad_region
    datacenter              = var.region
    aws_region              = var.region
    server_count            = var.servers.count
    retry_join              = local.retry_join
    root_key_rotation_hours = var.root_key_rotation_hours
    oidc_issuer             = var.oidc_issuer
    kms_key_id              = var.kms_key_arn
  })

  client_configuration = {
    for name, pool in var.client_pools : name => templatefile("${path.module}/templates/client.hcl.tftpl", {
      region                 = var.nomad_region
      datacenter             = var.region
      node_pool              = name
      node_class             = pool.node_class
      meta                   = merge({ spot = tostring(pool.spot), architecture = pool.architecture }, pool.meta)
      retry_join             = local.retry_join
      drain_deadline_seconds = var.drain.environment.WADI_DRAIN_DEADLINE_SECONDS
      chroot_paths           = local.chroot_paths
    })
  }

  environment = merge(var.drain.environment, {
    WADI_NAME                      = var.name
    WADI_AWS_REGION                = var.region
    WADI_NOMAD_REGION              = var.nomad_region
    WADI_CERTIFICATES_PARAMETER    = aws_ssm_parameter.certificates.name
    WADI_CLIENT_CERTIFICATE_SECRET = aws_secretsmanager_secret.client_certificate.arn
  })

  archive = {
    for role, nomad in { server = var.nomad, client = coalesce(var.client_nomad, var.nomad) } : role => {
      WADI_NOMAD_VERSION        = nomad.version
      WADI_NOMAD_SHA256_AMD64   = nomad.sha256.amd64
      WADI_NOMAD_SHA256_ARM64   = nomad.sha256.arm64
      WADI_NOMAD_DOWNLOADS      = nomad.downloads
    }
  }

  server_environment = merge(local.environment, local.archive.server, {
    WADI_ROLE               = "server"
    WADI_GROUP              = local.server_group
    WADI_LAUNCH_HOOK        = local.launch_hook
    WADI_CA_PARAMETER       = aws_ssm_parameter.ca.name
    WADI_AUTHORITY_SECRETS  = local.authority_secrets
    WADI_GOSSIP_SECRET      = aws_secretsmanager_secret.gossip.arn
    WADI_TOKEN_SECRET       = aws_secretsmanager_secret.token.arn
    WADI_DRAIN_TOKEN_SECRET = aws_secretsmanager_secret.drain_token.arn
    WADI_BACKUPS            = var.backups_bucket.name
    WADI_PACKAGES           = join(" ", local.packages)
    WADI_UNITS              = "nomad.service wadi-drain.service wadi-server-ready.service wadi-certificates.timer wadi-gossip.timer wadi-snapshot.timer"
  })

  client_environment = {
    for name in keys(var.client_pools) : name => merge(local.environment, local.archive.client, {
      WADI_ROLE         = "client"
      WADI_GROUP        = local.client_groups[name]
      WADI_TOKEN_SECRET = aws_secretsmanager_secret.drain_token.arn
      WADI_PACKAGES     = join(" ", concat(local.packages, var.docker ? ["docker"] : [], local.guarded ? ["nftables"] : []))
      WADI_UNITS = join(" ", concat(
        local.guarded ? ["wadi-metadata-guard.service"] : [],
        var.docker ? ["docker.service"] : [],
        ["nomad.service", "wadi-drain.service", "wadi-certificates.timer"],
      ))
    })
  }

  # Where tasks have identities of their own, they may not ask for the instance's.
  guarded = var.oidc_issuer != null

  file_of = { for name in fileset("${path.module}/files", "*") : name => file("${path.module}/files/${name}") }

  scripts = {
    common = ["common.sh", "install.sh", "certificates.sh", "gossip.sh"]
    server = ["server-ready.sh", "snapshot.sh"]
  }
  units = {
    common = ["nomad.service", "wadi-certificates.service", "wadi-certificates.timer"]
    server = ["wadi-server-ready.service", "wadi-gossip.service", "wadi-gossip.timer", "wadi-snapshot.service", "wadi-snapshot.timer"]
    guard  = ["wadi-metadata-guard.service"]
  }

  guard_files = {
    "/etc/wadi/metadata-guard.nft"                   = "metadata-guard.nft"
    "/etc/systemd/system/nomad.service.d/guard.conf" = "client-guard.conf"
  }

  server_files = concat(
    var.drain.files,
    [for name in concat(local.scripts.common, local.scripts.server) : { path = "/usr/local/lib/wadi/${name}", mode = "0755", content = local.file_of[name] }],
    [for name in concat(local.units.common, local.units.server) : { path = "/etc/systemd/system/${name}", mode = "0644", content = local.file_of[name] }],
    [
      { path = "/etc/systemd/system/nomad.service.d/user.conf", mode = "0644", content = local.file_of["server-user.conf"] },
      { path = "/etc/nomad.d/server.hcl", mode = "0644", content = local.server_configuration },
      { path = "/etc/wadi/cluster.env", mode = "0644", content = join("", [for name, value in local.server_environment : "${name}=\"${value}\"\n"]) },
    ],
  )

  client_files = {
    for pool in keys(var.client_pools) : pool => concat(
      var.drain.files,
      [for name in local.scripts.common : { path = "/usr/local/lib/wadi/${name}", mode = "0755", content = local.file_of[name] }],
      [for name in concat(local.units.common, local.guarded ? local.units.guard : []) : { path = "/etc/systemd/system/${name}", mode = "0644", content = local.file_of[name] }],
      [
        for path, name in local.guarded ? local.guard_files : {} : { path = path, mode = "0644", content = local.file_of[name] }
      ],
      [
        { path = "/etc/nomad.d/client.hcl", mode = "0644", content = local.client_configuration[pool] },
        { path = "/etc/wadi/cluster.env", mode = "0644", content = join("", [for name, value in local.client_environment[pool] : "${name}=\"${value}\"\n"]) },
      ],
    )
  }

  # cloud-init reads JSON as YAML. It is compressed, because AWS takes 16 KiB.
  user_data = {
    for name, files in merge({ "/server" = local.server_files }, local.client_files) : name => base64gzip(join("\n", ["#cloud-config", jsonencode({
      write_files = [for file in files : { path = file.path, permissions = file.mode, content = file.content }]
      runcmd      = [["/usr/local/lib/wadi/install.sh"]]
    })]))
  }
}
