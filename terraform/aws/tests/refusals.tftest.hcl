# What the root refuses before anything is made, each with one message.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region        = "eu-central-1"
  allowed_cidrs = []
}

run "what_cannot_be" {
  command = plan
  variables {
    allowed_cidrs = ["203.0.113.0"]
    region        = "eu-central-1a"
    name          = "a-name-that-is-much-too-long"
    zones         = ["eu-central-1a", "eu-central-1b"]
    service_pool  = "services"
    ui_port       = 25000
    domain        = { name = "wadi.example.com", zone_id = "example.com" }
    drain_minutes = 0
  }
  expect_failures = [var.allowed_cidrs, var.region, var.name, var.zones, var.service_pool, var.ui_port, var.domain, var.drain_minutes]
}

run "the_whole_internet_and_services_on_spot_instances" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
    client_pools  = { default = { instance_types = ["m7g.large"], max = 4, spot = true } }
  }
  expect_failures = [var.allowed_cidrs, var.service_pool]
}

run "half_of_the_internet" {
  command = plan
  variables {
    allowed_cidrs = ["128.0.0.0/1"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "not_what_is_said_expressly" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
    public_access = true
    domain        = { name = "wadi.example.com", zone_id = "Z0123456789" }
  }
  assert {
    condition     = output.cluster.nomad.address == "https://nomad.wadi.example.com"
    error_message = "whoever says so gets it"
  }
}
