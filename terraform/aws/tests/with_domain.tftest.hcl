# An installation with a domain: discovery for everybody, UI and Nomad for the allowed addresses, tasks with identities.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region        = "eu-central-1"
  allowed_cidrs = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/25", "192.0.2.128/25", "10.0.0.0/8"]
  domain        = { name = "wadi.example.com", zone_id = "Z0123456789" }
}

run "only_discovery_is_public_and_tasks_have_identities" {
  assert {
    condition     = output.cluster.nomad.address == "https://nomad.wadi.example.com" && output.cluster.load_balancer.url == "https://wadi.example.com"
    error_message = "UI and Nomad must be under the domain"
  }
  assert {
    condition     = output.cluster.nomad.ca_parameter == null && output.cluster.nomad.tunnel == null
    error_message = "an address with a public certificate needs neither a private authority nor a tunnel"
  }
  assert {
    condition     = output.cluster.load_balancer.port == 5115 && output.cluster.load_balancer.target_group_arn != null
    error_message = "the API has a static port behind the load balancer"
  }
  assert {
    condition     = output.cluster.identity.mode == "oidc" && output.cluster.identity.issuer == "https://oidc.wadi.example.com" && output.cluster.identity.audience == "sts.amazonaws.com"
    error_message = "the issuer must be under the domain"
  }
  assert {
    condition     = alltrue([for arn in values(output.cluster.identity.roles) : startswith(arn, "arn:aws:iam::")]) && output.cluster.identity.gives_up == null
    error_message = "each kind of task needs a role"
  }
  assert {
    condition     = toset(module.load_balancer[0].public_paths) == toset(["/.well-known/openid-configuration", "/.well-known/jwks.json"])
    error_message = "the public may read the discovery documents and nothing else"
  }
  assert {
    condition     = alltrue([for host in ["ui", "nomad"] : toset(module.load_balancer[0].allowed[host]) == toset(var.allowed_cidrs)])
    error_message = "the private hosts are for the allowed addresses"
  }
}

run "a_second_apply_changes_nothing" {
  command = plan
  assert {
    condition     = output.cluster == run.only_discovery_is_public_and_tasks_have_identities.cluster
    error_message = "the second apply gave another cluster"
  }
}

run "with_nobody_allowed_discovery_stays" {
  command = plan
  variables {
    allowed_cidrs = []
  }
  assert {
    condition     = length(module.load_balancer) == 1 && output.cluster.identity.mode == "oidc" && length(flatten(values(module.load_balancer[0].allowed))) == 0
    error_message = "discovery does not depend on the allowed addresses"
  }
  assert {
    condition     = output.cluster.nomad.tunnel != null && output.cluster.load_balancer.url == null
    error_message = "operators then come by the tunnel"
  }
}
