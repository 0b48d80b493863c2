# An installation without a domain: nothing listens for the public, and the outputs say how to reach it and what it gives up.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region        = "eu-central-1"
  allowed_cidrs = []
}

run "everything_has_a_place" {
  assert {
    condition     = output.cluster.name == "wadi" && output.cluster.region == "eu-central-1" && output.cluster.namespace == "default"
    error_message = "the cluster must say what and where it is"
  }
  assert {
    condition     = output.cluster.buckets == { checkpoints = "wadi-123456789012-eu-central-1-checkpoints", artifacts = "wadi-123456789012-eu-central-1-artifacts", backups = "wadi-123456789012-eu-central-1-backups" }
    error_message = "buckets are named after the installation, the account and the region"
  }
  assert {
    condition     = output.cluster.database.host == "wadi.mock.eu-central-1.rds.amazonaws.com" && output.cluster.database.port == 5432 && output.cluster.database.user == "wadi" && startswith(output.cluster.database.secret_arn, "arn:aws:secretsmanager:")
    error_message = "the database is named, and its password only by where it is"
  }
  assert {
    condition     = toset(keys(output.cluster.autoscaling_groups)) == toset(["default", "workers"]) && output.cluster.nomad.node_pools == tolist(["default", "workers"])
    error_message = "each pool is a node pool with a group"
  }
  assert {
    condition     = length(module.load_balancer) == 0 && output.cluster.load_balancer.url == null
    error_message = "without a domain there must be no load balancer"
  }
  assert {
    condition     = output.cluster.nomad.address == "https://localhost:4646" && strcontains(output.cluster.nomad.tunnel, "AWS-StartPortForwardingSession") && strcontains(output.next_steps, output.cluster.nomad.tunnel)
    error_message = "the port-forward must be printed"
  }
  assert {
    condition     = output.cluster.nomad.ca_parameter == "/wadi/nomad/ca"
    error_message = "the private authority must be found"
  }
  assert {
    condition     = output.cluster.identity.mode == "instance-profile" && output.cluster.identity.issuer == null && alltrue([for arn in values(output.cluster.identity.roles) : arn == null])
    error_message = "without an issuer tasks have no roles of their own"
  }
  assert {
    condition     = strcontains(output.cluster.identity.gives_up, "every task on a client") && strcontains(output.next_steps, output.cluster.identity.gives_up)
    error_message = "the output must say what is given up"
  }
}

run "a_second_apply_changes_nothing" {
  command = plan
  assert {
    condition     = output.cluster == run.everything_has_a_place.cluster
    error_message = "the second apply gave another cluster"
  }
}

run "postgres_may_be_a_job" {
  command = plan
  variables {
    postgres = null
  }
  assert {
    condition     = output.cluster.database == null && length(module.postgres) == 0
    error_message = "without postgres there must be no database of AWS's"
  }
}
