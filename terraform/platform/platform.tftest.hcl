# Run by "npm run check:deploy", whose stand-ins for the providers know the real ones' schemas.

override_data {
  target = data.nomad_nodes.all
  values = {
    nodes = [{
      id                     = "11111111-2222-3333-4444-555555555555"
      name                   = "client"
      datacenter             = "eu-central-1a"
      node_class             = ""
      node_pool              = "services"
      address                = "10.0.1.7"
      version                = "2.0.5"
      drain                  = false
      status                 = "ready"
      status_description     = ""
      scheduling_eligibility = "eligible"
      attributes             = {}
      drivers                = [{ name = "exec", detected = true, healthy = true, attributes = {} }, { name = "docker", detected = true, healthy = true, attributes = {} }]
      node_resources         = []
      reserved_resources     = []
    }]
  }
}

override_data {
  target = data.nomad_node.some
  values = {
    attributes = { "cpu.arch" = "amd64" }
  }
}

override_data {
  target = data.aws_ssm_parameter.agents
  values = {
    insecure_value = "-----BEGIN CERTIFICATE-----"
  }
}

override_data {
  target = data.aws_ssm_parameter.ca
  values = {
    insecure_value = "-----BEGIN CERTIFICATE-----"
  }
}

variables {
  cluster = {
    name      = "wadi"
    region    = "eu-central-1"
    namespace = "wadi"
    nomad = {
      address            = "https://nomad.example.com"
      region             = "global"
      version            = "2.0.5"
      ca_parameter       = "/wadi/nomad/ca"
      agent_ca_parameter = "/wadi/nomad/ca"
      token_secret_arn   = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:wadi-nomad-token"
      tunnel             = null
      node_pools         = ["services", "streams"]
      service_pool       = "services"
    }
    database = {
      host       = "wadi.abc.eu-central-1.rds.amazonaws.com"
      port       = 5432
      name       = "wadi"
      user       = "wadi"
      secret_arn = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:wadi-database"
    }
    buckets = { checkpoints = "wadi-checkpoints", artifacts = "wadi-artifacts", backups = "wadi-backups" }
    identity = {
      mode     = "oidc"
      issuer   = "https://oidc.example.com"
      audience = "sts.amazonaws.com"
      roles = {
        checkpoints = "arn:aws:iam::111111111111:role/wadi-checkpoints"
        backup      = "arn:aws:iam::111111111111:role/wadi-backup"
        autoscaler  = "arn:aws:iam::111111111111:role/wadi-autoscaler"
      }
      gives_up = null
    }
    load_balancer      = { url = "https://wadi.example.com", port = 5115, target_group_arn = "arn:aws:elasticloadbalancing:eu-central-1:111111111111:targetgroup/wadi/0" }
    autoscaling_groups = { streams = { name = "wadi-streams", min = 1, max = 9 } }
  }
  artifacts = {
    wadi = {
      amd64 = { url = "s3::https://s3.eu-central-1.amazonaws.com/wadi-artifacts/wadi", checksum = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
    }
    worker = {
      amd64 = { url = "s3::https://s3.eu-central-1.amazonaws.com/wadi-artifacts/worker", checksum = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" }
    }
  }
  worker_pool = "streams"
}

run "takes_the_cluster_as_terraform_aws_gives_it" {
  command = plan

  assert {
    condition     = local.jobs == toset(["controller", "api"])
    error_message = "With a database of the cloud and no images only Wadi itself runs."
  }

  assert {
    condition     = module.platform.values.api.database_host == "wadi.abc.eu-central-1.rds.amazonaws.com" && startswith(module.platform.values.api.database_ca_url, "https://truststore.pki.rds.amazonaws.com/")
    error_message = "The API must reach the cluster's database, by verified TLS."
  }

  assert {
    condition     = module.platform.values.controller.aws_role_arn == "arn:aws:iam::111111111111:role/wadi-checkpoints" && jsondecode(module.platform.values.controller.settings)["nomad.aws-role-arn"] == "arn:aws:iam::111111111111:role/wadi-checkpoints"
    error_message = "Controllers and workers reach checkpoints by their workload identity."
  }

  assert {
    condition     = jsondecode(module.platform.values.controller.settings)["checkpoint-url"] == "s3://wadi-checkpoints" && jsondecode(module.platform.values.controller.settings)["nomad.node-pool"] == "streams"
    error_message = "Checkpoints are in the cluster's bucket and workers in their own pool."
  }

  assert {
    condition     = module.platform.values.api.node_pool == "services" && jsondecode(module.platform.values.api.allowed_hosts) == ["wadi.example.com"] && output.ui == "https://wadi.example.com"
    error_message = "The API runs where the load balancer looks, under the name that browsers use."
  }

  assert {
    condition     = jsondecode(module.platform.values.controller.settings)["nomad.artifact"] == "s3::https://s3.eu-central-1.amazonaws.com/wadi-artifacts/worker" && module.platform.values.api.artifact == "s3::https://s3.eu-central-1.amazonaws.com/wadi-artifacts/wadi"
    error_message = "Workers take the small package, services the whole one."
  }
}

run "runs_others_programs_where_there_are_images" {
  command = plan

  variables {
    images = {
      autoscaler  = "hashicorp/nomad-autoscaler@sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
      prometheus  = "prom/prometheus@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
      pushgateway = "prom/pushgateway@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
    }
  }

  assert {
    condition     = local.jobs == toset(["controller", "api", "autoscaler", "prometheus", "pushgateway"]) && module.platform.values.prometheus.driver == "docker"
    error_message = "A job with an image runs by docker."
  }

  assert {
    condition     = module.platform.values.prometheus.nomad_scheme == "https" && module.platform.values.prometheus.nomad_server_name == "client.global.nomad"
    error_message = "Prometheus must ask Nomad's agents by TLS and by the name in their certificate."
  }

  assert {
    condition     = module.platform.values.api.driver == "exec"
    error_message = "Wadi itself stays with its driver."
  }

  assert {
    condition     = module.platform.values.autoscaler.group_name == "wadi-streams" && module.platform.values.autoscaler.maximum == "9" && module.platform.values.autoscaler.workers_node_pool == "streams"
    error_message = "The autoscaler scales the group of the workers' pool within the group's bounds."
  }
}

run "runs_its_own_database_where_the_cluster_has_none" {
  command = plan

  variables {
    cluster = merge(var.cluster, { database = null })
    images  = { postgres = "postgres@sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" }
  }

  assert {
    condition     = contains(local.jobs, "postgres") && !contains(keys(module.platform.values.api), "database_host")
    error_message = "Without a database of the cloud PostgreSQL is a job, found as a service."
  }
}

run "runs_on_a_nomad_that_is_not_on_aws" {
  command = plan

  variables {
    cluster     = null
    namespace   = "streams"
    worker_pool = null
    settings    = { "checkpoint-url" = "s3://elsewhere" }
    values      = { database_host = "db.example.com", node_pool = "services" }
    secrets     = { controller = { database_password = "test" }, api = { database_password = "test" } }
  }

  assert {
    condition     = local.namespace == "streams" && local.jobs == toset(["controller", "api"]) && !contains(keys(module.platform.values.api), "aws_role_arn")
    error_message = "Without a cluster of terraform/aws nothing of AWS is used."
  }
}

run "refuses_to_start_without_packages" {
  command = plan

  variables {
    artifacts = null
  }

  expect_failures = [terraform_data.ready]
}

run "refuses_a_processor_without_a_package" {
  command = plan

  variables {
    architecture = "arm64"
  }

  expect_failures = [terraform_data.ready]
}

run "refuses_two_databases" {
  command = plan

  variables {
    jobs = ["controller", "api", "postgres"]
  }

  expect_failures = [terraform_data.ready]
}

run "refuses_wrong_values_by_name" {
  command = plan

  variables {
    worker_pool = "gpu"
    images      = { prometheus = "prom/prometheus:latest" }
  }

  expect_failures = [var.worker_pool, var.images]
}
